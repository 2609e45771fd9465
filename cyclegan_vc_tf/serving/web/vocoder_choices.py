"""Vocoders that the page offers for a run."""

from pathlib import Path
from typing import Any

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import packaged_models
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import vocoder_folders

VOCODERS_FOLDER = "vocoders"
"""Folder inside the folder of runs that MelGAN files and trained vocoders are offered from."""

WORLD, LIMITED_WORLD, GRIFFIN_LIM, OWN_MELGAN = "world", "world_limited", "griffin_lim", "melgan"
OWN_TRAINED = "trained"
MELGAN_PREFIX, TRAINED_PREFIX = "melgan:", "trained:"


def vocoder_choices(config: RunConfig, runs_dir: Path) -> tuple[list[tuple[str, str]], str]:
    """Return label and value of each vocoder that fits a run, and the value of its own.

    Args:
        config: Settings of the run.
        runs_dir: Folder of the runs; `vocoders` in it may hold MelGAN files and folders of trained
            vocoders.
    """
    own = config.vocoder
    trained = _trained_choices(config, runs_dir)
    if config.features.spectra == "mel_cepstra":
        choices = [("WORLD", WORLD), ("WORLD, no frame louder than its source", LIMITED_WORLD)]
        chosen = LIMITED_WORLD if own.limit_power else WORLD
        return [*choices, *trained], OWN_TRAINED if own.is_trained_here else chosen
    choices = [("Griffin-Lim", GRIFFIN_LIM)]
    if own.vocoder_checkpoint:
        choices.append(("MelGAN of the run", OWN_MELGAN))
    choices += [(f"MelGAN: {name}", f"{MELGAN_PREFIX}{name}") for name in _melgan_files(runs_dir)]
    chosen = OWN_MELGAN if own.vocoder == "melgan" else GRIFFIN_LIM
    return [*choices, *trained], OWN_TRAINED if own.is_trained_here else chosen


def live_vocoder_choices(config: RunConfig, runs_dir: Path) -> tuple[list[tuple[str, str]], str]:
    """Return label and value of each vocoder that converts a run live, and the one to begin with.

    Args:
        config: Settings of the run.
        runs_dir: Folder of the runs, as for `vocoder_choices`.

    Returns:
        Choices, and the value of the run's own vocoder or else of the first; "" without any.
    """
    choices, own = vocoder_choices(config, runs_dir)
    is_world = config.features.spectra == "mel_cepstra"
    found = [
        (label, value)
        for label, value in choices
        if (value in (WORLD, LIMITED_WORLD) if is_world else value != GRIFFIN_LIM)
    ]
    values = [value for _, value in found]
    return found, own if own in values else next(iter(values), "")


def live_refusal(name: str, choices: list[tuple[str, str]]) -> str:
    """Return the reason why a run does not convert live; empty if it does.

    Args:
        name: Name of the run.
        choices: Its choices of `live_vocoder_choices`.
    """
    if choices:
        return ""
    return (
        f"{name} converts log-mel spectra, and no vocoder for them that works live is here; choose "
        "a voice that converts mel-cepstra, such as pretrained:vc1-demo, or put the folder of a "
        f"vocoder of train_vocoder into {VOCODERS_FOLDER} in the folder of runs"
    )


def vocoder_settings(value: str, config: RunConfig, runs_dir: Path) -> dict[str, Any]:
    """Return the changes of the vocoder's settings for a choice.

    Args:
        value: Value of the choice.
        config: Settings of the run.
        runs_dir: Folder of the runs.

    Raises:
        InputError: The run does not have this choice.
    """
    choices, _ = vocoder_choices(config, runs_dir)
    if value not in dict((value, label) for label, value in choices):
        labels = ", ".join(label for label, _ in choices)
        raise InputError(f"received vocoder {value!r}; expected {labels}")
    if value in (WORLD, LIMITED_WORLD):
        changes: dict[str, Any] = {"limit_power": value == LIMITED_WORLD}
        # With the default vocoder, WORLD synthesizes mel-cepstra.
        return changes | ({"vocoder": GRIFFIN_LIM} if config.vocoder.is_trained_here else {})
    if value == OWN_TRAINED:
        return {"vocoder": config.vocoder.vocoder}
    if value.startswith(packaged_models.PREFIX):
        return {"vocoder": value}
    if value.startswith(TRAINED_PREFIX):
        name = value.removeprefix(TRAINED_PREFIX)
        return {"vocoder": str(runs_dir / VOCODERS_FOLDER / name)}
    if value.startswith(MELGAN_PREFIX):
        checkpoint = runs_dir / VOCODERS_FOLDER / value.removeprefix(MELGAN_PREFIX)
        return {"vocoder": "melgan", "vocoder_checkpoint": str(checkpoint)}
    return {"vocoder": value}


def _trained_choices(config: RunConfig, runs_dir: Path) -> list[tuple[str, str]]:
    """Return label and value of the trained vocoders of a run's features."""
    choices = []
    if config.vocoder.is_trained_here:
        choices.append(("vocoder of the run", OWN_TRAINED))
    for name in vocoder_folders.names():
        value = f"{packaged_models.PREFIX}{name}"
        if vocoder_folders.fits(vocoder_folders.find(value), config.features):
            choices.append((value, value))
    folders = sorted((runs_dir / VOCODERS_FOLDER).glob("*/"))
    return choices + [
        (f"trained vocoder: {folder.name}", f"{TRAINED_PREFIX}{folder.name}")
        for folder in folders
        if vocoder_folders.fits(folder, config.features)
    ]


def _melgan_files(runs_dir: Path) -> list[str]:
    """Return the names of the MelGAN files beside the runs."""
    return sorted(path.name for path in (runs_dir / VOCODERS_FOLDER).glob("*.npz"))

"""Vocoders that the page offers for a run."""

from pathlib import Path
from typing import Any

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system.errors import InputError

VOCODERS_FOLDER = "vocoders"
"""Folder inside the folder of runs that MelGAN files are offered from."""

WORLD, LIMITED_WORLD, GRIFFIN_LIM, OWN_MELGAN = "world", "world_limited", "griffin_lim", "melgan"
MELGAN_PREFIX = "melgan:"


def vocoder_choices(config: RunConfig, runs_dir: Path) -> tuple[list[tuple[str, str]], str]:
    """Return label and value of each vocoder that fits a run, and the value of its own.

    Args:
        config: Settings of the run.
        runs_dir: Folder of the runs; `vocoders` in it may hold MelGAN files.
    """
    own = config.vocoder
    if config.features.spectra == "mel_cepstra":
        choices = [("WORLD", WORLD), ("WORLD, no frame louder than its source", LIMITED_WORLD)]
        return choices, LIMITED_WORLD if own.limit_power else WORLD
    choices = [("Griffin-Lim", GRIFFIN_LIM)]
    if own.vocoder_checkpoint:
        choices.append(("MelGAN of the run", OWN_MELGAN))
    choices += [(f"MelGAN: {name}", f"{MELGAN_PREFIX}{name}") for name in _melgan_files(runs_dir)]
    return choices, OWN_MELGAN if own.vocoder == "melgan" else GRIFFIN_LIM


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
        return {"limit_power": value == LIMITED_WORLD}
    if value.startswith(MELGAN_PREFIX):
        checkpoint = runs_dir / VOCODERS_FOLDER / value.removeprefix(MELGAN_PREFIX)
        return {"vocoder": "melgan", "vocoder_checkpoint": str(checkpoint)}
    return {"vocoder": value}


def _melgan_files(runs_dir: Path) -> list[str]:
    """Return the names of the MelGAN files beside the runs."""
    return sorted(path.name for path in (runs_dir / VOCODERS_FOLDER).glob("*.npz"))

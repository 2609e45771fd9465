"""Folders of trained vocoders, those that come with the package among them, without TensorFlow."""

from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.system import files, packaged_models
from cyclegan_vc_tf.system.errors import InputError

SETTINGS, WEIGHTS = "vocoder.json", "vocoder.npz"

FORMAT = 1
"""Format number of the files; it rises when their content changes."""

MODELS_DIR = Path(__file__).parent / "models"

F0_SETTINGS = ("f0_method", "f0_floor_hz", "f0_ceiling_hz")
"""Settings of the analysis in which a vocoder may differ from a run."""


def names() -> list[str]:
    """Return the names of the vocoders that come with the package, sorted."""
    return packaged_models.names(MODELS_DIR)


def find(text: str) -> Path:
    """Return the folder of a vocoder.

    Args:
        text: Path of the folder, or "pretrained:NAME".

    Raises:
        InputError: The package has no vocoder with this name.
    """
    return packaged_models.find(MODELS_DIR, text, "vocoder")


def holds_vocoder(folder: Path) -> bool:
    """Return whether a folder holds a trained vocoder."""
    return (folder / SETTINGS).is_file() and (folder / WEIGHTS).is_file()


def read_settings(folder: Path) -> tuple[FeatureConfig, VocoderNetworkConfig]:
    """Read the settings of a vocoder: its features, and the sizes of its networks.

    Raises:
        InputError: This version does not know a setting. Other damage raises one of
            `files.DAMAGE_ERRORS`.
    """
    description = files.read_json(folder / SETTINGS)
    if description["format"] != FORMAT:
        raise ValueError(f"it has format {description['format']!r:.20}; expected {FORMAT}")
    return (
        settings.from_dict(FeatureConfig, description["features"]),
        settings.from_dict(VocoderNetworkConfig, description["network"]),
    )


def fits(folder: Path, config: FeatureConfig) -> bool:
    """Return whether a folder holds a vocoder of the features of an analysis."""
    if not holds_vocoder(folder):
        return False
    try:
        return not list_differences(read_settings(folder)[0], config)
    except (InputError, *files.DAMAGE_ERRORS):
        return False


def list_differences(vocoder: FeatureConfig, run: FeatureConfig) -> list[str]:
    """Return one text per setting in which the features of a vocoder and of a run differ.

    Args:
        vocoder: Features that the vocoder takes.
        run: Features of the run.
    """
    trained_on, needed = (
        {key: value for key, value in each.used.items() if key not in F0_SETTINGS}
        for each in (vocoder, run)
    )
    return [
        f"--{key} is {trained_on.get(key, 'not used')} there and {needed.get(key, 'not used')} "
        "in this run"
        for key in {**needed, **trained_on}
        if trained_on.get(key) != needed.get(key)
    ]

"""Folders of trained vocoders, those that come with the package among them, without TensorFlow."""

from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.system import files, packaged_models
from cyclegan_vc_tf.system.errors import InputError

SETTINGS, WEIGHTS = "vocoder.json", "vocoder.npz"

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
    if not text.startswith(packaged_models.PREFIX):
        return Path(text)
    return packaged_models.find(MODELS_DIR, text, "vocoder")


def holds_vocoder(folder: Path) -> bool:
    """Return whether a folder holds a trained vocoder."""
    return (folder / SETTINGS).is_file() and (folder / WEIGHTS).is_file()


def fits(folder: Path, config: FeatureConfig) -> bool:
    """Return whether a folder holds a vocoder of the features of an analysis."""
    if not holds_vocoder(folder):
        return False
    try:
        data = files.read_json(folder / SETTINGS)["features"]
        return not list_differences(settings.from_dict(FeatureConfig, data), config)
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

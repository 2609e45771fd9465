"""Pretrained models that come with the package."""

from pathlib import Path

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.system import packaged_models

MODELS_DIR = Path(__file__).parent / "models"


def names() -> list[str]:
    """Return the names of all models, in the order of the papers that they begin with."""
    variants = list(PRESETS)

    def paper(name: str) -> int:
        variant = name.split("-")[0]
        return variants.index(variant) if variant in variants else len(variants)

    return sorted(packaged_models.names(MODELS_DIR), key=paper)


def find(text: str) -> Path:
    """Return the folder of a run.

    Args:
        text: Path of the folder, or "pretrained:NAME".

    Raises:
        InputError: The package has no model with this name.
    """
    return packaged_models.find(MODELS_DIR, text, "model")

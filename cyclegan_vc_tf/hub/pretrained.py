"""Pretrained models that come with the package."""

from pathlib import Path

from cyclegan_vc_tf.system.errors import InputError

PREFIX = "pretrained:"
"""Prefix of a model's name where a command expects a run folder."""

MODELS_DIR = Path(__file__).parent / "models"


def names() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(card.parent.name for card in MODELS_DIR.glob("*/card.md"))


def find(text: str) -> Path:
    """Return the run folder of `pretrained:NAME`.

    Raises:
        InputError: The package has no model with this name.
    """
    name = text.removeprefix(PREFIX)
    if name not in names():
        raise InputError(
            f"{text} is not a model of this package; expected {PREFIX} and one of "
            f"{', '.join(names())}"
        )
    return MODELS_DIR / name

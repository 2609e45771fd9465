"""Vocoders that come with the package."""

from pathlib import Path

from cyclegan_vc_tf.config.settings import PRETRAINED_PREFIX
from cyclegan_vc_tf.system.errors import InputError

MODELS_DIR = Path(__file__).parent / "models"


def names() -> list[str]:
    """Return the names of all vocoders, sorted."""
    return sorted(card.parent.name for card in MODELS_DIR.glob("*/card.md"))


def find(text: str) -> Path:
    """Return the folder of a vocoder.

    Args:
        text: Path of the folder, or "pretrained:NAME".

    Raises:
        InputError: The package has no vocoder with this name.
    """
    if not text.startswith(PRETRAINED_PREFIX):
        return Path(text)
    name = text.removeprefix(PRETRAINED_PREFIX)
    if name not in names():
        raise InputError(
            f"{text} is not a vocoder of this package; expected {PRETRAINED_PREFIX} and one of "
            f"{', '.join(names()) or 'none'}"
        )
    return MODELS_DIR / name

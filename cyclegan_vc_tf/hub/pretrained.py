"""The models that come with the package."""

from pathlib import Path

from cyclegan_vc_tf.system.errors import InputError

PREFIX = "pretrained:"
MODELS_DIR = Path(__file__).parent / "models"


def names() -> list[str]:
    """Of all of them."""
    return sorted(card.parent.name for card in MODELS_DIR.glob("*/card.md"))


def find(text: str) -> Path:
    """The folder of `pretrained:NAME`.

    Raises:
        InputError: There is none of that name.
    """
    name = text.removeprefix(PREFIX)
    if name not in names():
        raise InputError(f"there is no {text}; expected {PREFIX} and one of {', '.join(names())}")
    return MODELS_DIR / name

"""The models that come with the package."""

from pathlib import Path

from cyclegan_vc_tf.errors import InputError

PREFIX = "pretrained:"
FOLDER = Path(__file__).parent / "pretrained"


def names() -> list[str]:
    """Of all of them."""
    return sorted(card.parent.name for card in FOLDER.glob("*/card.md"))


def find(text: str) -> Path:
    """The folder of `pretrained:NAME`.

    Raises:
        InputError: There is none of that name.
    """
    name = text.removeprefix(PREFIX)
    if name not in names():
        raise InputError(f"there is no {text}; expected {PREFIX} and one of {', '.join(names())}")
    return FOLDER / name

"""Models that come with the package: a folder each, found by `pretrained:NAME`."""

from pathlib import Path

from cyclegan_vc_tf.system.errors import InputError

PREFIX = "pretrained:"
"""Prefix of a model's name where a folder is expected."""

CARD = "card.md"
"""Model card, which every model has."""


def names(models_dir: Path) -> list[str]:
    """Return the names of the models in a folder of the package, sorted."""
    return sorted(card.parent.name for card in models_dir.glob(f"*/{CARD}"))


def find(models_dir: Path, text: str, kind: str) -> Path:
    """Return the folder of a model.

    Args:
        models_dir: Folder of the package with one folder per model.
        text: "pretrained:" and the name; or the path of a folder.
        kind: What the model is, for the error.

    Raises:
        InputError: The package has no model with this name.
    """
    if not text.startswith(PREFIX):
        return Path(text)
    name = text.removeprefix(PREFIX)
    if name not in names(models_dir):
        raise InputError(
            f"{text} is not a {kind} of this package; expected {PREFIX} and one of "
            f"{', '.join(names(models_dir)) or 'none'}"
        )
    return models_dir / name

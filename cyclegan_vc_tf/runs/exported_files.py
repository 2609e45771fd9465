"""Places of exported generators: a file, or a folder that holds one per direction."""

import importlib.util
from pathlib import Path

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.system.onnx_sessions import ENDING


def file_name(direction: str) -> str:
    """Return the name of a direction's file in a folder."""
    return f"generator_{direction}{ENDING}"


def find(path: Path) -> list[Path]:
    """Return the exported generators that a path names: the file itself, or those of the folder."""
    if path.suffix.lower() == ENDING and not path.is_dir():
        return [path]
    return [path / name for name in map(file_name, Direction) if (path / name).is_file()]


def is_exported(path: Path) -> bool:
    """Return whether a path is converted with ONNX Runtime, and not with TensorFlow.

    A folder with weights and exported generators is converted with TensorFlow where it is
    installed.
    """
    if not path.is_dir():
        return path.suffix.lower() == ENDING
    return bool(find(path)) and importlib.util.find_spec("tensorflow") is None

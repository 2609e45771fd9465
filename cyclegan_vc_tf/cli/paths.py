"""Paths that commands are given."""

from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.system.errors import InputError


def run_dir(value: str) -> Path:
    """The path of `--run_dir`, which was given, or of a model that comes with the package."""
    if value.startswith(pretrained.PREFIX):
        return pretrained.find(value)
    return required("run_dir", settings.absolute_path(value))


def new_file(value: str) -> Path:
    """The path of `--output`, which was given; at most a file is there, to be replaced."""
    path = required("output", value)
    if path.exists() and not path.is_file():
        raise InputError(f"--output {path} is no file; expected a file to write")
    return path


def required(name: str, value: str) -> Path:
    """The path of a flag that has no default.

    Raises:
        InputError: The flag was not given.
    """
    if not value:
        raise InputError(f"--{name} is not given; see --help")
    return Path(value)

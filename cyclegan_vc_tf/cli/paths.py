"""Paths that are given as flags."""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf.system import text_files
from cyclegan_vc_tf.system.errors import InputError


def define_run_dir(values: flags.FlagValues) -> None:
    """Define `--run_dir` of a command that trains."""
    flags.DEFINE_string(
        "run_dir",
        "",
        "Run folder. An existing run is resumed; it keeps the settings that are not given.",
        flag_values=values,
        module_name="run",
    )


def new_file(value: str) -> Path:
    """Return the path of `--output`, a file to write; an existing file is replaced.

    Raises:
        InputError: The flag was not given, or the path is a folder.
    """
    path = required("output", value)
    if path.exists() and not path.is_file():
        raise InputError(f"--output {path} is not a file; expected a file to write")
    return path


def required(name: str, value: str) -> Path:
    """Return the path of a flag that has no default.

    Raises:
        InputError: The flag was not given.
    """
    if not value:
        raise InputError(f"--{name} is not given; see --help")
    return Path(value)


def read_text(name: str, value: str) -> str:
    """Return the text of the file that a flag names; empty where the flag was not given.

    Raises:
        InputError: The file does not exist, is a folder, is too large, or is not text in UTF-8.
    """
    if not value:
        return ""
    return text_files.read(name, Path(value)).removeprefix(text_files.BYTE_ORDER_MARK)

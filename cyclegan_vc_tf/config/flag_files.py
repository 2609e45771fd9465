"""Flag files: one `--name=value` per line.

A value that a line cannot hold, such as a path that is not text, is written as a JSON string in
double quotes.
"""

import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclegan_vc_tf.system import text_files
from cyclegan_vc_tf.system.errors import InputError

MAX_BYTES = 1 << 20
"""Largest size of a flag file, in bytes."""

_FLAGS = ("--flagfile", "-flagfile")
_QUOTED = re.compile(r'(--?(?!flagfile=)[\w-]+=)(".*")')
_UNWRITABLE = re.compile(r'^"|[\r\n\0\ud800-\udfff]|\s$')
"""Parts of a value that a line would not give back."""


def format_line(name: str, value: object) -> str:
    """Return the line of a flag file that gives a flag its value.

    Args:
        name: Name of the flag.
        value: Value of the flag; numbers and texts are written as they are.
    """
    text = str(value)
    return f"--{name}={json.dumps(text) if _UNWRITABLE.search(text) else text}\n"


def expand(arguments: Sequence[str], including: tuple[str, ...] = ()) -> list[str]:
    """Return arguments with the lines of flag files in the place of `--flagfile`.

    Args:
        arguments: Command-line arguments without the program's name.
        including: Flag files that include these arguments, from the outermost.

    Raises:
        InputError: A flag file does not exist, is a folder, is too large, is not text in UTF-8, or
            has a byte order mark or a NUL character.
    """
    expanded: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        flag, equals, value = argument.partition("=")
        if flag not in _FLAGS or not (equals or remaining):
            expanded.append(argument)
            continue
        path = os.path.expanduser(value.strip() if equals else remaining.pop(0))
        if path in including:
            print(f"warning: --flagfile {path} includes itself; it is read once", file=sys.stderr)
        elif not path:
            # absl says that the path is missing.
            expanded.append("--flagfile=")
        else:
            expanded += expand(_read(Path(path)), (*including, path))
    return expanded


def _read(path: Path) -> list[str]:
    """Return the arguments in a flag file, without comments and empty lines."""
    text = text_files.read("flagfile", path, MAX_BYTES)
    if text_files.BYTE_ORDER_MARK in text:
        raise InputError(f"--flagfile {path} has a byte order mark; save it in UTF-8 without it")
    lines = io.StringIO(text, newline=None).readlines()
    return [
        _unquote(line.strip())
        for line in lines
        if line.strip() and not line.startswith(("#", "//"))
    ]


def _unquote(line: str) -> str:
    """Return a line with its quoted value as plain text."""
    if match := _QUOTED.fullmatch(line):
        try:
            value = json.loads(match[2])
            if b"\0" not in os.fsencode(value):
                return match[1] + value
        except ValueError:
            pass
    # Other quotes are part of the value.
    return line

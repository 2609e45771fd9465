"""Checks of flag files before absl reads them."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from cyclegan_vc_tf.system.errors import InputError

MAX_BYTES = 1 << 20
"""Largest size of a flag file, in bytes."""

_PREFIXES = ("--flagfile=", "-flagfile=")


def check(arguments: Sequence[str]) -> None:
    """Refuse arguments that name a flag file that is not text in UTF-8.

    Files that cannot be opened are left to absl.

    Args:
        arguments: Command-line arguments without the program's name.

    Raises:
        InputError: A flag file, or one that it includes, is too large, has another encoding, begins
            with a byte order mark, or has a NUL character.
    """
    pending, seen = _named_files(arguments), set()
    while pending:
        path = pending.pop()
        if path in seen or not os.path.isfile(path):
            continue
        seen.add(path)
        pending += _named_files(_read(Path(path)).splitlines())


def _named_files(arguments: Sequence[str]) -> list[str]:
    """Return the paths of the flag files that arguments name."""
    found = [
        argument.removeprefix(prefix).strip()
        for argument in arguments
        for prefix in _PREFIXES
        if argument.startswith(prefix)
    ]
    found += [path for flag, path in pairwise(arguments) if flag in ("--flagfile", "-flagfile")]
    return list(map(os.path.expanduser, found))


def _read(path: Path) -> str:
    """Read a flag file."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"--flagfile {path} has more than {MAX_BYTES:,} bytes; expected flags")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"--flagfile {path} is not text in UTF-8 ({error.reason} at byte {error.start}); save "
            "it in UTF-8"
        ) from error
    for character, name in (("\ufeff", "a byte order mark"), ("\0", "a NUL character")):
        if character in text:
            raise InputError(f"--flagfile {path} has {name}; save it in UTF-8 without it")
    return text

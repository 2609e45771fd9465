"""Text files that flags name, read completely or refused in one line with flag and path."""

from pathlib import Path

from cyclegan_vc_tf.system.errors import InputError

BYTE_ORDER_MARK = "\ufeff"
"""Character that some editors write at the beginning of a file in UTF-8."""


def read(flag: str, path: Path, max_bytes: int = 1 << 20) -> str:
    """Read a text file; its line ends and a byte order mark stay as they are.

    Args:
        flag: Name of the flag, without dashes.
        path: File, or anything else that can be read to its end, such as a pipe.
        max_bytes: Largest size of the file.

    Raises:
        InputError: The file does not exist, cannot be read, is a folder, is too large, is not text
            in UTF-8, or has a NUL character, as text in UTF-16 has.
    """
    named = f"--{flag} {path}"
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise InputError(f"{named} does not exist; expected a text file") from error
    except IsADirectoryError as error:
        raise InputError(f"{named} is a folder; expected a text file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{named} cannot be read ({reason}); expected a text file") from error
    if len(content) > max_bytes:
        raise InputError(f"{named} has more than {max_bytes:,} bytes; expected a shorter text file")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{named} is not text in UTF-8 ({error.reason} at byte {error.start}); save it in UTF-8"
        ) from error
    if "\0" in text:
        raise InputError(f"{named} has a NUL character; save it in UTF-8 without it")
    return text

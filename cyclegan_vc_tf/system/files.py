"""Atomic writes of files, locks of folders, and hashes."""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL_SUFFIX = ".partial"
"""Ending of the name of a file that is being written."""

DAMAGE_ERRORS = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    OverflowError,
)
"""Exceptions that damaged JSON and NumPy files raise."""

_BLOCK_BYTES = 2**20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if the block succeeds.

    A reader sees the old file or the whole new one, even if the writer is killed. A killed writer
    leaves a file whose name ends in `.partial`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(_temporary_name(path))
    try:
        yield partial
        rename_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _temporary_name(path: Path) -> str:
    """Return a new name of a hidden file that contains `path.name`, or its beginning."""
    ending = f".{uuid.uuid4().hex[:8]}{PARTIAL_SUFFIX}"
    return f".{_shorten(path, f'.{ending}')}{ending}"


def partial_folder(path: Path) -> Path:
    """Return the path beside `path` where a folder of that name is built before it is renamed.

    Every process gets one path, so a process can find what a killed one left behind.
    """
    plain = f".{path.name}{PARTIAL_SUFFIX}"
    if _shorten(path, f".{PARTIAL_SUFFIX}") == path.name:
        return path.with_name(plain)
    # The beginning of a long name may be that of another folder too.
    ending = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]}{PARTIAL_SUFFIX}"
    return path.with_name(f".{_shorten(path, f'.{ending}')}{ending}")


@contextmanager
def building(path: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `path`, and rename it to `path` if the block succeeds.

    Leftovers of a killed process are removed.

    Args:
        path: Folder to make. An empty folder may be there.
        replaces: Whether a folder with files in it is replaced.

    Raises:
        OSError: A folder with files in it is there, and must not be replaced.
    """
    partial = partial_folder(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if replaces and path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def extended_name(path: Path, extension: str) -> str:
    """Return `path.name`, shortened if it is too long, with an extension.

    Args:
        path: Path that may not exist.
        extension: ASCII text to append; it keeps shortened names apart.
    """
    return f"{_shorten(path, extension)}{extension}"


def _shorten(path: Path, added: str) -> str:
    """Return `path.name`, shortened so that the file system allows ASCII text beside it.

    The name is shortened by whole characters.

    Args:
        path: Path that may not exist.
        added: Text that the longer name has in addition.
    """
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    available = os.pathconf(parent, "PC_NAME_MAX") - len(added)
    name_bytes = os.fsencode(path.name)
    if 0 <= available < len(name_bytes):
        return name_bytes[:available].decode("utf-8", "ignore")
    return path.name


def rename_into_place(partial: Path, path: Path) -> None:
    """Write the file `partial` through to the disk and rename it to `path`."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def find_write_error(descriptor: int) -> str | None:
    """Return the system's reason why a file cannot grow, such as "No space left on device".

    A library that writes the file may not report the reason. This function appends zeros to find
    it, so the file has to be discarded afterwards.

    Args:
        descriptor: File descriptor, open for writing.

    Returns:
        The reason, or None where zeros can be written.
    """
    try:
        os.lseek(descriptor, 0, os.SEEK_END)
        # The first write may fill the rest of the disk.
        for _ in range(2):
            os.write(descriptor, bytes(_BLOCK_BYTES))
        os.fsync(descriptor)
    except OSError as error:
        return error.strerror
    return None


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`; a reader never sees part of it."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`; a reader never sees part of it."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_json(path: Path, data: Any) -> None:
    """Write `data` to `path` as indented JSON; a reader never sees part of it."""
    write_text(path, json.dumps(data, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not JSON in UTF-8, has a key twice, or is nested too deeply.
    """
    return parse_json(path.read_bytes())


def parse_json(content: bytes) -> Any:
    """Return the data of JSON in UTF-8.

    Raises:
        ValueError: As `read_json` says.
    """
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_refuse_repeated_keys)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; Python's reader would keep the last of several equal keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has {repeated!r} twice")
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 hash of a file as hexadecimal digits; the file is read in blocks."""
    digest = hashlib.sha256()
    for block in _read_blocks(path):
        digest.update(block)
    return digest.hexdigest()


def crc32(path: Path) -> int:
    """Return the CRC-32 checksum of a file; the file is read in blocks."""
    checksum = 0
    for block in _read_blocks(path):
        checksum = zlib.crc32(block, checksum)
    return checksum


def _read_blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock file `path` while the block runs.

    The system releases the lock when the process ends, even if it is killed.

    Args:
        path: Lock file; created if it does not exist.
        wait: Whether to wait until another process releases the lock.

    Yields:
        Whether this process holds the lock; always True with `wait`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock file `path`; writes nothing."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def find_tensorflow_fault(path: Path | str) -> str:
    """Return why TensorFlow cannot use a path of a checkpoint; empty if it can."""
    text = str(path)
    if set("*?[]\\") & set(text):
        return "has one of * ? [ ] \\ in it, which TensorFlow takes for a pattern"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "has bytes in it that are not UTF-8, which TensorFlow cannot open"
    return ""

"""Files that are there whole or not at all, and folders that one process writes at a time."""

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL_SUFFIX = ".partial"

_BLOCK_BYTES = 2**20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to, and renames it to `path` when all went well.

    A reader sees the old file or the new one, whatever moment the writer is killed at. What is
    left behind by a kill ends in `.partial`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PARTIAL_SUFFIX}")
    try:
        yield partial
        rename_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def rename_into_place(partial: Path, path: Path) -> None:
    """Brings the written file `partial` to the disk and renames it to `path`."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, data: Any) -> None:
    """Writes `data` to `path` as JSON to be read by people too, whole or not at all."""
    write_text(path, json.dumps(data, indent=1) + "\n")


def sha256(path: Path) -> str:
    """Hash of a file's bytes, read block by block, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Holds the lock file `path` for as long as the block runs.

    The system lets go of the lock when its process ends, however it ends.

    Yields:
        Whether the lock was had; with `wait` the block only starts once it was.
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
    """Whether a process holds the lock file `path`; nothing is written to find out."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def has_wildcards(path: Path | str) -> bool:
    """Whether TensorFlow takes a path for a pattern when it reads checkpoints."""
    return bool(set("*?[]\\") & set(str(path)))

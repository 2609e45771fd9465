"""Loader of librosa, whose compiled code needs a folder that can be written.

librosa compiles functions with numba, which keeps the code beside librosa's files or in the user's
cache folder. A container often runs as a user who may write neither; then numba refuses to load
librosa.
"""

import atexit
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

from cyclegan_vc_tf.system.errors import InputError

NUMBA_CACHE_VARIABLE = "NUMBA_CACHE_DIR"
"""Environment variable with the folder of numba's compiled code; worker processes inherit it."""

_LOCK = threading.Lock()


@cache
def has_librosa() -> bool:
    """Return whether librosa is installed; cyclegan-vc-lite does without it."""
    return importlib.util.find_spec("librosa") is not None


def load_librosa() -> Any:
    """Import librosa, and give numba a folder for compiled code where it has none.

    Raises:
        InputError: No folder can be written.
    """
    prepare_numba_cache()
    return importlib.import_module("librosa")


def prepare_numba_cache() -> None:
    """Give numba a temporary folder for compiled code where it can write no other.

    The folder is removed when this process exits. Call the function before the import of a library
    that imports librosa, and before the start of worker processes, which share the folder.

    Raises:
        InputError: No folder can be written.
    """
    with _LOCK:
        _prepare_numba_cache()


@cache
def _prepare_numba_cache() -> None:
    chosen = os.environ.get(NUMBA_CACHE_VARIABLE)
    if (chosen and can_write(Path(chosen))) or _can_write_usual_folders():
        return
    try:
        folder = tempfile.mkdtemp(prefix="cyclegan_vc_tf-numba-")
    except OSError as error:
        raise InputError(
            "received no folder that can be written for librosa's compiled code "
            f"({error.strerror}); set {NUMBA_CACHE_VARIABLE} or TMPDIR to one that can"
        ) from error
    atexit.register(_remove, folder, os.getpid())
    os.environ[NUMBA_CACHE_VARIABLE] = folder
    # numba reads the variable when it is imported.
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = folder


def can_write(folder: Path) -> bool:
    """Return whether a file can be made in a folder; the folder is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _can_write_usual_folders() -> bool:
    """Return whether numba can write beside all files of librosa, or in the user's cache folder."""
    found = importlib.util.find_spec("librosa")
    folders = found.submodule_search_locations or [] if found else []
    if not folders:
        return True
    import platformdirs  # Not installed where librosa is not.

    modules = {path.parent for folder in folders for path in Path(folder).rglob("*.py")}
    return all(can_write(folder / "__pycache__") for folder in modules) or can_write(
        Path(platformdirs.user_cache_dir("numba", appauthor=False))
    )


def _remove(folder: str, process: int) -> None:
    """Remove a folder, but not at the exit of a process that was forked from its owner."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)

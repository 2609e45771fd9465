"""Faster and silent start of commands that import TensorFlow, and their faster end."""

import gc
import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

from cyclegan_vc_tf.system.errors import InputError

FEW_OBJECTS = 10_000
"""Number of objects without garbage collection below which nothing was excluded yet.

Python 3.12 excludes some hundred itself.
"""

OPTIONAL_PACKAGES = ("boto3", "IPython", "pandas", "scipy")
"""Packages that Keras and TensorBoard import where they are installed, and no command needs there.

They take up to a third of the time of TensorFlow's import.
"""

_hidden = {"matplotlib", "sklearn"}
"""Packages that TensorFlow's import does not find."""

_importing = threading.Lock()
"""Lock of the one thread that imports TensorFlow; the error stream belongs to all threads."""


def quiet_tensorflow() -> None:
    """Keep TensorFlow's C++ code from logging, unless `TF_CPP_MIN_LOG_LEVEL` is set.

    It reports every accelerator that it does not find. What fails still raises. The function has
    no effect once TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def hide_optional_packages() -> None:
    """Hide `OPTIONAL_PACKAGES` from a later import of TensorFlow.

    This is for commands. In a process of somebody else, Keras may be asked for what it does with
    these packages, such as to train with a table of pandas.
    """
    _hidden.update(OPTIONAL_PACKAGES)


@contextmanager
def fast_import() -> Iterator[None]:
    """Import TensorFlow silently; exclude what the block creates from garbage collection.

    Raises:
        InputError: TensorFlow is not installed.
    """
    quiet_tensorflow()
    with collect_later():
        with _importing:
            if sys.modules.get("tensorflow") is None:
                _import_tensorflow()
        yield


def _import_tensorflow() -> None:
    """Import TensorFlow silently."""
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            "TensorFlow is not installed, and ONNX files alone are converted without it; expected "
            "a file of python -m cyclegan_vc_tf export --format=onnx, or install cyclegan-vc-tf"
        )
    with _keep_messages(), _hide_packages(*_hidden):
        import tensorflow  # noqa: F401


@contextmanager
def collect_later() -> Iterator[None]:
    """Exclude what the block creates from garbage collection, such as modules.

    An import creates millions of permanent objects. Their collection takes a sixth of the time
    of TensorFlow's import, and as long again at the end of the process.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Once: a later block creates little, and the garbage of that moment would stay for ever.
        if gc.get_freeze_count() < FEW_OBJECTS:
            gc.freeze()
        if enabled:
            gc.enable()


class _Hidden(MetaPathFinder):
    """Finder that refuses packages to the thread that made it.

    Args:
        packages: Names of the packages.
    """

    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages
        self.thread = threading.get_ident()

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError for a hidden package; leave all others to other finders."""
        if fullname in self.packages and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"{fullname} is hidden", name=fullname)


@contextmanager
def _hide_packages(*packages: str) -> Iterator[None]:
    """Make packages not importable in the block for this thread, unless they are imported already.

    Keras imports some packages where they are installed, for functions that are not used here. For
    Keras 3, matplotlib and scikit-learn take two thirds as long as TensorFlow's own import.
    """
    finder = _Hidden(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def _keep_messages() -> Iterator[None]:
    """Show what the block writes to standard error only if the block fails.

    TensorFlow 2.21 lists missing accelerators at its import, whatever `TF_CPP_MIN_LOG_LEVEL` is.
    It writes to the file descriptor, which Python's `sys.stderr` does not see.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # The process was started without standard error.
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)

"""Fast and quiet import of TensorFlow."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


def quiet_tensorflow() -> None:
    """Keep TensorFlow's C++ code from logging, unless `TF_CPP_MIN_LOG_LEVEL` is set.

    It reports every accelerator that it does not find. What fails still raises. The function has
    no effect once TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def fast_import() -> Iterator[None]:
    """Exclude objects that the block creates from garbage collection, and quiet TensorFlow.

    An import creates millions of permanent objects. Their collection takes a sixth of the time
    of TensorFlow's import, and as long again at the end of the process.
    """
    quiet_tensorflow()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()

"""Faster start and end of commands that import TensorFlow."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fast_import() -> Iterator[None]:
    """Exclude objects that the block creates from garbage collection, now and later.

    An import creates millions of permanent objects. Their collection takes a sixth of the time
    of TensorFlow's import, and as long again at the end of the process.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()

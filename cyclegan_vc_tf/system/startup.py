"""A sooner start, and end, of commands that need TensorFlow."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fast_import() -> Iterator[None]:
    """Imports what is large in the block without looking for garbage in it, then or later.

    An import makes millions of objects that stay. Looking through them again and again takes a
    sixth of TensorFlow's import, and doing so once more at the end of the process as long again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()

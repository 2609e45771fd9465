"""Faster traces of TensorFlow functions."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.util import tf_stack

_lock = threading.Lock()
_extract_stack = tf_stack.extract_stack
_blocks = 0
"""Number of blocks of `without_tracebacks` that run now, in all threads."""


@contextmanager
def without_tracebacks() -> Iterator[None]:
    """Give all operations that are made in this block the traceback of the block.

    By default, TensorFlow reads the whole Python stack for each operation of a graph, a sixth of
    the time of a trace. Only messages of errors inside of the graph show it. Meanwhile, operations
    that other threads make get this traceback too.
    """
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks == 1:
            stack = _extract_stack()
            tf_stack.extract_stack = lambda stacklevel=1: stack
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks:
                tf_stack.extract_stack = _extract_stack

"""Tracebacks of operations: one for a block, the usual ones outside of it."""

import threading
from contextlib import ExitStack

import pytest
import tensorflow as tf

from cyclegan_vc_tf.training.tracing import without_tracebacks


def make_operation() -> list[str]:
    """Return the functions in the traceback of an operation that is made here."""
    with tf.Graph().as_default():
        return [frame.name for frame in tf.constant(1.0).op.traceback]


def test_operations_of_a_block_have_its_traceback() -> None:
    assert "make_operation" in make_operation()
    with without_tracebacks():
        inside = make_operation()
    assert "make_operation" not in inside
    assert "test_operations_of_a_block_have_its_traceback" in inside
    assert "make_operation" in make_operation()


def test_the_usual_tracebacks_return_after_blocks_of_several_threads() -> None:
    """The block that began first ends first, as replicas in threads may."""
    first, second = ExitStack(), ExitStack()
    first.enter_context(without_tracebacks())
    other = threading.Thread(target=second.enter_context, args=(without_tracebacks(),))
    other.start()
    other.join()
    first.close()
    assert "make_operation" not in make_operation()
    second.close()
    assert "make_operation" in make_operation()


def test_an_error_ends_the_block() -> None:
    with pytest.raises(RuntimeError), without_tracebacks():
        raise RuntimeError
    assert "make_operation" in make_operation()

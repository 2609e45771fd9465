"""Frozen graphs compute what the function computes, and leave nothing behind at a call."""

import gc
import sys

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.streaming.frozen_graph import FrozenGraph


def traced(weights: tf.Variable, dtype: tf.DType = tf.float32) -> object:
    """A traced function: a product with weights, and an offset."""
    return tf.function(
        lambda inputs: tf.linalg.matmul(inputs, weights) + tf.ones((), dtype),
        input_signature=[tf.TensorSpec((2, 3), dtype)],
    ).get_concrete_function()


def test_the_output_is_the_functions() -> None:
    """Products of small whole numbers are exact."""
    weights = tf.Variable(np.arange(12, dtype=np.float32).reshape(3, 4))
    frozen, inputs = FrozenGraph(traced(weights)), np.array([[1, 2, 3], [0, -1, 2]], np.float32)
    np.testing.assert_array_equal(frozen(inputs), inputs @ weights.numpy() + 1)
    # The weights are those of the moment.
    expected = frozen(inputs)
    weights.assign(0 * weights)
    np.testing.assert_array_equal(frozen(inputs), expected)


def test_inputs_keep_their_order() -> None:
    graph = tf.function(
        lambda first, second: 2 * first - second,
        input_signature=[tf.TensorSpec((2,)), tf.TensorSpec((2,))],
    ).get_concrete_function()
    frozen = FrozenGraph(graph)
    found = frozen(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    np.testing.assert_array_equal(found, [-8.0, -16.0])


def test_inputs_take_the_functions_type() -> None:
    weights = tf.Variable(tf.eye(3, dtype=tf.bfloat16))
    frozen = FrozenGraph(traced(weights, tf.bfloat16))
    found = frozen(np.full((2, 3), 0.5, np.float32))
    assert found.dtype == tf.bfloat16.as_numpy_dtype
    np.testing.assert_array_equal(found.astype(np.float32), np.full((2, 3), 1.5))


def test_calls_leave_nothing_behind() -> None:
    """TensorFlow 2.15's own calls leave two blocks of memory each with Python 3.11."""
    calls = 5000
    weights = tf.Variable(tf.eye(3))
    frozen, inputs = FrozenGraph(traced(weights)), np.ones((2, 3), np.float32)
    for _ in range(100):
        frozen(inputs)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(calls):
        frozen(inputs)
    gc.collect()
    assert sys.getallocatedblocks() - before < calls / 10

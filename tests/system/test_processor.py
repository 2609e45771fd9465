"""Settings of a process for fast training, seen in the graphs that TensorFlow computes."""

import pytest
import tensorflow as tf
from optimized_graphs import optimized_nodes

from cyclegan_vc_tf.system import processor


def operations(uses_all: bool) -> set[str]:
    """Kinds of operations of a dense layer in its optimised graph.

    Args:
        uses_all: Whether TensorFlow optimises with all parts of Grappler, or as in a training.
    """
    tf.config.optimizer.set_experimental_options(dict.fromkeys(processor.LEFT_OUT_OPTIMIZERS, True))
    if not uses_all:
        processor.configure_process()
    weights, bias = tf.Variable(tf.ones((64, 64))), tf.Variable(tf.ones(64))
    dense = tf.function(lambda x: tf.nn.relu(tf.nn.bias_add(tf.matmul(x, weights), bias)))
    return {node.op for node in optimized_nodes(dense, tf.ones((32, 64)))}


def test_graphs_of_a_training_are_optimised_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grappler's remapper, one of the parts left out, makes one operation of the three."""
    # Other tests of this process shall not keep their memory.
    monkeypatch.setattr(processor, "keep_memory", lambda: None)
    assert not {"MatMul", "_MklMatMul"} & operations(uses_all=True)
    few = operations(uses_all=False)
    assert {"BiasAdd", "Relu"} <= few and not any("Fused" in kind for kind in few)

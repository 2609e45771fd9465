"""Settings of a process for fast training, seen in the graphs that TensorFlow computes."""

import pytest
import tensorflow as tf
from optimized_graphs import optimized_nodes

from cyclegan_vc_tf.system import processor


def operations() -> set[str]:
    """Kinds of operations of a dense layer in its optimised graph."""
    weights, bias = tf.Variable(tf.ones((64, 64))), tf.Variable(tf.ones(64))
    dense = tf.function(lambda x: tf.nn.relu(tf.nn.bias_add(tf.matmul(x, weights), bias)))
    return {node.op for node in optimized_nodes(dense, tf.ones((32, 64)))}


def test_graphs_of_a_training_are_optimised_less(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Grappler's remapper, one of the parts left out, makes one operation of the three."""
    # Other tests of this process shall not keep their memory.
    monkeypatch.setattr(processor, "keep_memory", lambda: None)
    request.addfinalizer(processor.choose_graph_optimizers)
    processor.choose_graph_optimizers(all_parts=True)
    assert not {"MatMul", "_MklMatMul"} & operations()
    processor.configure_process()
    few = operations()
    assert {"BiasAdd", "Relu"} <= few and not any("Fused" in kind for kind in few)

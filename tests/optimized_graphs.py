"""Operations of a call as TensorFlow's optimizer Grappler leaves them."""

from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context


def optimized_nodes(function: tf.types.experimental.GenericFunction, *inputs: tf.Tensor) -> list:
    """Call a function once, and return the nodes of its optimised graphs, with all they call."""
    context.enable_run_metadata()
    try:
        # From the first use on, TensorFlow keeps the graphs of every call in this process.
        context.export_run_metadata()
        function(*inputs)
        graphs = context.export_run_metadata().function_graphs
    finally:
        context.disable_run_metadata()
    nodes: list[Any] = []
    for graph in graphs:
        optimized = graph.post_optimization_graph
        nodes += [*optimized.node, *(n for f in optimized.library.function for n in f.node_def)]
    assert nodes
    return nodes

"""Sums whose order is fixed, so that a training step does not depend on thread timing.

TensorFlow's AddN adds three or more terms in the order in which their buffers become free.
TensorFlow makes such sums by itself for the gradient of a tensor that has three or more uses.
Grappler also turns chains of additions into them. A reduction over a stack adds in one order.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf


def sum_in_order(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the sum of tensors of one shape, added from the first to the last."""
    # Two terms have one sum, whichever is first.
    return tf.add_n(terms) if len(terms) < 3 else tf.reduce_sum(tf.stack(terms), axis=0)


def fan_out(tensor: tf.Tensor, uses: int) -> tuple[tf.Tensor, ...]:
    """Return `tensor` once per use; gradients of the uses are added in their order.

    Args:
        tensor: Any tensor that several operations take.
        uses: Number of operations that take it.

    Returns:
        A tuple of `uses` tensors equal to `tensor`.
    """

    @tf.custom_gradient
    def copies(tensor: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Callable]:
        def gradient(*upstream: tf.Tensor) -> tf.Tensor:
            return sum_in_order(upstream)

        return tuple(tf.identity(tensor) for _ in range(uses)), gradient

    return tuple(copies(tensor))

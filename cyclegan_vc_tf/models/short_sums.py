"""Graphs without long sums, for runtimes that add the terms of a sum in one chain.

TensorFlow and ONNX Runtime add in blocks. TensorFlow Lite's means, and the convolutions of its
usual delegate XNNPACK, add one term after another, and lose digits over thousands of terms.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import tensorflow as tf

MAX_TERMS = 512
"""Largest number of products in a sum of a divided convolution.

Fewer gain nothing, and cost time.
"""

_DIVIDED: ContextVar[frozenset[str]] = ContextVar("divided", default=frozenset())


@contextmanager
def short_sums(*, convolutions: bool = True) -> Iterator[None]:
    """Trace means axis by axis, with a correction, and convolutions in groups of channels.

    Args:
        convolutions: Whether convolutions are divided too.
    """
    token = _DIVIDED.set(frozenset({"means", "convolutions"} if convolutions else {"means"}))
    try:
        yield
    finally:
        _DIVIDED.reset(token)


def moments(inputs: tf.Tensor, positions: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and biased variance over some axes, which are kept."""
    if "means" not in _DIVIDED.get():
        mean = tf.reduce_mean(inputs, positions, keepdims=True)
        deviations = tf.math.squared_difference(inputs, mean)
        return mean, tf.reduce_mean(deviations, positions, keepdims=True)

    def average(values: tf.Tensor) -> tf.Tensor:
        for axis in positions:
            values = tf.reduce_mean(values, axis, keepdims=True)
        return values

    mean = average(inputs)
    mean += average(inputs - mean)
    return mean, average(tf.square(inputs - mean))


def convolve(
    convolution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], inputs: tf.Tensor, kernel: tf.Tensor
) -> tf.Tensor:
    """Convolve, in groups of input channels where sums would be long.

    Args:
        convolution: Function of inputs and kernel.
        inputs: (batch, positions…, channels).
        kernel: (window…, channels, output channels).
    """
    *window, channels, _ = kernel.shape
    groups = min(channels, -(-int(np.prod(window)) * channels // MAX_TERMS))
    if groups < 2 or "convolutions" not in _DIVIDED.get():
        return convolution(inputs, kernel)
    sizes = [len(part) for part in np.array_split(np.arange(channels), groups)]
    kernels = tf.split(tf.convert_to_tensor(kernel), sizes, axis=-2)
    terms = [
        convolution(part, weights)
        for part, weights in zip(tf.split(inputs, sizes, axis=-1), kernels, strict=True)
    ]
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [one + other for one, other in pairs] + terms[len(terms) // 2 * 2 :]
    return terms[0]

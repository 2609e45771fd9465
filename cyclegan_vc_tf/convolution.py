"""Convolutions that are one matrix product where that is the faster way: windows times kernel.

At the sizes of these networks, a few dozen positions and thousands of channels, a product reads a
kernel as it lies in memory, where TensorFlow's convolution rearranges it first.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import tensorflow as tf

MOST_ROWS = 400
"""Positions of a whole batch up to which a product is the faster way; see docs/performance.md."""

LEAST_CHANNELS = 32
"""Channels, both in and out, from which on it is, and"""

CHANNELS_A_ROW = 2
"""channels out, for each of the rows: a kernel has to be large beside what it works on."""


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution.

    Attributes:
        size: Positions that go in.
        kernel: Positions of a window.
        stride: From one window to the next.
        padding: "same" or "valid", as TensorFlow pads.
    """

    size: int
    kernel: int
    stride: int
    padding: str

    @cached_property
    def windows(self) -> int:
        """Positions that come out."""
        valid = 0 if self.padding == "same" else self.kernel - 1
        return -(-(self.size - valid) // self.stride)

    @cached_property
    def zeros(self) -> tuple[int, int]:
        """Zeros in front and behind: max((windows - 1) · stride + kernel - size, 0) in all.

        Source: TensorFlow's documentation of `tf.nn.convolution`; the smaller half is in front.
        """
        missing = max(0, (self.windows - 1) * self.stride + self.kernel - self.size)
        return (missing // 2, missing - missing // 2)


def axes_of(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[Axis, ...]:
    """The axes of a convolution over positions of known sizes."""
    each = zip(sizes, kernel, strides, strict=True)
    return tuple(Axis(*numbers, padding) for numbers in each)


def is_faster(batch: int, axes: Sequence[Axis], channels_in: int, channels_out: int) -> bool:
    """Whether a product of windows is the faster way to convolve a batch of so many examples."""
    rows = batch * math.prod(axis.windows for axis in axes)
    large = min(channels_in, channels_out) >= LEAST_CHANNELS
    return large and rows <= min(MOST_ROWS, channels_out // CHANNELS_A_ROW)


def windows(inputs: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """What each position of a convolution's output sees, a row a position.

    Args:
        inputs: (batch, positions…, channels), all of them known.
        axes: One or two.

    Returns:
        (batch · windows…, kernel sizes… · channels).
    """

    @tf.custom_gradient
    def gathered(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        channels = inputs.shape[-1]
        sizes = [axis.kernel for axis in axes]
        padded = tf.pad(inputs, [(0, 0), *(axis.zeros for axis in axes), (0, 0)])
        if len(axes) == 1:
            (axis,) = axes
            last = (axis.windows - 1) * axis.stride + 1
            shifted = [padded[:, i : i + last : axis.stride] for i in range(axis.kernel)]
            found = tf.concat(shifted, -1)
        else:
            strides = [1, *(axis.stride for axis in axes), 1]
            found = tf.image.extract_patches(padded, [1, *sizes, 1], strides, [1] * 4, "VALID")

        def scattered(upstream: tf.Tensor) -> tf.Tensor:
            counts = [axis.windows for axis in axes]
            sums = tf.reshape(upstream, (inputs.shape[0], *counts, *sizes, channels))
            # From the last axis on, whose kernel then is the last but the channels.
            for number in reversed(range(len(axes))):
                places = tf.unstack(sums, axis=1 + len(axes) + number)
                sums = _overlapped(places, axes[number], 1 + number)
            return sums

        return tf.reshape(found, (-1, math.prod(sizes) * channels)), scattered

    return gathered(inputs)


def product(rows: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """A matrix product, its gradients made in the order that reads a large `matrix` fastest.

    Args:
        rows: (rows, n).
        matrix: (n, columns).

    Returns:
        (rows, columns).
    """

    @tf.custom_gradient
    def multiplied(rows: tf.Tensor, matrix: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_rows = tf.transpose(_multiply(matrix, upstream, adj_y=True))
            return of_rows, matrix_gradient([rows], [upstream])

        return _multiply(rows, matrix), gradients

    return multiplied(rows, matrix)


def matrix_gradient(rows: Sequence[tf.Tensor], upstream: Sequence[tf.Tensor]) -> tf.Tensor:
    """The gradient of a matrix that several rows were multiplied with, as one product.

    Args:
        rows: What it was multiplied with, each (rows, n).
        upstream: The gradients of the products, each (rows, columns).

    Returns:
        (n, columns).
    """
    # One product over all rows writes the large result once, where a sum would read it again.
    left, right = (tf.concat(each, 0) if len(each) > 1 else each[0] for each in (rows, upstream))
    if left.dtype == tf.bfloat16:
        return _multiply(left, right, adj_x=True)
    # Of few rows, the general product makes it in half the time of the batched one.
    return tf.matmul(left, right, transpose_a=True)


def _multiply(x: tf.Tensor, y: tf.Tensor, **adjoints: bool) -> tf.Tensor:
    """A matrix product as a batch of one: at these sizes up to 1.6 times as fast as another."""
    product = tf.raw_ops.BatchMatMulV2(x=x[tf.newaxis], y=y[tf.newaxis], **adjoints)
    return tf.squeeze(product, 0)


def _overlapped(places: Sequence[tf.Tensor], axis: Axis, number: int) -> tf.Tensor:
    """The sum of windows where they came from: the transpose of taking them.

    Args:
        places: For each place in a window, what to add there, (…, windows, …).
        axis: The axis.
        number: Which of the tensors' axes it is.

    Returns:
        (…, axis.size, …).
    """
    # Place s · q + r of window w goes to position s · (w + q) + r: a sum for each r, interleaved.
    laps = -(-axis.kernel // axis.stride)
    missing = laps * axis.stride - axis.kernel
    places = [*places, *[tf.zeros_like(places[0])] * missing]
    phases = []
    for phase in range(axis.stride):
        shifted = []
        for lap, each in enumerate(places[phase :: axis.stride]):
            zeros = [(0, 0)] * len(each.shape)
            zeros[number] = (lap, laps - 1 - lap)
            shifted.append(tf.pad(each, zeros) if laps > 1 else each)
        phases.append(tf.add_n(shifted))
    length = (axis.windows + laps - 1) * axis.stride
    shape = phases[0].shape.as_list()
    sums = tf.reshape(
        tf.stack(phases, number + 1) if axis.stride > 1 else phases[0],
        (*shape[:number], length, *shape[number + 1 :]),
    )
    front = axis.zeros[0]
    behind = max(0, front + axis.size - length)
    zeros = [(0, 0)] * len(shape)
    zeros[number] = (0, behind)
    begin, size = [0] * len(shape), [-1] * len(shape)
    begin[number], size[number] = front, axis.size
    return tf.slice(tf.pad(sums, zeros) if behind else sums, begin, size)

"""Axes of a convolution, and windows of its input: the positions that make each output position."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import tensorflow as tf

from cyclegan_vc_tf.models.ordered_sum import sum_in_order


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution.

    Attributes:
        size: Number of input positions.
        kernel: Number of positions per window.
        stride: Distance between two windows.
        padding: "same" or "valid", as TensorFlow pads.
    """

    size: int
    kernel: int
    stride: int
    padding: str

    @cached_property
    def windows(self) -> int:
        """Number of output positions."""
        valid = 0 if self.padding == "same" else self.kernel - 1
        return -(-(self.size - valid) // self.stride)

    @cached_property
    def zeros(self) -> tuple[int, int]:
        """Zeros in front and behind: max((windows - 1) · stride + kernel - size, 0) in all.

        Source: TensorFlow's documentation of `tf.nn.convolution`; the smaller half is in front.
        """
        missing = max(0, (self.windows - 1) * self.stride + self.kernel - self.size)
        return (missing // 2, missing - missing // 2)


def conv_axes(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[Axis, ...]:
    """Return the axes of a convolution over positions of known sizes."""
    numbers = zip(sizes, kernel, strides, strict=True)
    return tuple(Axis(*values, padding) for values in numbers)


def extract_windows(inputs: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """Return the window of every output position of a convolution, one row per position.

    Args:
        inputs: (batch, positions…, channels), all sizes known.
        axes: One or two axes.

    Returns:
        (batch · windows…, kernel sizes… · channels).
    """

    @tf.custom_gradient
    def gather(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        channels = inputs.shape[-1]
        sizes = [axis.kernel for axis in axes]
        padded = tf.pad(inputs, [(0, 0), *(axis.zeros for axis in axes), (0, 0)])
        if len(axes) == 1:
            (axis,) = axes
            last = (axis.windows - 1) * axis.stride + 1
            shifted = [padded[:, i : i + last : axis.stride] for i in range(axis.kernel)]
            windows = tf.concat(shifted, -1)
        else:
            strides = [1, *(axis.stride for axis in axes), 1]
            windows = tf.image.extract_patches(padded, [1, *sizes, 1], strides, [1] * 4, "VALID")

        def scatter(upstream: tf.Tensor) -> tf.Tensor:
            counts = [axis.windows for axis in axes]
            sums = tf.reshape(upstream, (inputs.shape[0], *counts, *sizes, channels))
            # From the last axis on: its kernel then is the last axis before the channels.
            for number in reversed(range(len(axes))):
                places = tf.unstack(sums, axis=1 + len(axes) + number)
                sums = overlap_add(places, axes[number], 1 + number)
            return sums

        return tf.reshape(windows, (-1, math.prod(sizes) * channels)), scatter

    return gather(inputs)


def overlap_add(places: Sequence[tf.Tensor], axis: Axis, number: int) -> tf.Tensor:
    """Add windows at the positions that they were taken from: the transpose of taking them.

    Args:
        places: Values to add for each place in a window, (…, windows, …).
        axis: Axis of the convolution.
        number: Index of the axis in the tensors.

    Returns:
        (…, axis.size, …), added from the first place to the last.
    """
    # Place s · q + r of window w goes to position s · (w + q) + r: a sum for each r, interleaved.
    laps = -(-axis.kernel // axis.stride)
    missing = laps * axis.stride - axis.kernel
    places = [*places, *[tf.zeros_like(places[0])] * missing]
    padded = [
        pad_axis(place, number, index // axis.stride, laps - 1 - index // axis.stride)
        for index, place in enumerate(places)
    ]
    phases = [sum_in_order(padded[phase :: axis.stride]) for phase in range(axis.stride)]
    length = (axis.windows + laps - 1) * axis.stride
    shape = phases[0].shape.as_list()
    shape[number] = length
    sums = tf.reshape(tf.stack(phases, number + 1), shape) if axis.stride > 1 else phases[0]
    front = axis.zeros[0]
    behind = max(0, front + axis.size - length)
    return cut_axis(pad_axis(sums, number, 0, behind) if behind else sums, number, front, axis.size)


def cut_axis(tensor: tf.Tensor, number: int, begin: int, count: int) -> tf.Tensor:
    """Return `count` positions of one axis of a tensor from `begin` on."""
    begins, counts = [0] * len(tensor.shape), [-1] * len(tensor.shape)
    begins[number], counts[number] = begin, count
    return tf.slice(tensor, begins, counts)


def pad_axis(tensor: tf.Tensor, number: int, front: int, behind: int) -> tf.Tensor:
    """Add zeros in front of one axis of a tensor and behind it."""
    zeros = [(0, 0)] * len(tensor.shape)
    zeros[number] = (front, behind)
    return tf.pad(tensor, zeros)

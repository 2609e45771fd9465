"""Axes of a convolution, and windows of its input: the positions that make each output position."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import tensorflow as tf


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
                places = move_axis(sums, 1 + len(axes) + number, 0)
                sums = overlap_add(places, axes[number], 1 + number)
            return sums

        return tf.reshape(windows, (-1, math.prod(sizes) * channels)), scatter

    return gather(inputs)


def overlap_add(places: tf.Tensor, axis: Axis, number: int) -> tf.Tensor:
    """Add windows at the positions that they were taken from: the transpose of taking them.

    Args:
        places: Values to add for each place in a window, (axis.kernel, …, windows, …).
        axis: Axis of the convolution.
        number: Index of the axis in the result.

    Returns:
        (…, axis.size, …), added from the first place to the last.
    """
    # Place s · q + r of window w goes to position s · (w + q) + r: a sum over q, r interleaved.
    laps = -(-axis.kernel // axis.stride)
    missing = laps * axis.stride - axis.kernel
    padded = pad_axis(places, 0, 0, missing) if missing else places
    shape = padded.shape.as_list()[1:]
    padded = tf.reshape(padded, (laps, axis.stride, *shape))
    phases = tf.reduce_sum(delay(padded, 2 + number), 0)
    length = (axis.windows + laps - 1) * axis.stride
    shape[number] = length
    sums = tf.reshape(move_axis(phases, 0, number + 1), shape)
    front = axis.zeros[0]
    behind = max(0, front + axis.size - length)
    return cut_axis(pad_axis(sums, number, 0, behind) if behind else sums, number, front, axis.size)


def delay(places: tf.Tensor, number: int) -> tf.Tensor:
    """Move place k by k positions to the back of an axis, whose other positions are 0.

    Args:
        places: (places, …, positions, …), all sizes known.
        number: Index of the axis.

    Returns:
        (places, …, positions + places - 1, …).
    """
    count = places.shape[0]
    if count == 1:
        return places
    padded = pad_axis(places, number, 0, count - 1)
    # In the order of memory: one position more behind each place moves all that follow.
    size, step = math.prod(padded.shape[1:]), math.prod(padded.shape[number + 1 :])
    rows = tf.pad(tf.reshape(padded, (count, size)), [(0, 0), (0, step)])
    flat = tf.slice(tf.reshape(rows, (-1,)), [0], [count * size])
    return tf.reshape(flat, padded.shape)


def advance(places: tf.Tensor, number: int) -> tf.Tensor:
    """Move place k by k positions to the front of an axis, which loses what all do not have.

    Args:
        places: (places, …, positions, …), all sizes known.
        number: Index of the axis.

    Returns:
        (places, …, positions - places + 1, …).
    """
    count, positions = places.shape[0], places.shape[number]
    if count == 1:
        return places
    # In the order of memory: rows that are a position longer each begin a position later.
    size, step = math.prod(places.shape[1:]), math.prod(places.shape[number + 1 :])
    flat = tf.pad(tf.reshape(places, (-1,)), [(0, count * step)])
    rows = tf.slice(tf.reshape(flat, (count, size + step)), [0, 0], [count, size])
    return cut_axis(tf.reshape(rows, places.shape), number, 0, positions - count + 1)


def move_axis(tensor: tf.Tensor, source: int, target: int) -> tf.Tensor:
    """Move one axis of a tensor to another index; the others keep their order."""
    order = [number for number in range(len(tensor.shape)) if number != source]
    order.insert(target, source)
    return tensor if source == target else tf.transpose(tensor, order)


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

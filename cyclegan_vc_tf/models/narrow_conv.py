"""Convolutions with few channels on one side, such as those of features as a picture.

TensorFlow's kernels for CPUs compute a vector of channels at once, most of which is empty here. The
gradient of a kernel 15 frames wide takes a hundred times as long as its matrix product, see
docs/notes/performance.md. In this module a plane has the values of one place of the kernel and one
of the few channels at all positions. All planes together are one product over the other side's
channels. Planes are shifted and added.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from cyclegan_vc_tf.models.conv_windows import Axis, cut_axis, overlap_add, pad_axis
from cyclegan_vc_tf.models.ordered_sum import sum_in_order

MAX_FEW_CHANNELS = 4
"""Largest number of channels that are few.

The time of planes grows with the number of channels, and TensorFlow's is that of a whole vector.
Both are equal at 8 to 12 channels; see docs/notes/performance.md.
"""


def has_few_outputs(kernel: Sequence[int], strides: Sequence[int]) -> bool:
    """Return whether a convolution has few output channels, and stride 1.

    At a larger stride, most values of the planes would not be used.

    Args:
        kernel: Shape of the kernel: sizes, channels, output channels.
        strides: Stride per axis.
    """
    return kernel[-1] <= MAX_FEW_CHANNELS and set(strides) == {1}


def has_few_inputs(kernel: Sequence[int]) -> bool:
    """Return whether a convolution over two axes has few input channels.

    Args:
        kernel: Shape of the kernel: sizes, channels, output channels.
    """
    return len(kernel) == 4 and kernel[-2] <= MAX_FEW_CHANNELS


def convolve_to_few(inputs: tf.Tensor, kernel: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """Convolve to few output channels, at stride 1.

    Args:
        inputs: (batch, positions…, channels), all sizes known.
        kernel: (kernel sizes…, channels, output channels).
        axes: One or two axes, each with stride 1.

    Returns:
        (batch, windows…, output channels).
    """
    batch, *sizes, channels = inputs.shape
    *window, _, few = kernel.shape
    narrow = tf.reshape(tf.linalg.matrix_transpose(kernel), (-1, channels))
    planes = tf.matmul(narrow, tf.reshape(inputs, (-1, channels)), transpose_b=True)
    planes = tf.reshape(planes, (*window, few, batch, *sizes))
    for axis in axes:
        planes = _add_shifted(planes, axis, 1 + len(axes))
    return _channels_last(planes)


def convolve_from_few(inputs: tf.Tensor, kernel: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """Convolve few input channels over two axes. Only the gradient of the inputs is by planes.

    Args:
        inputs: (batch, positions…, channels), all sizes known.
        kernel: (kernel sizes…, channels, output channels), of the inputs' type.
        axes: Two axes.

    Returns:
        (batch, windows…, output channels).
    """
    strides, padding = [1, *(axis.stride for axis in axes), 1], axes[0].padding.upper()

    @tf.custom_gradient
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=inputs,
                filter_sizes=kernel.shape,
                out_backprop=upstream,
                strides=strides,
                padding=padding,
            )
            # Planes are rounded before they are added: they have to be in float32 at least.
            of_inputs = gradient_of_few(_widen(kernel), _widen(upstream), axes)
            return tf.cast(of_inputs, inputs.dtype), of_kernel

        return tf.nn.conv2d(inputs, kernel, strides, padding), gradients

    return convolve(inputs, kernel)


def gradient_of_few(kernel: tf.Tensor, upstream: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """Return the gradient of a convolution's inputs, where these have few channels.

    Args:
        kernel: (kernel sizes…, input channels, channels).
        upstream: Gradient of the outputs, (batch, windows…, channels), all sizes known.
        axes: One or two axes.

    Returns:
        (batch, positions…, input channels).
    """
    batch, *counts, channels = upstream.shape
    *window, few, _ = kernel.shape
    planes = tf.matmul(
        tf.reshape(kernel, (-1, channels)), tf.reshape(upstream, (-1, channels)), transpose_b=True
    )
    planes = tf.reshape(planes, (*window, few, batch, *counts))
    for axis in axes:
        planes = overlap_add(tf.unstack(planes), axis, 1 + len(axes))
    return _channels_last(planes)


def _widen(tensor: tf.Tensor) -> tf.Tensor:
    """Return a tensor of half precision in float32, and others as they are."""
    return tf.cast(tensor, tf.float32) if tensor.dtype.size < 4 else tensor


def _add_shifted(places: tf.Tensor, axis: Axis, number: int) -> tf.Tensor:
    """Add the values that each window takes of an axis: one from each place.

    Args:
        places: Values for each place in a window, (axis.kernel, …, axis.size, …).
        axis: Axis of the convolution, with stride 1.
        number: Index of the axis in the result.

    Returns:
        (…, axis.windows, …), added from the first place to the last.
    """

    @tf.custom_gradient
    def add(places: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def spread(upstream: tf.Tensor) -> tf.Tensor:
            # Place k of window w is position w + k - front.
            front, behind = (axis.kernel - 1 - zeros for zeros in axis.zeros)
            padded = pad_axis(upstream, number, front, behind)
            begins = reversed(range(axis.kernel))
            return tf.stack([cut_axis(padded, number, begin, axis.size) for begin in begins])

        padded = tf.unstack(pad_axis(places, number + 1, *axis.zeros))
        cut = [cut_axis(place, number, k, axis.windows) for k, place in enumerate(padded)]
        return sum_in_order(cut), spread

    return add(places)


def _channels_last(planes: tf.Tensor) -> tf.Tensor:
    """Move the first axis, the channels, behind all others."""
    order = [*range(1, len(planes.shape)), 0]
    return tf.transpose(planes, order)

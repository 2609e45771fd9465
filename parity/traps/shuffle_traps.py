"""Traps in shuffles, gates and layouts, in float64."""

import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

from cyclegan_vc_tf.models import layers
from parity.companion.vc1 import PixelShuffle1d
from parity.trainings.runs import channels_first
from parity.traps.trap import (
    EXACT,
    ROUNDED,
    Distances,
    Trap,
    conv1d_weight,
    conv2d_weight,
    convolve,
    distances,
    random_array,
)


def pixel_shuffle_2d() -> Distances:
    """Compare `tf.nn.depth_to_space`, block-major, with `nn.PixelShuffle`, channel-major."""
    inputs, kernel, bias = random_array(1, 4, 6, 3), random_array(3, 3, 3, 20), random_array(20)
    ours = layers.PixelShuffle2D(dtype="float64")(convolve(inputs, kernel, (1, 1)) + bias)
    x, weight, offset = channels_first(inputs), conv2d_weight(kernel), torch.from_numpy(bias)
    # Output channel (r, r, C) of TensorFlow's convolution is (C, r, r) of torch's.
    order = torch.arange(20).view(2, 2, 5).permute(2, 0, 1).flatten()
    right, wrong = (
        F.pixel_shuffle(F.conv2d(x, weight[channels], offset[channels], padding=1), 2)
        for channels in (order, torch.arange(20))
    )
    return distances(ours, right, wrong)


def pixel_shuffle_1d() -> Distances:
    """Compare a pixel shuffle with `x.view(batch, channels / 2, 2 · frames)` on channels first."""
    inputs = random_array(2, 7, 12)
    x = channels_first(inputs)
    ours = layers.PixelShuffle1D(dtype="float64")(inputs)
    return distances(ours, PixelShuffle1d()(x), x.view(2, 6, 14))


def pixel_shuffle_1d_channel_major() -> Distances:
    """Compare TensorFlow's order in one dimension with `nn.PixelShuffle`'s, channel-major."""
    inputs = random_array(2, 7, 12)
    x = channels_first(inputs)
    ours = layers.PixelShuffle1D(dtype="float64")(inputs)
    channel_major = x.view(2, 6, 2, 7).permute(0, 1, 3, 2).reshape(2, 6, 14)
    return distances(ours, PixelShuffle1d()(x), channel_major)


def reshape() -> Distances:
    """Compare `tf.reshape` in channels-last, which shuffles, with a reshape in channels-first."""
    inputs = random_array(2, 7, 12)
    x = channels_first(inputs)
    return distances(
        layers.PixelShuffle1D(dtype="float64")(inputs),
        channels_first(tf.reshape(inputs, (2, 14, 6)).numpy()),
        x.reshape(2, 6, 14),
    )


def one_convolution_for_a_gate() -> Distances:
    """Compare one convolution of 2c channels, value before gate, with two of c channels."""
    inputs, value, gate = random_array(1, 9, 3), random_array(5, 3, 4), random_array(5, 3, 4)[::-1]
    ours = tf.nn.conv1d(inputs, value, 1, "SAME") * tf.sigmoid(
        tf.nn.conv1d(inputs, np.ascontiguousarray(gate), 1, "SAME")
    )
    x = channels_first(inputs)
    right, wrong = (
        F.glu(F.conv1d(x, conv1d_weight(np.concatenate(halves, axis=2)), padding=2), dim=1)
        for halves in ((value, gate), (gate, value))
    )
    return distances(ours, right, wrong)


def one_convolution_before_a_shuffle() -> Distances:
    """Compare ways to join value and gate before a shuffle: interleaved per sub-pixel, or not."""
    inputs, value, gate = random_array(1, 9, 3), random_array(5, 3, 8), random_array(5, 3, 8)[::-1]
    shuffle = layers.PixelShuffle1D(dtype="float64")
    ours = shuffle(tf.nn.conv1d(inputs, value, 1, "SAME")) * tf.sigmoid(
        shuffle(tf.nn.conv1d(inputs, np.ascontiguousarray(gate), 1, "SAME"))
    )
    interleaved = value[..., :4], gate[..., :4], value[..., 4:], gate[..., 4:]
    x = channels_first(inputs)
    right, wrong = (
        F.glu(
            PixelShuffle1d()(F.conv1d(x, conv1d_weight(np.concatenate(parts, axis=2)), padding=2)),
            dim=1,
        )
        for parts in (interleaved, (value, gate))
    )
    return distances(ours, right, wrong)


def silu() -> Distances:
    """Compare a gated linear unit with half of the channels times their own sigmoid."""
    inputs = random_array(1, 9, 8)
    x = channels_first(inputs)
    ours = layers.GatedLinearUnit(dtype="float64")(inputs)
    return distances(ours, F.glu(x, dim=1), F.silu(x[:, :4]))


def kernel_layout() -> Distances:
    """Compare a transposed kernel with one that is reshaped to the right shape."""
    inputs, kernel = random_array(1, 9, 4), random_array(5, 4, 4)
    x = channels_first(inputs)
    return distances(
        convolve(inputs, kernel, (1,)),
        F.conv1d(x, conv1d_weight(kernel), padding=2),
        F.conv1d(x, torch.from_numpy(kernel.reshape(4, 4, 5)), padding=2),
    )


TRAPS = (
    Trap(
        "2-D pixel shuffle", "nn.PixelShuffle, channels as they are", pixel_shuffle_2d, ROUNDED, 0.3
    ),
    Trap("1-D pixel shuffle", "view(N, C/2, 2W)", pixel_shuffle_1d, EXACT, 0.3),
    Trap("1-D pixel shuffle", "channel-major", pixel_shuffle_1d_channel_major, EXACT, 0.3),
    Trap("tf.reshape as a shuffle", "reshape in channels-first", reshape, EXACT, 0.3),
    Trap(
        "one convolution for a gate", "the gate first", one_convolution_for_a_gate, ROUNDED, 0.3
    ),
    Trap(
        "one convolution before a shuffle", "plain concatenation",
        one_convolution_before_a_shuffle, ROUNDED, 0.3,
    ),
    Trap("gated linear unit", "x · sigmoid(x)", silu, ROUNDED, 0.3),
    Trap("kernel layout", "reshaped, not transposed", kernel_layout, ROUNDED, 0.3),
)  # fmt: skip

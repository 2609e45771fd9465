"""Traps in single layers, all in float64: padding, shuffles, norms, layouts, resizing."""

import re

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan_vc_tf import layers
from cyclegan_vc_tf.config import NetworkConfig
from parity.cases import NORMED_BIASES, generator
from parity.compare import difference
from parity.precision import precision
from parity.runs import channels_first, channels_last
from parity.torch_models import Conv, PixelShuffle1d, initialise_as_keras, same_padding
from parity.traps import Trap

Distances = tuple[float, float]


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


def _distances(ours: tf.Tensor | np.ndarray, right: Tensor, wrong: Tensor) -> Distances:
    expected = np.asarray(ours)
    return tuple(difference(channels_last(each), expected)[1] for each in (right, wrong))  # type: ignore[return-value]


def _conv1d_weight(kernel: np.ndarray) -> Tensor:
    return torch.from_numpy(kernel.transpose(2, 1, 0).copy())


def _conv2d_weight(kernel: np.ndarray) -> Tensor:
    return torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())


def stride_2(frames: int) -> Distances:
    """Kernel 5, stride 2: TensorFlow pads (1, 2) for an even length, (2, 2) for an odd one."""
    inputs, kernel = _random(1, frames, 3), _random(5, 3, 4)
    x, weight = channels_first(inputs), _conv1d_weight(kernel)
    return _distances(
        tf.nn.conv1d(inputs, kernel, stride=2, padding="SAME"),
        F.conv1d(F.pad(x, same_padding(frames, 5, 2)), weight, stride=2),
        F.conv1d(x, weight, stride=2, padding=2),
    )


def even_kernel() -> Distances:
    """Kernel 6 x 3, stride 1 x 2: TensorFlow pads rows (2, 3) and, for even widths, columns (0, 1).

    "Pad by 3 and drop the last row" is (3, 2).
    """
    inputs, kernel = _random(1, 8, 16, 3), _random(6, 3, 3, 4)
    x, weight = channels_first(inputs), _conv2d_weight(kernel)
    return _distances(
        tf.nn.conv2d(inputs, kernel, strides=(1, 2), padding="SAME"),
        F.conv2d(F.pad(x, (0, 1, 2, 3)), weight, stride=(1, 2)),
        F.conv2d(F.pad(x, (0, 1, 3, 3)), weight, stride=(1, 2))[:, :, :-1],
    )


def pixel_shuffle_2d() -> Distances:
    """`tf.nn.depth_to_space` is block-major, `nn.PixelShuffle` channel-major."""
    inputs, kernel, bias = _random(1, 4, 6, 3), _random(3, 3, 3, 20), _random(20)
    ours = tf.nn.depth_to_space(
        tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME") + bias, block_size=2
    )
    x, weight, offset = channels_first(inputs), _conv2d_weight(kernel), torch.from_numpy(bias)
    # Output channel (r, r, C) of TensorFlow's convolution is (C, r, r) of torch's.
    order = torch.arange(20).view(2, 2, 5).permute(2, 0, 1).flatten()
    right, wrong = (
        F.pixel_shuffle(F.conv2d(x, weight[each], offset[each], padding=1), 2)
        for each in (order, torch.arange(20))
    )
    return _distances(ours, right, wrong)


def pixel_shuffle_1d() -> Distances:
    """`x.view(batch, channels / 2, 2 · frames)` on channels first is no shuffle at all."""
    inputs = _random(2, 7, 12)
    x = channels_first(inputs)
    ours = layers.PixelShuffle1D(dtype="float64")(inputs)
    return _distances(ours, PixelShuffle1d()(x), x.view(2, 6, 14))


def pixel_shuffle_1d_channel_major() -> Distances:
    """Nor is `nn.PixelShuffle`'s order, channel-major, TensorFlow's in one dimension."""
    inputs = _random(2, 7, 12)
    x = channels_first(inputs)
    ours = layers.PixelShuffle1D(dtype="float64")(inputs)
    channel_major = x.view(2, 6, 2, 7).permute(0, 1, 3, 2).reshape(2, 6, 14)
    return _distances(ours, PixelShuffle1d()(x), channel_major)


def reshape() -> Distances:
    """`tf.reshape` in channels-last is the shuffle; the same reshape in channels-first is not."""
    inputs = _random(2, 7, 12)
    x = channels_first(inputs)
    return _distances(
        tf.reshape(inputs, (2, 14, 6)), x.movedim(1, -1).reshape(2, 14, 6).movedim(-1, 1),
        x.reshape(2, 6, 14),
    )  # fmt: skip


def one_convolution_for_a_gate() -> Distances:
    """One convolution of 2c channels, value before gate, is two of c."""
    inputs, value, gate = _random(1, 9, 3), _random(5, 3, 4), _random(5, 3, 4)[::-1]
    ours = tf.nn.conv1d(inputs, value, 1, "SAME") * tf.sigmoid(
        tf.nn.conv1d(inputs, np.ascontiguousarray(gate), 1, "SAME")
    )
    x = channels_first(inputs)
    right, wrong = (
        F.glu(F.conv1d(x, _conv1d_weight(np.concatenate(each, axis=2)), padding=2), dim=1)
        for each in ((value, gate), (gate, value))
    )
    return _distances(ours, right, wrong)


def one_convolution_before_a_shuffle() -> Distances:
    """In front of a shuffle the halves have to be interleaved for each sub-pixel."""
    inputs, value, gate = _random(1, 9, 3), _random(5, 3, 8), _random(5, 3, 8)[::-1]
    shuffle = layers.PixelShuffle1D(dtype="float64")
    ours = shuffle(tf.nn.conv1d(inputs, value, 1, "SAME")) * tf.sigmoid(
        shuffle(tf.nn.conv1d(inputs, np.ascontiguousarray(gate), 1, "SAME"))
    )
    interleaved = value[..., :4], gate[..., :4], value[..., 4:], gate[..., 4:]
    x = channels_first(inputs)
    right, wrong = (
        F.glu(
            PixelShuffle1d()(F.conv1d(x, _conv1d_weight(np.concatenate(each, axis=2)), padding=2)),
            dim=1,
        )
        for each in (interleaved, (value, gate))
    )
    return _distances(ours, right, wrong)


def silu() -> Distances:
    """X · sigmoid(x), of half the channels, is no gated linear unit."""
    inputs = _random(1, 9, 8)
    x = channels_first(inputs)
    ours = layers.GatedLinearUnit(dtype="float64")(inputs)
    return _distances(ours, F.glu(x, dim=1), F.silu(x[:, :4]))


def norm(
    wrong_epsilon: float | None = None, *, affine: bool = True, biased: bool = True
) -> Distances:
    """Instance norm with epsilon 1e-6, scale and offset, and the biased variance.

    The input is as quiet as a convolution of normalised features at the start: deviation 0.03.
    """
    inputs, gamma, beta = 0.03 * _random(2, 16, 6), 1.0 + 0.3 * _random(6), 0.3 * _random(6)
    with precision("float64"):
        ours = layers.instance_norm(1e-6, "norm")
        ours.build(inputs.shape)
        ours.set_weights([gamma, beta])
        expected = ours(inputs)
    x, scale, offset = channels_first(inputs), torch.from_numpy(gamma), torch.from_numpy(beta)
    right = F.instance_norm(x, weight=scale, bias=offset, eps=1e-6)
    if not affine:
        return _distances(expected, right, F.instance_norm(x, eps=1e-6))
    if not biased:
        z = (x - x.mean(2, keepdim=True)) / (x.var(2, keepdim=True) + 1e-6).sqrt()
        return _distances(expected, right, z * scale[:, None] + offset[:, None])
    return _distances(
        expected, right, F.instance_norm(x, weight=scale, bias=offset, eps=wrong_epsilon)
    )


def bfloat16_moments() -> Distances:
    """`tf.nn.moments` does not upcast; the norm of this project stays in float32."""
    inputs = tf.cast(10.0 + _random(1, 128, 8), tf.bfloat16)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        ours = layers.instance_norm(1e-6, "norm")(inputs)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    mean, variance = tf.nn.moments(inputs, axes=1, keepdims=True)
    naive = tf.cast(
        (inputs - mean) * tf.math.rsqrt(variance + tf.cast(1e-6, tf.bfloat16)), tf.float32
    )
    exact = F.instance_norm(channels_first(tf.cast(inputs, tf.float32).numpy()), eps=1e-6)
    return _distances(ours, exact, channels_first(naive.numpy()))


def bias_before_a_norm() -> Distances:
    """Its true gradient is zero; what is computed is noise, and two noises have nothing in common.

    Right: both absolutely. Wrong: their relative difference.
    """
    pair = generator(NetworkConfig(channels=4, residual_blocks=1), 24)
    rng = np.random.default_rng(0)
    absolute, relative = 0.0, 0.0
    with precision("float64"):
        for each in pair.quantities([rng.standard_normal((1, 32, 24))], rng):
            if re.fullmatch(NORMED_BIASES, each.name.removeprefix("gradient of ")):
                absolute = max(absolute, np.max(np.abs(each.ours)), np.max(np.abs(each.twin)))
                relative = max(relative, difference(each.ours, each.twin)[1])
    return float(absolute), relative


def initialiser() -> Distances:
    """Keras draws kernels from Glorot's distribution, PyTorch from U(±1 / sqrt(fan in)).

    The distance is that of standard deviations, and of the largest weights.
    """
    kernel = layers.Convolutions("generator", 0, "same").initializer("conv")((5, 64, 64)).numpy()
    ours = np.array([kernel.std(), np.abs(kernel).max()])
    found = []
    for prepare in (initialise_as_keras, lambda module: None):
        torch.manual_seed(0)
        module = Conv(nn.Conv1d, (64, 64), (5,), (1,), "same")
        prepare(module)
        weight = module.weight.detach().numpy()
        found.append(difference(np.array([weight.std(), np.abs(weight).max()]), ours)[1])
    return found[0], found[1]


def kernel_layout() -> Distances:
    """A kernel has to be transposed; a reshape to the right shape is another kernel."""
    inputs, kernel = _random(1, 9, 4), _random(5, 4, 4)
    x = channels_first(inputs)
    return _distances(
        tf.nn.conv1d(inputs, kernel, stride=1, padding="SAME"),
        F.conv1d(x, _conv1d_weight(kernel), padding=2),
        F.conv1d(x, torch.from_numpy(kernel.reshape(4, 4, 5)), padding=2),
    )


def transposed_convolution_layout() -> Distances:
    """(frames, out, in) becomes (in, out, frames), without turning the frames round."""
    inputs, kernel = _random(1, 5, 3), _random(8, 4, 3)
    ours = tf.nn.conv1d_transpose(inputs, kernel, (1, 20, 4), strides=4, padding="SAME")
    x, weight = channels_first(inputs), torch.from_numpy(kernel.transpose(2, 1, 0).copy())
    right, wrong = (
        F.conv_transpose1d(x, each, stride=4, padding=2) for each in (weight, weight.flip(2))
    )
    return _distances(ours, right, wrong)


def odd_transposed_convolution() -> Distances:
    """Kernel 2r, stride r: for odd r, TensorFlow's SAME cuts r // 2 in front, not r // 2 + 1."""
    rate = 5
    inputs, kernel = _random(1, 6, 3), _random(2 * rate, 4, 3)
    ours = tf.nn.conv1d_transpose(inputs, kernel, (1, 6 * rate, 4), strides=rate, padding="SAME")
    x, weight = channels_first(inputs), torch.from_numpy(kernel.transpose(2, 1, 0).copy())
    whole = F.conv_transpose1d(x, weight, stride=rate)
    wrong = F.conv_transpose1d(x, weight, stride=rate, padding=rate // 2 + 1, output_padding=1)
    return _distances(ours, whole[..., rate // 2 : rate // 2 + 6 * rate], wrong)


def folding() -> Distances:
    """Folding bins into channels is channel-major in PyTorch; in channels-last, transpose first."""
    inputs = _random(2, 6, 5, 4)
    x = channels_first(inputs)
    ours, careless = (
        tf.reshape(tf.transpose(inputs, order), (2, 5, 24))
        for order in ((0, 2, 3, 1), (0, 2, 1, 3))
    )
    return _distances(ours, x.reshape(2, 24, 5), channels_first(careless.numpy()))


def nearest_resize() -> Distances:
    """TensorFlow samples half-pixel centres, which torch calls "nearest-exact"."""
    inputs = _random(1, 16, 64, 3)
    ours = tf.image.resize(inputs, (4, 16), method="nearest")
    x = channels_first(inputs)
    right, wrong = (F.interpolate(x, (4, 16), mode=mode) for mode in ("nearest-exact", "nearest"))
    return _distances(ours, right, wrong)


TRAPS = (
    Trap("stride 2, even length", "padding=2 on both sides", lambda: stride_2(16), 1e-12, 0.3),
    Trap("kernel 6 x 3, stride 1 x 2", "pad by 3, drop the last row", even_kernel, 1e-12, 0.3),
    Trap(
        "2-D pixel shuffle", "nn.PixelShuffle, channels as they are", pixel_shuffle_2d, 1e-12, 0.3
    ),
    Trap("1-D pixel shuffle", "view(N, C/2, 2W)", pixel_shuffle_1d, 0.0, 0.3),
    Trap("1-D pixel shuffle", "channel-major", pixel_shuffle_1d_channel_major, 0.0, 0.3),
    Trap("tf.reshape as a shuffle", "reshape in channels-first", reshape, 0.0, 0.3),
    Trap(
        "one convolution for a gate", "the gate first", one_convolution_for_a_gate, 1e-12, 0.3
    ),
    Trap(
        "one convolution before a shuffle", "plain concatenation",
        one_convolution_before_a_shuffle, 1e-12, 0.3,
    ),
    Trap("gated linear unit", "x · sigmoid(x)", silu, 1e-12, 0.3),
    Trap("instance norm", "epsilon 1e-3, Keras' and addons' default", lambda: norm(1e-3), 1e-12, 0.1),
    Trap("instance norm", "epsilon 1e-5, PyTorch's default", lambda: norm(1e-5), 1e-12, 1e-3),
    Trap("instance norm", "affine=False, PyTorch's default", lambda: norm(affine=False), 1e-12, 0.1),
    Trap("instance norm", "the unbiased variance", lambda: norm(biased=False), 1e-12, 1e-2),
    Trap("instance norm in bfloat16", "tf.nn.moments in bfloat16", bfloat16_moments, 1e-5, 1e-3),
    Trap("bias before a norm", "compared relatively", bias_before_a_norm, 1e-10, 0.01),
    Trap("initialiser", "PyTorch's default", initialiser, 0.03, 0.3),
    Trap("kernel layout", "reshaped, not transposed", kernel_layout, 1e-12, 0.3),
    Trap(
        "transposed convolution, even rate", "kernel turned round",
        transposed_convolution_layout, 1e-12, 0.3,
    ),
    Trap(
        "transposed convolution, odd rate", "padding=r // 2 + 1, output_padding=1",
        odd_transposed_convolution, 1e-12, 0.3,
    ),
    Trap("folding bins into channels", "reshape without transposing", folding, 0.0, 0.3),
    Trap("nearest resize", 'mode="nearest"', nearest_resize, 0.0, 0.3),
)  # fmt: skip

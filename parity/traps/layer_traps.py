"""Traps in padding, norms, initial weights and resizing, in float64."""

import re

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models import layers
from cyclegan_vc_tf.models.torch_weights import to_state
from parity.cases.compare import difference, zero_gradient_size
from parity.cases.network_cases import discriminator, generator
from parity.cases.twins import NORMED_BIASES, SMALL
from parity.companion.vc1 import initialise_as_keras, same_padding
from parity.precision import precision
from parity.tolerances import tolerance
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

WIDE = NetworkConfig(channels=16, residual_blocks=1)
"""Networks with enough weights to know the standard deviation of each kernel to a few percent."""


def stride_2(frames: int) -> Distances:
    """Compare paddings of kernel 5 at stride 2.

    TensorFlow pads (1, 2) for an even length and (2, 2) for an odd one.
    """
    inputs, kernel = random_array(1, frames, 3), random_array(5, 3, 4)
    x, weight = channels_first(inputs), conv1d_weight(kernel)
    return distances(
        convolve(inputs, kernel, (2,)),
        F.conv1d(F.pad(x, same_padding(frames, 5, 2)), weight, stride=2),
        F.conv1d(x, weight, stride=2, padding=2),
    )


def even_kernel() -> Distances:
    """Compare paddings of kernel 6 x 3 at stride 1 x 2.

    TensorFlow pads rows by (2, 3) and, for even widths, columns by (0, 1). "Pad by 3 and drop the
    last row" pads rows by (3, 2).
    """
    inputs, kernel = random_array(1, 8, 16, 3), random_array(6, 3, 3, 4)
    x, weight = channels_first(inputs), conv2d_weight(kernel)
    return distances(
        convolve(inputs, kernel, (1, 2)),
        F.conv2d(F.pad(x, (0, 1, 2, 3)), weight, stride=(1, 2)),
        F.conv2d(F.pad(x, (0, 1, 3, 3)), weight, stride=(1, 2))[:, :, :-1],
    )


def norm(wrong_epsilon: float = 1e-6, *, affine: bool = True, biased: bool = True) -> Distances:
    """Compare instance norms with the right one: epsilon 1e-6, affine, biased variance.

    The input has a standard deviation of 0.03, as a convolution of normalised features has before
    training.
    """
    inputs, gamma, beta = (
        0.03 * random_array(2, 16, 6),
        1.0 + 0.3 * random_array(6),
        0.3 * random_array(6),
    )
    with precision("float64"):
        ours = layers.instance_norm(1e-6, "norm")
        ours.build(inputs.shape)
        ours.set_weights([gamma, beta])
        expected = ours(inputs)
    x, scale, offset = channels_first(inputs), torch.from_numpy(gamma), torch.from_numpy(beta)
    right = F.instance_norm(x, weight=scale, bias=offset, eps=1e-6)
    if not affine:
        return distances(expected, right, F.instance_norm(x, eps=1e-6))
    if not biased:
        z = (x - x.mean(2, keepdim=True)) / (x.var(2, keepdim=True) + 1e-6).sqrt()
        return distances(expected, right, z * scale[:, None] + offset[:, None])
    return distances(
        expected, right, F.instance_norm(x, weight=scale, bias=offset, eps=wrong_epsilon)
    )


def bfloat16_moments() -> Distances:
    """Compare norms of bfloat16: this project's in float32, and one with `tf.nn.moments`."""
    inputs = tf.cast(10.0 + random_array(1, 128, 8), tf.bfloat16)
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        ours = layers.instance_norm(1e-6, "norm")(inputs)
    finally:
        keras.mixed_precision.set_global_policy(before)
    mean, variance = tf.nn.moments(inputs, axes=1, keepdims=True)
    naive = tf.cast(
        (inputs - mean) * tf.math.rsqrt(variance + tf.cast(1e-6, tf.bfloat16)), tf.float32
    )
    exact = F.instance_norm(channels_first(tf.cast(inputs, tf.float32).numpy()), eps=1e-6)
    return distances(ours, exact, channels_first(naive.numpy()))


def bias_before_a_norm() -> Distances:
    """Measure gradients that are zero in exact arithmetic, and consist of rounding.

    The right form compares them with the gradient of the kernel beside them. The wrong way compares
    two roundings with each other.
    """
    rng = np.random.default_rng(0)
    with precision("float64"):
        quantities = list(generator(SMALL, 24).quantities([rng.standard_normal((1, 32, 24))], rng))
    by_name = {quantity.name: quantity for quantity in quantities}
    biases = [
        quantity
        for quantity in quantities
        if re.fullmatch(NORMED_BIASES, quantity.name.removeprefix("gradient of "))
    ]
    return (
        float(np.max([zero_gradient_size(quantity, by_name)[1] for quantity in biases])),
        float(np.max([difference(quantity.ours, quantity.twin)[1] for quantity in biases])),
    )


def initialiser() -> Distances:
    """Compare initial weights: Keras draws from Glorot's distribution, PyTorch from another.

    Each weight of both networks has a standard deviation and a largest value. The result is the
    largest difference of these, relative to this project's unless that is zero, as for biases.
    PyTorch's distribution is U(±1 / sqrt(fan in)).
    """
    pairs = (generator(WIDE, 24), discriminator(WIDE, 24))
    ours = np.concatenate([_spreads(to_state(pair.ours())) for pair in pairs])
    found = []
    for prepare in (initialise_as_keras, lambda module: None):
        torch.manual_seed(0)
        spreads = []
        for pair in pairs:
            twin = pair.twin()
            prepare(twin)
            state = {key: value.numpy() for key, value in twin.state_dict().items()}
            spreads.append(_spreads({key: state[key] for key in to_state(pair.ours())}))
        scale = np.where(ours > 0.0, ours, 1.0)
        found.append(float(np.max(np.abs(np.concatenate(spreads) - ours) / scale)))
    return found[0], found[1]


def _spreads(state: dict[str, np.ndarray]) -> np.ndarray:
    """Return the standard deviation and the largest absolute value of each weight."""
    return np.array([[values.std(), np.abs(values).max()] for values in state.values()])


def nearest_resize() -> Distances:
    """Compare resizing: TensorFlow samples half-pixel centres, torch's "nearest-exact"."""
    inputs = random_array(1, 16, 64, 3)
    ours = layers.NearestResize(dtype="float64")((inputs, np.zeros((1, 4, 16, 1))))
    x = channels_first(inputs)
    right, wrong = (F.interpolate(x, (4, 16), mode=mode) for mode in ("nearest-exact", "nearest"))
    return distances(ours, right, wrong)


FLOAT32 = tolerance("float32")
"""Tolerance of a form that computes a part in float32."""

GRADIENT = tolerance("float64", network=True, kind="gradient")
"""Tolerance of a network's gradient in float64."""

TRAPS = (
    Trap("stride 2, even length", "padding=2 on both sides", lambda: stride_2(16), ROUNDED, 0.3),
    Trap("kernel 6 x 3, stride 1 x 2", "pad by 3, drop the last row", even_kernel, ROUNDED, 0.3),
    Trap("instance norm", "epsilon 1e-3, addons' default", lambda: norm(1e-3), ROUNDED, 0.1),
    Trap("instance norm", "epsilon 1e-5, PyTorch's", lambda: norm(1e-5), ROUNDED, 1e-3),
    Trap("instance norm", "affine=False, as in PyTorch", lambda: norm(affine=False), ROUNDED, 0.1),
    Trap("instance norm", "the unbiased variance", lambda: norm(biased=False), ROUNDED, 1e-2),
    Trap("instance norm in bfloat16", "tf.nn.moments in bfloat16", bfloat16_moments, FLOAT32, 1e-3),
    Trap("bias before a norm", "compared relatively", bias_before_a_norm, GRADIENT, 0.01),
    # The smallest kernel has 128 values, whose deviation is known to 4 %, two draws' ratio to 6 %.
    Trap("initialiser", "PyTorch's default", initialiser, 0.15, 0.4),
    Trap("nearest resize", 'mode="nearest"', nearest_resize, EXACT, 0.3),
)  # fmt: skip

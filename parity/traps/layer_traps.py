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
from parity.cases.compare import difference
from parity.cases.network_cases import discriminator, generator
from parity.cases.twins import NORMED_BIASES, SMALL
from parity.companion.vc1 import initialise_as_keras, same_padding
from parity.precision import precision
from parity.trainings.runs import channels_first
from parity.traps.trap import (
    Distances,
    Trap,
    conv1d_weight,
    conv2d_weight,
    convolved,
    distances,
    random_array,
)

WIDE = NetworkConfig(channels=16, residual_blocks=1)
"""So wide that the deviation of each kernel is known to a few percent."""


def stride_2(frames: int) -> Distances:
    """Kernel 5, stride 2: TensorFlow pads (1, 2) for an even length, (2, 2) for an odd one."""
    inputs, kernel = random_array(1, frames, 3), random_array(5, 3, 4)
    x, weight = channels_first(inputs), conv1d_weight(kernel)
    return distances(
        convolved(inputs, kernel, (2,)),
        F.conv1d(F.pad(x, same_padding(frames, 5, 2)), weight, stride=2),
        F.conv1d(x, weight, stride=2, padding=2),
    )


def even_kernel() -> Distances:
    """Kernel 6 x 3, stride 1 x 2: TensorFlow pads rows (2, 3) and, for even widths, columns (0, 1).

    "Pad by 3 and drop the last row" is (3, 2).
    """
    inputs, kernel = random_array(1, 8, 16, 3), random_array(6, 3, 3, 4)
    x, weight = channels_first(inputs), conv2d_weight(kernel)
    return distances(
        convolved(inputs, kernel, (1, 2)),
        F.conv2d(F.pad(x, (0, 1, 2, 3)), weight, stride=(1, 2)),
        F.conv2d(F.pad(x, (0, 1, 3, 3)), weight, stride=(1, 2))[:, :, :-1],
    )


def norm(wrong_epsilon: float = 1e-6, *, affine: bool = True, biased: bool = True) -> Distances:
    """Instance norm with epsilon 1e-6, scale and offset, and the biased variance.

    The input is as quiet as a convolution of normalised features at the start: deviation 0.03.
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
    """`tf.nn.moments` does not upcast; the norm of this project stays in float32."""
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
    """Its true gradient is zero; what is computed is noise, and two noises have nothing in common.

    Right: both absolutely. Wrong: their relative difference.
    """
    pair = generator(SMALL, 24)
    rng = np.random.default_rng(0)
    with precision("float64"):
        biases = [
            each
            for each in pair.quantities([rng.standard_normal((1, 32, 24))], rng)
            if re.fullmatch(NORMED_BIASES, each.name.removeprefix("gradient of "))
        ]
    absolute = np.max(np.abs(np.concatenate([[*each.ours, *each.twin] for each in biases])))
    return float(absolute), max(difference(each.ours, each.twin)[1] for each in biases)


def initialiser() -> Distances:
    """Keras draws kernels from Glorot's distribution, PyTorch from U(±1 / sqrt(fan in)).

    Of both networks just built, weight by weight: the largest difference between the deviations, or
    between the largest values, over this project's where that is not zero, as it is of biases.
    """
    pairs = (generator(WIDE, 24), discriminator(WIDE, 24))
    ours = np.concatenate([_sizes(to_state(pair.ours())) for pair in pairs])
    found = []
    for prepare in (initialise_as_keras, lambda module: None):
        torch.manual_seed(0)
        sizes = []
        for pair in pairs:
            twin = pair.twin()
            prepare(twin)
            state = {key: value.numpy() for key, value in twin.state_dict().items()}
            sizes.append(_sizes({key: state[key] for key in to_state(pair.ours())}))
        scale = np.where(ours > 0.0, ours, 1.0)
        found.append(float(np.max(np.abs(np.concatenate(sizes) - ours) / scale)))
    return found[0], found[1]


def _sizes(state: dict[str, np.ndarray]) -> np.ndarray:
    """Deviation and largest absolute value of each weight."""
    return np.array([[each.std(), np.abs(each).max()] for each in state.values()])


def nearest_resize() -> Distances:
    """TensorFlow samples half-pixel centres, which torch calls "nearest-exact"."""
    inputs = random_array(1, 16, 64, 3)
    ours = layers.NearestResize(dtype="float64")((inputs, np.zeros((1, 4, 16, 1))))
    x = channels_first(inputs)
    right, wrong = (F.interpolate(x, (4, 16), mode=mode) for mode in ("nearest-exact", "nearest"))
    return distances(ours, right, wrong)


TRAPS = (
    Trap("stride 2, even length", "padding=2 on both sides", lambda: stride_2(16), 1e-12, 0.3),
    Trap("kernel 6 x 3, stride 1 x 2", "pad by 3, drop the last row", even_kernel, 1e-12, 0.3),
    Trap("instance norm", "epsilon 1e-3, addons' default", lambda: norm(1e-3), 1e-12, 0.1),
    Trap("instance norm", "epsilon 1e-5, PyTorch's", lambda: norm(1e-5), 1e-12, 1e-3),
    Trap("instance norm", "affine=False, as in PyTorch", lambda: norm(affine=False), 1e-12, 0.1),
    Trap("instance norm", "the unbiased variance", lambda: norm(biased=False), 1e-12, 1e-2),
    Trap("instance norm in bfloat16", "tf.nn.moments in bfloat16", bfloat16_moments, 1e-5, 1e-3),
    Trap("bias before a norm", "compared relatively", bias_before_a_norm, 1e-10, 0.01),
    Trap("initialiser", "PyTorch's default", initialiser, 0.15, 0.4),
    Trap("nearest resize", 'mode="nearest"', nearest_resize, 0.0, 0.3),
)  # fmt: skip

"""Traps of the later papers: folding, masks, MelGAN's convolutions and rectifiers, in float64."""

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.models import layers
from cyclegan_vc_tf.vocoders import melgan
from parity.cases.network_cases import VC2, generator
from parity.cases.twins import SPEAKER
from parity.precision import precision
from parity.trainings.runs import channels_first
from parity.traps.trap import Distances, Trap, distances, random_array


def part(model: keras.Model, first: str, last: str) -> keras.Model:
    """Some neighbouring layers of a network."""
    return keras.Model(model.get_layer(first).input, model.get_layer(last).output)


def folding() -> Distances:
    """The generator's fold is PyTorch's reshape; the reshape of channels-last is another."""
    inputs = random_array(2, 6, 5, 4)
    with precision("float64"):
        ours = part(generator(VC2, 24).ours(), "fold_order", "fold")(inputs)
    careless = tf.reshape(tf.transpose(inputs, (0, 2, 1, 3)), (2, 5, 24))
    x = channels_first(inputs)
    return distances(ours, x.reshape(2, 24, 5), channels_first(careless.numpy()))


def unfolding() -> Distances:
    """And back."""
    inputs = random_array(2, 5, 24)
    with precision("float64"):
        ours = part(generator(VC2, 24).ours(), "unfold", "unfold_order")(inputs)
    careless = tf.transpose(tf.reshape(inputs, (2, 5, 6, 4)), (0, 2, 1, 3))
    x = channels_first(inputs)
    return distances(ours, x.reshape(2, 4, 6, 5), channels_first(careless.numpy()))


def hidden_frames() -> Distances:
    """A hidden frame is zero after the normalisation: the speaker's mean, not silence."""
    spectra = np.stack([SPEAKER.mean + SPEAKER.scale * each for each in random_array(3, 16, 24)])
    mask = np.ones((3, 16, 1))
    mask[:, 4:9] = 0.0
    normalized = normalization.normalize(spectra, SPEAKER).astype(np.float64)
    ours = layers.MaskFrames(dtype="float64")((normalized, mask))
    kept = channels_first(mask).expand(3, 24, 16)
    mean, scale = (torch.from_numpy(each)[:, None] for each in (SPEAKER.mean, SPEAKER.scale.copy()))
    x = channels_first(spectra)
    right, wrong = (
        torch.stack((each, kept), dim=1).mT
        for each in (((x - mean) / scale).float() * kept, (x * kept - mean) / scale)
    )
    return distances(ours, right, wrong)


def transposed_convolution(ratio: int) -> Distances:
    """MelGAN's: PyTorch's padding r // 2 + r % 2 cuts what SAME cuts for even r alone."""
    inputs = random_array(1, 6, 4)
    with precision("float64"):
        network = melgan.melgan_generator(3, 2, (ratio,), ())
        kernel = random_array(2 * ratio, 2, 4)
        layer = network.get_layer("up_1_conv")
        layer.set_weights([kernel, np.zeros(2)])
        ours = part(network, "up_1_conv", "up_1_crop")(inputs)
        same = tf.nn.conv1d_transpose(inputs, kernel, (1, 6 * ratio, 2), ratio, padding="SAME")
    weight = torch.from_numpy(kernel.transpose(2, 1, 0).copy())
    right, turned = (
        F.conv_transpose1d(
            channels_first(inputs), each, stride=ratio, padding=ratio // 2 + ratio % 2,
            output_padding=ratio % 2,
        )
        for each in (weight, weight.flip(2))
    )  # fmt: skip
    wrong = channels_first(same.numpy()) if ratio % 2 else turned
    return distances(ours, right, wrong)


def leaky_rectifier() -> Distances:
    """`tf.nn.leaky_relu` has its slope as a float32 attribute, in any type."""
    inputs = random_array(1, 9, 4)
    right = F.leaky_relu(channels_first(inputs), melgan.LEAKY_SLOPE)
    wrong = channels_first(tf.nn.leaky_relu(inputs, melgan.LEAKY_SLOPE).numpy())
    return distances(melgan.leaky_relu(tf.constant(inputs)), right, wrong)


TRAPS = (
    Trap("folding bins into channels", "reshape without transposing", folding, 0.0, 0.3),
    Trap("unfolding channels into bins", "reshape without transposing", unfolding, 0.0, 0.3),
    Trap("frames that are hidden", "zero before the normalisation", hidden_frames, 1e-7, 0.3),
    Trap(
        "MelGAN's transposed convolution, even rate", "kernel turned round",
        lambda: transposed_convolution(8), 1e-12, 0.3,
    ),
    Trap(
        "MelGAN's transposed convolution, odd rate", 'padding="same"',
        lambda: transposed_convolution(5), 1e-12, 0.3,
    ),
    Trap("leaky rectifier", "tf.nn.leaky_relu", leaky_rectifier, 1e-15, 1e-10),
)  # fmt: skip

"""Traps in networks of the later papers and in MelGAN, in float64."""

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
from parity.tolerances import UNIT_ROUNDOFF
from parity.trainings.runs import channels_first
from parity.traps.trap import EXACT, ROUNDED, Distances, Trap, distances, random_array


def cut_layers(model: keras.Model, first: str, last: str) -> keras.Model:
    """Return the layers of a network from `first` to `last` as a model."""
    return keras.Model(model.get_layer(first).input, model.get_layer(last).output)


def folding() -> Distances:
    """Compare the generator's fold with PyTorch's reshape and with that of channels-last."""
    inputs = random_array(2, 6, 5, 4)
    with precision("float64"):
        ours = cut_layers(generator(VC2, 24).ours(), "fold_order", "fold")(inputs)
    careless = tf.reshape(tf.transpose(inputs, (0, 2, 1, 3)), (2, 5, 24))
    x = channels_first(inputs)
    return distances(ours, x.reshape(2, 24, 5), channels_first(careless.numpy()))


def unfolding() -> Distances:
    """Compare the generator's unfolding with PyTorch's reshape and with that of channels-last."""
    inputs = random_array(2, 5, 24)
    with precision("float64"):
        ours = cut_layers(generator(VC2, 24).ours(), "unfold", "unfold_order")(inputs)
    careless = tf.transpose(tf.reshape(inputs, (2, 5, 6, 4)), (0, 2, 1, 3))
    x = channels_first(inputs)
    return distances(ours, x.reshape(2, 4, 6, 5), channels_first(careless.numpy()))


def hidden_frames() -> Distances:
    """Compare frames that are hidden after and before the normalisation.

    After it, zero is the speaker's mean, not silence.
    """
    spectra = SPEAKER.mean + SPEAKER.scale * random_array(3, 16, 24)
    mask = np.ones((3, 16, 1))
    mask[:, 4:9] = 0.0
    normalized = normalization.normalize(spectra, SPEAKER).astype(np.float64)
    ours = layers.MaskFrames(dtype="float64")((normalized, mask))
    kept = channels_first(mask).expand(3, 24, 16)
    mean, scale = (
        torch.from_numpy(values.copy())[:, None] for values in (SPEAKER.mean, SPEAKER.scale)
    )
    x = channels_first(spectra)
    right, wrong = (
        torch.stack((features, kept), dim=1).mT
        for features in (((x - mean) / scale).float() * kept, (x * kept - mean) / scale)
    )
    return distances(ours, right, wrong)


def transposed_convolution(ratio: int) -> Distances:
    """Compare ways to crop MelGAN's transposed convolution at rate r.

    PyTorch's padding r // 2 + r % 2 is TensorFlow's SAME for even r alone.
    """
    inputs = random_array(1, 6, 4)
    with precision("float64"):
        network = melgan.melgan_generator(3, 2, (ratio,), ())
        kernel = random_array(2 * ratio, 2, 4)
        layer = network.get_layer("up_1_conv")
        layer.set_weights([kernel, np.zeros(2)])
        ours = cut_layers(network, "up_1_conv", "up_1_crop")(inputs)
        same = tf.nn.conv1d_transpose(inputs, kernel, (1, 6 * ratio, 2), ratio, padding="SAME")
    weight = torch.from_numpy(kernel.transpose(2, 1, 0).copy())
    right, turned = (
        F.conv_transpose1d(
            channels_first(inputs), taps, stride=ratio, padding=ratio // 2 + ratio % 2,
            output_padding=ratio % 2,
        )
        for taps in (weight, weight.flip(2))
    )  # fmt: skip
    wrong = channels_first(same.numpy()) if ratio % 2 else turned
    return distances(ours, right, wrong)


def leaky_rectifier() -> Distances:
    """Compare leaky rectifiers: `tf.nn.leaky_relu` keeps its slope in float32 for every type."""
    inputs = random_array(1, 9, 4)
    right = F.leaky_relu(channels_first(inputs), melgan.LEAKY_SLOPE)
    wrong = channels_first(tf.nn.leaky_relu(inputs, melgan.LEAKY_SLOPE).numpy())
    return distances(melgan.leaky_relu(tf.constant(inputs)), right, wrong)


TRAPS = (
    Trap("folding bins into channels", "reshape without transposing", folding, EXACT, 0.3),
    Trap("unfolding channels into bins", "reshape without transposing", unfolding, EXACT, 0.3),
    Trap(
        "frames that are hidden", "zero before the normalisation",
        # Two values of float64 are rounded to float32, to neighbours at most.
        hidden_frames, 2 * UNIT_ROUNDOFF["float32"], 0.3,
    ),
    Trap(
        "MelGAN's transposed convolution, even rate", "kernel turned round",
        lambda: transposed_convolution(8), ROUNDED, 0.3,
    ),
    Trap(
        "MelGAN's transposed convolution, odd rate", 'padding="same"',
        lambda: transposed_convolution(5), ROUNDED, 0.3,
    ),
    # One product, rounded to neighbours at most.
    Trap(
        "leaky rectifier", "tf.nn.leaky_relu",
        leaky_rectifier, 2 * UNIT_ROUNDOFF["float64"], 1e-10,
    ),
)  # fmt: skip

"""Multi-resolution discriminator of waveforms.

Each of several networks sees the complex short-time spectrum of one resolution.

Source: Jang et al., 2021, arXiv:2106.07889 (UnivNet), section 2.3; complex spectra as in Défossez
et al., 2022, arXiv:2210.13438 (EnCodec).
"""

import keras
import tensorflow as tf

from cyclegan_vc_tf.models.layers import Convolutions, without_autograph
from cyclegan_vc_tf.models.stft import stft
from cyclegan_vc_tf.vocoders import melgan

HOPS_PER_WINDOW = 4
"""Hops of a discriminator's spectrum per window."""

COMPRESSION = 0.3
"""Exponent of the magnitudes that a discriminator sees: quiet details count too."""

SAFE_POWER = 1e-6
"""Power that is added before the compression."""

LAYERS = (((3, 9), (1, 4)), ((3, 9), (1, 2)), ((3, 9), (2, 2)), ((3, 3), (1, 1)))
"""Kernel and stride of each convolution but the last, in frames and bins."""


def spectrum_input(waves: tf.Tensor, size: int) -> tf.Tensor:
    """Return the compressed spectrum that a discriminator sees: X · (|X|² + 1e-6)^(-0.35).

    Args:
        waves: (batch, samples).
        size: Length of the window, in samples; the hop is a quarter. Zeros fill the last frame.

    Returns:
        Real and imaginary part, (batch, frames, size // 2 + 1, 2).
    """
    hop = size // HOPS_PER_WINDOW
    missing = -(waves.shape[1] - size) % hop
    spectra = stft(tf.pad(waves, ((0, 0), (0, missing))), size, hop)
    parts = tf.stack([tf.math.real(spectra), tf.math.imag(spectra)], -1)
    power = tf.reduce_sum(tf.square(parts), -1, keepdims=True)
    return parts * tf.pow(power + SAFE_POWER, (COMPRESSION - 1) / 2)


@without_autograph
def spectrum_discriminator(name: str, channels: int, seed: int) -> keras.Model:
    """Build the discriminator of one resolution.

    Args:
        name: Name of the network; its initial weights depend on it.
        channels: Channels of all convolutions but the last.
        seed: Seed of the initial weights.

    Returns:
        Model of (batch, frames, bins, 2) that returns the outputs of all layers, with the patch
        scores, (batch, frames, bins, 1), last.
    """
    make = Convolutions(name, seed, "same")
    hidden = inputs = keras.Input((None, None, 2), name="spectrum")
    outputs = []
    for number, (kernel, stride) in enumerate(LAYERS, 1):
        hidden = make(hidden, channels, kernel, stride, f"block_{number}_conv")
        hidden = keras.layers.Activation(melgan.leaky_relu, name=f"block_{number}_leaky")(hidden)
        outputs.append(hidden)
    scores = make(hidden, 1, (3, 3), (1, 1), "scores")
    return keras.Model(inputs, [*outputs, scores], name=name)

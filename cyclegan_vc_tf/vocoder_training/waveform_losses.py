"""Loss functions of a vocoder: pure, with one value per example."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models.ordered_sum import fan_out, sum_in_order
from cyclegan_vc_tf.models.stft import stft

HOPS_PER_WINDOW = 4
"""Hops of a loss's spectrum per window."""

MIN_POWER = 1e-9
"""Lower limit of the power of a bin before a root or a logarithm."""


def magnitudes(waves: tf.Tensor, size: int, hop: int) -> tf.Tensor:
    """Return the magnitudes of short-time spectra, at least the root of 1e-9.

    Args:
        waves: (batch, samples). Zeros fill the last frame.
        size: Length of window and transform, in samples.
        hop: Samples between two frames.

    Returns:
        (batch, frames, size // 2 + 1).
    """
    missing = -(waves.shape[1] - size) % hop
    spectra = stft(tf.pad(waves, ((0, 0), (0, missing))), size, hop)
    power = tf.square(tf.math.real(spectra)) + tf.square(tf.math.imag(spectra))
    return tf.sqrt(tf.maximum(power, MIN_POWER))


def stft_loss(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Return spectral convergence plus the mean absolute difference of log magnitudes.

    Args:
        real: Magnitudes of the recordings, (batch, frames, bins).
        fake: Magnitudes of the synthesized waveforms, (batch, frames, bins).

    Returns:
        One loss per example, (batch,).

    Source: Yamamoto, Song and Kim, 2020, arXiv:1910.11480 (Parallel WaveGAN), equations 4 to 6.
    """
    first, second = fan_out(fake, 2)
    difference = tf.reduce_sum(tf.square(real - first), (1, 2))
    norm = tf.reduce_sum(tf.square(real), (1, 2))
    convergence = tf.sqrt(tf.maximum(difference, MIN_POWER) / norm)
    logarithms = tf.abs(tf.math.log(real) - tf.math.log(second))
    return convergence + tf.reduce_mean(logarithms, (1, 2))


def multi_resolution_stft_loss(
    real: tf.Tensor, fakes: Sequence[tf.Tensor], sizes: Sequence[int]
) -> tf.Tensor:
    """Return the mean of `stft_loss` over several resolutions.

    Args:
        real: Recordings, (batch, samples).
        fakes: Synthesized waveforms, (batch, samples), once per resolution; see `fan_out`.
        sizes: Window of each resolution, in samples; the hop is a quarter.

    Returns:
        One loss per example, (batch,).

    Source: Yamamoto, Song and Kim, 2020, arXiv:1910.11480 (Parallel WaveGAN), equation 7.
    """
    losses = []
    for fake, size in zip(fakes, sizes, strict=True):
        pair = [magnitudes(waves, size, size // HOPS_PER_WINDOW) for waves in (real, fake)]
        losses.append(stft_loss(*pair))
    return sum_in_order(losses) / len(losses)


def mel_loss(
    real: tf.Tensor, fake: tf.Tensor, filters: np.ndarray, size: int, hop: int
) -> tf.Tensor:
    """Return the mean absolute difference of log-mel spectra, with natural logarithms.

    Args:
        real: Recordings, (batch, samples).
        fake: Synthesized waveforms, (batch, samples).
        filters: Mel filters, (bins, size // 2 + 1).
        size: Length of window and transform, in samples.
        hop: Samples between two frames.

    Returns:
        One loss per example, (batch,).

    Source: Kong, Kim and Bae, 2020, arXiv:2010.05646 (HiFi-GAN), equation 3.
    """
    weights = tf.constant(filters.T, real.dtype)
    bands = [
        tf.math.log(tf.maximum(tf.matmul(magnitudes(waves, size, hop), weights), 1e-5))
        for waves in (real, fake)
    ]
    return tf.reduce_mean(tf.abs(bands[0] - bands[1]), (1, 2))


def feature_matching_loss(reals: Sequence[tf.Tensor], fakes: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the mean absolute difference of a discriminator's hidden outputs.

    Each layer's difference is divided by the mean absolute value of the real output.

    Args:
        reals: Outputs of the layers for recordings, (batch, frames, bins, channels).
        fakes: Outputs of the layers for synthesized waveforms.

    Returns:
        One loss per example, (batch,): the mean over layers.

    Source: Kong, Kim and Bae, 2020, arXiv:2010.05646 (HiFi-GAN), equation 4; the division as in
        Défossez et al., 2022, arXiv:2210.13438 (EnCodec), equation 2.
    """
    losses = [
        tf.reduce_mean(tf.abs(real - fake), (1, 2, 3)) / tf.reduce_mean(tf.abs(real), (1, 2, 3))
        for real, fake in zip(map(tf.stop_gradient, reals), fakes, strict=True)
    ]
    return sum_in_order(losses) / len(losses)


def pitch_loss(scores: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the cross entropy of F0 in voiced frames plus that of voicing, averaged over frames.

    Args:
        scores: Output of the pitch network, (batch, frames, classes + 1).
        targets: Probabilities of the classes and, last, of voicing, of equal shape.

    Returns:
        One loss per example, (batch,).

    Source: Kim et al., 2018, arXiv:1802.06182 (CREPE), equations 2 and 3, with one softmax.
    """
    logarithms = tf.nn.log_softmax(scores[..., :-1])
    classes = -tf.reduce_sum(targets[..., :-1] * logarithms, -1)
    voicing = tf.nn.sigmoid_cross_entropy_with_logits(targets[..., -1], scores[..., -1])
    return tf.reduce_mean(classes + voicing, 1)

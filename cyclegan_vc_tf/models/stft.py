"""Short-time Fourier transforms of batches, with gradients that add in one order.

A transform is not centred: frame n begins at sample n · hop. The window is a periodic Hann window.
The functions of TensorFlow that these are made of have gradients that scatter.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def hann_window(samples: int) -> np.ndarray:
    """Return a periodic Hann window, (samples,) float64."""
    return np.hanning(samples + 1)[:-1]


def split_frames(waves: tf.Tensor, size: int, hop: int) -> tf.Tensor:
    """Cut waveforms into overlapping frames.

    Args:
        waves: (batch, samples), where `samples` - `size` is a multiple of `hop`.
        size: Samples per frame.
        hop: Samples between two frames.

    Returns:
        (batch, frames, size).
    """

    @tf.custom_gradient
    def split(waves: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        frames = tf.signal.frame(waves, size, hop)
        return frames, lambda upstream: overlap_add(upstream, hop)

    return split(waves)


def overlap_add(frames: tf.Tensor, hop: int) -> tf.Tensor:
    """Add overlapping frames: the transpose of `split_frames`.

    Args:
        frames: (batch, frames, size).
        hop: Samples between two frames.

    Returns:
        (batch, (frames - 1) · hop + size).
    """

    @tf.custom_gradient
    def add(frames: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        size = frames.shape[-1]
        waves = tf.signal.overlap_and_add(frames, hop)
        return waves, lambda upstream: split_frames(upstream, size, hop)

    return add(frames)


def stft(waves: tf.Tensor, size: int, hop: int) -> tf.Tensor:
    """Compute short-time spectra.

    Args:
        waves: (batch, samples), where `samples` - `size` is a multiple of `hop`.
        size: Length of window and transform, in samples.
        hop: Samples between two frames.

    Returns:
        (batch, frames, size // 2 + 1), complex.
    """
    window = tf.constant(hann_window(size), waves.dtype)
    return tf.signal.rfft(split_frames(waves, size, hop) * window)


def inverse_stft(spectra: tf.Tensor, size: int, hop: int) -> tf.Tensor:
    """Return the waveforms with the nearest short-time spectra, in least squares.

    Args:
        spectra: (batch, frames, size // 2 + 1), complex.
        size: Length of window and transform, in samples.
        hop: Samples between two frames, at most half of `size`.

    Returns:
        (batch, (frames - 1) · hop + size). The first sample and all samples that no window reaches
        are zero.

    Source: Griffin and Lim, 1984, "Signal estimation from modified short-time Fourier transform",
        equation 6.
    """
    frames = tf.signal.irfft(spectra, [size])
    window = tf.constant(hann_window(size), frames.dtype)
    powers = tf.ones_like(frames[:1, :, :1]) * tf.square(window)
    weights = overlap_add(tf.stop_gradient(powers), hop)
    return tf.math.divide_no_nan(overlap_add(frames * window, hop), weights)

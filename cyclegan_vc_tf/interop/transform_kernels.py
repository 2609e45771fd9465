"""Windowed Fourier transforms as kernels of convolutions, which every runtime has."""

import numpy as np

from cyclegan_vc_tf.models.stft import hann_window


def analysis_kernel(size: int) -> np.ndarray:
    """Return a convolution kernel of a windowed Fourier transform, (2 · bins, 1, size).

    Real parts come before imaginary parts.
    """
    angles = 2 * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(size)) / size
    kernel = np.concatenate([np.cos(angles), -np.sin(angles)]) * hann_window(size)
    return kernel[:, np.newaxis]


def synthesis_kernel(size: int) -> np.ndarray:
    """Return a kernel of a transposed convolution that inverts it and windows again.

    All bins stand for two of a whole transform, but for the first and the last.
    """
    counts = np.full((size // 2 + 1, 1), 2.0)
    counts[[0, -1]] = 1.0
    return analysis_kernel(size) * np.tile(counts, (2, 1))[:, np.newaxis] / size

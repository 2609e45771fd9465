"""Mel-cepstra as SPTK defines them, for mel-cepstral distortion.

The networks convert WORLD's own coded coefficients, which are scaled differently.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np

DEFAULT_ORDER = 24
"""Index of the last coefficient; the zeroth, which is the level, makes it 25 coefficients."""


def mel_cepstra(power: np.ndarray, sample_rate_hz: int, order: int = DEFAULT_ORDER) -> np.ndarray:
    """Compute mel-cepstra of spectral envelopes.

    log |H| is a sum of `order` + 1 cosines on a frequency axis that an all-pass filter warps to
    approximate the mel scale.

    Args:
        power: Envelopes, (frames, spectral bins), positive; the last bin is at the Nyquist
            frequency.
        sample_rate_hz: Sampling rate of the analysed recording.
        order: Index of the last coefficient.

    Returns:
        Mel-cepstra, (frames, order + 1) float64.

    Source: Tokuda et al., 1994, "Mel-generalized cepstral analysis"; SPTK's `freqt`.
    """
    size = 2 * (power.shape[1] - 1)
    cepstra = np.fft.irfft(np.log(power), size)[:, : size // 2]
    cepstra[:, 0] /= 2
    return cepstra @ _frequency_transform(size // 2, order, all_pass_constant(sample_rate_hz))


@lru_cache
def all_pass_constant(sample_rate_hz: int) -> float:
    """Find the all-pass constant with the phase closest to the mel scale, to 0.001.

    The phase at ω is ω + 2 atan(alpha sin ω / (1 - alpha cos ω)). The mel scale is
    ln(1 + f / 1000 Hz). Both are scaled to run from 0 at 0 Hz to 1 at the Nyquist frequency.

    Source: Tokuda et al., 1994, section 2; SPTK's tables (0.41 at 16 kHz).
    """
    omega = np.linspace(0, np.pi, 1000)
    mel = np.log1p(omega / np.pi * sample_rate_hz / 2000)
    alphas = np.arange(0, 1, 0.001)[:, np.newaxis]
    phases = omega + 2 * np.arctan(alphas * np.sin(omega) / (1 - alphas * np.cos(omega)))
    errors = np.square(phases / np.pi - mel / mel[-1]).mean(axis=1)
    return float(alphas[np.argmin(errors), 0])


@lru_cache
def _frequency_transform(length: int, order: int, alpha: float) -> np.ndarray:
    """Return the matrix that warps the frequency axis of cepstra, (length, order + 1).

    Row m is the warped cepstrum of a cepstrum that is 1 at m and 0 elsewhere. Oppenheim's recursion
    makes each row from the row before.
    """
    rows = np.zeros((length, order + 1))
    rows[0, 0] = 1.0
    for previous, row in pairwise(rows):
        row[0] = alpha * previous[0]
        row[1] = (1 - alpha**2) * previous[0] + alpha * previous[1]
        for k in range(2, order + 1):
            row[k] = previous[k - 1] + alpha * (previous[k] - row[k - 1])
    return rows

"""Mel-cepstra as SPTK defines them, which distortion is measured on.

WORLD's own coded coefficients, which the networks convert, are scaled differently.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np

DEFAULT_ORDER = 24
"""The last coefficient; with the zeroth, which is the level, there is one more."""


def mel_cepstra(power: np.ndarray, sample_rate_hz: int, order: int = DEFAULT_ORDER) -> np.ndarray:
    """Mel-cepstra of spectral envelopes.

    log |H| is a sum of `order` + 1 cosines on a frequency axis that an all-pass bends as the mel
    scale does.

    Args:
        power: Envelopes, (frames, spectral bins), positive.
        sample_rate_hz: Whose half the last bin is at.
        order: The last coefficient.

    Returns:
        (frames, order + 1) float64.

    Source: Tokuda et al., 1994, "Mel-generalized cepstral analysis"; SPTK's `freqt`.
    """
    size = 2 * (power.shape[1] - 1)
    cepstra = np.fft.irfft(np.log(power), size)[:, : size // 2]
    cepstra[:, 0] /= 2
    return cepstra @ _frequency_transform(size // 2, order, all_pass_constant(sample_rate_hz))


@lru_cache
def all_pass_constant(sample_rate_hz: int) -> float:
    """The constant of the all-pass whose phase comes closest to the mel scale, to 0.001.

    Its phase at ω is ω + 2 atan(alpha sin ω / (1 - alpha cos ω)), and the mel scale
    ln(1 + f / 1000 Hz), both from 0 to 1 between 0 Hz and half of the sampling rate.

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
    """The matrix that bends the frequency axis of a cepstrum, (length, order + 1).

    Its row m is a cepstrum of 1 at m alone after Oppenheim's recursion, each row one step of the
    recursion further than the row before.
    """
    rows = np.zeros((length, order + 1))
    rows[0, 0] = 1.0
    for before, row in pairwise(rows):
        row[0] = alpha * before[0]
        row[1] = (1 - alpha**2) * before[0] + alpha * before[1]
        for k in range(2, order + 1):
            row[k] = before[k - 1] + alpha * (before[k] - row[k - 1])
    return rows

"""Resampling of whole recordings and of blocks, and fitting of samples to a length."""

import math
from collections.abc import Callable

import numpy as np
import soxr

MIN_RESAMPLED_SAMPLES = 64
"""Smallest number of samples to resample with soxr.

For fewer samples, soxr's filter would mostly see the zeros around them.
"""


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resample a recording with soxr's high-quality filter.

    Recordings shorter than this filter would lose their content: their samples are repeated or
    skipped instead.

    Args:
        samples: Waveform, (samples,) float32.
        from_hz: Sampling rate of `samples`.
        to_hz: Sampling rate of the result.

    Returns:
        Waveform, (round(samples · to_hz / from_hz),) float32, at least one sample.
    """
    if from_hz == to_hz:
        return samples
    length = resampled_length(len(samples), from_hz, to_hz)
    if len(samples) < MIN_RESAMPLED_SAMPLES:
        nearest = np.arange(length) * from_hz // to_hz
        return samples[np.minimum(nearest, len(samples) - 1)]
    return fix_length(soxr.resample(samples, from_hz, to_hz, quality="HQ"), length)


def resampled_length(samples: int, from_hz: int, to_hz: int) -> int:
    """Return the number of samples after resampling: at least one."""
    return max(1, round(samples * to_hz / from_hz))


def make_resampler(from_hz: int, to_hz: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Make a function that resamples block by block, with the result of `resample` for the whole.

    Returns:
        Function of a block, (samples,) float32, and of whether it is the last block.
    """
    if from_hz == to_hz:
        return lambda samples, last: samples
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
    return lambda samples, last: stream.resample_chunk(samples, last=last)


def fix_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut samples at their end, or append zeros, to reach a length."""
    if len(samples) >= length:
        return samples[:length]
    return np.pad(samples, (0, length - len(samples)))


PASSBAND = 0.9125
"""End of soxr's high-quality passband, relative to the Nyquist frequency."""


def low_pass(samples: np.ndarray, sample_rate_hz: int, limit_hz: float) -> np.ndarray:
    """Remove everything above a frequency, by resampling to a lower rate and back.

    The band up to `limit_hz` passes; from `limit_hz` / `PASSBAND` on nothing does.

    Args:
        samples: Waveform, (samples,) float32.
        sample_rate_hz: Sampling rate of the waveform.
        limit_hz: Highest frequency to keep.

    Returns:
        Waveform, (samples,) float32.
    """
    lower_hz = round(2 * limit_hz / PASSBAND)
    if lower_hz >= sample_rate_hz:
        return samples
    return fix_length(
        resample(resample(samples, sample_rate_hz, lower_hz), lower_hz, sample_rate_hz),
        len(samples),
    )


ZERO_CROSSINGS = 16
"""Zero crossings of the low-delay filter on either side, at the lower of both rates: 1 ms."""

LOW_DELAY_PASSBAND = 0.92
"""Cut-off of the low-delay filter as a part of the lower Nyquist frequency."""

KAISER_BETA = 8.0
"""Shape of the low-delay filter's window: 80 dB of attenuation."""

MAX_PHASES = 4096
"""Largest number of phases of the low-delay filter; soxr serves rates with more."""


class LowDelayResampler:
    """Resampler of a stream by a short filter: it is 16 periods of the lower rate late.

    soxr's streams are 40 to 70 ms late.

    Args:
        from_hz: Sampling rate of the input.
        to_hz: Sampling rate of the output; its ratio to `from_hz` has at most `MAX_PHASES` phases.

    Source: Smith and Gossett, 1984, "A flexible sampling-rate conversion method".
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        divisor = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // divisor, from_hz // divisor
        self._half = math.ceil(ZERO_CROSSINGS * max(1.0, from_hz / to_hz))
        cutoff = LOW_DELAY_PASSBAND * min(1.0, to_hz / from_hz)
        taps = np.arange(1 - self._half, self._half + 1)
        distance = taps - np.arange(self._up)[:, np.newaxis] / self._up
        window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1 - np.square(distance / self._half))))
        weights = cutoff * np.sinc(cutoff * distance) * window
        self._weights = weights / weights.sum(axis=1, keepdims=True)
        # The first sample has zeros before it.
        self._waiting = np.zeros(self._half - 1, np.float32)
        self._position = 0

    def __call__(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """Resample a block, (samples,) float32; `last` has no effect."""
        self._waiting = np.concatenate([self._waiting, samples])
        # Output m is at input sample m · down / up; its filter needs `half` samples behind that.
        available = len(self._waiting) - 2 * self._half + 1
        count = max(0, -(-(available * self._up - self._position) // self._down))
        places = self._position + self._down * np.arange(count)
        first, phase = np.divmod(places, self._up)
        taps = first[:, np.newaxis] + np.arange(2 * self._half)
        output = np.einsum("mk,mk->m", self._waiting[taps], self._weights[phase])
        used, self._position = divmod(self._position + self._down * count, self._up)
        self._waiting = self._waiting[used:].copy()
        return output.astype(np.float32)


def make_low_delay_resampler(from_hz: int, to_hz: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Make a function that resamples a stream block by block, with little delay.

    Returns:
        Function of a block, (samples,) float32, and of whether it is the last block.
    """
    if to_hz // math.gcd(from_hz, to_hz) > MAX_PHASES:
        return make_resampler(from_hz, to_hz)
    return LowDelayResampler(from_hz, to_hz)

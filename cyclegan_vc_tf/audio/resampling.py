"""Resampling of whole recordings and of blocks, and fitting of samples to a length."""

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

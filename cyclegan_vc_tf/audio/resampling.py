"""Recordings: found, read, resampled, written. Samples are mono float32, full scale 1.0."""

from collections.abc import Callable

import numpy as np
import soxr

MIN_RESAMPLED_SAMPLES = 64
"""Samples below which soxr's filter sees hardly anything but the zeros around them."""


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Brings samples from one rate to another with soxr at its high quality.

    What is shorter than its filter, which would swallow it, is repeated or thinned out instead.

    Args:
        samples: (samples,) float32.
        from_hz: Their rate.
        to_hz: The rate that is wanted.

    Returns:
        (round(samples · to_hz / from_hz),) float32, at least one sample.
    """
    if from_hz == to_hz:
        return samples
    wanted = resampled_length(len(samples), from_hz, to_hz)
    if len(samples) < MIN_RESAMPLED_SAMPLES:
        nearest = np.arange(wanted) * from_hz // to_hz
        return samples[np.minimum(nearest, len(samples) - 1)]
    return fix_length(soxr.resample(samples, from_hz, to_hz, quality="HQ"), wanted)


def resampled_length(samples: int, from_hz: int, to_hz: int) -> int:
    """How many samples last as long at another rate: at least one."""
    return max(1, round(samples * to_hz / from_hz))


def resampler(from_hz: int, to_hz: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """Resamples block by block as `resample` does the whole; with the last block it is told so."""
    if from_hz == to_hz:
        return lambda samples, last: samples
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
    return lambda samples, last: stream.resample_chunk(samples, last=last)


def fix_length(samples: np.ndarray, wanted: int) -> np.ndarray:
    """Cuts samples at their end, or adds zeros there, until there are `wanted`."""
    if len(samples) >= wanted:
        return samples[:wanted]
    return np.pad(samples, (0, wanted - len(samples)))

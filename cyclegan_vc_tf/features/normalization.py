"""A speaker's statistics, and what they are for: scaling features and mapping F0."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """Means and standard deviations over a speaker's training utterances.

    Attributes:
        mean: Of each value of a frame, (bins,) float64.
        std: Likewise; zero where a value never changes.
        log_f0_mean: Of ln(F0 in Hz) over voiced frames; zero where F0 is not analysed.
        log_f0_std: Likewise; zero for a voice on one note.
    """

    mean: np.ndarray
    std: np.ndarray
    log_f0_mean: float
    log_f0_std: float

    @property
    def scale(self) -> np.ndarray:
        """What features are divided by: the deviation, or 1 where it is zero, (bins,)."""
        return np.where(self.std > 0, self.std, 1.0)


def mean_and_std(chunks: Callable[[], Iterable[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased standard deviation over the first axis of data that is read in chunks.

    Two passes in float64, so that a large mean does not eat a small deviation. The deviation of a
    value that never changes is exactly zero.

    Args:
        chunks: Called once a pass; gives arrays (frames, …).
    """
    count, total = 0, np.float64(0.0)
    for chunk in chunks():
        count += len(chunk)
        total = total + chunk.sum(axis=0, dtype=np.float64)
    mean = np.asarray(total / count)
    squares = np.zeros_like(mean)
    for chunk in chunks():
        squares = squares + np.square(chunk - mean).sum(axis=0, dtype=np.float64)
    deviation = np.sqrt(squares / count)
    # What is left of a constant after rounding is no deviation.
    constant = deviation <= 1e-12 * np.maximum(np.abs(mean), 1.0)
    return mean, np.where(constant, 0.0, deviation)


def normalize(spectra: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Spectra in units of a speaker's deviation around the speaker's mean, float32."""
    return ((spectra - statistics.mean) / statistics.scale).astype(np.float32)


def denormalize(normalized: np.ndarray, statistics: Statistics) -> np.ndarray:
    """The inverse of `apply`, with the statistics of whoever is to be heard, float32."""
    return (normalized * statistics.scale + statistics.mean).astype(np.float32)


def convert_f0(f0_hz: np.ndarray, source: Statistics, target: Statistics) -> np.ndarray:
    """Maps voiced F0 from one speaker's range to another's; unvoiced frames stay 0.

    ln F0' = (ln F0 - mean_source) · deviation_target / deviation_source + mean_target

    A source on one note, whose deviation is zero, is moved without scaling.

    Args:
        f0_hz: (frames,), 0 where unvoiced.
        source: Whose F0 it is.
        target: Whose range it should be in.

    Source: Liu et al., 2007, "High quality voice conversion through phoneme-based linear mapping
    functions with STRAIGHT for Mandarin": the log-Gaussian normalised transform.
    """
    voiced = f0_hz > 0
    log_f0 = np.log(f0_hz, where=voiced, out=np.zeros(len(f0_hz)))
    scale = target.log_f0_std / source.log_f0_std if source.log_f0_std else 1.0
    mapped = np.exp((log_f0 - source.log_f0_mean) * scale + target.log_f0_mean)
    return np.where(voiced, mapped, 0.0)

"""Statistics of a speaker, normalisation of features with them, and the F0 map."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Statistics:
    """Means and standard deviations over a speaker's training utterances.

    Attributes:
        mean: Mean of each feature value over frames, (bins,) float64.
        std: Standard deviation of each feature value over frames, (bins,) float64; zero for a value
            that never changes.
        log_f0_mean: Mean of ln(F0 in Hz) over voiced frames; zero where F0 is not analysed.
        log_f0_std: Standard deviation of ln(F0 in Hz) over voiced frames; zero where F0 is not
            analysed or never changes.
    """

    mean: np.ndarray
    std: np.ndarray
    log_f0_mean: float
    log_f0_std: float

    @property
    def scale(self) -> np.ndarray:
        """Divisor of features: the standard deviation, or 1 where it is zero, (bins,)."""
        return np.where(self.std > 0, self.std, 1.0)


def mean_and_std(chunks: Callable[[], Iterable[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and biased standard deviation over the first axis of data read in chunks.

    Two passes in float64 keep a small deviation exact beside a large mean. A value that never
    changes has a deviation of exactly zero.

    Args:
        chunks: Function that is called once per pass and returns arrays (frames, …).

    Returns:
        Mean and standard deviation, each float64 with the shape of one frame.
    """
    count, total = 0, np.zeros(())
    for chunk in chunks():
        count += len(chunk)
        total = total + chunk.sum(axis=0, dtype=np.float64)
    mean = np.asarray(total / count)
    squares = np.zeros_like(mean)
    for chunk in chunks():
        squares = squares + np.square(chunk - mean).sum(axis=0, dtype=np.float64)
    std = np.sqrt(squares / count)
    # Rounding leaves a tiny deviation for a constant value.
    is_constant = std <= 1e-12 * np.maximum(np.abs(mean), 1.0)
    return mean, np.where(is_constant, 0.0, std)


def normalize(spectra: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Normalise spectra to mean 0 and standard deviation 1 of a speaker, float32."""
    return ((spectra - statistics.mean) / statistics.scale).astype(np.float32)


def denormalize(normalized: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Undo `normalize`, with the statistics of the speaker that the spectra now belong to."""
    return (normalized * statistics.scale + statistics.mean).astype(np.float32)


def convert_f0(f0_hz: np.ndarray, source: Statistics, target: Statistics) -> np.ndarray:
    """Map voiced F0 from the source's range to the target's; unvoiced frames stay 0.

    ln F0' = (ln F0 - mean_source) · deviation_target / deviation_source + mean_target

    An F0 of a source with zero deviation is moved without scaling.

    Args:
        f0_hz: F0 of the source speaker, (frames,), 0 where unvoiced.
        source: Statistics of the source speaker.
        target: Statistics of the target speaker.

    Returns:
        F0 in Hz, (frames,), 0 where unvoiced.

    Source: Liu et al., 2007, "High quality voice conversion through phoneme-based linear mapping
    functions with STRAIGHT for Mandarin": the log-Gaussian normalised transform.
    """
    voiced = f0_hz > 0
    log_f0 = np.log(f0_hz, where=voiced, out=np.zeros(len(f0_hz)))
    scale = target.log_f0_std / source.log_f0_std if source.log_f0_std else 1.0
    mapped = np.exp((log_f0 - source.log_f0_mean) * scale + target.log_f0_mean)
    return np.where(voiced, mapped, 0.0)

"""How far speech is from other speech, by definition: pure functions of analysed recordings.

The formulas are in docs/reference/metrics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np

DB_PER_NEPER = 10.0 / np.log(10.0)
"""Of a factor e in power."""

MODULATION_FRAMES = 256
"""Frames of a window of a modulation spectrum: 1.28 s at 5 ms."""


@dataclass(frozen=True)
class SpeechFeatures:
    """A recording as the metrics see it.

    Attributes:
        mel_cepstra: As SPTK defines them, (frames, order + 1).
        f0_hz: (frames,), 0 where unvoiced.
    """

    mel_cepstra: np.ndarray
    f0_hz: np.ndarray


def align(one: SpeechFeatures, other: SpeechFeatures) -> tuple[np.ndarray, np.ndarray]:
    """Frames that belong together, by dynamic time warping of the mel-cepstra without level.

    Args:
        one: A recording.
        other: The same sentence.

    Returns:
        Indices into the frames of both, as long as the path, ascending.

    Source: Sakoe and Chiba, 1978, with steps of one frame in either recording or both, through
        librosa.
    """
    _, path = librosa.sequence.dtw(one.mel_cepstra[:, 1:].T, other.mel_cepstra[:, 1:].T)
    return path[::-1, 0], path[::-1, 1]


def mel_cepstral_distortion_db(one: SpeechFeatures, other: SpeechFeatures) -> float:
    """10 / ln 10 · sqrt(2 Σ d²) over the coefficients but the zeroth; its mean over the path.

    Source: Kubichek, 1993, "Mel-cepstral distance measure for objective speech quality
        assessment".
    """
    ours, theirs = align(one, other)
    differences = one.mel_cepstra[ours, 1:] - other.mel_cepstra[theirs, 1:]
    return float(DB_PER_NEPER * np.sqrt(2 * np.square(differences).sum(axis=1)).mean())


def f0_errors(one: SpeechFeatures, other: SpeechFeatures) -> dict[str, float | None]:
    """How F0 differs along the path.

    Returns:
        `log_f0_rmse`: Root mean square of the difference of ln F0 where both are voiced.
        `log_f0_correlation`: Pearson's, of ln F0 there; None where one of them never changes.
        `voicing_error`: Share of the path where only one is voiced.
        Where nothing is voiced in both, the first two are None.
    """
    ours, theirs = align(one, other)
    first, second = one.f0_hz[ours], other.f0_hz[theirs]
    both = (first > 0) & (second > 0)
    voicing_error = float(np.mean((first > 0) != (second > 0)))
    if not both.any():
        return {"log_f0_rmse": None, "log_f0_correlation": None, "voicing_error": voicing_error}
    x, y = np.log(first[both]), np.log(second[both])
    changes = np.ptp(x) > 0 and np.ptp(y) > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if changes else None
    return {
        "log_f0_rmse": float(np.sqrt(np.mean(np.square(x - y)))),
        "log_f0_correlation": correlation,
        "voicing_error": voicing_error,
    }


def modulation_spectrum_db(spoken: SpeechFeatures) -> np.ndarray:
    """Power of how each mel-cepstral coefficient but the zeroth moves, by modulation frequency.

    Returns:
        (MODULATION_FRAMES // 2, order): without the frequency 0.

    Source: Takamichi et al., 2014, "A postfilter to modify the modulation spectrum in HMM-based
        speech synthesis".
    """
    return modulation_power_db(spoken.mel_cepstra[:, 1:])


def modulation_power_db(tracks: np.ndarray) -> np.ndarray:
    """Power of how each track moves, by modulation frequency.

    Of Hann windows of `MODULATION_FRAMES`, half of each over the next (Welch's method), each
    without its mean; a shorter recording is followed by zeros.

    Args:
        tracks: (frames, tracks).

    Returns:
        (MODULATION_FRAMES // 2, tracks): without the frequency 0.
    """
    tracks = tracks - tracks.mean(axis=0)
    import scipy.signal  # Takes long, and trainings import this module.

    missing = max(0, MODULATION_FRAMES - len(tracks))
    tracks = np.pad(tracks, ((0, missing), (0, 0)))
    _, power = scipy.signal.welch(tracks, nperseg=MODULATION_FRAMES, axis=0)
    return DB_PER_NEPER * np.log(np.maximum(power[1:], 1e-12))


def modulation_spectra_distance_db(
    some: Sequence[SpeechFeatures], others: Sequence[SpeechFeatures]
) -> float:
    """Root mean square difference of two voices' mean modulation spectra; nothing is aligned.

    Args:
        some: Recordings.
        others: Recordings of whatever sentences.

    Source: the MSD of Kaneko and Kameoka, 2017, arXiv:1711.11293, section 4.2.
    """
    first, second = (
        np.mean([modulation_spectrum_db(each) for each in group], axis=0)
        for group in (some, others)
    )
    return float(np.sqrt(np.mean(np.square(first - second))))


def global_variance_ratios(
    some: Sequence[SpeechFeatures], others: Sequence[SpeechFeatures]
) -> np.ndarray:
    """The variance of each mel-cepstral coefficient but the zeroth, over that of the others.

    A variance is one recording's; of many, the mean. 1 is as lively as the others, less is flatter.

    Returns:
        (order,).

    Source: Toda, Black and Tokuda, 2007, "Voice conversion based on maximum-likelihood estimation
        of spectral parameter trajectory", equation 22.
    """
    first, second = (
        np.mean([each.mel_cepstra[:, 1:].var(axis=0) for each in group], axis=0)
        for group in (some, others)
    )
    return first / np.maximum(second, 1e-12)

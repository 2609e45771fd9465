"""Objective metrics of speech, as pure functions of analysed recordings.

The formulas are in docs/reference/metrics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cyclegan_vc_tf.system import caches

DB_PER_NEPER = 10.0 / np.log(10.0)
"""Decibels of a power ratio of e."""

MODULATION_FRAMES = 256
"""Frames per window of a modulation spectrum: 1.28 s at a frame period of 5 ms."""


@dataclass(frozen=True)
class SpeechFeatures:
    """Features of a recording that the metrics compare.

    Attributes:
        mel_cepstra: Mel-cepstra as SPTK defines them, (frames, order + 1).
        f0_hz: F0 per frame, (frames,); 0 in unvoiced frames.
    """

    mel_cepstra: np.ndarray
    f0_hz: np.ndarray


def align(one: SpeechFeatures, other: SpeechFeatures) -> tuple[np.ndarray, np.ndarray]:
    """Align two recordings by dynamic time warping of their mel-cepstra without the zeroth.

    Args:
        one: A recording.
        other: A recording of the same sentence.

    Returns:
        Frame indices into both recordings, (path length,) each, ascending.

    Source: Sakoe and Chiba, 1978, with steps of one frame in either recording or both, through
        librosa.
    """
    librosa = caches.load_librosa()
    _, path = librosa.sequence.dtw(one.mel_cepstra[:, 1:].T, other.mel_cepstra[:, 1:].T)
    return path[::-1, 0], path[::-1, 1]


def mel_cepstral_distortion_db(one: SpeechFeatures, other: SpeechFeatures) -> float:
    """Mel-cepstral distortion in dB: mean of 10 / ln 10 · sqrt(2 Σ d²) over the aligned frames.

    d are the differences of all coefficients but the zeroth.

    Source: Kubichek, 1993, "Mel-cepstral distance measure for objective speech quality
        assessment".
    """
    frames, other_frames = align(one, other)
    differences = one.mel_cepstra[frames, 1:] - other.mel_cepstra[other_frames, 1:]
    return float(DB_PER_NEPER * np.sqrt(2 * np.square(differences).sum(axis=1)).mean())


def f0_errors(one: SpeechFeatures, other: SpeechFeatures) -> dict[str, float | None]:
    """Compare the F0 of two recordings over their aligned frames.

    Returns:
        `log_f0_rmse`: Root mean square difference of ln F0 where both recordings are voiced.
        `log_f0_correlation`: Pearson correlation of ln F0 there; None where one F0 is constant.
        `voicing_error`: Share of the aligned frames where only one recording is voiced.
        The first two are None where no aligned frame is voiced in both.
    """
    frames, other_frames = align(one, other)
    first, second = one.f0_hz[frames], other.f0_hz[other_frames]
    both = (first > 0) & (second > 0)
    voicing_error = float(np.mean((first > 0) != (second > 0)))
    if not both.any():
        return {"log_f0_rmse": None, "log_f0_correlation": None, "voicing_error": voicing_error}
    x, y = np.log(first[both]), np.log(second[both])
    both_change = np.ptp(x) > 0 and np.ptp(y) > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if both_change else None
    return {
        "log_f0_rmse": float(np.sqrt(np.mean(np.square(x - y)))),
        "log_f0_correlation": correlation,
        "voicing_error": voicing_error,
    }


def modulation_spectrum_db(features: SpeechFeatures) -> np.ndarray:
    """Modulation spectrum of a recording: power of each mel-cepstral coefficient but the zeroth.

    Returns:
        Power in dB, (MODULATION_FRAMES // 2, order), without the modulation frequency 0.

    Source: Takamichi et al., 2014, "A postfilter to modify the modulation spectrum in HMM-based
        speech synthesis".
    """
    return modulation_power_db(features.mel_cepstra[:, 1:])


def modulation_power_db(tracks: np.ndarray) -> np.ndarray:
    """Power of each track by modulation frequency.

    Welch's method: Hann windows of `MODULATION_FRAMES` frames that overlap by half. Each window's
    mean is subtracted. A recording shorter than a window is padded with zeros.

    Args:
        tracks: Values over time, (frames, tracks).

    Returns:
        Power in dB, (MODULATION_FRAMES // 2, tracks), without the modulation frequency 0.
    """
    tracks = tracks - tracks.mean(axis=0)
    import scipy.signal  # Its import is slow, and trainings import this module.

    missing = max(0, MODULATION_FRAMES - len(tracks))
    tracks = np.pad(tracks, ((0, missing), (0, 0)))
    _, power = scipy.signal.welch(tracks, nperseg=MODULATION_FRAMES, axis=0)
    return DB_PER_NEPER * np.log(np.maximum(power[1:], 1e-12))


def modulation_spectra_distance_db(
    recordings: Sequence[SpeechFeatures], references: Sequence[SpeechFeatures]
) -> float:
    """Modulation spectra distance in dB: root mean square difference of two mean spectra.

    Nothing is aligned: the two sets may hold different sentences.

    Args:
        recordings: Recordings of a system.
        references: Recordings to compare them with.

    Source: the MSD of Kaneko and Kameoka, 2017, arXiv:1711.11293, section 4.2.
    """
    first, second = (
        np.mean([modulation_spectrum_db(features) for features in group], axis=0)
        for group in (recordings, references)
    )
    return float(np.sqrt(np.mean(np.square(first - second))))


def global_variance_ratios(
    recordings: Sequence[SpeechFeatures], references: Sequence[SpeechFeatures]
) -> np.ndarray:
    """Variance of each mel-cepstral coefficient but the zeroth, over that of the references.

    The variance is taken per recording and averaged over recordings. A ratio below 1 means flatter
    speech than the references.

    Returns:
        Ratios, (order,).

    Source: Toda, Black and Tokuda, 2007, "Voice conversion based on maximum-likelihood estimation
        of spectral parameter trajectory", equation 22.
    """
    first, second = (
        np.mean([features.mel_cepstra[:, 1:].var(axis=0) for features in group], axis=0)
        for group in (recordings, references)
    )
    return first / np.maximum(second, 1e-12)

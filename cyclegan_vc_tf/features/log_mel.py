"""Log-mel spectra of a recording, as MelGAN's public generator knows them, and back again.

Source: Kumar et al., 2019, arXiv:1910.06711, and its public code: a Hann window as long as the
transform, magnitudes, Slaney's mel filters, the decimal logarithm.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.system.errors import InputError

MIN_MAGNITUDE = 1e-5
"""Least magnitude in any band: its logarithm is -5."""

MIN_STD = 0.2
"""Least standard deviation that a band is divided by, 4 dB.

A band above the recordings' own bandwidth is at the floor but for a click or hiss now and then,
which would be a hundred of its standard deviations high.
"""


@dataclass(frozen=True)
class MelFeatures:
    """What a vocoder needs to speak a recording again.

    Attributes:
        spectra: Log-mel spectra, (frames, bins) float32.
    """

    spectra: np.ndarray


def frame_count(samples: int, config: FeatureConfig) -> int:
    """Frames of so many samples: one for each hop, the last of which may be incomplete."""
    return -(-samples // config.hop_samples)


def validate(config: FeatureConfig) -> None:
    """Refuse settings whose mel filters are empty.

    Raises:
        InputError: A mel band has no bin of the transform in it.
    """
    empty = int(np.sum(~filters(config).any(axis=1)))
    if empty:
        raise InputError(
            f"--mel_bins is {config.mel_bins}, and {empty} of them have no bin of a transform of "
            f"{config.fft_samples} samples in them; give fewer, or a longer --fft_samples"
        )


@lru_cache
def filters(config: FeatureConfig) -> np.ndarray:
    """Slaney's mel filters from 0 Hz to Nyquist's frequency, each of unit area in Hz.

    Returns:
        (bins, 1 + fft_samples // 2) float32.

    Source: Slaney, 1998, Auditory Toolbox, as librosa has it.
    """
    import librosa  # Here and below: runs of mel-cepstra do without it.

    with warnings.catch_warnings():
        # `validate` refuses what it warns of.
        warnings.filterwarnings("ignore", "Empty filters detected", UserWarning)
        weights = librosa.filters.mel(
            sr=config.sample_rate_hz, n_fft=config.fft_samples, n_mels=config.mel_bins
        )
    weights.setflags(write=False)
    return weights


def log_mel(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Log-mel spectra: log10(max(filters · |STFT|, 1e-5)).

    Samples are filled up with zeros to whole hops and mirrored by half of what a window is longer
    than a hop on both sides, so that frame n is centred on the middle of hop n.

    Args:
        samples: (samples,) at `config.sample_rate_hz`.
        config: The analysis.

    Returns:
        (ceil(samples / hop), bins) float32.
    """
    import librosa

    whole = np.pad(samples.astype(np.float64), (0, -len(samples) % config.hop_samples))
    padded = np.pad(whole, margin_samples(config), mode="reflect")
    magnitudes = np.abs(librosa.stft(padded, **stft_options(config)))
    return np.log10(np.maximum(filters(config) @ magnitudes, MIN_MAGNITUDE)).T.astype(np.float32)


def margin_samples(config: FeatureConfig) -> tuple[int, int]:
    """Samples mirrored in front and behind."""
    both = config.fft_samples - config.hop_samples
    return both // 2, both - both // 2


def stft_options(config: FeatureConfig) -> dict[str, Any]:
    """Arguments of librosa's short-time transforms."""
    return {
        "n_fft": config.fft_samples, "hop_length": config.hop_samples,
        "window": "hann", "center": False,
    }  # fmt: skip

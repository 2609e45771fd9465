"""Log-mel spectra of a recording, computed as for MelGAN's public generator.

Source: Kumar et al., 2019, arXiv:1910.06711, and its public code: a Hann window as long as the
transform, magnitudes, Slaney's mel filters, the decimal logarithm.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import short_time
from cyclegan_vc_tf.system import caches
from cyclegan_vc_tf.system.errors import InputError

MIN_MAGNITUDE = 1e-5
"""Lower limit of the magnitude in a band, before the logarithm, which is then -5."""

MIN_STD = 0.2
"""Lower limit of the standard deviation that a band is divided by: 4 dB.

A band above the bandwidth of the recordings lies at the lower limit except for rare clicks or hiss.
Without this limit, such a click would be a hundred standard deviations high.
"""


@dataclass(frozen=True)
class MelFeatures:
    """Features that a log-mel vocoder synthesizes a recording from.

    Attributes:
        spectra: Log-mel spectra, (frames, bins) float32.
    """

    spectra: np.ndarray


def frame_count(samples: int, config: FeatureConfig) -> int:
    """Count the frames of a recording: one per hop, where the last hop may be incomplete."""
    return -(-samples // config.hop_samples)


def validate(config: FeatureConfig) -> None:
    """Refuse settings whose mel filters are empty.

    Raises:
        InputError: A mel band has no bin of the transform in it.
    """
    empty = int(np.sum(~mel_filters(config).any(axis=1)))
    if empty:
        raise InputError(
            f"--mel_bins is {config.mel_bins}, and {empty} of them have no bin of a transform of "
            f"{config.fft_samples} samples in them; give fewer, or a longer --fft_samples"
        )


@lru_cache
def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Return Slaney's mel filters from 0 Hz to the Nyquist frequency, each of unit area in Hz.

    Returns:
        Filter weights, (bins, 1 + fft_samples // 2) float32, read-only.

    Source: Slaney, 1998, Auditory Toolbox, as implemented in librosa.
    """
    if not caches.has_librosa():
        weights = short_time.mel_filters(config)
    else:
        librosa = caches.load_librosa()
        with warnings.catch_warnings():
            # `validate` refuses empty filters with a message of its own.
            warnings.filterwarnings("ignore", "Empty filters detected", UserWarning)
            weights = librosa.filters.mel(
                sr=config.sample_rate_hz, n_fft=config.fft_samples, n_mels=config.mel_bins
            )
    weights.setflags(write=False)
    return weights


def log_mel(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute log-mel spectra: log10(max(filters · |STFT|, 1e-5)).

    Zeros fill the samples up to whole hops. Mirrored samples at both ends, half as many as a window
    is longer than a hop, centre frame n on the middle of hop n.

    Args:
        samples: Waveform, (samples,) at `config.sample_rate_hz`.
        config: Settings of the analysis.

    Returns:
        Spectra, (ceil(samples / hop), bins) float32.
    """
    whole_hops = np.pad(samples.astype(np.float64), (0, -len(samples) % config.hop_samples))
    return log_mel_of_windows(np.pad(whole_hops, margin_samples(config), mode="reflect"), config)


def log_mel_of_windows(padded: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute log-mel spectra of all whole windows in a waveform, without padding.

    Args:
        padded: Waveform, (samples,) float64; window n begins at sample n · hop.
        config: Settings of the analysis.

    Returns:
        Spectra, (1 + (samples - fft_samples) // hop, bins) float32.
    """
    if caches.has_librosa():
        spectra = caches.load_librosa().stft(padded, **stft_options(config))
    else:
        spectra = short_time.stft(padded, config)
    magnitudes = np.abs(spectra)
    bands = np.maximum(mel_filters(config) @ magnitudes, MIN_MAGNITUDE)
    return np.log10(bands).T.astype(np.float32)


def band_centres_hz(config: FeatureConfig) -> np.ndarray:
    """Return the frequency at which each mel filter is largest, in Hz, (bins,)."""
    bin_hz = config.sample_rate_hz / config.fft_samples
    return mel_filters(config).argmax(axis=1) * bin_hz


def log_density(bands: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Return log-mel spectra as natural logarithm of a density of power.

    A filter has unit area, so a band is the mean magnitude of its bins, divided by their distance
    in Hz. White noise of mean square 1 has the density 1, with the mean square of magnitudes taken
    for the square of their mean.

    Args:
        bands: Log-mel spectra, (…, bins).
        config: Settings of the analysis.
    """
    bin_hz = config.sample_rate_hz / config.fft_samples
    window_power = np.square(np.hanning(config.fft_samples + 1)[:-1]).sum()
    return 2 * np.log(10) * bands + np.log(bin_hz**2 / window_power)


def margin_samples(config: FeatureConfig) -> tuple[int, int]:
    """Count the samples that are mirrored before and after a recording."""
    total = config.fft_samples - config.hop_samples
    return total // 2, total - total // 2


def stft_options(config: FeatureConfig) -> dict[str, Any]:
    """Return the arguments of librosa's short-time Fourier transforms."""
    return {
        "n_fft": config.fft_samples, "hop_length": config.hop_samples,
        "window": "hann", "center": False,
    }  # fmt: skip

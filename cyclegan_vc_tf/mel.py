"""Log-mel spectra of a recording, as MelGAN's public generator knows them, and back again.

Source: Kumar et al., 2019, arXiv:1910.06711, and its public code: a Hann window as long as the
transform, magnitudes, Slaney's mel filters, the decimal logarithm.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cyclegan_vc_tf.config import FeatureConfig
from cyclegan_vc_tf.errors import InputError

FLOOR = 1e-5
"""Least magnitude in any band: its logarithm is -5."""

CEILING = 3.0
"""Most that Griffin-Lim takes for a band: a hundred times a tone of full scale."""

LEAST_DEVIATION = 0.2
"""Least standard deviation that a band is divided by, 4 dB.

A band above the recordings' own bandwidth is at the floor but for a click or hiss now and then,
which would be a hundred of its standard deviations high.
"""

MOMENTUM = 0.99
"""Of the fast Griffin-Lim algorithm, as librosa has it by default."""


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


def check(config: FeatureConfig) -> None:
    """Refuses settings that no spectra can be made with.

    Raises:
        InputError: Windows overlap too little to speak again, or mel bands would be empty.
    """
    if 2 * config.hop_samples > config.fft_samples:
        raise InputError(
            f"--hop_samples is {config.hop_samples}; windows have to overlap by half: expected at "
            f"most half of --fft_samples, {config.fft_samples}"
        )
    empty = int(np.sum(~filters(config).any(axis=1)))
    if empty:
        raise InputError(
            f"--mel_bins is {config.mel_bins}, and {empty} of them have no bin of a transform of "
            f"{config.fft_samples} samples in them; give fewer, or a longer --fft_samples"
        )


def filters(config: FeatureConfig) -> np.ndarray:
    """Slaney's mel filters from 0 Hz to Nyquist's frequency, each of unit area in Hz.

    Returns:
        (bins, 1 + fft_samples // 2) float32.

    Source: Slaney, 1998, Auditory Toolbox, as librosa has it.
    """
    return _filters(config.sample_rate_hz, config.fft_samples, config.mel_bins)


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
    import librosa  # Here and below: runs of mel-cepstra do without it.

    whole = np.pad(samples.astype(np.float64), (0, -len(samples) % config.hop_samples))
    padded = np.pad(whole, _margins(config), mode="reflect")
    magnitudes = np.abs(librosa.stft(padded, **_transform(config)))
    return np.log10(np.maximum(filters(config) @ magnitudes, FLOOR)).T.astype(np.float32)


def warp_matrix(factor: float, config: FeatureConfig) -> np.ndarray:
    """What stretching the frequency axis does to log-mel spectra, F0 included.

    What was at f is at factor · f, between bands by linear interpolation on the mel scale; above
    the last band, and below the first, the spectrum goes on as it ends.

    Returns:
        (bins, bins): `spectra @ matrix` are the stretched spectra.
    """
    import librosa

    # Slaney's filters have their peaks at equal distances on his scale.
    highest = librosa.hz_to_mel(config.sample_rate_hz / 2)
    peaks = np.linspace(0, highest, config.mel_bins + 2)[1:-1]
    sources = librosa.hz_to_mel(librosa.mel_to_hz(peaks) / factor)
    return np.stack([np.interp(sources, peaks, band) for band in np.eye(config.mel_bins)])


def griffin_lim(spectra: np.ndarray, config: FeatureConfig, iterations: int) -> np.ndarray:
    """Samples whose spectra are about these: the fast Griffin-Lim algorithm.

    Magnitudes of the transform are the bands through the filters' pseudo-inverse, none negative;
    phases begin at random, always the same, and are made consistent in turns.

    Args:
        spectra: Log-mel, (frames, bins).
        config: The analysis that they are of.
        iterations: Turns.

    Returns:
        (frames · hop,) float32.

    Source: Perraudin, Balazs and Søndergaard, 2013, "A fast Griffin-Lim algorithm".
    """
    import librosa

    bands = 10.0 ** np.minimum(spectra.T.astype(np.float64), CEILING)
    inverse = _inverse(config.sample_rate_hz, config.fft_samples, config.mel_bins)
    magnitudes = np.maximum(inverse @ bands, 0.0)
    wave = librosa.griffinlim(
        magnitudes, n_iter=iterations, momentum=MOMENTUM, random_state=0, **_transform(config)
    )
    front, _ = _margins(config)
    return wave[front : front + len(spectra) * config.hop_samples].astype(np.float32)


@lru_cache
def _filters(sample_rate_hz: int, fft_samples: int, bins: int) -> np.ndarray:
    import librosa

    with warnings.catch_warnings():
        # What it warns of, `check` refuses.
        warnings.filterwarnings("ignore", "Empty filters detected", UserWarning)
        made = librosa.filters.mel(sr=sample_rate_hz, n_fft=fft_samples, n_mels=bins)
    made.setflags(write=False)
    return made


@lru_cache
def _inverse(sample_rate_hz: int, fft_samples: int, bins: int) -> np.ndarray:
    # librosa's own inversion takes memory by the square of the transform.
    return np.linalg.pinv(_filters(sample_rate_hz, fft_samples, bins))


def _margins(config: FeatureConfig) -> tuple[int, int]:
    """Samples mirrored in front and behind."""
    both = config.fft_samples - config.hop_samples
    return both // 2, both - both // 2


def _transform(config: FeatureConfig) -> dict:
    return {
        "n_fft": config.fft_samples, "hop_length": config.hop_samples,
        "window": "hann", "center": False,
    }  # fmt: skip

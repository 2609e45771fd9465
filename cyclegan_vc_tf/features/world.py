"""WORLD analysis: F0, spectral envelope, aperiodicity and mel-cepstra of a recording.

Source: Morise, Yokomori and Ozawa, 2016, "WORLD: a vocoder-based high-quality speech synthesis
system for real-time applications", through its Python binding pyworld.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from cyclegan_vc_tf.audio.resampling import resample
from cyclegan_vc_tf.config.features import FeatureConfig

with warnings.catch_warnings():
    # pyworld asks pkg_resources for its version; our bound on setuptools keeps that working.
    warnings.filterwarnings("ignore", "(?s).*pkg_resources is deprecated", UserWarning)
    import pyworld

ENVELOPE_FLOOR = 1e-12
"""Least power in any bin of an envelope: 20 dB below the rounding noise of 16-bit samples.

Digital silence, and bands that a lower sampling rate left empty, would otherwise be tens of
standard deviations away from all speech and distort the statistics of a speaker.
"""

D4C_LEAST_RATE_HZ = 16_000
"""D4C compares energies up to 7.9 kHz: below twice that it reads memory nobody wrote."""


@dataclass(frozen=True)
class WorldFeatures:
    """What WORLD needs to speak a recording again.

    Attributes:
        spectra: Mel-cepstra, (frames, bins) float32.
        f0_hz: (frames,) float64; 0 where unvoiced.
        aperiodicity: (frames, spectral bins) float64 between 0 and 1.
    """

    spectra: np.ndarray
    f0_hz: np.ndarray
    aperiodicity: np.ndarray


def frame_count(samples: int, config: FeatureConfig) -> int:
    """Frames that WORLD makes of so many samples: one at the start of each whole period."""
    return int(1000.0 * samples / config.sample_rate_hz / config.frame_period_ms) + 1


def f0(samples: np.ndarray, config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """F0 contour by Harvest, or by DIO refined with StoneMask.

    Args:
        samples: (samples,) at `config.sample_rate_hz`.
        config: Method and range.

    Returns:
        F0 in Hz, 0 where unvoiced, and the time of each frame in seconds, both (frames,) float64.
    """
    wave = samples.astype(np.float64)
    search = {"harvest": pyworld.harvest, "dio": pyworld.dio}[config.f0_method]
    f0_hz, time_s = search(
        wave,
        config.sample_rate_hz,
        f0_floor=config.f0_floor_hz,
        f0_ceil=config.f0_ceiling_hz,
        frame_period=config.frame_period_ms,
    )
    if config.f0_method == "dio":
        f0_hz = pyworld.stonemask(wave, f0_hz, time_s, config.sample_rate_hz)
    return f0_hz, time_s


def envelope(
    samples: np.ndarray, f0_hz: np.ndarray, time_s: np.ndarray, config: FeatureConfig
) -> np.ndarray:
    """Spectral envelope by CheapTrick, as power, (frames, spectral bins) float64."""
    power = pyworld.cheaptrick(
        samples.astype(np.float64),
        f0_hz,
        time_s,
        config.sample_rate_hz,
        fft_size=fft_size(config),
    )
    return np.maximum(power, ENVELOPE_FLOOR)


def aperiodicity(
    samples: np.ndarray, f0_hz: np.ndarray, time_s: np.ndarray, config: FeatureConfig
) -> np.ndarray:
    """Aperiodicity by D4C, between 0 and 1, (frames, spectral bins) float64.

    A rate too low for D4C is raised by a power of two for this analysis alone; the bins keep
    their distance in Hz, and those above the rate's own Nyquist frequency are dropped.
    """
    rate_hz, size = config.sample_rate_hz, fft_size(config)
    bins = size // 2 + 1
    while rate_hz < D4C_LEAST_RATE_HZ:
        rate_hz, size = 2 * rate_hz, 2 * size
    raised = resample(samples, config.sample_rate_hz, rate_hz).astype(np.float64)
    return np.ascontiguousarray(
        pyworld.d4c(raised, f0_hz, time_s, rate_hz, fft_size=size)[:, :bins]
    )


def fft_size(config: FeatureConfig) -> int:
    """CheapTrick's transform length for a sampling rate and a lowest F0: a power of two."""
    return int(pyworld.get_cheaptrick_fft_size(config.sample_rate_hz, config.f0_floor_hz))


def encode(power: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Mel-cepstra of an envelope as WORLD codes them, (frames, bins) float32."""
    coded = pyworld.code_spectral_envelope(power, config.sample_rate_hz, config.mel_cepstra)
    return coded.astype(np.float32)


def decode(mel_cepstra: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Envelope, as power, of mel-cepstra: (frames, spectral bins) float64."""
    coded = np.ascontiguousarray(mel_cepstra, dtype=np.float64)
    return pyworld.decode_spectral_envelope(coded, config.sample_rate_hz, fft_size(config))


def log_power(mel_cepstra: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Natural logarithm of each frame's power, over both sides of the spectrum, (frames,).

    The zeroth coefficient is the mean of the logarithm instead, which a peak hardly moves.
    """
    power = decode(mel_cepstra, config)
    return np.log(2 * power.sum(axis=1) - power[:, 0] - power[:, -1])


def limit_power(mel_cepstra: np.ndarray, most: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Frames as they are, but those that are louder are only as loud as allowed.

    Args:
        mel_cepstra: (frames, bins).
        most: What each may have at most, as `log_power` measures it, (frames,).
        config: The analysis.

    Returns:
        (frames, bins) float32, with other zeroth coefficients where a frame was louder.
    """
    limited = mel_cepstra.astype(np.float32)
    limited[:, 0] -= np.maximum(log_power(mel_cepstra, config) - most, 0.0)
    return limited


def synthesize(spoken: WorldFeatures, config: FeatureConfig) -> np.ndarray:
    """WORLD synthesis, the inverse of `analyse`: whole frame periods, (samples,) float64."""
    return pyworld.synthesize(
        np.ascontiguousarray(spoken.f0_hz, np.float64),
        decode(spoken.spectra, config),
        spoken.aperiodicity,
        config.sample_rate_hz,
        config.frame_period_ms,
    )


def analyse_for_training(
    samples: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """What training needs of a recording; aperiodicity, the dear part, is not among it.

    Args:
        samples: (samples,) float32 at `config.sample_rate_hz`.
        config: The analysis.

    Returns:
        F0 in Hz, (frames,) float64, and mel-cepstra, (frames, bins) float32.
    """
    f0_hz, time_s = f0(samples, config)
    return f0_hz, encode(envelope(samples, f0_hz, time_s, config), config)


def analyse(samples: np.ndarray, config: FeatureConfig) -> WorldFeatures:
    """Everything conversion needs of a recording.

    Args:
        samples: (samples,) float32 at `config.sample_rate_hz`.
        config: The analysis.
    """
    f0_hz, time_s = f0(samples, config)
    power = envelope(samples, f0_hz, time_s, config)
    return WorldFeatures(encode(power, config), f0_hz, aperiodicity(samples, f0_hz, time_s, config))

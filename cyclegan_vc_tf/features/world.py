"""WORLD analysis and synthesis: F0, spectral envelope, aperiodicity and mel-cepstra.

Source: Morise, Yokomori and Ozawa, 2016, "WORLD: a vocoder-based high-quality speech synthesis
system for real-time applications", through its Python binding pyworld.
"""

import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from cyclegan_vc_tf.audio.resampling import resample
from cyclegan_vc_tf.config.features import FeatureConfig


@contextmanager
def _without_pkg_resources() -> Iterator[None]:
    """Stand in for `pkg_resources`, which pyworld imports to read its own version.

    The package takes as long to import as NumPy, and warns of its end.
    """
    name = "pkg_resources"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = module = ModuleType(name)
    module.get_distribution = importlib.metadata.distribution  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del sys.modules[name]


with _without_pkg_resources():
    import pyworld

ENVELOPE_FLOOR = 1e-12
"""Lower limit of the power in a bin of an envelope: 20 dB below the rounding noise of 16 bits.

Without it, digital silence and bands that a lower sampling rate left empty would lie tens of
standard deviations below all speech and distort a speaker's statistics.
"""

D4C_MIN_RATE_HZ = 16_000
"""Lowest sampling rate for D4C, which compares energies up to 7.9 kHz.

Below 15.8 kHz, D4C reads uninitialized memory.
"""


@dataclass(frozen=True)
class WorldFeatures:
    """Features that WORLD synthesizes a recording from.

    Attributes:
        spectra: Mel-cepstra, (frames, bins) float32.
        f0_hz: F0 in Hz, (frames,) float64; 0 where unvoiced.
        aperiodicity: Aperiodicity between 0 and 1, (frames, spectral bins) float64.
    """

    spectra: np.ndarray
    f0_hz: np.ndarray
    aperiodicity: np.ndarray


def frame_count(samples: int, config: FeatureConfig) -> int:
    """Count WORLD's frames of a recording: one at the start of each whole frame period."""
    return int(1000.0 * samples / config.sample_rate_hz / config.frame_period_ms) + 1


def f0(samples: np.ndarray, config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the F0 contour by Harvest, or by DIO with refinement by StoneMask.

    Args:
        samples: Waveform, (samples,) at `config.sample_rate_hz`.
        config: Method and range of F0.

    Returns:
        F0 in Hz, 0 where unvoiced, and the time of each frame in seconds, both (frames,) float64.
    """
    wave = samples.astype(np.float64)
    estimate = {"harvest": pyworld.harvest, "dio": pyworld.dio}[config.f0_method]
    f0_hz, time_s = estimate(
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
    """Estimate the spectral envelope by CheapTrick, as power, (frames, spectral bins) float64."""
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
    """Estimate aperiodicity by D4C, between 0 and 1, (frames, spectral bins) float64.

    A sampling rate too low for D4C is raised by a power of two for this analysis alone. Bins keep
    their distance in Hz, and bins above the original Nyquist frequency are dropped.
    """
    rate_hz, size = config.sample_rate_hz, fft_size(config)
    bins = size // 2 + 1
    while rate_hz < D4C_MIN_RATE_HZ:
        rate_hz, size = 2 * rate_hz, 2 * size
    raised = resample(samples, config.sample_rate_hz, rate_hz).astype(np.float64)
    return np.ascontiguousarray(
        pyworld.d4c(raised, f0_hz, time_s, rate_hz, fft_size=size)[:, :bins]
    )


def fft_size(config: FeatureConfig) -> int:
    """Return CheapTrick's transform length for a sampling rate and a lowest F0: a power of two."""
    return int(pyworld.get_cheaptrick_fft_size(config.sample_rate_hz, config.f0_floor_hz))


def encode(power: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Encode an envelope into WORLD's coded mel-cepstra, (frames, bins) float32."""
    coded = pyworld.code_spectral_envelope(power, config.sample_rate_hz, config.mel_cepstra)
    return coded.astype(np.float32)


def decode(mel_cepstra: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Decode mel-cepstra into an envelope, as power, (frames, spectral bins) float64."""
    coded = np.ascontiguousarray(mel_cepstra, dtype=np.float64)
    return pyworld.decode_spectral_envelope(coded, config.sample_rate_hz, fft_size(config))


def count_aperiodicities(config: FeatureConfig) -> int:
    """Return the number of bands of coded aperiodicity: one per 3 kHz below 15 kHz."""
    return int(pyworld.get_num_aperiodicities(config.sample_rate_hz))


def encode_aperiodicity(aperiodicity: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Encode aperiodicity into its level in dB in a few bands, (frames, bands) float64."""
    return pyworld.code_aperiodicity(
        np.ascontiguousarray(aperiodicity, np.float64), config.sample_rate_hz
    )


def log_power(mel_cepstra: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute the natural logarithm of each frame's two-sided power, (frames,).

    The zeroth coefficient is the mean of the log spectrum instead, which a peak hardly changes.
    """
    power = decode(mel_cepstra, config)
    return np.log(2 * power.sum(axis=1) - power[:, 0] - power[:, -1])


def limit_power(
    mel_cepstra: np.ndarray, max_log_power: np.ndarray, config: FeatureConfig
) -> np.ndarray:
    """Lower the level of frames that are louder than a limit; leave other frames unchanged.

    Args:
        mel_cepstra: Mel-cepstra, (frames, bins).
        max_log_power: Upper limit of each frame, as `log_power` measures it, (frames,).
        config: Settings of the analysis.

    Returns:
        Mel-cepstra, (frames, bins) float32, with lower zeroth coefficients in frames that were
        louder.
    """
    limited = mel_cepstra.astype(np.float32)
    limited[:, 0] -= np.maximum(log_power(mel_cepstra, config) - max_log_power, 0.0)
    return limited


def synthesize(features: WorldFeatures, config: FeatureConfig) -> np.ndarray:
    """Synthesize whole frame periods of samples, (samples,) float64: the inverse of `analyse`."""
    return pyworld.synthesize(
        np.ascontiguousarray(features.f0_hz, np.float64),
        decode(features.spectra, config),
        features.aperiodicity,
        config.sample_rate_hz,
        config.frame_period_ms,
    )


def analyse_for_training(
    samples: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Analyse F0 and mel-cepstra of a recording, without aperiodicity, which is slow.

    Args:
        samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
        config: Settings of the analysis.

    Returns:
        F0 in Hz, (frames,) float64, and mel-cepstra, (frames, bins) float32.
    """
    f0_hz, time_s = f0(samples, config)
    return f0_hz, encode(envelope(samples, f0_hz, time_s, config), config)


def analyse(
    samples: np.ndarray,
    config: FeatureConfig,
    encoder: Callable[[np.ndarray, FeatureConfig], np.ndarray] = encode,
) -> WorldFeatures:
    """Analyse all features of a recording that conversion and synthesis need.

    Args:
        samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
        config: Settings of the analysis.
        encoder: Function from envelopes to mel-cepstra, like `encode`.
    """
    f0_hz, time_s = f0(samples, config)
    spectra = encoder(envelope(samples, f0_hz, time_s, config), config)
    return WorldFeatures(spectra, f0_hz, aperiodicity(samples, f0_hz, time_s, config))

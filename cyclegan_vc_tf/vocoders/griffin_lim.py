"""Griffin-Lim synthesis of samples from log-mel spectra."""

import inspect
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, short_time
from cyclegan_vc_tf.system import caches

MAX_LOG_MEL = 3.0
"""Upper limit of a log-mel value: a hundred times the magnitude of a full-scale tone."""

MOMENTUM = 0.99
"""Momentum of the fast Griffin-Lim algorithm; librosa's default."""


def synthesize(spectra: np.ndarray, config: FeatureConfig, iterations: int) -> np.ndarray:
    """Synthesize samples that have about the given spectra, by the fast Griffin-Lim algorithm.

    The pseudo-inverse of the mel filters turns bands into magnitudes, and negative ones become
    zero. Phases start from fixed random values; each iteration makes them more consistent.

    Args:
        spectra: Log-mel spectra, (frames, bins).
        config: Settings of the analysis that made the spectra.
        iterations: Number of iterations.

    Returns:
        Samples, (frames · hop,) float32.

    Source: Perraudin, Balazs and Søndergaard, 2013, "A fast Griffin-Lim algorithm".
    """
    bands = 10.0 ** np.minimum(spectra.T.astype(np.float64), MAX_LOG_MEL)
    inverse = inverse_filters(config)
    magnitudes = np.maximum(inverse @ bands, 0.0)
    if caches.has_librosa():
        librosa = caches.load_librosa()
        wave = librosa.griffinlim(
            magnitudes,
            n_iter=iterations,
            momentum=MOMENTUM,
            **_initial_phases(librosa.griffinlim),
            **log_mel.stft_options(config),
        )
    else:
        wave = short_time.griffin_lim(magnitudes, config, iterations, MOMENTUM)
    front, _ = log_mel.margin_samples(config)
    return wave[front : front + len(spectra) * config.hop_samples].astype(np.float32)


def _initial_phases(griffinlim: Callable) -> dict[str, np.random.RandomState]:
    """Return the argument that fixes the random initial phases.

    librosa 1.0 renamed it. A generator of NumPy's old kind gives equal phases in all releases;
    from a number, they make generators of different kinds.
    """
    name = "rng" if "rng" in inspect.signature(griffinlim).parameters else "random_state"
    return {name: np.random.RandomState(0)}


@lru_cache
def inverse_filters(config: FeatureConfig) -> np.ndarray:
    """Return the pseudo-inverse of the mel filters, (1 + fft_samples // 2, bins)."""
    # librosa's inversion needs memory that grows with the square of the transform's length.
    return np.linalg.pinv(log_mel.mel_filters(config))

"""Sample rate and imports of neural metrics."""

import importlib
import warnings
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio.resampling import resample
from cyclegan_vc_tf.system import caches

METRIC_RATE_HZ = 16_000
"""Sample rate of all neural metrics."""


def to_metric_rate(wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Convert a recording for neural metrics: float32 at `METRIC_RATE_HZ`, peak at most 1.0."""
    samples = resample(wave.astype(np.float32), sample_rate_hz, METRIC_RATE_HZ)
    return samples / max(1.0, float(np.max(np.abs(samples), initial=0.0)))


def import_quietly(module: str) -> Any:
    """Import a module without its warnings, which a user cannot act on."""
    # Resemblyzer and speechmos import librosa.
    caches.prepare_numba_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)

"""Analysis of band-limited recordings for a model that was trained with a wider band.

An empty band changes every mel-cepstral coefficient, so that a generator receives spectra far from
those of its training. The analysis therefore estimates the missing band.
"""

from functools import lru_cache, partial

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, world
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.normalization import Statistics

ERROR_VARIANCE = 0.1
"""Variance of the error of mel-cepstra in the band that exists, averaged over it; power in nepers.

MCD of the demo's voices changes by less than 0.1 dB from 0.01 to 0.3.
"""

MEL_BREAK_HZ = 700.0
"""Frequency above which the mel scale is closer to logarithmic than to linear."""

NEIGHBOUR_OCTAVES = 1.0
"""Width of the band below a limit that gives the level of missing mel bands, in octaves."""

NEIGHBOUR_WEIGHT = 0.8
"""Share of that level's deviation from the average that missing mel bands have as well."""


def analyse(
    samples: np.ndarray, limit_hz: float, statistics: Statistics, config: FeatureConfig
) -> Features:
    """Analyse a recording that has no spectrum above a limit, and estimate the missing band.

    Args:
        samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
        limit_hz: Frequency at which the spectrum ends.
        statistics: Statistics of the speaker's training utterances.
        config: Settings of the analysis.
    """
    if config.spectra == "log_mel":
        bands = log_mel.log_mel(samples, config)
        return MelFeatures(complete_bands(bands, limit_hz, statistics, config))
    return world.analyse(
        samples, config, partial(_encode, limit_hz=limit_hz, statistics=statistics)
    )


def complete_envelopes(
    power: np.ndarray, limit_hz: float, statistics: Statistics, config: FeatureConfig
) -> np.ndarray:
    """Replace envelopes above a limit by the most likely ones, given the envelopes below it.

    Mel-cepstra c are taken to be independent and normally distributed with the speaker's mean and
    standard deviation. Their log envelope D c + b below the limit differs from the observed one by
    an error of variance `ERROR_VARIANCE`. The most likely c is then the solution of a ridge
    regression, and its log envelope replaces the observed one above the limit.

    Args:
        power: Envelopes, (frames, spectral bins).
        limit_hz: Frequency at which the spectrum ends.
        statistics: Statistics of the speaker's training utterances.
        config: Settings of the analysis.

    Returns:
        Envelopes, (frames, spectral bins) float64.

    Source: Bishop, 2006, "Pattern recognition and machine learning", section 2.3.3, with a diagonal
        covariance.
    """
    matrix, offset = _decoder(config)
    hz = np.linspace(0.0, config.sample_rate_hz / 2, power.shape[1])
    is_known = hz <= limit_hz
    known = matrix[is_known]
    # Bins are weighted by their distance on the mel scale.
    weights = 1 / (MEL_BREAK_HZ + hz[is_known])
    weighted = known.T * (weights / weights.sum() / ERROR_VARIANCE)
    precision = weighted @ known + np.diag(1 / np.square(statistics.scale))
    average = matrix @ statistics.mean + offset
    gain = np.linalg.solve(precision, weighted)
    deviations = (np.log(power[:, is_known]) - average[is_known]) @ gain.T
    completed = power.copy()
    completed[:, ~is_known] = np.exp(average[~is_known] + deviations @ matrix[~is_known].T)
    return completed


def complete_bands(
    bands: np.ndarray, limit_hz: float, statistics: Statistics, config: FeatureConfig
) -> np.ndarray:
    """Replace log-mel bands above a limit by estimates from the octave below it.

    A missing band deviates from its average as the octave below the limit does, in standard
    deviations, times `NEIGHBOUR_WEIGHT`.

    Args:
        bands: Log-mel spectra, (frames, bins).
        limit_hz: Frequency at which the spectrum ends.
        statistics: Statistics of the speaker's training utterances.
        config: Settings of the analysis.

    Returns:
        Log-mel spectra, (frames, bins) float32.
    """
    hz = np.linspace(0.0, config.sample_rate_hz / 2, 1 + config.fft_samples // 2)
    is_missing = (log_mel.mel_filters(config)[:, hz > limit_hz] > 0).any(axis=1)
    is_near = ~is_missing & (log_mel.band_centres_hz(config) >= limit_hz * 2.0**-NEIGHBOUR_OCTAVES)
    if not is_near.any():
        return bands
    normalized = (bands - statistics.mean) / statistics.scale
    level = NEIGHBOUR_WEIGHT * normalized[:, is_near].mean(axis=1, keepdims=True)
    estimated = statistics.mean + level * statistics.scale
    return np.where(is_missing, estimated, bands).astype(np.float32)


def _encode(
    power: np.ndarray, config: FeatureConfig, limit_hz: float, statistics: Statistics
) -> np.ndarray:
    return world.encode(complete_envelopes(power, limit_hz, statistics, config), config)


@lru_cache
def _decoder(config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return matrix D, (spectral bins, bins), and offset b of log envelopes D c + b."""
    units = np.concatenate([np.zeros((1, config.bins)), np.eye(config.bins)])
    offset, *columns = np.log(world.decode(units, config))
    return np.array(columns).T - offset[:, np.newaxis], offset

"""Average spectrum of a speaker's training utterances, from the speaker's statistics.

Spectra of both feature types are densities of power here: their mean over 0 Hz to the Nyquist
frequency is the mean square of the waveform, with full scale 1.0.
"""

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, world
from cyclegan_vc_tf.features.normalization import Statistics

DB_PER_NEPER = 10 / np.log(10)
"""Decibels of a power ratio of e."""

MAX_BAND_DROP_DB = 30.0
"""Largest drop of an average spectrum without a band limit, from an octave to all above it.

Average speech falls by a few dB per kHz. An empty band lies 60 dB lower.
"""

MIN_EDGE_HZ = 2000.0
"""Lowest band limit to look for."""


def log_density(statistics: Statistics, config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the average spectrum as natural logarithm of its density.

    Returns:
        Frequencies in Hz and values, both (points,).
    """
    if config.spectra == "log_mel":
        return log_mel.band_centres_hz(config), log_mel.log_density(statistics.mean, config)
    power = world.decode(statistics.mean[np.newaxis], config)[0]
    return np.linspace(0.0, config.sample_rate_hz / 2, len(power)), np.log(power)


def level_dbfs(statistics: Statistics, config: FeatureConfig) -> float:
    """Estimate the level of the training utterances' speech, in dB relative to full scale.

    The average of logarithms lies far below speech, because pauses pull it down. One standard
    deviation of the level is added for that: for the demo's voices, the sum lies 1.5 dB below the
    mean power of their speech.
    """
    hz, density = log_density(statistics, config)
    if config.spectra == "log_mel":
        deviation = 2 * np.log(10) * float(statistics.std.mean())
    else:
        # Coefficient 0 is the mean of the logarithm of the power.
        deviation = float(statistics.std[0])
    widths_hz = np.gradient(hz)
    power = widths_hz @ np.exp(density) / widths_hz.sum()
    return float(10 * np.log10(power) + DB_PER_NEPER * deviation)


def reaches_beyond(limit_hz: float, statistics: Statistics, config: FeatureConfig) -> bool:
    """Return whether training utterances have a spectrum above a band limit.

    They have none if their average spectrum drops by `MAX_BAND_DROP_DB` at or below the limit.
    """
    hz, density = log_density(statistics, config)
    for edge_hz in (*np.arange(MIN_EDGE_HZ, limit_hz, MIN_EDGE_HZ / 8), limit_hz):
        below, above = density[(hz > edge_hz / 2) & (hz <= edge_hz)], density[hz > edge_hz]
        if not len(below) or not len(above):
            return False
        if DB_PER_NEPER * (below.mean() - above.mean()) > MAX_BAND_DROP_DB:
            return False
    return True

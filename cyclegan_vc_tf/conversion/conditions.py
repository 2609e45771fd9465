"""Conditions of a recording that differ from those of the training: level and band limit."""

from dataclasses import dataclass

import numpy as np

from cyclegan_vc_tf.audio import bandwidth, levels
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import average
from cyclegan_vc_tf.features.normalization import Statistics

MAX_LEVEL_DIFFERENCE_DB = 10.0
"""Largest difference from the training's level that a recording is converted at unchanged."""

DB_PER_DOUBLING = 20 * float(np.log10(2))

MAX_DOUBLINGS = 16
"""Largest gain, in doublings: from 96 dB below the training's level."""


@dataclass(frozen=True)
class Conditions:
    """Conditions of a recording in comparison with the training utterances of its speaker.

    Attributes:
        gain: Factor that brings the recording to the training's level before its analysis, and
            that its conversion is divided by. A power of two, so that scaling rounds nothing; 1 for
            recordings of about the training's level.
        limit_hz: Frequency at which the recording's spectrum ends while the training's goes on;
            None if there is no such frequency.
    """

    gain: float = 1.0
    limit_hz: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the user, each without the file's name."""
        if self.limit_hz is None:
            return ()
        return (
            f"has nothing above {self.limit_hz / 1000:.1f} kHz, unlike the recordings that the "
            "model was trained with; its conversion has nothing there either",
        )


def examine(samples: np.ndarray, source: Statistics, config: FeatureConfig) -> Conditions:
    """Compare a whole recording with the training utterances of the source speaker.

    Args:
        samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
        source: Statistics of the source speaker.
        config: Settings of the analysis.
    """
    limit_hz = bandwidth.find_limit_hz(samples, config.sample_rate_hz)
    if limit_hz is not None and not average.reaches_beyond(limit_hz, source, config):
        limit_hz = None
    return Conditions(_find_gain(samples, source, config), limit_hz)


def _find_gain(samples: np.ndarray, source: Statistics, config: FeatureConfig) -> float:
    """Return the power of two that brings a recording to the training's level."""
    level_dbfs = levels.speech_level_dbfs(samples, config.sample_rate_hz)
    missing_db = average.level_dbfs(source, config) - level_dbfs
    if not np.isfinite(missing_db) or abs(missing_db) <= MAX_LEVEL_DIFFERENCE_DB:
        return 1.0
    doublings = round(missing_db / DB_PER_DOUBLING)
    return 2.0 ** min(max(doublings, -MAX_DOUBLINGS), MAX_DOUBLINGS)

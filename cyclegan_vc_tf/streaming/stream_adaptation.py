"""Adaptation of a stream to the voice that speaks: by a map that is given, or that is found."""

from collections import deque
from dataclasses import replace
from typing import TypeVar

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import adaptation, average
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures

GROUP_S = 0.5
"""Duration of the groups of frames that are speech or not, in seconds."""

SPEECH_SHARE = 0.3
"""Least share of loud frames in a group of speech."""

SPEECH_RANGE_DB = 25.0
"""Distance of loud frames from the loudest twentieth of all frames, at most."""

QUIETEST_DB = 40.0
"""Distance of loud frames from the level of the training, at most."""

MIN_SPREAD_DB = 6.0
"""Least distance between quiet and loud frames, the 10th and the 90th percentile, in a group.

White noise has 0.6 to 2.8 dB in half a second. The demo's speech has 10.6 dB and more, also with
noise of -55 dB.
"""

MAX_HEARD_S = 120.0
"""Duration of a stream whose features are kept while it has too little speech, in seconds."""

RAMP_S = 0.02
"""Duration in which the level changes, in seconds."""

Analysed = TypeVar("Analysed", WorldFeatures, MelFeatures)


class StreamAdaptation:
    """Map of the features of a stream to those of the speaker that a generator was trained with.

    Args:
        given: Map from the beginning on; None without one.
        source: Statistics of the source speaker.
        config: Settings of the analysis.
        listen_s: Duration of speech in the stream from which a map is estimated, in seconds. It
            takes the place of `given`; 0 means never.
    """

    def __init__(
        self,
        given: Adaptation | None,
        source: Statistics,
        config: FeatureConfig,
        listen_s: float = 0.0,
    ) -> None:
        self._map, self._source, self._config = given, source, config
        self._gain = 1.0 if given is None else given.gain
        self._since_change: int | None = None
        self._listener = _Listener(source, config, listen_s) if listen_s else None

    @property
    def is_listening(self) -> bool:
        """Whether a map will be estimated from speech that is still to come."""
        return self._listener is not None

    @property
    def current(self) -> Adaptation | None:
        """The map at the moment."""
        return self._map

    def apply(self, features: Analysed) -> Analysed:
        """Return the features of a block, mapped; they are listened to first."""
        if self._listener is not None and (speech := self._listener.push(features)):
            self._map = adaptation.estimate(speech, self._source, self._config)
            self._listener = None
        return features if self._map is None else self._map.apply(features)

    def restore_level(self, samples: np.ndarray, shift_samples: int) -> np.ndarray:
        """Return the samples of a block at the level of the stream.

        Args:
            samples: Samples that were made in the same step as the last features were mapped.
            shift_samples: Samples before the first one that was made from those features.
        """
        gain = 1.0 if self._map is None else self._map.gain
        if gain == self._gain:
            return samples / gain
        # From the first sample of mapped features on.
        if self._since_change is None:
            self._since_change = -shift_samples
        ramp_samples = round(RAMP_S * self._config.sample_rate_hz)
        place = (self._since_change + np.arange(len(samples))) / ramp_samples
        self._since_change += len(samples)
        before = self._gain
        if self._since_change >= ramp_samples:
            self._gain = gain
        return samples / (before * (gain / before) ** np.clip(place, 0.0, 1.0))


class _Listener:
    """Collects the features of a stream until there is enough speech among them."""

    def __init__(self, source: Statistics, config: FeatureConfig, listen_s: float) -> None:
        self._config = config
        self._floor_db = average.level_dbfs(source, config) - QUIETEST_DB
        self._group_frames = max(1, round(GROUP_S / config.hop_s))
        self._needed = max(1, round(listen_s / (self._group_frames * config.hop_s)))
        most = round(MAX_HEARD_S / (self._group_frames * config.hop_s))
        self._groups: deque[tuple[list[Features], np.ndarray]] = deque(maxlen=self._needed + most)
        self._blocks: list[Features] = []
        self._levels_db = np.zeros(0)

    def push(self, features: Features) -> list[Features]:
        """Add the features of a block; return those of all speech if it is enough."""
        if isinstance(features, WorldFeatures):
            # No map depends on it, and it takes the most memory.
            features = replace(features, aperiodicity=np.zeros((len(features.f0_hz), 0)))
        self._blocks.append(features)
        levels_db = frame_levels_dbfs(features.spectra, self._config)
        self._levels_db = np.concatenate([self._levels_db, levels_db])
        if len(self._levels_db) < self._group_frames:
            return []
        self._groups.append((self._blocks, self._levels_db))
        self._blocks, self._levels_db = [], np.zeros(0)
        loudest_db = np.percentile(np.concatenate([levels for _, levels in self._groups]), 95)
        least_db = max(loudest_db - SPEECH_RANGE_DB, self._floor_db)
        speech = [blocks for blocks, levels in self._groups if _is_speech(levels, least_db)]
        return [each for blocks in speech for each in blocks] if len(speech) >= self._needed else []


def _is_speech(levels_db: np.ndarray, least_db: float) -> bool:
    """Return whether the frames of a group are loud enough, and vary as speech does."""
    quiet_db, loud_db = np.percentile(levels_db, [10, 90])
    is_loud = np.mean(levels_db > least_db) >= SPEECH_SHARE
    return bool(is_loud and loud_db - quiet_db >= MIN_SPREAD_DB)


def frame_levels_dbfs(spectra: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Return the level of each frame, (frames,), in dB relative to full scale.

    Args:
        spectra: Spectra of either type, (frames, bins).
        config: Settings of the analysis.
    """
    constant = np.zeros(spectra.shape[1])
    frames = (Statistics(frame, constant, 0.0, 0.0) for frame in spectra)
    return np.array([average.level_dbfs(frame, config) for frame in frames])

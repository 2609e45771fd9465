"""WORLD's analysis as a stream: a window of the latest samples in, features of a few frames out.

Every window is analysed by itself. A window ends `lookahead_samples` behind its last frame. The
analyses look further ahead than that, so the window is continued by repeating its last period.
"""

from dataclasses import replace

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.world import WorldFeatures

HISTORY_PERIODS = 10.5
"""Periods of the lowest F0 in a window before its new frames: 148 ms at 71 Hz."""

CONTINUATION_PERIODS = 4.25
"""Periods of the lowest F0 that a window is continued by: 60 ms at 71 Hz.

DIO discards voiced stretches shorter than three periods, at the end of the window too.
"""

MATCH_S = 0.025
"""Duration of the end of a window that is compared with earlier samples to find its period."""

MIN_PERIOD_S = 0.0015
"""Shortest period that is repeated."""


class StreamingAnalyser:
    """Analyser of a stream by overlapping windows; F0 is always estimated by DIO and StoneMask.

    Args:
        config: Settings of the analysis.
        block_frames: New frames per window.
        lookahead_samples: Samples behind the last new frame.
    """

    def __init__(self, config: FeatureConfig, block_frames: int, lookahead_samples: int) -> None:
        self.config = replace(config, f0_method="dio")
        self.block_frames = block_frames
        self.frame_samples = config.sample_rate_hz * config.frame_period_ms / 1000
        period = config.sample_rate_hz / config.f0_floor_hz
        self._history_frames = -(-HISTORY_PERIODS * period // self.frame_samples)
        span = (self._history_frames + block_frames - 1) * self.frame_samples
        self._window = np.zeros(round(span) + lookahead_samples, np.float32)
        self._continuation = round(CONTINUATION_PERIODS * period)
        self._lookahead = lookahead_samples
        self._blocks = 0
        self._received = 0

    @property
    def needed_samples(self) -> int:
        """Number of samples that the next block needs."""
        last_frame = (self._blocks + 1) * self.block_frames - 1
        return int(last_frame * self.frame_samples + 1e-9) + self._lookahead - self._received

    def push(self, samples: np.ndarray) -> WorldFeatures:
        """Analyse the next block.

        Args:
            samples: Next samples, (needed_samples,) float32.

        Returns:
            Features of the next `block_frames` frames.
        """
        self._received += len(samples)
        self._blocks += 1
        self._window = np.concatenate([self._window, samples])[-len(self._window) :]
        window = np.concatenate([self._window, self._continue()])
        new = slice(int(self._history_frames), int(self._history_frames) + self.block_frames)
        f0_hz, time_s = world.f0(window, self.config)
        f0_hz, time_s = f0_hz[new].copy(), time_s[new].copy()
        power = world.envelope(window, f0_hz, time_s, self.config)
        aperiodicity = world.aperiodicity(window, f0_hz, time_s, self.config)
        return WorldFeatures(world.encode(power, self.config), f0_hz, aperiodicity)

    def _continue(self) -> np.ndarray:
        """Return samples that continue the window, by repeating its last period.

        The period is the lag with the highest normalised correlation.
        """
        rate_hz, wave = self.config.sample_rate_hz, self._window.astype(np.float64)
        shortest = round(MIN_PERIOD_S * rate_hz)
        longest = int(rate_hz / self.config.f0_floor_hz) + 1
        length = round(MATCH_S * rate_hz)
        end = wave[-length:]
        before = wave[-length - longest : -shortest]
        products = np.correlate(before, end)
        energies = np.cumsum(np.concatenate([[0.0], np.square(before)]))
        energies = energies[length:] - energies[:-length]
        scores = products / np.sqrt(np.maximum(energies, 0.0) + 1e-9)
        lag = longest - int(np.argmax(scores))
        return np.resize(self._window[-lag:], self._continuation)

"""How loud a recording is from moment to moment, and where it is clipped; read block by block."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files

WINDOW_S = 0.02
"""Length of a moment."""

FULL_SCALE = {
    "PCM_S8": 127 / 128,
    "PCM_U8": 127 / 128,
    "ULAW": 32124 / 32768,
    "ALAW": 32256 / 32768,
}
"""The highest value of codings by name; that of others is that of 16 bits, or beyond it."""

FULL_SCALE_16 = 32767 / 32768


@dataclass(frozen=True)
class Levels:
    """What was measured of a recording, moment by moment; the last moment may be a shorter one.

    Attributes:
        sample_rate_hz: The recording's.
        samples: How many it has, of each channel.
        window_samples: Samples of a moment.
        sums: Of the samples of each moment, channels averaged, (moments,) float64.
        squares: Of their squares, likewise.
        clipped: Samples of each moment that are clipped in some channel, (moments,) int64: two or
            more in a row at full scale.
        deviation: Farthest that a sample is from the mean of all.
    """

    sample_rate_hz: int
    samples: int
    window_samples: int
    sums: np.ndarray
    squares: np.ndarray
    clipped: np.ndarray
    deviation: float

    @property
    def is_silent(self) -> bool:
        """Whether the recording, a constant offset aside, stays below -80 dB full scale."""
        return self.deviation < audio_files.SILENCE_PEAK

    @property
    def powers(self) -> np.ndarray:
        """Mean square of each moment around its own mean, (moments,) float64."""
        counts = np.full(len(self.sums), self.window_samples)
        counts[-1] = self.samples - self.window_samples * (len(counts) - 1)
        return np.maximum(self.squares / counts - np.square(self.sums / counts), 0.0)

    def power(self, moments: slice = slice(None)) -> float:
        """Mean square of some moments, of all by default, around their mean."""
        first, last, _ = moments.indices(len(self.sums))
        count = min(last * self.window_samples, self.samples) - first * self.window_samples
        mean = self.sums[moments].sum() / count
        return max(float(self.squares[moments].sum() / count - mean**2), 0.0)


def measure(path: Path) -> Levels:
    """Reads a recording once, a block at a time.

    Raises:
        AudioError: It cannot be used as audio.
    """
    with audio_files.open_audio(path) as sound:
        window = max(1, round(WINDOW_S * sound.samplerate))
        full_scale = FULL_SCALE.get(sound.subtype, FULL_SCALE_16)
        table, begun = np.zeros((3, 0)), 0
        low, high = np.inf, -np.inf
        clips = _ClippingDetector(sound.channels)
        for channels, samples in audio_files.read_blocks(sound):
            moments = (begun + np.arange(len(samples))) // window
            missing = -(-(begun + len(samples)) // window) - table.shape[1]
            table = np.pad(table, ((0, 0), (0, missing)))
            for row, values in enumerate((samples, np.square(samples, dtype=np.float64))):
                table[row] += np.bincount(moments, values, minlength=table.shape[1])
            places = clips.found(np.abs(channels) >= full_scale) + begun
            table[2] += np.bincount(places // window, minlength=table.shape[1])
            low, high = samples.min(initial=low), samples.max(initial=high)
            begun += len(samples)
        mean = table[0].sum() / begun
        return Levels(
            int(sound.samplerate),
            begun,
            window,
            table[0],
            table[1],
            table[2].astype(np.int64),
            float(max(high - mean, mean - low)),
        )


class _ClippingDetector:
    """Finds samples at full scale beside others at full scale, also across blocks."""

    def __init__(self, channels: int) -> None:
        self.last_full, self.last_clipped = np.zeros((1, channels), bool), False

    def found(self, full: np.ndarray) -> np.ndarray:
        """Those of the next block, and the last one of the block before, -1, where it is one.

        Args:
            full: Which samples are at full scale, (samples, channels).

        Returns:
            Where they are, (clipped,) int64.
        """
        if not len(full):
            return np.zeros(0, np.int64)
        both = np.concatenate([self.last_full, full])
        pairs = (both[1:] & both[:-1]).any(axis=1)
        clipped = np.append(False, pairs)
        clipped[:-1] |= pairs
        # Counted before.
        clipped[0] &= not self.last_clipped
        self.last_full, self.last_clipped = full[-1:], bool(pairs[-1])
        return np.flatnonzero(clipped) - 1

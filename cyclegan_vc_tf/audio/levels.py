"""Levels and clipping of a recording, measured in short moments, block by block."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.audio.bandwidth import BandMeter
from cyclegan_vc_tf.audio.findings import SILENCE_PEAK, Findings

MOMENT_S = 0.02
"""Length of a moment, in seconds."""

PAUSE_DB = 30.0
"""Distance from loud speech below which a moment is a pause, in dB."""

MOMENTS_PER_BLOCK = 3_000
"""Moments that are squared together, one minute of speech."""

FULL_SCALE = {
    "PCM_S8": 127 / 128,
    "PCM_U8": 127 / 128,
    "ULAW": 32124 / 32768,
    "ALAW": 32256 / 32768,
}
"""Highest sample value of codings below 16 bits, by libsndfile's name of the coding."""

FULL_SCALE_16_BITS = 32767 / 32768
"""Highest sample value of 16 bits, which counts as full scale in all other codings."""


@dataclass(frozen=True)
class Levels:
    """Sums over the moments of a recording; the last moment may be shorter.

    Attributes:
        sample_rate_hz: Sampling rate of the recording.
        samples: Samples per channel.
        moment_samples: Samples per moment.
        sums: Sum of the samples in each moment, after averaging of channels, (moments,) float64.
        squares: Sum of their squares in each moment, (moments,) float64.
        clipped: Number of samples in each moment that are clipped in some channel, (moments,)
            int64. Clipped means two or more consecutive samples at full scale.
        deviation: Largest distance of a sample from the mean of the recording.
        channel: Index of the channel that is used alone; None for the average of the channels.
        warnings: Defects of the recording that did not prevent reading, each without the file's
            name.
        limit_hz: Frequency at which the spectrum ends: the file's Nyquist frequency, or below it.
    """

    sample_rate_hz: int
    samples: int
    moment_samples: int
    sums: np.ndarray
    squares: np.ndarray
    clipped: np.ndarray
    deviation: float
    channel: int | None = None
    warnings: tuple[str, ...] = ()
    limit_hz: float = np.inf

    @property
    def is_silent(self) -> bool:
        """Whether the recording, without its mean, stays below -80 dB full scale."""
        return self.deviation < SILENCE_PEAK

    @property
    def powers(self) -> np.ndarray:
        """Mean square of each moment around its own mean, (moments,) float64."""
        counts = np.full(len(self.sums), self.moment_samples)
        counts[-1] = self.samples - self.moment_samples * (len(counts) - 1)
        return np.maximum(self.squares / counts - np.square(self.sums / counts), 0.0)

    def power(self, moments: slice = slice(None)) -> float:
        """Compute the mean square of a range of moments, by default all, around their mean."""
        first, last, _ = moments.indices(len(self.sums))
        count = min(last * self.moment_samples, self.samples) - first * self.moment_samples
        mean = self.sums[moments].sum() / count
        return max(float(self.squares[moments].sum() / count - mean**2), 0.0)


def speech_level_dbfs(samples: np.ndarray, sample_rate_hz: int) -> float:
    """Measure the level of speech without its pauses, in dB relative to full scale.

    Mean power of the moments that lie less than `PAUSE_DB` below the 95th percentile.

    Args:
        samples: Waveform, (samples,).
        sample_rate_hz: Sampling rate of the waveform.

    Returns:
        Level; minus infinity for digital silence, and for less than a moment.
    """
    window = max(1, round(MOMENT_S * sample_rate_hz))
    moments = samples[: len(samples) // window * window].reshape(-1, window)
    if not len(moments):
        return -np.inf
    powers = np.concatenate(
        [
            np.square(moments[begin : begin + MOMENTS_PER_BLOCK], dtype=np.float64).mean(axis=1)
            for begin in range(0, len(moments), MOMENTS_PER_BLOCK)
        ]
    )
    speech = powers[powers >= _percentile(powers, 95) * 10 ** (-PAUSE_DB / 10)]
    return float(10 * np.log10(speech.mean())) if speech.any() else -np.inf


def _percentile(values: np.ndarray, percent: float) -> float:
    """Return what `np.percentile` returns, which imports masked arrays: a tenth of NumPy's import.

    Args:
        values: (values,), at least one.
        percent: Share of values below the result, in percent.
    """
    place = (len(values) - 1) * (percent / 100)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    parts = np.partition(values, (below, above))
    step, share = parts[above] - parts[below], place - below
    # NumPy counts from the nearer value.
    return parts[above] - step * (1 - share) if share >= 0.5 else parts[below] + step * share


def measure(path: Path) -> Levels:
    """Measure the levels of a recording, which is read one block at a time.

    A recording is read once; twice if its channels cancel each other.

    Raises:
        AudioError: The recording cannot be used as audio.
    """
    levels, findings = _measure_channel(path, None)
    if findings.loudest_channel is not None:
        levels, _ = _measure_channel(path, findings.loudest_channel)
    return replace(levels, channel=findings.loudest_channel, warnings=findings.warnings)


def _measure_channel(path: Path, channel: int | None) -> tuple[Levels, Findings]:
    """Measure one channel of a recording, or the average of all for None."""
    with audio_files.open_audio(path) as sound:
        window = max(1, round(MOMENT_S * sound.samplerate))
        full_scale = FULL_SCALE.get(sound.subtype, FULL_SCALE_16_BITS)
        table, position = np.zeros((3, 0)), 0
        low, high = np.inf, -np.inf
        detector, meter = _ClippingDetector(sound.channels), BandMeter(int(sound.samplerate))
        for channels, samples in audio_files.read_blocks(sound, channel):
            moments = (position + np.arange(len(samples))) // window
            missing = -(-(position + len(samples)) // window) - table.shape[1]
            table = np.pad(table, ((0, 0), (0, missing)))
            for row, values in enumerate((samples, np.square(samples, dtype=np.float64))):
                table[row] += np.bincount(moments, values, minlength=table.shape[1])
            clipped = detector.find_clipped(np.abs(channels) >= full_scale) + position
            table[2] += np.bincount(clipped // window, minlength=table.shape[1])
            meter.add(samples)
            low, high = samples.min(initial=low), samples.max(initial=high)
            position += len(samples)
        mean = table[0].sum() / position
        levels = Levels(
            int(sound.samplerate),
            position,
            window,
            table[0],
            table[1],
            table[2].astype(np.int64),
            float(max(high - mean, mean - low)),
            limit_hz=meter.limit_hz or sound.samplerate / 2,
        )
        return levels, sound.findings


class _ClippingDetector:
    """Finds two or more consecutive samples at full scale, also across the borders of blocks."""

    def __init__(self, channels: int) -> None:
        self.last_is_full, self.last_was_counted = np.zeros((1, channels), bool), False

    def find_clipped(self, is_full: np.ndarray) -> np.ndarray:
        """Find the clipped samples of the next block.

        The last sample of the previous block is found now, as index -1, if it turns out to be
        clipped.

        Args:
            is_full: Whether each sample is at full scale, (samples, channels).

        Returns:
            Indices of clipped samples in the block, (clipped,) int64.
        """
        if not len(is_full):
            return np.zeros(0, np.int64)
        joined = np.concatenate([self.last_is_full, is_full])
        pairs = (joined[1:] & joined[:-1]).any(axis=1)
        clipped = np.append(False, pairs)
        clipped[:-1] |= pairs
        # The previous call may have counted the last sample of its block already.
        clipped[0] &= not self.last_was_counted
        self.last_is_full, self.last_was_counted = is_full[-1:], bool(pairs[-1])
        return np.flatnonzero(clipped) - 1

"""Findings about a recording while it is read: a missing end, channels that cancel each other."""

import numpy as np

SILENCE_PEAK = 1e-4
"""Largest distance of a silent recording's samples from their mean: -80 dB full scale."""

MAX_CANCELLATION = 0.01
"""Ratio of powers, average to channels, below which channels cancel each other: -20 dB."""

MIN_REPORTED_S = 0.1
"""Shortest missing end, and shortest recording with cancelling channels, in seconds.

Some encoders state a few frames more than they write.
"""


class Findings:
    """Findings about a recording while its blocks are read; complete after the last block.

    Args:
        sample_rate_hz: Sampling rate of the file.
        channels: Number of channels.
        stated_samples: Samples per channel according to the file; 0 if it does not state them.
        is_cut: Whether the file is known to be cut short.

    Attributes:
        damaged_parts: Number of parts that could not be decoded.
    """

    def __init__(
        self, sample_rate_hz: int, channels: int, stated_samples: int, is_cut: bool
    ) -> None:
        self.sample_rate_hz, self.stated_samples = sample_rate_hz, stated_samples
        self.is_cut, self.samples, self.damaged_parts = is_cut, 0, 0
        # Sum and sum of squares of each channel, and of their average.
        self.sums = np.zeros((2, channels + 1))

    def add(self, channels: np.ndarray, average: np.ndarray) -> None:
        """Add a block, (samples, channels) and (samples,)."""
        self.samples += len(average)
        if channels.shape[1] > 1:
            for column, values in enumerate((*channels.T, average)):
                self.sums[0, column] += values.sum(dtype=np.float64)
                self.sums[1, column] += np.square(values, dtype=np.float64).sum()

    @property
    def loudest_channel(self) -> int | None:
        """Index of the loudest channel if the channels cancel each other in their average.

        Among channels of almost equal power, it is the first.
        """
        if self.samples < MIN_REPORTED_S * self.sample_rate_hz:
            return None
        mean, square = self.sums / max(1, self.samples)
        *powers, average_power = square - np.square(mean)
        is_silent = max(powers) < SILENCE_PEAK**2
        if is_silent or average_power >= MAX_CANCELLATION * np.mean(powers):
            return None
        return int(np.argmax(np.array(powers) > 0.9 * max(powers)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the recording, each without the file's name."""
        found = []
        missing = self.stated_samples - self.samples
        read_s = self.samples / self.sample_rate_hz
        if missing > MIN_REPORTED_S * self.sample_rate_hz:
            stated_s = self.stated_samples / self.sample_rate_hz
            found.append(f"is cut short; the first {read_s:.2f} s of {stated_s:.2f} s are used")
        elif self.is_cut:
            found.append(f"is cut short; the {read_s:.2f} s that it has are used")
        if self.damaged_parts:
            found.append(f"is damaged; {self.damaged_parts} parts of it could not be decoded")
        if (channel := self.loudest_channel) is not None:
            found.append(
                f"has channels that cancel each other in their average; channel {channel + 1} is "
                "used alone"
            )
        return tuple(found)

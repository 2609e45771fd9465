"""Measurements of a live conversion: levels, lateness, and what came too late."""

import sys
import time
from dataclasses import dataclass
from typing import TextIO

import numpy as np

PAUSE_S = 0.25
"""Time between two lines of the meter on a terminal."""

SILENCE_DB = -99.0
"""Level that is shown for silence."""


@dataclass
class Tally:
    """Counts of a live conversion.

    Attributes:
        samples: Samples converted.
        chunks: Chunks converted.
        late: Chunks that were finished after more than their own period.
        underruns: Chunks that were not ready when they had to be played.
        overflows: Chunks of the input that were lost.
        worst_ms: Longest time between a chunk's last sample and its conversion.
        busy_s: Time spent converting.
    """

    samples: int = 0
    chunks: int = 0
    late: int = 0
    underruns: int = 0
    overflows: int = 0
    worst_ms: float = 0.0
    busy_s: float = 0.0

    def add(self, samples: int, busy_s: float, lateness_ms: float, period_ms: float) -> None:
        """Count a chunk."""
        self.samples += samples
        self.chunks += 1
        self.busy_s += busy_s
        self.late += lateness_ms > period_ms
        self.worst_ms = max(self.worst_ms, lateness_ms)

    def describe(self, rate_hz: int) -> str:
        """Return a line about the whole conversion."""
        seconds = self.samples / rate_hz
        return (
            f"{seconds:.1f} s converted, {self.busy_s / max(seconds, 1e-9):.3f} s per second; "
            f"{self.late} of {self.chunks} chunks late, longest {self.worst_ms:.1f} ms; "
            f"{self.underruns} underruns, {self.overflows} overflows"
        )


class Meter:
    """Line on a terminal with levels and delay; it is silent where nobody sees it.

    Args:
        delay_ms: Delay that is shown.
        file: Terminal.
    """

    def __init__(self, delay_ms: float, file: TextIO = sys.stderr) -> None:
        self._delay_ms, self._file = delay_ms, file
        self._is_shown = file.isatty()
        self._next_s = 0.0
        self._peaks = [0.0, 0.0]

    def update(self, received: np.ndarray, converted: np.ndarray, tally: Tally) -> None:
        """Show the peaks since the last line, now and then."""
        if not self._is_shown:
            return
        for index, samples in enumerate((received, converted)):
            peak = float(np.max(np.abs(samples), initial=0.0))
            self._peaks[index] = max(self._peaks[index], peak)
        if (now_s := time.monotonic()) >= self._next_s:
            self._next_s = now_s + PAUSE_S
            levels = [level_db(peak) for peak in self._peaks]
            self._file.write(
                f"\rin {levels[0]:5.0f} dB  out {levels[1]:5.0f} dB  delay {self._delay_ms:.0f} ms"
                f"  underruns {tally.underruns}  overflows {tally.overflows} "
            )
            self._file.flush()
            self._peaks = [0.0, 0.0]

    def close(self) -> None:
        """End the line."""
        if self._is_shown:
            self._file.write("\n")


def level_db(peak: float) -> float:
    """Return a peak in dB of full scale, at least `SILENCE_DB`."""
    return max(SILENCE_DB, 20 * float(np.log10(max(peak, 1e-9))))

"""Progress bars, on a terminal and in a log, and speed."""

import sys
import time
from typing import Any

from tqdm import tqdm


def progress_bar(*iterable: Any, **options: Any) -> tqdm:
    """A progress bar on standard error that moves twice a second, in a log twice a minute."""
    seconds = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(*iterable, mininterval=seconds, dynamic_ncols=True, **options)


class Throughput:
    """Steps and frames a second, from one look to the next.

    Args:
        step: Steps done so far.
        frames_per_step: Frames of real speech, of both speakers, that a step sees.
    """

    def __init__(self, step: int, frames_per_step: int) -> None:
        self.frames_per_step = frames_per_step
        self.step, self.time_s = step, time.monotonic()

    def at(self, step: int) -> dict[str, float]:
        """Scalars for TensorBoard, measured since the last call."""
        time_s = time.monotonic()
        steps_per_second = (step - self.step) / max(time_s - self.time_s, 1e-9)
        self.step, self.time_s = step, time_s
        return {
            "speed/steps_per_second": steps_per_second,
            "speed/frames_per_second": steps_per_second * self.frames_per_step,
        }

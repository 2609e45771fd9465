"""Progress bars for terminals and logs, and training speed."""

import sys
import time
from typing import Any

from tqdm import tqdm


def progress_bar(*iterable: Any, **options: Any) -> tqdm:
    """Return a progress bar on standard error.

    It is updated twice per second on a terminal, and twice per minute in a log.
    """
    seconds = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(*iterable, mininterval=seconds, dynamic_ncols=True, **options)


class Throughput:
    """Training speed in steps and frames per second, between two measurements.

    Args:
        step: Number of completed steps.
        frames_per_step: Number of frames of real speech per step, both speakers together.
    """

    def __init__(self, step: int, frames_per_step: int) -> None:
        self.frames_per_step = frames_per_step
        self.step, self.time_s = step, time.monotonic()

    def at(self, step: int) -> dict[str, float]:
        """Return scalars for TensorBoard, averaged over the time since the previous call."""
        time_s = time.monotonic()
        steps_per_second = (step - self.step) / max(time_s - self.time_s, 1e-9)
        self.step, self.time_s = step, time_s
        return {
            "speed/steps_per_second": steps_per_second,
            "speed/frames_per_second": steps_per_second * self.frames_per_step,
        }

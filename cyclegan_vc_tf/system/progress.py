"""Progress bars for terminals, notebooks and logs, and training speed."""

import sys
import time
import warnings
from functools import cache
from typing import Any

from tqdm import TqdmWarning, tqdm


def progress_bar(*iterable: Any, **options: Any) -> tqdm:
    """Return a progress bar: a widget in a notebook that has ipywidgets, else on standard error.

    It is updated twice per second on a terminal and in a notebook, and twice per minute in a log.
    With `disable=True`, nothing is shown.
    """
    if options.get("disable"):
        # The notebook's class imports asyncio.
        return tqdm(*iterable, **options)
    seconds = 0.5 if sys.stderr.isatty() or _is_notebook_cell() else 30.0
    return _bar_class()(*iterable, mininterval=seconds, dynamic_ncols=True, **options)


@cache
def _bar_class() -> type[tqdm]:
    """Return the class of progress bars for this process: a notebook's widgets or text."""
    with warnings.catch_warnings():
        # Without ipywidgets, a notebook shows the bar as text.
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm import auto
    return auto.tqdm


def _is_notebook_cell() -> bool:
    """Return whether standard error is shown below the cell of a notebook."""
    return type(sys.stderr).__module__ == "ipykernel.iostream"


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

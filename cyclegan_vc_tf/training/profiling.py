"""Profile of training steps by TensorFlow's profiler, for TensorBoard's Profile tab."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from cyclegan_vc_tf.system.errors import InputError


def parse_profile_steps(text: str) -> tuple[int, int] | None:
    """Return the first and the last step of `--profile_steps`, or None if the flag is empty.

    Raises:
        InputError: The text is not two step numbers in ascending order.
    """
    if not text:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise InputError(
            f"--profile_steps is {text}; expected two step numbers with a comma between them, such "
            "as 100,110, or nothing"
        )
    first, last = map(int, parts)
    if not 1 <= first <= last:
        raise InputError(
            f"--profile_steps is {text}; expected a first step of at least 1 and a last step that "
            "does not precede it"
        )
    return first, last


class StepProfiler:
    """Profiles steps of a training without changing their results.

    Args:
        folder: Run folder. The profile is RUN/plugins/profile/DATE/*.xplane.pb.
        steps: First and last step to profile, or None.
    """

    def __init__(self, folder: Path, steps: tuple[int, int] | None) -> None:
        self.folder = folder
        self.first, self.last = steps or (1, 0)
        self.running = False

    @contextmanager
    def trace(self, step: int) -> Iterator[None]:
        """Profile a step that runs in the context, if it is one of those to profile."""
        if not self.first <= step <= self.last:
            yield
            return
        if not self.running:
            tf.profiler.experimental.start(str(self.folder))
            self.running = True
        with tf.profiler.experimental.Trace("train", step_num=step, _r=1):
            yield
        if step == self.last:
            self.close()

    def close(self) -> None:
        """Write the profile, also if the training ends before the last step to profile."""
        if self.running:
            self.running = False
            tf.profiler.experimental.stop()

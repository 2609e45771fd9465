"""Checkpoints of a run: whole ones alone, whenever the writer was killed."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class Checkpoints:
    """The folder of a run's checkpoints.

    A checkpoint is written in a folder beside and its files are renamed into place, the index
    last. One without its index or its data does not count.
    """

    folder: Path

    def steps(self) -> list[int]:
        """Steps of the whole checkpoints, ascending."""
        found = []
        for index in self.folder.glob("ckpt-*.index"):
            number = re.fullmatch(r"ckpt-(\d+)\.index", index.name)
            if number and any(self.folder.glob(f"{index.stem}.data-*")):
                found.append(int(number[1]))
        return sorted(found)

    def last_step(self) -> int:
        """Step of the last whole checkpoint; 0 where there is none."""
        return max(self.steps(), default=0)

    def pick(self, step: int | None) -> int:
        """The step that was asked for, or the last.

        Raises:
            InputError: There is no checkpoint, or none of that step.
        """
        steps = self.steps()
        if not steps:
            raise InputError(f"{self.folder} has no checkpoint; train before converting")
        if step is None:
            return steps[-1]
        if step not in steps:
            raise InputError(f"there is no checkpoint of step {step}; there are {steps}")
        return step

    def save(
        self,
        checkpoint: tf.train.Checkpoint,
        step: int,
        keep: int,
        best: Callable[[list[int]], int | None] = lambda steps: None,
    ) -> None:
        """Writes a checkpoint, then removes all but the last `keep` and the best.

        Args:
            checkpoint: What to save.
            step: It is of.
            keep: How many.
            best: Tells which of some steps is the best, if it is known.

        Raises:
            InputError: The disk is full, or the folder cannot be written to.
        """
        writing = self.folder / ".writing"
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir(parents=True)
        try:
            checkpoint.write(str(writing / f"ckpt-{step}"))
        except tf.errors.OpError as error:
            raise InputError(f"{self.folder} cannot be written to: {error.message}") from error
        for partial in sorted(writing.iterdir(), key=lambda path: path.suffix == ".index"):
            files.rename_into_place(partial, self.folder / partial.name)
        writing.rmdir()
        steps = self.steps()
        kept = {*steps[-keep:], best(steps)}
        for path in self.folder.iterdir():
            ours = re.fullmatch(r"ckpt-(\d+)\.(index|data-\d+-of-\d+)", path.name)
            if ours and int(ours[1]) not in kept:
                path.unlink()

    def restore(self, checkpoint: tf.train.Checkpoint, step: int, *, whole: bool) -> None:
        """Reads a checkpoint.

        Args:
            checkpoint: What to restore.
            step: Of the checkpoint.
            whole: Whether everything in the file has to be read, as for a resume. Every variable
                of `checkpoint` has to be in the file in any case.

        Raises:
            InputError: The files are damaged, or hold something else.
        """
        prefix = self.folder / f"ckpt-{step}"
        try:
            # What the assertion finds is said once, below, not by TensorFlow name by name.
            status = checkpoint.read(str(prefix)).expect_partial()
            if whole:
                status.assert_consumed()
            else:
                status.assert_existing_objects_matched()
        except (tf.errors.OpError, AssertionError, ValueError, LookupError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            others = [each for each in self.steps() if each != step]
            remedy = (
                f"remove {prefix}.* to go on from step {others[-1]}"
                if others
                else "there is no other checkpoint; start a new run"
            )
            raise InputError(f"checkpoint {prefix} cannot be read ({reason}); {remedy}") from error

"""Checkpoints of a run; a checkpoint counts only if it was written completely."""

import glob
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

DAMAGE_ERRORS = (
    tf.errors.OpError, AssertionError, DecodeError, LookupError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""Exceptions that TensorFlow raises for damaged checkpoints, depending on the damage."""


def refuse_forged(prefix: Path) -> None:
    """Refuse a checkpoint that states more values than its data can hold.

    TensorFlow would allocate the memory before it reads the data.

    Raises:
        ValueError: The index is forged or damaged. Other damage raises one of `DAMAGE_ERRORS`.
    """
    reader = tf.train.load_checkpoint(str(prefix))
    shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    stated = sum(math.prod(shapes[name]) * kinds[name].size for name in shapes)
    stored = sum(
        file.stat().st_size for file in prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*")
    )
    if stated > stored:
        raise ValueError(f"{stated} bytes are promised, {stored} are there")


@dataclass(frozen=True)
class Checkpoints:
    """Folder of a run's checkpoints.

    A checkpoint is written to a temporary subfolder. Then its files are renamed into place, the
    index last. A checkpoint without an index or without data does not count, so a killed writer
    leaves no incomplete checkpoint behind.
    """

    folder: Path

    def steps(self) -> list[int]:
        """Return the steps of the complete checkpoints, ascending."""
        found = []
        for index in self.folder.glob("ckpt-*.index"):
            number = re.fullmatch(r"ckpt-(\d+)\.index", index.name)
            if number and any(self.folder.glob(f"{index.stem}.data-*")):
                found.append(int(number[1]))
        return sorted(found)

    def last_step(self) -> int:
        """Return the step of the last complete checkpoint; 0 without any."""
        return max(self.steps(), default=0)

    def pick(self, step: int | None) -> int:
        """Return the step if it has a checkpoint, or the last step if None is given.

        Raises:
            InputError: The step has no checkpoint, or the folder has none at all.
        """
        steps = self.steps()
        if not steps:
            raise InputError(f"{self.folder} has no checkpoint; train the run first")
        if step is None:
            return steps[-1]
        if step not in steps:
            raise InputError(
                f"{self.folder} has no checkpoint of step {step}; expected one of {steps}"
            )
        return step

    def save(
        self,
        checkpoint: tf.train.Checkpoint,
        step: int,
        keep: int,
        find_best: Callable[[list[int]], int | None] = lambda steps: None,
    ) -> None:
        """Write a checkpoint, then remove all but the last `keep` checkpoints and the best one.

        Args:
            checkpoint: Objects to save.
            step: Step of the checkpoint.
            keep: Number of last checkpoints to keep.
            find_best: Returns the best of the given steps, or None if it is unknown.

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
        kept = {*steps[-keep:], find_best(steps)}
        for path in self.folder.iterdir():
            match = re.fullmatch(r"ckpt-(\d+)\.(index|data-\d+-of-\d+)", path.name)
            if match and int(match[1]) not in kept:
                path.unlink()

    def restore(self, checkpoint: tf.train.Checkpoint, step: int, *, whole: bool) -> None:
        """Restore objects from a checkpoint.

        Every variable of `checkpoint` must be in the file.

        Args:
            checkpoint: Objects to restore.
            step: Step of the checkpoint.
            whole: Whether every value in the file must be restored too, as for a resume.

        Raises:
            InputError: The files are damaged, or belong to other networks.
        """
        prefix = self.folder / f"ckpt-{step}"
        try:
            refuse_forged(prefix)
            # Without expect_partial, TensorFlow also logs a warning per missing value.
            status = checkpoint.read(str(prefix)).expect_partial()
            if whole:
                status.assert_consumed()
            else:
                status.assert_existing_objects_matched()
        except DAMAGE_ERRORS as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            others = [other for other in self.steps() if other != step]
            remedy = (
                f"remove {prefix}.* to go on from step {others[-1]}"
                if others
                else "the run has no other checkpoint: start a new run"
            )
            raise InputError(f"checkpoint {prefix} cannot be read ({reason}); {remedy}") from error

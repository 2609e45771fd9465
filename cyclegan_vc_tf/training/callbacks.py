"""Callbacks of a training: everything that happens beside its steps.

After each step the loop calls `on_step` of the built-in callbacks in this order, then of callbacks
given to `loop.train`:

1. `LossCheck` stops the training at a loss that is not finite.
2. `ScalarLog` writes losses and speed to TensorBoard, and updates the progress bar.
3. `WeightCheck` stops the training before NaN or infinite weights are used or saved.
4. `EvaluationCallback` scores held-out recordings. Its result decides which checkpoint is kept as
   the best one, so it comes before the checkpoint.
5. `CheckpointCallback` saves.
6. `SampleCallback` and `FeaturePlotCallback` write sounds and pictures. They come after the
   checkpoint, and what fails in them is reported and left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Protocol

import tensorflow as tf
from tqdm import tqdm

from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import TrainingError
from cyclegan_vc_tf.system.progress import Throughput
from cyclegan_vc_tf.training import tensorboard
from cyclegan_vc_tf.training.feature_plots import FeaturePlots
from cyclegan_vc_tf.training.held_out import HeldOutRecordings
from cyclegan_vc_tf.training.trainer import Trainer

PROGRESS_LOSSES = ("generator", "discriminator")


class StepReport(Mapping[str, float]):
    """Scalars of one training step by their names in TensorBoard, such as loss/cycle_A.

    They are copied from TensorFlow at the first access. Norms of gradients are only in reports of
    steps that are logged: at other steps they are not measured.

    Args:
        tensors: Scalars as `Trainer.train_step` returns them.
        is_finite: Whether all scalars are finite.
        is_logged: Whether the step is one that TensorBoard shows.
        is_last: Whether the training ends after this step, finished or stopped, as far as known
            before the callbacks.

    Example:
        >>> from cyclegan_vc_tf.training.callbacks import StepReport
        >>> losses = {"loss/cycle_A": 0.25}
        >>> report = StepReport(losses, is_finite=True, is_logged=True, is_last=False)
        >>> report["loss/cycle_A"]
        0.25
    """

    def __init__(
        self, tensors: Mapping[str, tf.Tensor], is_finite: bool, is_logged: bool, is_last: bool
    ) -> None:
        self._tensors = tensors
        self.is_finite, self.is_logged, self.is_last = is_finite, is_logged, is_last

    @cached_property
    def _values(self) -> dict[str, float]:
        return {
            name: float(value)
            for name, value in self._tensors.items()
            if self.is_logged or not name.startswith("gradient_norm/")
        }

    def __getitem__(self, name: str) -> float:
        """Return a scalar by its name in TensorBoard."""
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of scalars."""
        return len(self._values)


class Callback(Protocol):
    """Base class of callbacks for `loop.train`; each method does nothing unless overridden.

    A callback runs in the thread that trains. `StopTraining` ends the training and saves the step.
    Another exception ends it too; the last checkpoint is kept, and the training can be resumed
    from it.

    Example:
        >>> class History(Callback):
        ...     def __init__(self):
        ...         self.losses = {}
        ...
        ...     def on_step(self, step, report):
        ...         self.losses[step] = report["loss/generator"]
    """

    def on_step(self, step: int, report: StepReport) -> None:
        """Receive the scalars of a step, after the built-in callbacks of that step.

        Args:
            step: Number of steps done, counted from 1 over the whole run.
            report: Scalars by their names in TensorBoard.
        """
        return

    def on_end(self, step: int, finished: bool) -> None:
        """Receive the end of the training; called once, also after an error.

        Args:
            step: Number of steps done.
            finished: Whether the last step of the settings was reached without an error.
        """
        return


OnStep = Callable[[int, StepReport], object]
"""Function of the number of steps done and the scalars of the last one."""


class StepFunction(Callback):
    """Calls a function after every step.

    Args:
        function: The function.
    """

    def __init__(self, function: OnStep) -> None:
        self.function = function

    def on_step(self, step: int, report: StepReport) -> None:
        """Call the function."""
        self.function(step, report)


@dataclass(frozen=True)
class Schedule:
    """Steps at which the side work of a training is due.

    Attributes:
        config: Settings of the training.
    """

    config: TrainingConfig

    def is_logged(self, step: int) -> bool:
        """Return whether TensorBoard shows the losses of this step."""
        return step % self.config.log_every == 0 or step == self.config.steps

    def is_evaluated(self, step: int) -> bool:
        """Return whether the held-out recordings are scored after this step."""
        every = self.config.evaluate_every
        return every > 0 and (step % every == 0 or step == self.config.steps)

    def is_saved(self, step: int, is_last: bool) -> bool:
        """Return whether a checkpoint is written after this step."""
        return is_last or self.is_evaluated(step) or step % self.config.checkpoint_every == 0

    def is_sampled(self, step: int) -> bool:
        """Return whether held-out recordings are converted for TensorBoard after this step."""
        return self.config.convert_every > 0 and step % self.config.convert_every == 0

    def is_plotted(self, step: int) -> bool:
        """Return whether features are plotted after this step."""
        at_end = self.config.convert_every > 0 and step == self.config.steps
        return self.is_sampled(step) or at_end


class LossCheck(Callback):
    """Stops a training at a loss, norm or score that is not finite.

    Args:
        run: Run folder, for the step of the last checkpoint.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def on_step(self, step: int, report: StepReport) -> None:
        """Check the scalars of a step.

        Raises:
            TrainingError: One of them is not finite.
        """
        if not report.is_finite:
            name = next(name for name, value in report.items() if not isfinite(value))
            raise TrainingError(describe_nonfinite(name, str(report[name]), step, self.run))


class WeightCheck(Callback):
    """Stops a training before NaN or infinite weights are saved or used to convert.

    Losses belong to the weights before a step, so the weights after it are checked apart.

    Args:
        run: Run folder, for the step of the last checkpoint.
        trainer: Trainer that holds the weights.
        schedule: Steps at which weights are saved or used.
    """

    def __init__(self, run: RunFolder, trainer: Trainer, schedule: Schedule) -> None:
        self.run, self.trainer, self.schedule = run, trainer, schedule

    def on_step(self, step: int, report: StepReport) -> None:
        """Check all weights before they are saved or used.

        Raises:
            TrainingError: One of them is not finite.
        """
        used = self.schedule.is_saved(step, report.is_last) or self.schedule.is_sampled(step)
        if used and (name := self.trainer.find_nonfinite()):
            raise TrainingError(describe_nonfinite(name, "NaN or infinite", step, self.run))


class ScalarLog(Callback):
    """Writes losses and speed to TensorBoard, and shows progress.

    Args:
        speed: Measures steps and frames per second.
        progress: Progress bar.
    """

    def __init__(self, speed: Throughput, progress: tqdm) -> None:
        self.speed, self.progress = speed, progress

    def on_step(self, step: int, report: StepReport) -> None:
        """Advance the progress bar, and write the scalars of a logged or last step."""
        self.progress.update()
        if report.is_logged or report.is_last:
            tensorboard.write_scalars(dict(report) | self.speed.at(step), step)
            losses = {name: f"{report[f'loss/{name}']:.3f}" for name in PROGRESS_LOSSES}
            self.progress.set_postfix(losses, refresh=False)


class EvaluationCallback(Callback):
    """Scores the held-out recordings and records the scores in the run folder.

    Args:
        recordings: Held-out recordings of the run.
        schedule: Steps at which they are scored.
        say: Prints a line.
    """

    def __init__(
        self, recordings: HeldOutRecordings, schedule: Schedule, say: Callable[[str], None]
    ) -> None:
        self.recordings, self.schedule, self.say = recordings, schedule, say

    def on_step(self, step: int, report: StepReport) -> None:
        """Score the recordings at the scheduled steps."""
        if self.schedule.is_evaluated(step):
            self.say(f"Step {step}: {self.recordings.evaluate(step)}")


class CheckpointCallback(Callback):
    """Saves checkpoints.

    Event files are flushed first, so that they reach as far as the checkpoint. A resume removes
    only events that follow it.

    Args:
        run: Run folder.
        trainer: Trainer that holds the state.
        schedule: Steps at which it is saved.
        writer: Writer of the event file.
    """

    def __init__(
        self, run: RunFolder, trainer: Trainer, schedule: Schedule, writer: tf.summary.SummaryWriter
    ) -> None:
        self.run, self.trainer, self.schedule, self.writer = run, trainer, schedule, writer

    def on_step(self, step: int, report: StepReport) -> None:
        """Save at the scheduled steps and at the last one."""
        if self.schedule.is_saved(step, report.is_last):
            self.writer.flush()
            self.run.save(self.trainer.checkpoint, step)


class SampleCallback(Callback):
    """Writes sounds and pictures of converted held-out recordings to TensorBoard.

    Args:
        recordings: Held-out recordings of the run.
        schedule: Steps at which they are converted.
        writer: Writer of the event file.
        say: Prints a line.
    """

    def __init__(
        self,
        recordings: HeldOutRecordings,
        schedule: Schedule,
        writer: tf.summary.SummaryWriter,
        say: Callable[[str], None],
    ) -> None:
        self.recordings, self.schedule, self.writer, self.say = recordings, schedule, writer, say

    def on_step(self, step: int, report: StepReport) -> None:
        """Convert at the scheduled steps; report failures without stopping the training."""
        if self.schedule.is_sampled(step):
            with tensorboard.reporting_failures(f"samples of step {step}", self.say):
                self.recordings.write_examples(step)
            self.writer.flush()


class FeaturePlotCallback(Callback):
    """Writes plots of converted features, and points for TensorBoard's projector.

    Args:
        plots: Feature plots of the run.
        schedule: Steps at which they are made.
        writer: Writer of the event file.
        say: Prints a line.
    """

    def __init__(
        self,
        plots: FeaturePlots,
        schedule: Schedule,
        writer: tf.summary.SummaryWriter,
        say: Callable[[str], None],
    ) -> None:
        self.plots, self.schedule, self.writer, self.say = plots, schedule, writer, say

    def on_step(self, step: int, report: StepReport) -> None:
        """Plot at the scheduled steps; report failures without stopping the training."""
        if self.schedule.is_plotted(step):
            with tensorboard.reporting_failures(f"feature plots of step {step}", self.say):
                self.plots.write(step)
            self.writer.flush()


SAVING = (WeightCheck, CheckpointCallback)
"""Callbacks that save the last step."""


def describe_nonfinite(name: str, value: str, step: int, run: RunFolder) -> str:
    """Return the message of an error about a value that is not finite.

    Args:
        name: Name of the loss or network.
        value: Its value.
        step: Step after which it was found.
        run: Run folder, for the step of the last checkpoint.
    """
    saved = run.checkpoints.last_step()
    return (
        f"{name} became {value} at step {step}; "
        + (f"the last good checkpoint is of step {saved}" if saved else "nothing was saved")
        + "; begin a new run with lower learning rates, or look for bad recordings"
    )

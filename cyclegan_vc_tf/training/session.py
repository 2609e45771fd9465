"""Steps of a training and what happens beside them, from the last checkpoint to the end."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial

import tensorflow as tf
from tqdm import tqdm

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.training import AugmentationConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data.augmentation import Augmentation
from cyclegan_vc_tf.data.dataset import Crops, Taught, training_pairs
from cyclegan_vc_tf.data.speakers import Speaker
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs import events as events_module
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import device
from cyclegan_vc_tf.system.errors import InputError, StopTraining
from cyclegan_vc_tf.system.progress import Throughput, progress_bar
from cyclegan_vc_tf.system.signals import stop_request
from cyclegan_vc_tf.training import callbacks as built_in
from cyclegan_vc_tf.training import linear_start, profiling, teacher, tensorboard
from cyclegan_vc_tf.training.callbacks import Callback, Schedule, StepReport
from cyclegan_vc_tf.training.distribution import Distribution
from cyclegan_vc_tf.training.feature_plots import FeaturePlots
from cyclegan_vc_tf.training.held_out import HeldOutRecordings
from cyclegan_vc_tf.training.profiling import StepProfiler
from cyclegan_vc_tf.training.trainer import Trainer

EVENT_DELAY_MS = 5000
"""Longest time that events wait in memory, so that a page or TensorBoard shows a slow step soon."""


class Session:
    """Part of a training that one call of `train` does.

    Args:
        run: Run folder.
        speakers: Speakers of the run, by name.
        say: Prints a line.
        callbacks: Callbacks that follow the built-in ones.
        stop: Event that ends the training.
        replicas: Replicas that share every batch.
    """

    def __init__(
        self,
        run: RunFolder,
        speakers: Mapping[str, Speaker],
        say: Callable[[str], None],
        callbacks: Sequence[Callback],
        stop: threading.Event,
        replicas: Distribution,
    ) -> None:
        if run.config.training.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.run, self.speakers, self.say = run, speakers, say
        self.callbacks, self.stop, self.replicas = callbacks, stop, replicas
        self.config = run.config.training
        self.schedule = Schedule(self.config)
        self.device = device.current()
        uses_all = self.config.strategy != "one"
        for line in self.device.describe_training(self.config.precision, uses_all):
            say(line)
        for line in replicas.describe(self.config.batch_size):
            say(line)
        self.trainer = Trainer(run.config, replicas)
        converters = {
            direction: Converter.for_run(run, direction, generator)
            for direction, generator in self.trainer.generators.items()
        }
        augmented = run.config.augmentation != AugmentationConfig()
        self.augmentation = (
            Augmentation(run.config.augmentation, run.config.features) if augmented else None
        )
        self.held_out = HeldOutRecordings(run, speakers, converters, say)
        self.feature_plots = FeaturePlots(run, speakers, converters, say)
        if self.config.evaluate_every:
            self.held_out.check_metric()
        self.step, self.finished = self._begin(), False

    def run_to_end(self) -> bool:
        """Train the remaining steps, and convert the held-out recordings after the last one."""
        if self.step == self.config.steps:
            self.finished = True
            self.say(f"All {self.step} steps of this run are done.")
        else:
            self._fit()
        if self.finished and self.replicas.is_chief:
            self.held_out.convert()
            self.say(f"Curves, pictures, sound: tensorboard --logdir {self.run.path}")
        # A worker whose process ends would end the others.
        self.replicas.wait()
        return self.finished

    def _begin(self) -> int:
        """Give all replicas the chief's state; return the step."""
        step = self._restore() if self.replicas.is_chief else 0
        self.replicas.copy_from_chief(self.trainer.variables)
        if self.replicas.is_chief:
            return step
        step, found = int(self.trainer.step.read_value()), self.run.checkpoints.last_step()
        if found != step:
            raise InputError(
                f"--run_dir {self.run.path} has a checkpoint of step {found} on this worker; "
                f"expected the chief's folder, where step {step} is the last"
            )
        return step

    def _restore(self) -> int:
        """Restore the last checkpoint if there is one, or initialise; return the step."""
        checkpoints = self.run.checkpoints
        step = checkpoints.last_step()
        # An imported run has a checkpoint of step 0.
        if checkpoints.steps():
            checkpoints.restore(self.trainer.checkpoint, step, whole=True)
            self.say(f"Resuming {self.run.path} at step {step}.")
        elif self.run.config.network.vtln_init:
            linear_start.initialize_generators(
                self.trainer.generators,
                self.speakers,
                self.run.statistics,
                self.run.config.features,
                self.config.inca_iterations,
                self.say,
            )
        # Other workers wait for the chief's state.
        if self.config.has_teacher and step < self.config.steps:
            teacher.prepare(self.run.path, self.run.config, self.speakers, self.say)
        return step

    def _fit(self) -> None:
        """Train and save, until the last step or a request to stop."""
        config, is_chief = self.config, self.replicas.is_chief
        profiled = profiling.parse_profile_steps(config.profile_steps) if is_chief else None
        if is_chief:
            events_module.purge_events(self.run.path, self.step or -1)
            self.run.evaluations.forget_after(self.step)
            self.run.versions.note(self.step)
        pairs, names = self._batches(), self._input_names()
        with (
            stop_request() as signalled,
            closing(self._writer()) as writer,
            writer.as_default(),
            closing(StepProfiler(self.run.path, profiled)) as profiler,
            progress_bar(
                desc="Training",
                unit="step",
                initial=self.step,
                total=config.steps,
                disable=not is_chief,
            ) as progress,
            ExitStack() as endings,
        ):
            if self.step == 0:
                flags = settings.to_flags(self.run.config)
                tensorboard.write_text("configuration", flags, self.step)
                tensorboard.write_settings(self.run.config)
            callbacks = [*self._built_in_callbacks(writer, progress), *self.callbacks]
            asked = False
            for callback in reversed(callbacks):
                endings.callback(partial(self._end, callback))
            for batch in pairs:
                logged = self.schedule.is_logged(self.step + 1)
                with profiler.trace(self.step + 1):
                    tensors, finite = self.trainer.train_step(
                        **dict(zip(names, batch, strict=True)),
                        norms=tf.constant(logged),
                    )
                self.step += 1
                asked = asked or signalled.is_set() or self.stop.is_set()
                stopped = self.replicas.any_worker(asked)
                last = self.step == config.steps or stopped
                report = StepReport(tensors, bool(finite), logged, last)
                for callback in callbacks:
                    try:
                        callback.on_step(self.step, report)
                    except StopTraining:
                        asked = True
                # Workers agree once per step: what is asked for from here on counts at the next.
                asked = asked or signalled.is_set() or self.stop.is_set()
                if not last and asked and self.replicas.workers == 1:
                    self._save(callbacks, report)
                    last = True
                if last:
                    break
            self.finished = self.step == config.steps
        if not self.finished:
            self.say(f"Stopped at step {self.step}, saved; the same command goes on from there.")

    def _writer(self) -> tf.summary.SummaryWriter:
        """Return the writer of the event file, or one that writes nothing."""
        if not self.replicas.is_chief:
            return tf.summary.create_noop_writer()
        return tf.summary.create_file_writer(str(self.run.path), flush_millis=EVENT_DELAY_MS)

    def _built_in_callbacks(
        self, writer: tf.summary.SummaryWriter, progress: tqdm
    ) -> list[Callback]:
        """Return the built-in callbacks in the order in which they are called.

        All workers have the losses and weights of the chief: they stop at its errors by themselves.
        """
        checks = [
            built_in.LossCheck(self.run),
            built_in.WeightCheck(self.run, self.trainer, self.schedule),
        ]
        if not self.replicas.is_chief:
            return checks
        frames_per_step = 2 * self.config.batch_size * self.config.crop_frames

        def say_above_progress(line: str) -> None:
            progress.clear()
            self.say(line)

        return [
            checks[0],
            built_in.ScalarLog(Throughput(self.step, frames_per_step), progress),
            checks[1],
            built_in.EvaluationCallback(self.held_out, self.schedule, say_above_progress),
            built_in.CheckpointCallback(self.run, self.trainer, self.schedule, writer),
            built_in.SampleCallback(self.held_out, self.schedule, writer, say_above_progress),
            built_in.FeaturePlotCallback(
                self.feature_plots, self.schedule, writer, say_above_progress
            ),
        ]

    def _save(self, callbacks: Sequence[Callback], report: StepReport) -> None:
        """Save a step whose callbacks asked the training to stop, unless they saved it."""
        if not self.schedule.is_saved(self.step, is_last=False):
            report.is_last = True
            for callback in callbacks:
                if isinstance(callback, built_in.SAVING):
                    callback.on_step(self.step, report)

    def _end(self, callback: Callback) -> None:
        callback.on_end(self.step, self.finished)

    def _batches(self) -> tf.data.Dataset:
        """Return the batches of all remaining steps."""
        config = self.config
        source, target = (self._crops(index) for index in range(len(SPEAKERS)))
        longest_mask = config.longest_mask if self._is_masked else None
        pairs = training_pairs(
            source,
            target,
            config.batch_size,
            self.step,
            config.steps,
            longest_mask,
            self.replicas.rows(config.batch_size),
        )
        # Replicas copy their rows themselves.
        return pairs if self.replicas.strategy else self.device.prefetch(pairs)

    @property
    def _is_masked(self) -> bool:
        return registry.VARIANTS[self.run.config.network.variant].masked

    def _input_names(self) -> list[str]:
        """Return the names of a batch's parts as arguments of a step."""
        masks = ["mask_a", "mask_b"] if self._is_masked else []
        taught = ["taught_a", "taught_b"] if self.config.has_teacher else []
        return ["real_a", "real_b", *masks, *taught]

    def _taught(self, index: int) -> Taught | None:
        """Return the teacher's conversions of speaker A, index 0, or B, index 1."""
        if not self.config.has_teacher:
            return None
        direction = tuple(Direction)[index]
        spectra = teacher.load(self.run.path, direction, self.speakers[direction.source])
        return Taught(spectra, self.run.statistics[direction.target])

    def _crops(self, index: int) -> Crops:
        """Return the crops of speaker A, index 0, or B, index 1."""
        name = SPEAKERS[index]
        crops = Crops(
            self.speakers[name].store,
            self.speakers[name].training,
            self.run.statistics[name],
            self.config.crop_frames,
            self.config.seed,
            index,
            self.augmentation,
            self._taught(index),
        )
        if short := crops.short():
            folder = self.speakers[name].folder.name
            self.say(f"{folder}: {short} utterances are shorter than a crop and are padded.")
        return crops

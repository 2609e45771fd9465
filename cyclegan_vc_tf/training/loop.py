"""Training of a run from its recordings to its converted held-out speech: begin, resume, end."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import AugmentationConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.augmentation import Augmentation
from cyclegan_vc_tf.data.dataset import Crops, training_pairs
from cyclegan_vc_tf.data.speakers import Speaker, recordings_table
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs import events as events_module
from cyclegan_vc_tf.runs import run_files, run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import device
from cyclegan_vc_tf.system.errors import InputError, StopTraining, TrainingError, escaping
from cyclegan_vc_tf.system.progress import Throughput, progress_bar
from cyclegan_vc_tf.system.signals import stop_request
from cyclegan_vc_tf.training import callbacks as built_in
from cyclegan_vc_tf.training import linear_start, profiling, tensorboard
from cyclegan_vc_tf.training.callbacks import Callback, Schedule, StepReport
from cyclegan_vc_tf.training.feature_plots import FeaturePlots
from cyclegan_vc_tf.training.held_out import HeldOutRecordings
from cyclegan_vc_tf.training.profiling import StepProfiler
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import selection

EVENT_DELAY_MS = 5000
"""Longest time that events wait in memory, so that a page or TensorBoard shows a slow step soon."""


def train(
    run_dir: Path,
    config: RunConfig,
    say: Callable[[str], None] = print,
    *,
    callbacks: Sequence[Callback] = (),
    stop: threading.Event | None = None,
) -> bool:
    """Train until `config.training.steps`, in a new run folder or in one that exists.

    Ctrl-C, SIGTERM, `stop` and a callback that raises `StopTraining` end the training after the
    step at hand, and it is saved.

    Args:
        run_dir: Run folder.
        config: All settings. Those of an existing run may differ only where a resume allows it.
        say: Prints a line.
        callbacks: Callbacks that follow the built-in ones after every step; see
            `callbacks.Callback`.
        stop: Event that ends the training when it is set, by a callback or by another thread.

    Returns:
        Whether the training is finished. If not, it was stopped, and everything is saved.

    Raises:
        InputError: Settings, recordings or the run folder cannot be used.
        TrainingError: A loss is no longer finite, or TensorFlow failed.
    """
    say, resumed = escaping(say), run_files.exists(run_dir)
    if resumed:
        run = run_folder.open_run(run_dir)
        if run.published is not None:
            raise InputError(
                f"--run_dir {run_dir} is a published run, which converts but cannot be trained "
                "further; expected another run folder"
            )
        run_folder.check_resume_settings(run, config)
        if run.is_converted(config.training.steps):
            say(f"All {config.training.steps} steps of this run are done.")
            return True
    else:
        run_files.check_free(run_dir)
    # Wrong settings are refused before any work is done.
    registry.validate_config(config)
    profiling.parse_profile_steps(config.training.profile_steps)
    selection.make_vocoder(config.features, config.vocoder)
    speakers = preparation.prepare(config.corpus, config.features)
    for speaker in speakers.values():
        say(speaker.describe(config.features))
    corpus = recordings_table(speakers)
    if not resumed:
        statistics = {name: speaker.statistics for name, speaker in speakers.items()}
        run = run_folder.create_run(run_dir, config, statistics, corpus)
    else:
        run_folder.check_resume_recordings(run, corpus)
    with run.lock() as alone:
        if not alone:
            raise InputError(f"--run_dir {run_dir} is in use by another training; stop it first")
        done, steps = run.checkpoints.last_step(), config.training.steps
        if done > steps:
            raise InputError(
                f"--steps is {steps}, but the run has done {done}; expected at least as many"
            )
        run = run.with_settings(config)
        # After the settings, which name the folders. A run without recordings now gets some; the
        # recordings of a run that has some are unchanged, but may lie in other folders now.
        run = run.with_recordings(corpus)
        return _Session(run, speakers, say, callbacks, stop or threading.Event()).run_to_end()


class _Session:
    """Part of a training that one call of `train` does.

    Args:
        run: Run folder.
        speakers: Speakers of the run, by name.
        say: Prints a line.
        callbacks: Callbacks that follow the built-in ones.
        stop: Event that ends the training.
    """

    def __init__(
        self,
        run: RunFolder,
        speakers: Mapping[str, Speaker],
        say: Callable[[str], None],
        callbacks: Sequence[Callback],
        stop: threading.Event,
    ) -> None:
        if run.config.training.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.run, self.speakers, self.say = run, speakers, say
        self.callbacks, self.stop = callbacks, stop
        self.config = run.config.training
        self.schedule = Schedule(self.config)
        self.device = device.current()
        for line in self.device.describe_training(self.config.precision):
            say(line)
        self.trainer = Trainer(run.config)
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
        self.step, self.finished = self._restore(), False

    def run_to_end(self) -> bool:
        """Train the remaining steps, and convert the held-out recordings after the last one."""
        if self.step == self.config.steps:
            self.say(f"All {self.step} steps of this run are done.")
        else:
            try:
                if not self._fit():
                    return False
            except tf.errors.OpError as error:
                reason = error.message.splitlines()[0]
                raise TrainingError(
                    f"TensorFlow failed: {reason}; the last checkpoint is kept"
                ) from error
        self.held_out.convert()
        self.say(f"Curves, pictures, sound: tensorboard --logdir {self.run.path}")
        return True

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
        return step

    def _fit(self) -> bool:
        """Train and save.

        Returns:
            Whether the last step was reached. If not, the training was asked to stop.
        """
        config = self.config
        events_module.purge_events(self.run.path, self.step or -1)
        self.run.evaluations.forget_after(self.step)
        self.run.versions.note(self.step)
        pairs = self._batches()
        with (
            stop_request() as signalled,
            closing(
                tf.summary.create_file_writer(str(self.run.path), flush_millis=EVENT_DELAY_MS)
            ) as writer,
            writer.as_default(),
            closing(
                StepProfiler(self.run.path, profiling.parse_profile_steps(config.profile_steps))
            ) as profiler,
            progress_bar(
                desc="Training", unit="step", initial=self.step, total=config.steps
            ) as progress,
            ExitStack() as endings,
        ):
            if self.step == 0:
                flags = settings.to_flags(self.run.config)
                tensorboard.write_text("configuration", flags, self.step)
                tensorboard.write_settings(self.run.config)
            callbacks = [*self._built_in_callbacks(writer, progress), *self.callbacks]
            for callback in reversed(callbacks):
                endings.callback(partial(self._end, callback))
            for batch in pairs:
                logged = self.schedule.is_logged(self.step + 1)
                with profiler.trace(self.step + 1):
                    tensors, finite = self.trainer.train_step(*batch, norms=tf.constant(logged))
                self.step += 1
                stopped = signalled.is_set() or self.stop.is_set()
                last = self.step == config.steps or stopped
                report = StepReport(tensors, bool(finite), logged, last)
                for callback in callbacks:
                    try:
                        callback.on_step(self.step, report)
                    except StopTraining:
                        stopped = True
                if not last and (stopped or signalled.is_set() or self.stop.is_set()):
                    self._save(callbacks, report)
                    last = True
                if last:
                    break
            self.finished = self.step == config.steps
        if not self.finished:
            self.say(f"Stopped at step {self.step}, saved; the same command goes on from there.")
        return self.finished

    def _built_in_callbacks(
        self, writer: tf.summary.SummaryWriter, progress: tqdm
    ) -> list[Callback]:
        """Return the built-in callbacks in the order in which they are called."""
        frames_per_step = 2 * self.config.batch_size * self.config.crop_frames

        def say_above_progress(line: str) -> None:
            progress.clear()
            self.say(line)

        return [
            built_in.LossCheck(self.run),
            built_in.ScalarLog(Throughput(self.step, frames_per_step), progress),
            built_in.WeightCheck(self.run, self.trainer, self.schedule),
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
        masked = registry.VARIANTS[self.run.config.network.variant].masked
        longest_mask = config.longest_mask if masked else None
        pairs = training_pairs(
            source, target, config.batch_size, self.step, config.steps, longest_mask
        )
        return self.device.prefetch(pairs)

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
        )
        if short := crops.short():
            folder = self.speakers[name].folder.name
            self.say(f"{folder}: {short} utterances are shorter than a crop and are padded.")
        return crops

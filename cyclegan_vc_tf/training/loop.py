"""A training from its recordings to its converted held-out speech: begun, resumed, ended."""

from collections.abc import Callable, Mapping
from contextlib import closing
from math import isfinite
from pathlib import Path

import tensorflow as tf

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import AugmentationConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.augmentation import Augmentation
from cyclegan_vc_tf.data.dataset import Crops, training_pairs
from cyclegan_vc_tf.data.speakers import Speaker, recordings_table
from cyclegan_vc_tf.features import normalization, vtln
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.generators import LINEAR_SKIP_FRAMES, set_linear_skip
from cyclegan_vc_tf.runs import events as events_module
from cyclegan_vc_tf.runs import run_files, run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import processor
from cyclegan_vc_tf.system.errors import InputError, TrainingError
from cyclegan_vc_tf.system.progress import Throughput, progress_bar
from cyclegan_vc_tf.system.signals import stop_request
from cyclegan_vc_tf.training import linear_start, profiling, tensorboard
from cyclegan_vc_tf.training.feature_plots import FeaturePlots
from cyclegan_vc_tf.training.held_out import HeldOut
from cyclegan_vc_tf.training.profiling import StepProfiler
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import selection

PROGRESS_LOSSES = ("generator", "discriminator")
MAX_INIT_UTTERANCES = 200


def train(run_dir: Path, config: RunConfig, say: Callable[[str], None] = print) -> bool:
    """Trains until `config.training.steps`, in a new run folder or in one that exists.

    Args:
        run_dir: The run folder.
        config: All settings; those of an existing run may differ only where a resume allows.
        say: Prints a line.

    Returns:
        Whether the training is done; if not, it was asked to stop, and everything is saved.

    Raises:
        InputError: Settings, recordings or the run folder are not what they have to be.
        TrainingError: A loss is no longer finite.
    """
    resumed = run_files.exists(run_dir)
    if resumed:
        run = run_folder.open_run(run_dir)
        if run.published is not None:
            raise InputError(
                f"--run_dir {run_dir} is a published run, which converts and is not trained any "
                "further; expected another"
            )
        run_folder.check_resume_settings(run, config)
        if run.is_converted(config.training.steps):
            say(f"All {config.training.steps} steps of this run are done.")
            return True
    else:
        run_files.check_free(run_dir)
    # What can be refused is refused before any work is done.
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
        # After the settings, which name the folders: a run without recordings is asked for both.
        run = run if run.has_recordings else run.with_recordings(corpus)
        return _Session(run, speakers, say).run_to_the_end()


class _Session:
    """One process's share of a training."""

    def __init__(
        self, run: RunFolder, speakers: Mapping[str, Speaker], say: Callable[[str], None]
    ) -> None:
        if run.config.training.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.run, self.speakers, self.say = run, speakers, say
        self.config = run.config.training
        if self.config.precision != "float32" and not processor.has_bfloat16():
            say("This processor has no bfloat16 instructions: --precision=float32 is faster here.")
        self.trainer = Trainer(run.config)
        converters = {
            direction: Converter.for_run(run, direction, generator)
            for direction, generator in self.trainer.generators.items()
        }
        augmented = run.config.augmentation != AugmentationConfig()
        self.augmentation = (
            Augmentation(run.config.augmentation, run.config.features) if augmented else None
        )
        self.held_out = HeldOut(run, speakers, converters, say)
        self.insight = FeaturePlots(run, speakers, converters, say)
        if self.config.evaluate_every:
            self.held_out.check_metric()
        self.first_step = self._restore()

    def run_to_the_end(self) -> bool:
        """Trains what is left, and converts the held-out recordings when all is trained."""
        if self.first_step == self.config.steps:
            self.say(f"All {self.first_step} steps of this run are done.")
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
        """Goes back to the last checkpoint, if there is one; gives its step."""
        checkpoints = self.run.checkpoints
        step = checkpoints.last_step()
        # An imported run has a checkpoint of step 0.
        if checkpoints.steps():
            checkpoints.restore(self.trainer.checkpoint, step, whole=True)
            self.say(f"Resuming {self.run.path} at step {step}.")
        elif self.run.config.network.vtln_init:
            self._begin_with_warp()
        return step

    def _begin_with_warp(self) -> None:
        """Has the generators begin with what the vocal tracts differ by."""
        config, statistics = self.run.config.features, self.run.statistics
        voices, sides = {}, {}
        for name, speaker in self.speakers.items():
            store, utterances = speaker.store, speaker.training
            some = vtln.pick_evenly(utterances, MAX_INIT_UTTERANCES)
            spectra = [store.spectra_of(each) for each in some]
            frames = vtln.sample_frames([store.spectra_of(each) for each in utterances])
            voices[name] = vtln.Voice(frames, spectra, statistics[name].scale)
            sides[name] = linear_start.SpeakerFrames(
                [normalization.normalize(each, statistics[name]) for each in spectra],
                [store.f0_hz_of(each) > 0 for each in some],
            )
        factor = vtln.estimate_vtln_factor(voices, config)
        self.say(f"The target's formants lie {factor:.3f} times as high as the source's.")
        for direction, kernel in linear_start.vtln_kernels(
            voices, factor, LINEAR_SKIP_FRAMES, config
        ).items():
            source, target = sides[direction.source], sides[direction.target]
            kernel = linear_start.inca(kernel, source, target, self.config.inca_iterations)
            set_linear_skip(self.trainer.generators[direction], kernel)

    def _fit(self) -> bool:
        """Trains and saves.

        Returns:
            Whether the last step was reached; if not, a signal asked for the stop.
        """
        config, step = self.config, self.first_step
        events_module.purge_events(self.run.path, step or -1)
        self.run.evaluations.forget_after(step)
        self.run.versions.note(step)
        source, target = (self._crops(index) for index in range(len(SPEAKERS)))
        masked = registry.VARIANTS[self.run.config.network.variant].masked
        longest_mask = config.longest_mask if masked else None
        pairs = training_pairs(source, target, config.batch_size, step, config.steps, longest_mask)
        events = tf.summary.create_file_writer
        with (
            stop_request() as stop,
            closing(events(str(self.run.path))) as writer,
            writer.as_default(),
            closing(
                StepProfiler(self.run.path, profiling.parse_profile_steps(config.profile_steps))
            ) as profile,
            progress_bar(
                desc="Training", unit="step", initial=step, total=config.steps
            ) as progress,
        ):
            if step == 0:
                tensorboard.write_text("configuration", settings.to_flags(self.run.config), step)
                tensorboard.write_settings(self.run.config)
            speed = Throughput(step, frames_per_step=2 * config.batch_size * config.crop_frames)
            for batch in pairs:
                step += 1
                logged = step % config.log_every == 0 or step == config.steps
                with profile.of(step):
                    report, finite = self.trainer.train_step(*batch, norms=tf.constant(logged))
                if not finite:
                    names = (name for name, value in report.items() if not isfinite(value))
                    name = next(names)
                    raise TrainingError(self._no_number(name, str(float(report[name])), step))
                last = step == config.steps or stop.is_set()
                progress.update()
                if last or logged:
                    # Where a stop was asked for in between, the norms were not measured.
                    scalars = {
                        name: float(value)
                        for name, value in report.items()
                        if logged or not name.startswith("gradient_norm/")
                    }
                    tensorboard.write_scalars(scalars | speed.at(step), step)
                    losses = {name: f"{scalars[f'loss/{name}']:.3f}" for name in PROGRESS_LOSSES}
                    progress.set_postfix(losses, refresh=False)
                convert = config.convert_every and step % config.convert_every == 0
                evaluate = self._is_evaluated(step)
                save = last or evaluate or step % config.checkpoint_every == 0
                if (convert or save) and (unusable := self.trainer.not_finite()):
                    raise TrainingError(self._no_number(unusable, "NaN or infinite", step))
                if convert:
                    self.held_out.write_examples(step)
                if convert or (config.convert_every and step == config.steps):
                    self.insight.write(step)
                if evaluate:
                    found = self.held_out.evaluate(step)
                    progress.clear()
                    self.say(f"Step {step}: {found}")
                if save:
                    # Event files reach as far as the checkpoint: a resume purges only what follows.
                    writer.flush()
                    self.run.save(self.trainer.checkpoint, step)
                if last:
                    break
        if step < config.steps:
            self.say(f"Stopped at step {step}, saved; the same command goes on from there.")
        return step == config.steps

    def _is_evaluated(self, step: int) -> bool:
        """Whether the held-out recordings are scored after this step."""
        every = self.config.evaluate_every
        return every > 0 and (step % every == 0 or step == self.config.steps)

    def _crops(self, index: int) -> Crops:
        """The crops of speaker A, 0, or B, 1."""
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

    def _no_number(self, name: str, value: str, step: int) -> str:
        saved = self.run.checkpoints.last_step()
        return (
            f"{name} became {value} at step {step}; "
            + (f"the last good checkpoint is of step {saved}" if saved else "nothing was saved")
            + "; begin a new run with lower learning rates, or look for bad recordings"
        )

"""Training of a vocoder from its recordings to its files: begin, resume, end."""

from collections.abc import Callable, Sequence
from contextlib import closing
from math import isfinite
from pathlib import Path

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.vocoder_training import VocoderRunConfig
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.runs import events, run_files
from cyclegan_vc_tf.system.errors import InputError, TrainingError, escaping
from cyclegan_vc_tf.system.progress import Throughput, progress_bar
from cyclegan_vc_tf.system.signals import stop_request
from cyclegan_vc_tf.training import tensorboard
from cyclegan_vc_tf.vocoder_training import cycles, examples, initial, run
from cyclegan_vc_tf.vocoder_training.examples import Crops, Recording
from cyclegan_vc_tf.vocoder_training.run import VocoderRun
from cyclegan_vc_tf.vocoder_training.samples import write_samples
from cyclegan_vc_tf.vocoder_training.trainer import VocoderTrainer
from cyclegan_vc_tf.vocoders import neural
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

EVENT_DELAY_MS = 5000
"""Longest time that events wait in memory."""


def train(run_dir: Path, config: VocoderRunConfig, say: Callable[[str], None] = print) -> bool:
    """Train a vocoder until `config.schedule.steps`, in a new run folder or in one that exists.

    Ctrl-C and SIGTERM end the training after the step at hand, and it is saved. A resumed training
    continues as if it had not been stopped.

    Args:
        run_dir: Run folder.
        config: All settings. Those of an existing run may differ only where a resume allows it.
        say: Prints a line.

    Returns:
        Whether the training is finished. If not, it was stopped, and everything is saved.

    Raises:
        InputError: Settings, recordings or the run folder cannot be used.
        TrainingError: A loss or a weight is no longer finite.
    """
    say = escaping(say)
    config.validate()
    frontend.validate(config.features)
    resumed = run_files.exists(run_dir)
    found = run.open_run(run_dir) if resumed else None
    if found is None:
        run_files.check_free(run_dir)
    cycles.check(run_dir, config)
    training_paths, held_out_paths = examples.find_recordings(config.recordings)
    hashes = {
        "training": examples.hash_recordings(training_paths),
        "held_out": examples.hash_recordings(held_out_paths),
    }
    if found is None:
        found = run.create_run(run_dir, config, hashes, initial.load(config))
    with found.lock() as alone:
        if not alone:
            raise InputError(f"--run_dir {run_dir} is in use by another training; stop it first")
        if resumed:
            found = run.resume_run(found, config, hashes)
        done, steps = found.checkpoints.last_step(), config.schedule.steps
        if done > steps:
            raise InputError(
                f"--steps is {steps}, but the run has done {done}; expected at least as many"
            )
        if done == steps:
            say(f"All {steps} steps of this run are done.")
            return True
        training = _load("training", training_paths, config, say)
        if not training:
            raise InputError("--audio_dir has no usable recording; expected recordings of speech")
        if config.recordings.has_cycles:
            training = cycles.add_cycles(run_dir, config, training, say)
        count = config.schedule.sample_recordings
        held_out = _load("held-out", _spread(held_out_paths, count), config, say)
        return _fit(found, training, held_out, say)


def _load(
    kind: str, paths: Sequence[Path], config: VocoderRunConfig, say: Callable[[str], None]
) -> list[Recording]:
    """Analyse recordings and say how many there are, and what is wrong with some."""
    found, lines = examples.load_recordings(paths, config.features, f"Analysing {kind} recordings")
    hop_s = config.features.hop_s
    minutes = sum(len(each.values) for each in found) * hop_s / 60
    say(f"{len(found)} {kind} recordings, {minutes:.1f} min")
    for line in lines:
        say(line)
    return found


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` paths at equal distances, so that all folders are among them."""
    places = np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)
    return [paths[place] for place in places]


def _fit(
    found: VocoderRun,
    training: Sequence[Recording],
    held_out: Sequence[Recording],
    say: Callable[[str], None],
) -> bool:
    """Train the remaining steps; return whether the last one was reached."""
    config, schedule = found.config, found.config.schedule
    trainer = VocoderTrainer(config)
    step = found.checkpoints.last_step()
    if schedule.has_initial_vocoder:
        # The run folder has it, or what a training has made of it.
        began_with = neural.load(found.path)
        mean, std = began_with.mean, began_with.std
        if step == 0:
            for name, network in trainer.networks.items():
                network.set_weights(began_with.networks[name].get_weights())
    else:
        mean, std = examples.statistics(training)
    crops = Crops(training, config, mean, std)
    if step:
        found.checkpoints.restore(trainer.checkpoint, step, whole=True)
        say(f"Resuming {found.path} at step {step}.")
    count = {name: model.count_params() for name, model in trainer.networks.items()}
    say("Weights: " + ", ".join(f"{name} {number:,}" for name, number in count.items()))
    events.purge_events(found.path, step or -1)
    found.versions.note(step)
    writer = tf.summary.create_file_writer(str(found.path), flush_millis=EVENT_DELAY_MS)
    with (
        stop_request() as stop,
        closing(writer),
        writer.as_default(),
        progress_bar(desc="Training", unit="step", initial=step, total=schedule.steps) as progress,
    ):
        if step == 0:
            tensorboard.write_text("configuration", settings.to_flags(config), step)
        speed = Throughput(step, schedule.batch_size * schedule.crop_frames)
        while step < schedule.steps:
            tensors, finite = trainer.train_step(crops.batch(step))
            step += 1
            progress.update()
            is_last = stop.is_set() or step == schedule.steps
            is_logged = is_last or step % schedule.log_every == 0
            if is_logged or not finite:
                report = {name: float(value) for name, value in tensors.items()}
            if not finite:
                _raise_nonfinite(report, step)
            if is_logged:
                tensorboard.write_scalars(report | speed.at(step), step)
                progress.set_postfix(loss=f"{report['loss/vocoder']:.3f}", refresh=False)
            is_saved = is_last or step % schedule.checkpoint_every == 0
            is_sampled = step == schedule.steps or (
                schedule.sample_every > 0 and step % schedule.sample_every == 0
            )
            if is_saved or is_sampled:
                vocoder = NeuralVocoder(
                    config.features, config.network, trainer.networks, mean, std, step
                )
            if is_saved:
                if name := trainer.find_nonfinite():
                    raise TrainingError(f"{name} became NaN or infinite at step {step}; {REMEDY}")
                writer.flush()
                found.checkpoints.save(trainer.checkpoint, step, schedule.keep_checkpoints)
                neural.save(found.path, vocoder)
            if is_sampled:
                with tensorboard.reporting_failures(f"samples of step {step}", say):
                    line = write_samples(vocoder, held_out, step)
                    progress.clear()
                    say(line)
                writer.flush()
            if is_last:
                break
    finished = step == schedule.steps
    if not finished:
        say(f"Stopped at step {step}, saved; the same command goes on from there.")
    return finished


REMEDY = "begin a new run with lower learning rates, or look for bad recordings"


def _raise_nonfinite(report: dict[str, float], step: int) -> None:
    name = next(name for name, value in report.items() if not isfinite(value))
    raise TrainingError(f"{name} became {report[name]} at step {step}; {REMEDY}")

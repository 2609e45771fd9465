"""Training of a run from its recordings to its converted held-out speech: begin, resume, end."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.speakers import recordings_table
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs import run_files, run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError, escaping
from cyclegan_vc_tf.training import distribution, profiling, teacher
from cyclegan_vc_tf.training.callbacks import Callback
from cyclegan_vc_tf.training.session import Session
from cyclegan_vc_tf.vocoders import selection


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
    step at hand, and it is saved. With several workers, a request to any of them ends the training
    of all after the next step. The chief alone writes the run folder, which all of them read.

    Args:
        run_dir: Run folder.
        config: All settings. Those of an existing run may differ only where a resume allows it.
        say: Prints a line.
        callbacks: Callbacks that follow the built-in ones after every step; see
            `callbacks.Callback`. With several workers, the chief alone calls them.
        stop: Event that ends the training when it is set, by a callback or by another thread.

    Returns:
        Whether the training is finished. If not, it was stopped, and everything is saved.

    Raises:
        InputError: Settings, recordings or the run folder cannot be used.
        TrainingError: A loss is no longer finite, TensorFlow failed, or another worker ended.
    """
    say, resumed = escaping(say), run_files.exists(run_dir)
    if resumed:
        run = run_folder.open_run(run_dir)
        if run.published is not None:
            raise InputError(
                f"--run_dir {run_dir} is a published run, which converts but cannot be trained "
                "further; expected another run folder"
            )
        config = _take_precision(config, run)
        run_folder.check_resume_settings(run, config)
        if run.is_converted(config.training.steps):
            say(f"All {config.training.steps} steps of this run are done.")
            return True
    # Wrong settings are refused before any work is done.
    registry.validate_config(config)
    plan = distribution.plan(config.training)
    if not resumed and plan.is_chief:
        run_files.check_free(run_dir)
    profiling.parse_profile_steps(config.training.profile_steps)
    selection.make_vocoder(config.features, config.vocoder)
    teacher.check(run_dir, config)
    speakers = preparation.prepare(config.corpus, config.features)
    for speaker in speakers.values():
        say(speaker.describe(config.features))
    corpus = recordings_table(speakers)
    if not plan.is_chief:
        # The chief starts its replicas when the run folder is complete.
        with plan.start() as replicas:
            run = _join(run_dir, config, corpus)
            return Session(run, speakers, say, (), stop or threading.Event(), replicas).run_to_end()
    if not resumed:
        statistics = {name: speaker.statistics for name, speaker in speakers.items()}
        run = run_folder.create_run(run_dir, config, statistics, corpus)
        if config.training.precision == "auto":
            chosen = run.config.training.precision
            does = "multiplies" if chosen == "mixed_bfloat16" else "does not multiply"
            say(f"--precision=auto chose {chosen}: this machine {does} bfloat16.")
            config = _take_precision(config, run)
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
        stop = stop or threading.Event()
        with plan.start() as replicas:
            return Session(run, speakers, say, callbacks, stop, replicas).run_to_end()


def _take_precision(config: RunConfig, run: RunFolder) -> RunConfig:
    """Return settings with the run's precision in place of "auto"."""
    if config.training.precision != "auto":
        return config
    return replace(
        config, training=replace(config.training, precision=run.config.training.precision)
    )


def _join(run_dir: Path, config: RunConfig, corpus: Mapping[str, Any]) -> RunFolder:
    """Open the chief's run folder as another worker.

    Args:
        run_dir: Run folder.
        config: Settings that this worker was given.
        corpus: Table of the recordings that this worker found.

    Raises:
        InputError: The folder is not the chief's, or settings or recordings are not.
    """
    try:
        run = run_folder.open_run(run_dir)
    except InputError as error:
        raise InputError(f"{error}; all workers need the chief's --run_dir") from error
    config = _take_precision(config, run)
    if different := settings.worker_differences(run.config, config):
        raise InputError(
            f"this worker has other settings than the chief: {'; '.join(different)}; give all "
            "workers the chief's flags"
        )
    run_folder.check_resume_recordings(run, corpus)
    return run

"""Run folders, which hold everything that resuming and converting need.

RUN/config.json             all settings
RUN/flags.txt               all settings as a flag file: train.py --flagfile=RUN/flags.txt resumes
RUN/statistics.npz          statistics of both speakers
RUN/corpus.json             names and hashes of training and held-out recordings
RUN/imported.json           origin of an imported run's networks
RUN/published.json          step of a published run
RUN/checkpoints/            ckpt-STEP.index and ckpt-STEP.data-…
RUN/versions.json           versions of the software that trained the run, by step
RUN/evaluations.json        scores of checkpoints, where the training evaluated them
RUN/events.out.tfevents.*   event files for TensorBoard
RUN/projector/              utterances as points for TensorBoard's projector
RUN/converted/              held-out recordings, converted at the end of training
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import keras
import tensorflow as tf

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models import half_precision, registry
from cyclegan_vc_tf.models.stack import make_checkpoint
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.runs.versions import Versions
from cyclegan_vc_tf.system import device, files
from cyclegan_vc_tf.system.errors import InputError

CONVERTED_FILE = "converted/step.txt"
"""File with the step at which all held-out recordings were converted."""

MAX_STEP_DIGITS = 18
"""Largest number of digits of a step: TensorFlow counts in 64 bits."""

FOLDER_FLAGS = {"A": "source_dir", "B": "target_dir"}
"""Flag of each speaker's folder of recordings."""


@dataclass(frozen=True)
class RunFolder:
    """An existing run folder.

    Attributes:
        path: The folder.
        config: Settings of the run.
        statistics: Statistics of the speakers "A" and "B".
        recordings: SHA-256 hashes of the training recordings by speaker and name.
        imported: "step" and "untrained" of an imported run; empty for other runs. "untrained"
            lists the networks with random weights in the checkpoint of "step".
        published: Step of a published run, which has generators only; None for other runs.
    """

    holds_statistics: ClassVar[bool] = False
    """Whether generators normalise; those of a run folder take and return normalised features."""

    path: Path
    config: RunConfig
    statistics: dict[str, Statistics]
    recordings: dict[str, dict[str, str]]
    imported: dict[str, Any] = dataclasses.field(default_factory=dict)
    published: int | None = None

    @property
    def checkpoints(self) -> Checkpoints:
        """Checkpoints of the run."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def evaluations(self) -> EvaluationHistory:
        """Scores of the run's checkpoints."""
        return EvaluationHistory(self.path / run_files.EVALUATIONS)

    @property
    def versions(self) -> Versions:
        """Versions of the software that trained the run."""
        return Versions(self.path / run_files.VERSIONS)

    def save(self, checkpoint: tf.train.Checkpoint, step: int) -> None:
        """Write a checkpoint, and remove older ones as the settings say."""
        keep = self.config.training.keep_checkpoints
        self.checkpoints.save(checkpoint, step, keep, self._best_step)

    def pick(self, step: str) -> int:
        """Return the step of the checkpoint that a user asks for.

        Args:
            step: A number, "last", or "best" by the metric of the settings.

        Raises:
            InputError: The run has no such checkpoint.
        """
        if self.published is not None:
            if step not in ("last", "best", str(self.published)):
                raise InputError(
                    f"--step is {step}, but {self.path} was published with step {self.published} "
                    "only; leave --step out"
                )
            return self.published
        if step == "last":
            return self.checkpoints.pick(None)
        if step == "best":
            best = self._best_step(self.checkpoints.steps())
            if best is None:
                raise InputError(
                    f"--step=best: no checkpoint of {self.path} was evaluated by "
                    f"{self.config.training.best_metric}; expected a run that was trained with "
                    "--evaluate_every, or give another --step"
                )
            return best
        if not step.isdecimal() or len(step) > MAX_STEP_DIGITS:
            raise InputError(f"--step is {step:.100}; expected a number, last or best")
        return self.checkpoints.pick(int(step))

    def _best_step(self, steps: list[int]) -> int | None:
        return self.evaluations.best(self.config.training.best_metric, steps)

    def lock(self) -> AbstractContextManager[bool]:
        """Lock the run for one training; see `files.locked`."""
        return files.locked(self.path / run_files.LOCK, wait=False)

    def with_settings(self, config: RunConfig) -> "RunFolder":
        """Write new settings, and return the run with them."""
        run_files.write_settings(self.path, self.path, config)
        return dataclasses.replace(self, config=config)

    @property
    def has_recordings(self) -> bool:
        """Whether the run has training recordings; an imported run may have none."""
        return any(self.recordings.values())

    def with_recordings(self, corpus: Mapping[str, Any]) -> "RunFolder":
        """Write a new table of recordings, and return the run with it."""
        run_files.write_corpus(self.path, corpus)
        return dataclasses.replace(self, recordings=run_files.training_recordings(corpus))

    def is_converted(self, step: int) -> bool:
        """Return whether training ended at `step` and all held-out recordings were converted."""
        if self.checkpoints.last_step() != step or not (self.path / CONVERTED_FILE).is_file():
            return False
        return (self.path / CONVERTED_FILE).read_text(errors="replace").strip() == str(step)

    def set_converted(self, step: int) -> None:
        """Record that all held-out recordings were converted after `step` steps."""
        files.write_text(self.path / CONVERTED_FILE, f"{step}\n")

    def directions(self, step: int) -> tuple[Direction, ...]:
        """Return the directions whose generators a checkpoint has; an imported run may lack one."""
        untrained = self.imported["untrained"] if self.imported.get("step") == step else []
        return tuple(each for each in Direction if f"generator_{each}" not in untrained)

    def load_generator(self, direction: str, step: int | None = None) -> tuple[keras.Model, int]:
        """Load the generator of a direction, and return it with the step of its weights.

        Args:
            direction: "A2B" or "B2A".
            step: Step of the checkpoint; by default the last one.

        Raises:
            InputError: The checkpoint is missing or cannot be read, or the run was imported without
                this generator.
        """
        name = f"generator_{direction}"
        networks, step = self.load_networks([name], step)
        if name not in networks:
            raise InputError(
                f"--run_dir {self.path} was imported without {name}; import {name} too, or train "
                "the run first"
            )
        return networks[name], step

    def load_networks(
        self, names: Sequence[str] | None = None, step: int | None = None
    ) -> tuple[dict[str, keras.Model], int]:
        """Load networks by name, and return them with the step of their weights.

        Networks that the run was imported without are left out, because their weights are random.

        Args:
            names: Names such as "generator_A2B" and "discriminator_A"; by default all. A published
                run has generators only.
            step: Step of the checkpoint; by default the last one.

        Raises:
            InputError: The checkpoint is missing or cannot be read.
        """
        if self.published is not None:
            generators = [f"generator_{direction}" for direction in Direction]
            networks = registry.build_networks(self.config, names or generators)
            half_precision.read(self.path / run_files.WEIGHTS, networks)
            return networks, self.published
        step = self.checkpoints.pick(step)
        untrained = self.imported["untrained"] if self.imported.get("step") == step else []
        networks = registry.build_networks(self.config, names)
        networks = {name: model for name, model in networks.items() if name not in untrained}
        self.checkpoints.restore(make_checkpoint(networks), step, whole=False)
        return networks, step


def create_run(
    path: Path,
    config: RunConfig,
    statistics: Mapping[str, Statistics],
    corpus: Mapping[str, Any],
    fill: Callable[[Path], None] = lambda folder: None,
) -> RunFolder:
    """Create a run folder, completely or not at all.

    Args:
        path: Path of the run folder.
        config: Settings of the run. The precision "auto" is decided by this machine, for good.
        statistics: Statistics of the speakers "A" and "B".
        corpus: Table of the run's recordings.
        fill: Writes further initial files into the folder that it is given.

    Raises:
        InputError: `path` exists and is not an empty folder, or another process creates it.
    """
    precision = device.current().choose_precision(config.training.precision)
    config = replace(config, training=replace(config.training, precision=precision))
    with run_files.creating(path) as partial:
        run_files.write_all(partial, path, config, statistics, corpus)
        fill(partial)
    return open_run(path)


def open_run(path: Path) -> RunFolder:
    """Open a run folder.

    Raises:
        InputError: The path is not a run folder, or its files are damaged.
    """
    if not run_files.exists(path):
        raise InputError(
            f"--run_dir {path} is not a run folder (no {run_files.CONFIG}); expected one made by "
            "train.py"
        )
    run_files.refuse_unusable_names(path)
    try:
        config = run_files.read_settings(path)
        registry.validate_networks(config.network)
        recordings = run_files.training_recordings(run_files.read_corpus(path))
        imported = run_files.read_imported(path / run_files.IMPORTED)
        published = run_files.read_published_step(path)
        statistics = run_files.read_statistics(path)
        if fault := run_files.find_statistics_fault(statistics, config):
            raise ValueError(f"{run_files.STATISTICS}: {fault}")
    except (InputError, *files.DAMAGE_ERRORS) as error:
        raise InputError(
            f"--run_dir {path} is damaged: {error}; see python -m cyclegan_vc_tf inspect"
        ) from error
    return RunFolder(path, config, statistics, recordings, imported, published)


def check_resume_settings(run: RunFolder, config: RunConfig) -> None:
    """Refuse to resume with changed settings that must not change.

    A run without recordings may get some: then all settings of the corpus may change.

    Raises:
        InputError: A setting differs that must not change on a resume.
    """
    old = run.config if run.has_recordings else replace(run.config, corpus=config.corpus)
    run_files.refuse_changed_settings(run.path, old, config)


def check_resume_recordings(run: RunFolder, corpus: Mapping[str, Any]) -> None:
    """Refuse to resume with other recordings than the run began with.

    The recordings may lie in other folders than before: names and hashes are compared, for training
    and for held-out recordings. Runs of old versions have no hashes of held-out recordings; then
    their names are compared.

    Args:
        run: The run; one without recordings may get any.
        corpus: Table of the recordings found now, as `speakers.recordings_table` returns it.

    Raises:
        InputError: A recording was added, removed or changed.
    """
    if not run.has_recordings:
        return
    began_with = run_files.read_corpus(run.path)
    for speaker, now in corpus.items():
        flag, before = FOLDER_FLAGS[speaker], began_with[speaker]
        _refuse_changes(
            f"--{flag} {now['folder']}", "training", before["training"], now["training"]
        )
        if "held_out" in before:
            own_folder = now["held_out_folder"] != now["folder"]
            where = f"--{'held_out_' if own_folder else ''}{flag} {now['held_out_folder']}"
            hashes = before.get("held_out_sha256", dict.fromkeys(before["held_out"]))
            _refuse_changes(where, "held-out", hashes, now["held_out_sha256"])


def _refuse_changes(
    where: str, kind: str, before: Mapping[str, str | None], now: Mapping[str, str]
) -> None:
    """Refuse recordings that were added, removed or changed.

    Args:
        where: Flag and folder of the recordings.
        kind: Kind of the recordings, for the message.
        before: Hashes by name at the beginning of the run; a None is not compared.
        now: Hashes by name.
    """
    changes = {
        "added": sorted(now.keys() - before.keys()),
        "removed": sorted(before.keys() - now.keys()),
        "changed": sorted(
            name
            for name in before.keys() & now.keys()
            if before[name] is not None and before[name] != now[name]
        ),
    }
    differences = [
        f"{len(names)} {change} ({names[0]}{' first' if len(names) > 1 else ''})"
        for change, names in changes.items()
        if names
    ]
    if differences:
        raise InputError(
            f"{where} has other {kind} recordings than the run began with: "
            f"{', '.join(differences)}; restore them, or give another --run_dir"
        )

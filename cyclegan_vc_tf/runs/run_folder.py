"""A run folder: all that resuming and converting need.

RUN/config.json             all settings
RUN/flags.txt               the same as a flag file: train.py --flagfile=RUN/flags.txt resumes
RUN/statistics.npz          both speakers' statistics
RUN/corpus.json             training and held-out recordings, with a hash of each file
RUN/imported.json           of a run whose networks are a public checkpoint's: of which
RUN/checkpoints/            ckpt-STEP.index and ckpt-STEP.data-…
RUN/versions.json           of what trained it, from which step on
RUN/evaluations.json        what checkpoints were worth, where the training evaluated them
RUN/events.out.tfevents.*   for TensorBoard
RUN/projector/              utterances as points, for TensorBoard's projector
RUN/converted/              held-out recordings, converted at the end
"""

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models import half_precision, registry
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.runs.versions import Versions
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

CONVERTED_FILE = "converted/step.txt"


@dataclass(frozen=True)
class RunFolder:
    """An existing run folder.

    Attributes:
        path: Where it is.
        config: Its settings.
        statistics: Of the speakers A and B.
        recordings: Names of the training recordings of the speakers A and B, and a hash of each.
        imported: Of a run whose networks were imported, what it keeps of that: "untrained" lists
            the networks that the checkpoint of "step" has without having had them from anywhere.
        published: Of a run that was made small to be passed on, the step; it has generators alone.
    """

    path: Path
    config: RunConfig
    statistics: dict[str, Statistics]
    recordings: dict[str, dict[str, str]]
    imported: dict[str, Any] = dataclasses.field(default_factory=dict)
    published: int | None = None

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def evaluations(self) -> EvaluationHistory:
        """What its checkpoints were worth."""
        return EvaluationHistory(self.path / run_files.EVALUATIONS)

    @property
    def versions(self) -> Versions:
        """Of what trained it."""
        return Versions(self.path / run_files.VERSIONS)

    def save(self, checkpoint: tf.train.Checkpoint, step: int) -> None:
        """Writes a checkpoint, and removes those that are not to be kept."""
        keep = self.config.training.keep_checkpoints
        self.checkpoints.save(checkpoint, step, keep, self._best)

    def pick(self, step: str) -> int:
        """The step of the checkpoint that is asked for.

        Args:
            step: A number, "last", or "best" by the metric of the settings.

        Raises:
            InputError: There is no such checkpoint.
        """
        if self.published is not None:
            if step not in ("last", "best", str(self.published)):
                raise InputError(
                    f"there is no checkpoint of step {step}; {self.path} was published with step "
                    f"{self.published} alone"
                )
            return self.published
        if step == "last":
            return self.checkpoints.pick(None)
        if step == "best":
            best = self._best(self.checkpoints.steps())
            if best is None:
                raise InputError(
                    f"--step=best: no checkpoint of {self.path} was evaluated by "
                    f"{self.config.training.best_metric}; expected a run that was trained with "
                    "--evaluate_every"
                )
            return best
        if not step.isdecimal():
            raise InputError(f"--step is {step}; expected a number, last or best")
        return self.checkpoints.pick(int(step))

    def _best(self, steps: list[int]) -> int | None:
        return self.evaluations.best(self.config.training.best_metric, steps)

    def lock(self) -> AbstractContextManager[bool]:
        """Held while one training writes here; see `files.locked`."""
        return files.locked(self.path / run_files.LOCK, wait=False)

    def with_settings(self, config: RunConfig) -> "RunFolder":
        """The same run, going on with settings that may change on a resume."""
        run_files.write_settings(self.path, self.path, config)
        return dataclasses.replace(self, config=config)

    @property
    def has_recordings(self) -> bool:
        """Whether it has learned from recordings here; a run that was imported may have none."""
        return any(self.recordings.values())

    def with_recordings(self, corpus: Mapping[str, Any]) -> "RunFolder":
        """The same run, which now has recordings to learn from."""
        run_files.write_corpus(self.path, corpus)
        return dataclasses.replace(self, recordings=run_files.training_recordings(corpus))

    def is_converted(self, step: int) -> bool:
        """Whether a training of `step` steps has ended, its held-out recordings converted."""
        if self.checkpoints.last_step() != step or not (self.path / CONVERTED_FILE).is_file():
            return False
        return (self.path / CONVERTED_FILE).read_text(errors="replace").strip() == str(step)

    def set_converted(self, step: int) -> None:
        """Notes that the held-out recordings were all converted after `step` steps."""
        files.write_text(self.path / CONVERTED_FILE, f"{step}\n")

    def load_generator(self, direction: str, step: int | None = None) -> tuple[keras.Model, int]:
        """A generator with its weights, and the step they are of.

        Args:
            direction: "A2B" or "B2A".
            step: Of the checkpoint; by default the last one.

        Raises:
            InputError: There is no such checkpoint, it cannot be read, or the run was imported
                without this generator.
        """
        name = f"generator_{direction}"
        networks, step = self.load_networks([name], step)
        if name not in networks:
            raise InputError(
                f"--run_dir {self.path} was imported without {name}; import that too, or train "
                "the run further first"
            )
        return networks[name], step

    def load_networks(
        self, names: Sequence[str] | None = None, step: int | None = None
    ) -> tuple[dict[str, keras.Model], int]:
        """Networks by name, such as generator_A2B and discriminator_A, and the step they are of.

        Networks that have not learned anything are left out: those that the run was imported
        without.

        Args:
            names: Of the networks; by default all.
            step: Of the checkpoint; by default the last one.

        Raises:
            InputError: There is no such checkpoint, or it cannot be read.
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
        self.checkpoints.restore(tf.train.Checkpoint(**networks), step, whole=False)
        return networks, step


def create_run(
    path: Path,
    config: RunConfig,
    statistics: Mapping[str, Statistics],
    corpus: Mapping[str, Any],
    fill: Callable[[Path], None] = lambda folder: None,
) -> RunFolder:
    """Makes a run folder: whole, or not at all.

    Args:
        path: Where.
        config: Its settings.
        statistics: Of the speakers A and B.
        corpus: What it keeps of its recordings.
        fill: Writes what it has from the beginning, into the folder that it is given.

    Raises:
        InputError: `path` is taken by something that is no run folder.
    """
    run_files.check_free(path)
    partial = path.with_name(f".{path.name}{files.PARTIAL_SUFFIX}")
    with files.locked(partial / run_files.LOCK, wait=False) as alone:
        if not alone:
            raise InputError(f"--run_dir {path} is being made by another process; give another")
        run_files.check_free(path)
        try:
            run_files.clear_partial(partial)
            run_files.write_all(partial, path, config, statistics, corpus)
            fill(partial)
            os.replace(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return open_run(path)


def open_run(path: Path) -> RunFolder:
    """Opens a run folder.

    Raises:
        InputError: It is none, or its files cannot be read.
    """
    if not run_files.exists(path):
        raise InputError(
            f"--run_dir {path} is no run folder (no {run_files.CONFIG}); expected one made by "
            "train.py"
        )
    run_files.refuse_patterns(path)
    try:
        config = run_files.read_settings(path)
        recordings = run_files.training_recordings(run_files.read_corpus(path))
        imported = run_files.read_imported(path / run_files.IMPORTED)
        published = run_files.read_published_step(path)
        statistics = run_files.read_statistics(path)
    except run_files.DAMAGE_ERRORS as error:
        raise InputError(f"--run_dir {path} is damaged: {error}") from error
    return RunFolder(path, config, statistics, recordings, imported, published)


def check_resume_settings(run: RunFolder, config: RunConfig) -> None:
    """Refuses to go on with settings that may not change.

    Raises:
        InputError: They are other ones. A run without recordings can be given some.
    """
    old = run.config if run.has_recordings else replace(run.config, corpus=config.corpus)
    found = settings.resume_differences(old, config)
    if found:
        raise InputError(
            f"--run_dir {run.path} is a run with other settings: {'; '.join(found)}; "
            "leave them as they were, or give another --run_dir"
        )


def check_resume_recordings(run: RunFolder, corpus: Mapping[str, Any]) -> None:
    """Refuses to go on with other recordings than the run's, if it has some.

    Args:
        run: The run.
        corpus: What there is now, as `preparation.recordings_table` says it.

    Raises:
        InputError: One was added, removed or changed.
    """
    for name, now in corpus.items() if run.has_recordings else ():
        changed = sorted(dict(run.recordings[name].items() ^ now["training"].items()))
        if changed:
            raise InputError(
                f"{len(changed)} recordings in {now['folder']} were added, removed or changed "
                f"since the run began ({changed[0]} is the first); restore them, or give "
                "another --run_dir"
            )

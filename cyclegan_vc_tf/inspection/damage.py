"""Checks of a run folder for damage; each problem comes with a remedy."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import half_precision
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.runs import events, run_files
from cyclegan_vc_tf.runs.checkpoints import DAMAGE_ERRORS as CHECKPOINT_ERRORS
from cyclegan_vc_tf.runs.checkpoints import Checkpoints, refuse_forged
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.runs.versions import Versions
from cyclegan_vc_tf.system import array_archives, files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.remote_files import RemotePath, is_url, to_path
from cyclegan_vc_tf.training.trainer import Trainer

RESTORE_COPY = "restore it from a copy of the run"

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""Entry of a checkpoint with TensorFlow's own bookkeeping instead of a variable."""


@dataclass(frozen=True)
class Problem:
    """Problem in a run folder.

    Attributes:
        what: Description of the problem, without a full stop.
        remedy: What to do about it, without a full stop.
    """

    what: str
    remedy: str

    def __str__(self) -> str:
        """Return description and remedy in one line."""
        return f"{self.what}; {self.remedy}"


def read_parts(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read the files of a run folder.

    Args:
        path: Run folder.

    Returns:
        Contents of the readable files, by the names "settings", "corpus", "statistics",
        "imported", "published", "evaluations" and "versions"; and the problems of the other files.
    """
    settings_remedy = (
        f"{RESTORE_COPY}, or repeat the run, if {path / 'flags.txt'} is there, with "
        f"train.py --flagfile={path / 'flags.txt'} --run_dir=NEW"
    )
    readers: dict[str, tuple[str, Callable[[], Any], str]] = {
        "settings": (run_files.CONFIG, lambda: run_files.read_settings(path), settings_remedy),
        "corpus": (run_files.CORPUS, lambda: run_files.read_corpus(path), RESTORE_COPY),
        "statistics": (
            run_files.STATISTICS,
            lambda: run_files.read_statistics(path),
            f"{RESTORE_COPY}, or copy it from another run with equal recordings and features",
        ),
        "imported": (
            run_files.IMPORTED,
            lambda: run_files.read_imported(path / run_files.IMPORTED),
            "import the checkpoint again",
        ),
        "published": (
            run_files.PUBLISHED,
            lambda: run_files.read_published_step(path),
            "get the published run again",
        ),
        "evaluations": (
            run_files.EVALUATIONS,
            lambda: EvaluationHistory(path / run_files.EVALUATIONS).all(),
            "remove it to go on without the evaluations",
        ),
        "versions": (
            run_files.VERSIONS,
            lambda: Versions(path / run_files.VERSIONS).all(),
            "remove it to go on without the versions",
        ),
    }
    parts, problems = {}, []
    for name, (file, read, remedy) in readers.items():
        try:
            parts[name] = read()
        except FileNotFoundError:
            problems.append(Problem(f"{path / file} is missing", remedy))
        except InputError as error:
            reason = str(error)
            names_file = reason.startswith(str(path / file))
            what = reason.split(";")[0] if names_file else f"{path / file}: {reason}"
            problems.append(Problem(what, remedy))
        except files.DAMAGE_ERRORS as error:
            problems.append(Problem(f"{path / file} cannot be read ({_reason(error)})", remedy))
    return parts, problems


def check_statistics(path: Path, statistics: Mapping[str, Any], config: RunConfig) -> list[Problem]:
    """Check that statistics are finite, and that they have a value per bin.

    Args:
        path: Run folder.
        statistics: Statistics by speaker.
        config: Settings of the run.
    """
    fault = run_files.find_statistics_fault(statistics, config)
    return [Problem(f"{path / run_files.STATISTICS}: {fault}", RESTORE_COPY)] if fault else []


def check_checkpoints(
    checkpoints: Checkpoints, trainer: Trainer | None, in_use: bool
) -> list[Problem]:
    """Check that checkpoints are complete, and that the run's networks can be restored from them.

    Every value is read, which verifies TensorFlow's checksums.

    Args:
        checkpoints: Checkpoints of the run.
        trainer: Trainer with the run's settings, of networks without values. Without it, the
            values' shapes and names are not checked.
        in_use: Whether a training may write or remove a checkpoint at this moment.
    """
    found: dict[int, set[str]] = {}
    for path in checkpoints.folder.glob("ckpt-*"):
        if match := re.fullmatch(r"ckpt-(\d+)\.(index|data)(-\d+-of-\d+)?", path.name):
            found.setdefault(int(match[1]), set()).add(match[2])
    problems = []
    for step, kinds in sorted(found.items()):
        prefix = checkpoints.folder / f"ckpt-{step}"
        others = [other for other in checkpoints.steps() if other != step]
        result = f"to go on from step {others[-1]}" if others else "to go on without it"
        remedy = f"remove {prefix}.* {result}"
        if kinds == {"index"}:
            problems.append(Problem(f"checkpoint {prefix} has an index but no data", remedy))
        elif kinds == {"data"}:
            if not in_use:
                what = f"checkpoint {prefix} has data but no index: its writer was killed"
                problems.append(
                    Problem(what, f"{remedy}, or leave it: the next checkpoint removes it")
                )
        elif reason := _restore_error(prefix, trainer):
            removed = in_use and not prefix.with_name(f"{prefix.name}.index").exists()
            if not removed:
                problems.append(Problem(f"checkpoint {prefix} cannot be read ({reason})", remedy))
    return problems


def check_weights(path: Path, networks: Mapping[str, keras.Model]) -> list[Problem]:
    """Check that published weights can be read, and that they fit the generators."""
    file = path / run_files.WEIGHTS
    try:
        with array_archives.open_arrays(file) as arrays:
            for name, network in networks.items():
                for address, variable in addresses(network).items():
                    half_precision.find_weight(arrays, name, address, tuple(variable.shape))
    except files.DAMAGE_ERRORS as error:
        return [Problem(f"{file} cannot be read ({_reason(error)})", "get the published run again")]
    return []


def find_leftovers(path: Path) -> list[Problem]:
    """Find incomplete files that a killed process left behind."""
    beside = files.partial_folder(path)
    candidates = [
        *path.rglob(f".*{files.PARTIAL_SUFFIX}"), path / "checkpoints" / ".writing", beside
    ]  # fmt: skip
    return [
        Problem(f"{leftover} was left by a process that was killed", "remove it: nothing needs it")
        for leftover in sorted(candidates)
        if leftover.exists() and not files.is_locked(leftover / run_files.LOCK)
    ]


def check_events(path: Path) -> list[Problem]:
    """Check that the event files of a run folder are complete."""
    problems = []
    for file in sorted(path.glob(events.EVENT_FILES)):
        intact, size = events.intact_bytes(file), file.stat().st_size
        if intact < size:
            what = f"{file} is cut off or damaged after {intact} of its {size} bytes"
            problems.append(Problem(what, "a resume keeps what comes before, and goes on"))
    return problems


def check_recordings(corpus: Mapping[str, Any], config: RunConfig | None) -> list[Problem]:
    """Check that the recordings of a run are there and unchanged.

    Recordings that were added are not found: they look like recordings that could not be used.
    Recordings in object storage are not read: a changed one is not found.

    Args:
        corpus: Table of the run's recordings.
        config: Settings of the run, with the folders of old runs, which the table lacks.
    """
    problems = []
    for speaker, flag in zip(SPEAKERS, ("source_dir", "target_dir"), strict=True):
        recordings = corpus[speaker]
        default = getattr(config.corpus, flag) if config else ""
        folder = recordings.get("folder") or default
        held_out_folder = recordings.get("held_out_folder") or folder
        training = dict(recordings["training"])
        held_out = list(recordings.get("held_out", ()))
        count, missing = len(training) + len(held_out), []
        remedy = "restore them to train on; converting needs none"
        try:
            if folder:
                missing = _missing(folder, list(training)) + _missing(held_out_folder, held_out)
        except InputError as error:
            problems.append(Problem(f"recordings of {speaker}: {error}", remedy))
            continue
        if missing and len(missing) == count:
            what = f"the recordings of {speaker} are not in {folder} any more"
            problems.append(Problem(what, f"{remedy}; or resume with their folder as --{flag}"))
            continue
        if missing:
            what = f"{len(missing)} of {count} recordings of {speaker} are gone, {missing[0]} first"
            problems.append(Problem(what, remedy))
        changed = [
            name
            for name, sha256 in training.items()
            if folder
            and not is_url(folder)
            and sha256
            and _sha256_or_none(Path(folder) / name) not in (sha256, None)
        ]
        if changed:
            what = (
                f"{len(changed)} of {len(training)} training recordings of {speaker} changed since "
                f"the run began, {Path(folder) / changed[0]} first"
            )
            problems.append(Problem(what, remedy))
    return problems


def _missing(folder: str, names: Sequence[str]) -> list[str]:
    """Return the paths of recordings that are not in their folder.

    Raises:
        InputError: Object storage cannot be read.
    """
    path = to_path(folder)
    if isinstance(path, RemotePath):
        found = set(path.list_files()) if names else set()
        return [str(path / name) for name in names if name not in found]
    return [str(path / name) for name in names if not os.path.isfile(path / name)]


def variable_shapes(trainer: Trainer) -> list[tuple[int, ...]]:
    """Return the shapes of all variables of a training, sorted."""
    variables = [trainer.step]
    for optimizer in (trainer.generator_optimizer, trainer.discriminator_optimizer):
        variables += optimizer.variables
    for network in trainer.networks.values():
        variables += network.weights
    return sorted(tuple(variable.shape) for variable in variables)


def _restore_error(prefix: Path, trainer: Trainer | None) -> str:
    """Return why a checkpoint cannot be restored; empty if it can."""
    try:
        refuse_forged(prefix)
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        for name in shapes:
            reader.get_tensor(name)
        if trainer is not None:
            found = [tuple(shape) for name, shape in shapes.items() if name != OBJECT_GRAPH]
            if sorted(found) != variable_shapes(trainer):
                return "it holds values of other shapes than the networks of the settings"
            # Networks without values are matched by name. The reference stack reads the values.
            with tf.init_scope():
                trainer.checkpoint.read(str(prefix)).expect_partial().assert_consumed()
    except CHECKPOINT_ERRORS as error:
        return _reason(error)
    return ""


def _sha256_or_none(path: Path) -> str | None:
    """Return the hash of a file's bytes; None if it cannot be read."""
    try:
        return files.sha256(path)
    except OSError:
        return None


def _reason(error: Exception) -> str:
    """Return the first line of an error's message, or its type."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__

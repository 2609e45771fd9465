"""What is wrong with a run folder, and what to do about it."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import half_precision
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.runs.versions import Versions
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer

RESTORE_COPY = "restore it from a copy of the run"
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, and what to do about it; each a clause without a full stop."""

    what: str
    remedy: str

    def __str__(self) -> str:
        """Both, in a line."""
        return f"{self.what}; {self.remedy}"


def read_parts(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The files of a run folder that can be read, by name, and what is wrong with the others.

    Args:
        path: A run folder.

    Returns:
        "settings", "corpus", "statistics", "imported", "published", "evaluations", "versions";
        and the problems.
    """
    settings_again = (
        f"{RESTORE_COPY}, or repeat the run, if {path / 'flags.txt'} is there, with "
        f"train.py --flagfile={path / 'flags.txt'} --run_dir=NEW"
    )
    readers: dict[str, tuple[str, Callable[[], Any], str]] = {
        "settings": (run_files.CONFIG, lambda: run_files.read_settings(path), settings_again),
        "corpus": (run_files.CORPUS, lambda: run_files.read_corpus(path), RESTORE_COPY),
        "statistics": (
            run_files.STATISTICS,
            lambda: run_files.read_statistics(path),
            f"{RESTORE_COPY}, or of another run with the same recordings and features",
        ),
        "imported": (
            run_files.IMPORTED,
            lambda: run_files.read_imported(path / run_files.IMPORTED),
            "import the checkpoint again",
        ),
        "published": (
            run_files.PUBLISHED,
            lambda: run_files.read_published_step(path),
            "get the published run anew",
        ),
        "evaluations": (
            run_files.EVALUATIONS,
            lambda: _read_evaluations(path / run_files.EVALUATIONS),
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
            known = reason.startswith(str(path / file))
            what = reason.split(";")[0] if known else f"{path / file}: {reason}"
            problems.append(Problem(what, remedy))
        except run_files.DAMAGE_ERRORS as error:
            problems.append(Problem(f"{path / file} cannot be read ({_reason(error)})", remedy))
    return parts, problems


def check_statistics(path: Path, statistics: Mapping[str, Any], config: RunConfig) -> list[Problem]:
    """Statistics that are not numbers, or not as many as a frame has values."""
    shape, file = (config.features.bins,), path / run_files.STATISTICS
    for speaker, each in statistics.items():
        for name, key in run_files.STATISTICS_KEYS.items():
            values = getattr(each, name)
            wanted = shape if name in ("mean", "std") else ()
            if np.shape(values) != wanted:
                what = f"{file}: {speaker}_{key} has shape {np.shape(values)}; expected {wanted}"
                return [Problem(what, RESTORE_COPY)]
            if not np.isfinite(values).all():
                return [Problem(f"{file}: {speaker}_{key} is NaN or infinite", RESTORE_COPY)]
    return []


def check_checkpoints(
    checkpoints: Checkpoints, trainer: Trainer | None, in_use: bool
) -> list[Problem]:
    """Checkpoints that are not whole, or that the run's networks cannot be restored from.

    Every value of each is read, which checks the sums that TensorFlow keeps of them.

    Args:
        checkpoints: The run's.
        trainer: With the run's settings, built in a graph that is the current one; without it,
            what a checkpoint holds is not compared with anything.
        in_use: Whether a training may be writing one, or removing one, at this moment.
    """
    found: dict[int, set[str]] = {}
    for path in checkpoints.folder.glob("ckpt-*"):
        if ours := re.fullmatch(r"ckpt-(\d+)\.(index|data)(-\d+-of-\d+)?", path.name):
            found.setdefault(int(ours[1]), set()).add(ours[2])
    problems = []
    for step, kinds in sorted(found.items()):
        prefix = checkpoints.folder / f"ckpt-{step}"
        others = [each for each in checkpoints.steps() if each != step]
        before = f"to go on from step {others[-1]}" if others else "to go on without it"
        remedy = f"remove {prefix}.* {before}"
        if kinds == {"index"}:
            problems.append(Problem(f"checkpoint {prefix} has an index and no data", remedy))
        elif kinds == {"data"}:
            if not in_use:
                what = f"checkpoint {prefix} has data and no index: its writer was killed"
                problems.append(Problem(what, f"{remedy}, or have the next checkpoint remove it"))
        elif reason := _restore_error(prefix, trainer):
            removed = in_use and not prefix.with_name(f"{prefix.name}.index").exists()
            if not removed:
                problems.append(Problem(f"checkpoint {prefix} cannot be read ({reason})", remedy))
    return problems


def check_weights(path: Path, networks: Mapping[str, keras.Model]) -> list[Problem]:
    """Published weights that cannot be read, or are not those of the generators."""
    file = path / run_files.WEIGHTS
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            for name, network in networks.items():
                for address, variable in addresses(network).items():
                    values = arrays[half_precision.find_key(arrays, name, address)]
                    if values.shape != tuple(variable.shape):
                        raise ValueError(f"{name}/{address} has shape {values.shape}")
    except run_files.DAMAGE_ERRORS as error:
        return [Problem(f"{file} cannot be read ({_reason(error)})", "get the published run anew")]
    return []


def find_leftovers(path: Path) -> list[Problem]:
    """What a process that was killed left half-written."""
    beside = path.with_name(f".{path.name}{files.PARTIAL_SUFFIX}")
    left = [*path.rglob(f".*{files.PARTIAL_SUFFIX}"), path / "checkpoints" / ".writing", beside]
    return [
        Problem(f"{each} was left by a process that was killed", "remove it: nothing needs it")
        for each in sorted(left)
        if each.exists() and not files.is_locked(each / run_files.LOCK)
    ]


def check_recordings(corpus: Mapping[str, Any], config: RunConfig | None) -> list[Problem]:
    """Recordings that are gone, or that are no longer what was learned from.

    Those that were added are not told from those that could not be used.

    Args:
        corpus: What the run keeps of its recordings.
        config: The run's settings, which name the folders for runs whose corpus does not.
    """
    problems = []
    for speaker, flag in zip(SPEAKERS, ("source_dir", "target_dir"), strict=True):
        told = corpus[speaker]
        default = getattr(config.corpus, flag) if config else ""
        folder = told.get("folder") or default
        held_out_folder = told.get("held_out_folder") or folder
        training = dict(told["training"])
        missing = [str(Path(folder) / name) for name in training]
        missing += [str(Path(held_out_folder) / name) for name in told.get("held_out", ())]
        gone = [name for name in missing if not os.path.isfile(name)] if folder else []
        remedy = "put them back where they were to train on; converting needs none"
        if gone and len(gone) == len(missing):
            what = f"the recordings of {speaker} are not in {folder} any more"
            problems.append(Problem(what, remedy))
            continue
        if gone:
            what = (
                f"{len(gone)} of {len(missing)} recordings of {speaker} are gone, {gone[0]} first"
            )
            problems.append(Problem(what, remedy))
        changed = [
            name
            for name, sha256 in training.items()
            if folder and sha256 and _sha256_or_none(Path(folder) / name) not in (sha256, None)
        ]
        if changed:
            what = (
                f"{len(changed)} of {len(training)} training recordings of {speaker} are not what "
                f"was learned from, {Path(folder) / changed[0]} first"
            )
            problems.append(Problem(what, remedy.replace("put them back", "put those of then")))
    return problems


def variable_shapes(trainer: Trainer) -> list[tuple[int, ...]]:
    """Of all variables of a training, sorted."""
    optimizers = (trainer.generator_optimizer, trainer.discriminator_optimizer)
    variables = [trainer.step, *(each for one in optimizers for each in one.variables)]
    variables += [each for network in trainer.networks.values() for each in network.weights]
    return sorted(tuple(each.shape) for each in variables)


def _restore_error(prefix: Path, trainer: Trainer | None) -> str:
    """Why a checkpoint cannot be restored; empty if it can."""
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = reader.get_variable_to_shape_map()
        for name in shapes:
            reader.get_tensor(name)
        if trainer is not None:
            # In a graph that is never run: what is in it is matched, and nothing is read.
            trainer.checkpoint.read(str(prefix)).expect_partial().assert_consumed()
            found = [tuple(shape) for name, shape in shapes.items() if name != OBJECT_GRAPH]
            if sorted(found) != variable_shapes(trainer):
                return "it holds values of other shapes than the networks of the settings"
    except (tf.errors.OpError, AssertionError, LookupError, ValueError) as error:
        return _reason(error)
    return ""


def _read_evaluations(path: Path) -> dict[int, Any]:
    known = EvaluationHistory(path).all()
    every = (each.values() for means in known.values() for each in means.values())
    values = (value for several in every for value in several)
    if wrong := [value for value in values if not isinstance(value, int | float | None)]:
        raise ValueError(f"{wrong[0]!r} is no number")
    return known


def _sha256_or_none(path: Path) -> str | None:
    """Of a file's bytes; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__

"""A run folder: all that resuming and converting need.

RUN/config.json             all settings
RUN/flags.txt               the same as a flag file: train.py --flagfile=RUN/flags.txt resumes
RUN/statistics.npz          both speakers' statistics
RUN/corpus.json             training and held-out recordings, with a hash of each file
RUN/checkpoints/            ckpt-STEP.index and ckpt-STEP.data-…
RUN/events.out.tfevents.*   for TensorBoard
RUN/converted/              held-out recordings, converted at the end
"""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf import family, files, settings
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.normalization import Statistics

CONFIG = "config.json"

# What reading JSON and NumPy files raises when they are not what they should be.
_DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class RunFolder:
    """An existing run folder.

    Attributes:
        path: Where it is.
        config: Its settings.
        statistics: Of the speakers A and B.
        recordings: Names of the training recordings of the speakers A and B, and a hash of each.
    """

    path: Path
    config: RunConfig
    statistics: dict[str, Statistics]
    recordings: dict[str, dict[str, str]]

    @property
    def checkpoints(self) -> "Checkpoints":
        """Its checkpoints."""
        return Checkpoints(self.path / "checkpoints")

    def lock(self) -> AbstractContextManager[bool]:
        """Held while one training writes here; see `files.locked`."""
        return files.locked(self.path / ".lock", wait=False)

    def with_settings(self, config: RunConfig) -> "RunFolder":
        """The same run, going on with settings that may change on a resume."""
        _write_settings(self.path, self.path, config)
        return dataclasses.replace(self, config=config)

    def load_generator(self, direction: str, step: int | None = None) -> tuple[keras.Model, int]:
        """A generator with its weights, and the step they are of.

        Args:
            direction: "A2B" or "B2A".
            step: Of the checkpoint; by default the last one.

        Raises:
            InputError: There is no such checkpoint, or it cannot be read.
        """
        step = self.checkpoints.pick(step)
        generator = family.build_generators(self.config)[direction]
        part = tf.train.Checkpoint(**{f"generator_{direction}": generator})
        self.checkpoints.restore(part, step, whole=False)
        return generator, step


def exists(path: Path) -> bool:
    """Whether there is a run folder at `path`."""
    return (path / CONFIG).is_file()


def create(
    path: Path,
    config: RunConfig,
    statistics: Mapping[str, Statistics],
    corpus: Mapping[str, Any],
) -> RunFolder:
    """Makes a run folder: whole, or not at all.

    Raises:
        InputError: `path` is taken by something that is no run folder.
    """
    check_free(path)
    partial = path.with_name(f".{path.name}{files.PARTIAL_SUFFIX}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    arrays = {
        f"{speaker}_{name}": np.asarray(value)
        for speaker, each in statistics.items()
        for name, value in dataclasses.asdict(each).items()
    }
    np.savez(partial / "statistics.npz", **arrays)
    files.write_text(partial / "corpus.json", json.dumps(corpus, indent=1) + "\n")
    _write_settings(partial, path, config)
    os.replace(partial, path)
    return open_folder(path)


def check_free(path: Path) -> None:
    """Refuses a path that a new run folder cannot have.

    Raises:
        InputError: There is a file, or a folder with something else in it.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"--run_dir {path} is a file; expected a folder, or one to be made")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            f"--run_dir {path} has files but no {CONFIG}; expected a run folder or an empty one"
        )


def open_folder(path: Path) -> RunFolder:
    """Opens a run folder.

    Raises:
        InputError: It is none, or its files cannot be read.
    """
    if not exists(path):
        raise InputError(
            f"--run_dir {path} is no run folder (no {CONFIG}); expected one made by train.py"
        )
    try:
        data = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        config = settings.from_dict(RunConfig, data)
        corpus = json.loads((path / "corpus.json").read_text(encoding="utf-8"))
        recordings = {each: dict(corpus[each]["training"]) for each in family.SPEAKERS}
        with (
            (path / "statistics.npz").open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            statistics = {
                speaker: Statistics(
                    mean=arrays[f"{speaker}_mean"],
                    deviation=arrays[f"{speaker}_deviation"],
                    log_f0_mean=float(arrays[f"{speaker}_log_f0_mean"]),
                    log_f0_deviation=float(arrays[f"{speaker}_log_f0_deviation"]),
                )
                for speaker in family.SPEAKERS
            }
    except _DAMAGE as error:
        raise InputError(f"--run_dir {path} is damaged: {error}") from error
    return RunFolder(path, config, statistics, recordings)


def _write_settings(folder: Path, run_dir: Path, config: RunConfig) -> None:
    """Writes the settings into `folder`, which is to be known as `run_dir`."""
    text = json.dumps(dataclasses.asdict(config), indent=1) + "\n"
    files.write_text(folder / "flags.txt", settings.to_flags(config) + f"--run_dir={run_dir}\n")
    files.write_text(folder / CONFIG, text)


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints of a run: whole ones alone, whenever the writer was killed.

    A checkpoint is written in a folder beside and its files are renamed into place, the index
    last. One without its index or its data does not count.
    """

    folder: Path

    def steps(self) -> list[int]:
        """Steps of the whole checkpoints, ascending."""
        found = []
        for index in self.folder.glob("ckpt-*.index"):
            number = re.fullmatch(r"ckpt-(\d+)\.index", index.name)
            if number and any(self.folder.glob(f"{index.stem}.data-*")):
                found.append(int(number[1]))
        return sorted(found)

    def pick(self, step: int | None) -> int:
        """The step that was asked for, or the last.

        Raises:
            InputError: There is no checkpoint, or none of that step.
        """
        steps = self.steps()
        if not steps:
            raise InputError(f"{self.folder} has no checkpoint; train before converting")
        if step is None:
            return steps[-1]
        if step not in steps:
            raise InputError(f"there is no checkpoint of step {step}; there are {steps}")
        return step

    def save(self, checkpoint: tf.train.Checkpoint, step: int, keep: int) -> None:
        """Writes a checkpoint, then removes all but the last `keep`.

        Raises:
            InputError: The disk is full, or the folder cannot be written to.
        """
        writing = self.folder / ".writing"
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir(parents=True)
        try:
            checkpoint.write(str(writing / f"ckpt-{step}"))
        except tf.errors.OpError as error:
            raise InputError(f"{self.folder} cannot be written to: {error.message}") from error
        for partial in sorted(writing.iterdir(), key=lambda path: path.suffix == ".index"):
            files.commit(partial, self.folder / partial.name)
        writing.rmdir()
        steps = self.steps()
        for path in self.folder.glob("ckpt-*"):
            if path.name.split(".")[0] not in {f"ckpt-{each}" for each in steps[-keep:]}:
                path.unlink()

    def restore(self, checkpoint: tf.train.Checkpoint, step: int, *, whole: bool) -> None:
        """Reads a checkpoint.

        Args:
            checkpoint: What to restore.
            step: Of the checkpoint.
            whole: Whether everything in the file has to be read, as for a resume. Every variable
                of `checkpoint` has to be in the file in any case.

        Raises:
            InputError: The files are damaged, or hold something else.
        """
        prefix = self.folder / f"ckpt-{step}"
        try:
            status = checkpoint.read(str(prefix))
            if whole:
                status.assert_consumed()
            else:
                status.assert_existing_objects_matched().expect_partial()
        except (tf.errors.OpError, AssertionError, ValueError, LookupError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            others = [each for each in self.steps() if each != step]
            remedy = (
                f"remove {prefix}.* to go on from step {others[-1]}"
                if others
                else "there is no other checkpoint; start a new run"
            )
            raise InputError(f"checkpoint {prefix} cannot be read ({reason}); {remedy}") from error


def purge_events(path: Path, last_step: int) -> None:
    """Removes what event files say of steps after `last_step`, which are about to be repeated.

    An event file that was cut off in the middle of an event keeps what stands before it.
    """
    for leftover in path.glob(f".events.*{files.PARTIAL_SUFFIX}"):
        leftover.unlink()
    for file in path.glob("events.out.tfevents.*"):
        with files.replacing(file) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
            for record in _whole_records(file):
                if tf.compat.v1.Event.FromString(record).step <= last_step:
                    writer.write(record)


def _whole_records(file: Path) -> Iterator[bytes]:
    """The records of an event file up to the first that is damaged."""
    with contextlib.suppress(tf.errors.DataLossError):
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()

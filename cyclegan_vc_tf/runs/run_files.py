"""Files of a run folder: names, readers and writers."""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.config import flag_files, settings
from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import array_archives, files
from cyclegan_vc_tf.system.errors import InputError

CONFIG = "config.json"
LOCK = ".lock"
PUBLISHED = "published.json"
WEIGHTS = "weights.npz"
IMPORTED = "imported.json"
STATISTICS = "statistics.npz"
CORPUS = "corpus.json"
EVALUATIONS = "evaluations.json"
VERSIONS = "versions.json"

STATISTICS_KEYS = {
    "mean": "mean",
    "std": "deviation",
    "log_f0_mean": "log_f0_mean",
    "log_f0_std": "log_f0_deviation",
}
"""Key of each field of `Statistics` in the file, after the speaker's letter and `_`."""

MAX_LOG_F0 = 12.0
"""Upper bound of means and standard deviations of ln F0: no voice has an F0 of 160 kHz."""

CORPUS_TYPES: dict[str, type] = {
    "folder": str, "training": dict, "held_out_folder": str, "held_out": list,
    "held_out_sha256": dict,
}  # fmt: skip
"""Types of the entries of a speaker in the table of recordings."""


def exists(path: Path) -> bool:
    """Return whether `path` is a run folder."""
    return (path / CONFIG).is_file()


def check_free(path: Path) -> None:
    """Refuse a path where no new run folder can be created.

    Raises:
        InputError: The path is a file, a run, or a folder with other files in it, or it lies in a
            file or where nothing can be written, or TensorFlow cannot use its name.
    """
    refuse_unusable_names(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"--run_dir {path} is a file; expected a new or empty folder")
    parent = next(folder for folder in path.parents if folder.exists())
    if not parent.is_dir():
        raise InputError(
            f"--run_dir {path} cannot be created: {parent} is a file; give another folder"
        )
    try:
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as error:
        raise InputError(
            f"--run_dir {path} cannot be created: {parent} cannot be written ({error.strerror}); "
            "give another folder"
        ) from error
    if exists(path):
        raise InputError(f"--run_dir {path} is a run already; expected a new or empty folder")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            f"--run_dir {path} has files but no {CONFIG}; expected a run folder or an empty folder"
        )


def refuse_unusable_names(path: Path) -> None:
    """Refuse a path that TensorFlow cannot read checkpoints from.

    Raises:
        InputError: The path has a wildcard character, or bytes that are not UTF-8.
    """
    if fault := files.find_tensorflow_fault(path):
        raise InputError(f"--run_dir {path} {fault}; give the folder another name")


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Yield a folder to fill, which becomes the run folder `path` if the block succeeds.

    Raises:
        InputError: `path` exists and is not an empty folder, or another process creates it.
    """
    check_free(path)
    partial = files.partial_folder(path)
    with files.locked(partial / LOCK, wait=False) as alone:
        if not alone:
            raise InputError(
                f"--run_dir {path} is being created by another process; give another folder"
            )
        check_free(path)
        try:
            _clear_partial(partial)
            yield partial
            os.replace(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _clear_partial(partial: Path) -> None:
    """Remove the leftovers of a killed process, except the lock, which this process holds."""
    for leftover in partial.iterdir():
        if leftover.name != LOCK:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def write_all(
    folder: Path,
    run_dir: Path,
    config: RunConfig,
    statistics: Mapping[str, Statistics],
    corpus: Mapping[str, Any],
) -> None:
    """Write the initial files of a run.

    Args:
        folder: Folder to write to.
        run_dir: Final path of the run folder.
        config: Settings of the run.
        statistics: Statistics of the speakers "A" and "B".
        corpus: Table of the run's recordings.
    """
    write_statistics(folder, statistics)
    write_corpus(folder, corpus)
    write_settings(folder, run_dir, config)


def write_statistics(folder: Path, statistics: Mapping[str, Statistics]) -> None:
    """Write the statistics of both speakers."""
    arrays: dict[str, Any] = {
        f"{speaker}_{key}": np.asarray(getattr(values, name))
        for speaker, values in statistics.items()
        for name, key in STATISTICS_KEYS.items()
    }
    np.savez(folder / STATISTICS, **arrays)


def write_corpus(folder: Path, corpus: Mapping[str, Any]) -> None:
    """Write the table of a run's recordings."""
    files.write_json(folder / CORPUS, corpus)


def write_settings(folder: Path, run_dir: Path, config: RunConfig) -> None:
    """Write the settings into `folder`, as those of the run folder `run_dir`.

    The address of a scheduler is left out, as it belongs to a command.
    """
    write_config(folder, run_dir, _without_scheduler(config))


def write_config(folder: Path, run_dir: Path, config: Any) -> None:
    """Write settings of any class into `folder`, as those of the run folder `run_dir`.

    Args:
        folder: Folder to write to.
        run_dir: Final path of the run folder.
        config: Dataclass of settings.
    """
    text = settings.to_flags(config) + flag_files.format_line("run_dir", run_dir)
    files.write_text(folder / "flags.txt", text)
    files.write_json(folder / CONFIG, dataclasses.asdict(config))


def refuse_changed_settings(run_dir: Path, before: Any, now: Any) -> None:
    """Refuse to resume with changed settings that must not change.

    Args:
        run_dir: Run folder.
        before: Settings of the run.
        now: Settings to resume with, of the same class.

    Raises:
        InputError: A setting differs that must not change on a resume.
    """
    if differences := settings.resume_differences(before, now):
        raise InputError(
            f"--run_dir {run_dir} is a run with other settings: {'; '.join(differences)}; "
            "leave them as they were, or give another --run_dir"
        )


def read_settings(folder: Path) -> RunConfig:
    """Read the settings of a run, without the address of a scheduler.

    A client runs what a scheduler sends, so a run folder of someone else must not name one.

    Raises:
        InputError: This version does not know a setting. Other damage raises one of
            `files.DAMAGE_ERRORS`.
    """
    return _without_scheduler(settings.from_dict(RunConfig, files.read_json(folder / CONFIG)))


def _without_scheduler(config: RunConfig) -> RunConfig:
    corpus = dataclasses.replace(config.corpus, scheduler="")
    return dataclasses.replace(config, corpus=corpus)


def read_corpus(folder: Path) -> dict[str, Any]:
    """Read the table of a run's recordings, and check the types of all entries."""
    corpus = files.read_json(folder / CORPUS)
    for speaker in SPEAKERS:
        entries = {"training": None, **corpus[speaker]}
        for name, value in entries.items():
            if name in CORPUS_TYPES and not isinstance(value, CORPUS_TYPES[name]):
                raise ValueError(f"{CORPUS}: {name} of {speaker} is {value!r:.100}")
        for name in ("folder", "held_out_folder"):
            settings.refuse_unusable_path(entries.get(name, ""))
        for names in (entries["training"], entries.get("held_out", ())):
            for name in names:
                settings.refuse_unusable_path(name)
    return corpus


def read_statistics(folder: Path) -> dict[str, Statistics]:
    """Read the statistics of both speakers."""
    with array_archives.open_arrays(folder / STATISTICS) as arrays:
        return {
            speaker: Statistics(
                mean=arrays[f"{speaker}_mean"],
                std=arrays[f"{speaker}_deviation"],
                log_f0_mean=float(arrays[f"{speaker}_log_f0_mean"]),
                log_f0_std=float(arrays[f"{speaker}_log_f0_deviation"]),
            )
            for speaker in SPEAKERS
        }


def find_statistics_fault(statistics: Mapping[str, Statistics], config: RunConfig) -> str:
    """Return why statistics cannot be those of a run with these settings; empty if they can be."""
    for speaker, values in statistics.items():
        for name, key in STATISTICS_KEYS.items():
            value = np.asarray(getattr(values, name))
            expected = (config.features.bins,) if name in ("mean", "std") else ()
            if value.shape != expected or value.dtype.kind != "f":
                return (
                    f"{speaker}_{key} has shape {value.shape} and type {value.dtype}; expected "
                    f"{expected} and floating-point numbers"
                )
            if not np.isfinite(value).all():
                return f"{speaker}_{key} is NaN or infinite"
            if (
                name != "mean"
                and not ((value >= 0) & (value <= MAX_LOG_F0)).all()
                and not (name == "std" and (value >= 0).all())
            ):
                return f"{speaker}_{key} is {value.min():g}; expected the value of a voice"
    return ""


def training_recordings(corpus: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return SHA-256 hashes of the training recordings by speaker and name."""
    return {speaker: dict(corpus[speaker]["training"]) for speaker in SPEAKERS}


def read_published_step(folder: Path) -> int | None:
    """Read the step of a published run; None for other runs."""
    path = folder / PUBLISHED
    return read_step(files.read_json(path), path) if path.exists() else None


def read_imported(path: Path) -> dict[str, Any]:
    """Read step and untrained networks of an imported run; empty for other runs."""
    if not path.exists():
        return {}
    data = files.read_json(path)
    untrained = data["untrained"]
    if not isinstance(untrained, list) or not all(isinstance(name, str) for name in untrained):
        raise ValueError(f"{path}: untrained is {untrained!r:.100}; expected names of networks")
    return {"step": read_step(data, path), "untrained": untrained}


def read_step(data: Mapping[str, Any], path: Path | str) -> int:
    """Return the step in the data of a file.

    Raises:
        ValueError: The step is not a number of steps.
    """
    step = data["step"]
    if type(step) is not int or not 0 <= step < 2**63:
        raise ValueError(f"{path}: step is {step!r:.100}; expected a number of steps")
    return step

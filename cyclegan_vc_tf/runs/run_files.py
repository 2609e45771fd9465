"""The files of a run folder, read and written; `run_folder` makes a run of them."""

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import files
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
"""Key of each field of `Statistics` in the file, behind the speaker's letter and `_`."""

DAMAGE_ERRORS = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
"""What reading JSON and NumPy files raises when they are not what they should be."""


def exists(path: Path) -> bool:
    """Whether there is a run folder at `path`."""
    return (path / CONFIG).is_file()


def check_free(path: Path) -> None:
    """Refuses a path that a new run folder cannot have.

    Raises:
        InputError: There is a file, or a folder with something else in it, or the path cannot be
            that of a run.
    """
    refuse_patterns(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"--run_dir {path} is a file; expected a folder, or one to be made")
    parent = next(each for each in path.parents if each.exists())
    if not parent.is_dir():
        raise InputError(f"--run_dir {path} cannot be made, for {parent} is a file; give another")
    if exists(path):
        raise InputError(f"--run_dir {path} is a run already; expected a folder to be made")
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            f"--run_dir {path} has files but no {CONFIG}; expected a run folder or an empty one"
        )


def refuse_patterns(path: Path) -> None:
    """Refuses a name that TensorFlow would not take for itself.

    Raises:
        InputError: It is one.
    """
    if files.has_wildcards(path):
        raise InputError(
            f"--run_dir {path} has one of * ? [ ] \\ in it, which TensorFlow takes for a pattern "
            "when it reads checkpoints; give it another name"
        )


def clear_partial(partial: Path) -> None:
    """Removes what a process that was killed left, but for the lock, which is ours by now."""
    for left in partial.iterdir():
        if left.name != LOCK:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def write_all(
    folder: Path,
    run_dir: Path,
    config: RunConfig,
    statistics: Mapping[str, Statistics],
    corpus: Mapping[str, Any],
) -> None:
    """Writes what a run begins with.

    Args:
        folder: Where to.
        run_dir: As what it is to be known.
        config: Its settings.
        statistics: Of the speakers A and B.
        corpus: What it keeps of its recordings.
    """
    write_statistics(folder, statistics)
    write_corpus(folder, corpus)
    write_settings(folder, run_dir, config)


def write_statistics(folder: Path, statistics: Mapping[str, Statistics]) -> None:
    """Writes statistics of speakers."""
    arrays = {
        f"{speaker}_{key}": np.asarray(getattr(each, name))
        for speaker, each in statistics.items()
        for name, key in STATISTICS_KEYS.items()
    }
    np.savez(folder / STATISTICS, **arrays)


def write_corpus(folder: Path, corpus: Mapping[str, Any]) -> None:
    """Writes what a run keeps of its recordings."""
    files.write_json(folder / CORPUS, corpus)


def write_settings(folder: Path, run_dir: Path, config: RunConfig) -> None:
    """Writes the settings into `folder`, which is to be known as `run_dir`."""
    files.write_text(folder / "flags.txt", settings.to_flags(config) + f"--run_dir={run_dir}\n")
    files.write_json(folder / CONFIG, dataclasses.asdict(config))


def read_settings(folder: Path) -> RunConfig:
    """The settings of a run.

    Raises:
        InputError: One of them is none of this version's; anything of `DAMAGE` for other damage.
    """
    return settings.from_dict(RunConfig, json.loads((folder / CONFIG).read_text(encoding="utf-8")))


def read_corpus(folder: Path) -> dict[str, Any]:
    """What a run keeps of its recordings, with names and hashes of both speakers'."""
    corpus = json.loads((folder / CORPUS).read_text(encoding="utf-8"))
    training_recordings(corpus)
    return corpus


def read_statistics(folder: Path) -> dict[str, Statistics]:
    """Both speakers' statistics."""
    with (folder / STATISTICS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return {
            speaker: Statistics(
                mean=arrays[f"{speaker}_mean"],
                std=arrays[f"{speaker}_deviation"],
                log_f0_mean=float(arrays[f"{speaker}_log_f0_mean"]),
                log_f0_std=float(arrays[f"{speaker}_log_f0_deviation"]),
            )
            for speaker in SPEAKERS
        }


def training_recordings(corpus: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Names and hashes of the speakers' training recordings."""
    return {each: dict(corpus[each]["training"]) for each in SPEAKERS}


def read_published_step(folder: Path) -> int | None:
    """The step of a run that was made small to be passed on; None of any other."""
    path = folder / PUBLISHED
    return int(json.loads(path.read_text(encoding="utf-8"))["step"]) if path.exists() else None


def read_imported(path: Path) -> dict[str, Any]:
    """Of which step an imported run's checkpoint is, and what is untrained in it."""
    if not path.exists():
        return {}
    data = json.loads(path.read_text(encoding="utf-8"))
    return {"step": int(data["step"]), "untrained": list(data["untrained"])}

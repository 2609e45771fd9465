"""The statistics that public projects keep beside their checkpoints, as NumPy files."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system.errors import InputError, join_names

MAX_ARRAY_BYTES = 1 << 20
"""Of one array: a million times less than a file that is made to fill the memory."""

LOG_F0_RANGE = (3.0, 8.0)
"""Means of ln F0 that voices have: 20 to 3,000 Hz."""

Arrays = dict[str, np.ndarray]

Pair = tuple[np.ndarray, np.ndarray]
"""Means and deviations."""


def read(files: Sequence[str], bins: int, has_f0: bool) -> dict[str, Statistics]:
    """The statistics of the speakers A and B.

    Args:
        files: With arrays mean_A, std_A, mean_B, std_B: of one value, of ln F0, in one file, and of
            as many as a frame has in another; or a file with mean and std of A's frames, and then
            one of B's.
        bins: Values a frame.
        has_f0: Whether ln F0 is expected.

    Raises:
        InputError: A file is not there, is no NumPy archive, or has other arrays; or one that is
            needed is missing, or given twice.
    """
    frames: dict[str, Pair] = {}
    log_f0: dict[str, Pair] = {}
    for path in map(Path, files):
        for speaker, pair in _pairs(path, "A" if "A" not in frames else "B").items():
            of_f0 = pair[0].size == 1 and bins > 1
            into = log_f0 if of_f0 else frames
            _check(path, speaker, pair, bins, of_f0)
            if speaker in into:
                raise InputError(f"--statistics {path} gives those of {speaker} once more")
            if of_f0 and not has_f0:
                raise InputError(f"--statistics {path} has ln F0, which log-mel spectra hold")
            into[speaker] = pair
    wanted = {f"of frames of {bins} values": frames, **({"of ln F0": log_f0} if has_f0 else {})}
    for what, found in wanted.items():
        if len(found) < 2:
            raise InputError(
                f"--statistics has none {what} of {' or '.join(sorted({'A', 'B'} - found.keys()))}"
                "; expected such files as mcep_normalization.npz and logf0s_normalization.npz, or "
                "--source_dir and --target_dir to compute them"
            )
    none = (np.zeros(1), np.zeros(1))
    return {
        each: Statistics(*frames[each], *(float(value[0]) for value in log_f0.get(each, none)))
        for each in "AB"
    }


def _pairs(path: Path, alone: str) -> dict[str, Pair]:
    """Means and deviations by speaker; a file of one speaker is of `alone`."""
    arrays = _arrays(path)
    if {"mean", "std"} <= arrays.keys():
        return {alone: (arrays["mean"], arrays["std"])}
    if {"mean_A", "std_A", "mean_B", "std_B"} <= arrays.keys():
        return {each: (arrays[f"mean_{each}"], arrays[f"std_{each}"]) for each in "AB"}
    raise InputError(
        f"--statistics {path} has {join_names(list(arrays)) or 'nothing'}; expected mean_A, std_A, "
        "mean_B and std_B, or mean and std of one speaker"
    )


def _check(path: Path, speaker: str, pair: Pair, bins: int, of_f0: bool) -> None:
    mean, deviation = pair
    if mean.size != deviation.size or mean.size not in (1, bins):
        raise InputError(
            f"--statistics {path} has {mean.size} means and {deviation.size} deviations of "
            f"{speaker}; expected 1 or {bins}"
        )
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation >= 0).all()):
        raise InputError(
            f"--statistics {path} has values of {speaker} that are none, or deviations below zero"
        )
    if not deviation.any():
        raise InputError(f"--statistics {path} has no deviation of {speaker} that is above zero")
    if of_f0 and not LOG_F0_RANGE[0] < mean[0] < LOG_F0_RANGE[1]:
        raise InputError(
            f"--statistics {path} has {mean[0]:g} for {speaker}'s mean ln F0; expected the natural "
            f"logarithm of Hz, {LOG_F0_RANGE[0]:g} to {LOG_F0_RANGE[1]:g}"
        )


def _arrays(path: Path) -> Arrays:
    """All arrays of a NumPy archive, flat and as float64; nothing is unpickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            large = [
                each.filename for each in archive.infolist() if each.file_size > MAX_ARRAY_BYTES
            ]
        if large:
            raise InputError(
                f"--statistics {path} has {join_names(large)} of more than {MAX_ARRAY_BYTES:,} "
                "bytes; expected means and deviations"
            )
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archived:
            arrays = dict(archived)
        if kinds := {array.dtype.kind for array in arrays.values()} - set("fiu"):
            raise InputError(
                f"--statistics {path} has arrays of kind {join_names(sorted(kinds))}; expected "
                "numbers"
            )
        return {name: array.astype(np.float64).ravel() for name, array in arrays.items()}
    except InputError:
        raise
    # What is raised by damage is up to zipfile, zlib and NumPy: a dozen types.
    except Exception as error:
        reason = "is not there" if not path.exists() else "is no archive of NumPy, or damaged"
        raise InputError(f"--statistics {path} {reason}; expected an .npz file") from error

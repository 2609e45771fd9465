"""The statistics that public projects keep beside their checkpoints, as NumPy files."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.errors import InputError, listed
from cyclegan_vc_tf.normalization import Statistics

LARGEST_BYTES = 1 << 20
"""Of one array: a million times less than a file that is made to fill the memory."""

Arrays = dict[str, np.ndarray]


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
    frames: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    log_f0: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for path in map(Path, files):
        arrays = _arrays(path)
        if {"mean", "std"} <= arrays.keys():
            speaker = "AB"[len(frames)] if len(frames) < 2 else "more than two speakers"
            pairs = {speaker: (arrays["mean"], arrays["std"])}
        elif {"mean_A", "std_A", "mean_B", "std_B"} <= arrays.keys():
            pairs = {each: (arrays[f"mean_{each}"], arrays[f"std_{each}"]) for each in "AB"}
        else:
            raise InputError(
                f"--statistics {path} has {listed(list(arrays)) or 'nothing'}; expected mean_A, "
                "std_A, mean_B and std_B, or mean and std of one speaker"
            )
        for speaker, pair in pairs.items():
            _check(path, speaker, pair, bins)
            into = log_f0 if pair[0].size == 1 != bins else frames
            if speaker in into or speaker not in ("A", "B"):
                raise InputError(f"--statistics {path} gives those of {speaker} once more")
            into[speaker] = pair
    for what, found, needed in (
        (f"of frames of {bins} values", frames, True), ("of ln F0", log_f0, has_f0)
    ):  # fmt: skip
        if needed and len(found) < 2:
            raise InputError(
                f"--statistics has none {what} of {' or '.join(sorted({'A', 'B'} - found.keys()))}"
                "; expected such files as mcep_normalization.npz and logf0s_normalization.npz, or "
                "--source_dir and --target_dir to compute them"
            )
    return {
        each: Statistics(
            *frames[each],
            *(float(value[0]) for value in log_f0.get(each, (np.zeros(1), np.zeros(1)))),
        )
        for each in "AB"
    }


def _check(path: Path, speaker: str, pair: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    mean, deviation = pair
    sizes = f"{mean.size} means and {deviation.size} deviations"
    if mean.size != deviation.size or mean.size not in (1, bins):
        raise InputError(f"--statistics {path} has {sizes} of {speaker}; expected 1 or {bins}")
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation >= 0).all()):
        raise InputError(
            f"--statistics {path} has values of {speaker} that are none, or deviations below zero"
        )


def _arrays(path: Path) -> Arrays:
    """All arrays of a NumPy archive, flat and as float64; nothing is unpickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            large = [each.filename for each in archive.infolist() if each.file_size > LARGEST_BYTES]
        if large:
            raise InputError(
                f"--statistics {path} has {listed(large)} of more than {LARGEST_BYTES:,} bytes; "
                "expected means and deviations"
            )
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float64).ravel() for name in arrays.files}
    except InputError:
        raise
    # What is raised by damage is up to zipfile, zlib and NumPy: a dozen types.
    except Exception as error:
        reason = "is not there" if not path.exists() else "is no archive of NumPy, or damaged"
        raise InputError(f"--statistics {path} {reason}; expected an .npz file") from error

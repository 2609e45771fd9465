"""Statistics files of public projects, in NumPy format."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import array_archives
from cyclegan_vc_tf.system.errors import InputError, join_names

MAX_ARRAY_BYTES = 1 << 20
"""Largest size of an array in bytes, against files that would fill the memory."""

LOG_F0_RANGE = (3.0, 8.0)
"""Range of plausible means of ln F0: 20 to 3,000 Hz."""

Arrays = dict[str, np.ndarray]

Pair = tuple[np.ndarray, np.ndarray]
"""Means and standard deviations."""


def read(files: Sequence[str], bins: int, has_f0: bool) -> dict[str, Statistics]:
    """Read the statistics of the speakers A and B.

    Args:
        files: Two files with arrays mean_A, std_A, mean_B and std_B: one file of ln F0, with one
            value per array, and one of frames, with `bins` values per array. Or two files with
            arrays mean and std of frames, first of A, then of B.
        bins: Values per frame.
        has_f0: Whether statistics of ln F0 are needed.

    Raises:
        InputError: A file is missing, is not a NumPy archive, or has other arrays. Or statistics
            that are needed are missing or given twice.
    """
    frames: dict[str, Pair] = {}
    log_f0: dict[str, Pair] = {}
    for path in map(Path, files):
        for speaker, pair in _read_pairs(path, "A" if "A" not in frames else "B").items():
            is_f0 = pair[0].size == 1 and bins > 1
            pairs = log_f0 if is_f0 else frames
            _check(path, speaker, pair, bins, is_f0)
            if speaker in pairs:
                raise InputError(
                    f"--statistics {path} gives the statistics of {speaker} a second time; leave "
                    "one file out"
                )
            if is_f0 and not has_f0:
                raise InputError(
                    f"--statistics {path} has ln F0, which log-mel spectra hold; leave it out"
                )
            pairs[speaker] = pair
    needed = {f"of frames of {bins} values": frames, **({"of ln F0": log_f0} if has_f0 else {})}
    for kind, found in needed.items():
        if len(found) < 2:
            missing = " or ".join(sorted({"A", "B"} - found.keys()))
            raise InputError(
                f"--statistics has none {kind} of {missing}; expected files such as "
                "mcep_normalization.npz and logf0s_normalization.npz, or --source_dir and "
                "--target_dir to compute them"
            )
    no_f0 = (np.zeros(1), np.zeros(1))
    return {
        speaker: Statistics(
            *frames[speaker], *(float(value[0]) for value in log_f0.get(speaker, no_f0))
        )
        for speaker in "AB"
    }


def _read_pairs(path: Path, default_speaker: str) -> dict[str, Pair]:
    """Read means and standard deviations by speaker.

    Args:
        path: File to read.
        default_speaker: Speaker of a file with the statistics of one speaker.
    """
    arrays = _read_arrays(path)
    if {"mean", "std"} <= arrays.keys():
        return {default_speaker: (arrays["mean"], arrays["std"])}
    if {"mean_A", "std_A", "mean_B", "std_B"} <= arrays.keys():
        return {speaker: (arrays[f"mean_{speaker}"], arrays[f"std_{speaker}"]) for speaker in "AB"}
    raise InputError(
        f"--statistics {path} has {join_names(list(arrays)) or 'nothing'}; expected mean_A, std_A, "
        "mean_B and std_B, or mean and std of one speaker"
    )


def _check(path: Path, speaker: str, pair: Pair, bins: int, is_f0: bool) -> None:
    """Refuse statistics with wrong sizes or impossible values."""
    mean, deviation = pair
    if mean.size != deviation.size or mean.size not in (1, bins):
        raise InputError(
            f"--statistics {path} has {mean.size} means and {deviation.size} deviations of "
            f"{speaker}; expected 1 or {bins}"
        )
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation >= 0).all()):
        raise InputError(
            f"--statistics {path} has NaN or infinite values of {speaker}, or deviations below "
            "zero; expected finite means and positive deviations"
        )
    if not deviation.any():
        raise InputError(
            f"--statistics {path} has no deviation of {speaker} above zero; expected deviations of "
            "speech"
        )
    if is_f0 and not LOG_F0_RANGE[0] < mean[0] < LOG_F0_RANGE[1]:
        raise InputError(
            f"--statistics {path} has {mean[0]:g} for {speaker}'s mean ln F0; expected the natural "
            f"logarithm of Hz, {LOG_F0_RANGE[0]:g} to {LOG_F0_RANGE[1]:g}"
        )


def _read_arrays(path: Path) -> Arrays:
    """Read all arrays of a NumPy archive, flat and as float64; nothing is unpickled."""
    try:
        with array_archives.open_arrays(path) as archived:
            if large := archived.find_larger(MAX_ARRAY_BYTES):
                raise InputError(
                    f"--statistics {path} has {join_names(large)} of more than {MAX_ARRAY_BYTES:,} "
                    "bytes; expected means and deviations"
                )
            arrays = dict(archived)
        if kinds := {array.dtype.kind for array in arrays.values()} - set("fiu"):
            raise InputError(
                f"--statistics {path} has arrays of kind {join_names(sorted(kinds))}; expected "
                "numbers"
            )
        return {name: array.astype(np.float64).ravel() for name, array in arrays.items()}
    except (OSError, ValueError) as error:
        reason = "is missing" if not path.exists() else "is not a NumPy archive, or is damaged"
        raise InputError(f"--statistics {path} {reason}; expected an .npz file") from error

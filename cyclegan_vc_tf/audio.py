"""Recordings: found, read, resampled, written. Samples are mono float32, full scale 1.0."""

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from cyclegan_vc_tf import files
from cyclegan_vc_tf.errors import InputError

EXTENSIONS = frozenset(
    {
        ".aif",
        ".aifc",
        ".aiff",
        ".au",
        ".bwf",
        ".caf",
        ".flac",
        ".mp3",
        ".oga",
        ".ogg",
        ".opus",
        ".rf64",
        ".snd",
        ".sph",
        ".w64",
        ".voc",
        ".wav",
        ".wave",
    }
)
"""File name endings of the formats that libsndfile reads and that say what they hold."""

SHORTEST_RESAMPLED = 64
"""Samples below which soxr's filter sees hardly anything but the zeros around them."""

SILENCE_PEAK = 1e-4
"""A recording that never leaves its mean by more than this (-80 dB full scale) is silent."""


class AudioError(InputError):
    """A file that cannot be used as audio; the message is the reason, without the file's name."""


def find(folder: Path) -> list[str]:
    """Names of the audio files under `folder`, relative to it, sorted.

    Whatever has another ending is ignored, as are hidden files and folders.

    Raises:
        InputError: `folder` is not a folder, or it or one below cannot be read.
    """
    if not folder.is_dir():
        kind = "a file" if folder.exists() else "not there"
        raise InputError(f"{folder} is {kind}; expected a folder of recordings")
    found, seen = [], set()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from error

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        # A link may lead back to a folder above it.
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(parent, name)
            is_audio = not name.startswith(".") and path.suffix.lower() in EXTENSIONS
            if is_audio and path.is_file():
                found.append(path.relative_to(folder).as_posix())
    return sorted(found)


def read(path: Path) -> tuple[np.ndarray, int]:
    """Reads a recording of any format libsndfile knows, and averages its channels.

    Returns:
        Samples, (samples,) float32, and their rate in Hz.

    Raises:
        AudioError: The file cannot be read, has no samples, or has NaN or infinite ones.
    """
    try:
        with path.open("rb") as file:
            channels, sample_rate_hz = soundfile.read(
                file.fileno(), dtype="float32", always_2d=True, closefd=False
            )
    except OSError as error:
        raise AudioError(f"cannot be opened ({error.strerror})") from error
    except (soundfile.SoundFileError, TypeError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise AudioError(f"cannot be read as audio ({reason})") from error
    samples = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
    if samples.size == 0:
        raise AudioError("has no samples")
    finite = np.isfinite(samples)
    if not finite.all():
        first_s = int(np.argmin(finite)) / sample_rate_hz
        raise AudioError(f"has NaN or infinite samples, the first at {first_s:.3f} s")
    return np.ascontiguousarray(samples), int(sample_rate_hz)


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Brings samples from one rate to another with soxr at its high quality.

    What is shorter than its filter, which would swallow it, is repeated or thinned out instead.

    Args:
        samples: (samples,) float32.
        from_hz: Their rate.
        to_hz: The rate that is wanted.

    Returns:
        (round(samples · to_hz / from_hz),) float32, at least one sample.
    """
    if from_hz == to_hz:
        return samples
    wanted = max(1, round(len(samples) * to_hz / from_hz))
    if len(samples) < SHORTEST_RESAMPLED:
        nearest = np.arange(wanted) * from_hz // to_hz
        return samples[np.minimum(nearest, len(samples) - 1)]
    return fix_length(soxr.resample(samples, from_hz, to_hz, quality="HQ"), wanted)


def fix_length(samples: np.ndarray, wanted: int) -> np.ndarray:
    """Cuts samples at their end, or adds zeros there, until there are `wanted`."""
    if len(samples) >= wanted:
        return samples[:wanted]
    return np.pad(samples, (0, wanted - len(samples)))


def is_silent(samples: np.ndarray) -> bool:
    """Whether samples, a constant offset aside, stay below -80 dB full scale throughout."""
    return bool(np.max(np.abs(samples - samples.mean())) < SILENCE_PEAK)


def write(path: Path, samples: np.ndarray, sample_rate_hz: int) -> float:
    """Writes a 16-bit wav file; samples that would clip are scaled down as a whole.

    Args:
        path: Where to; written beside it and renamed.
        samples: (samples,), full scale 1.0.
        sample_rate_hz: Their rate.

    Returns:
        The peak before scaling: above 1.0 exactly when the samples were scaled.

    Raises:
        AudioError: Samples are NaN or infinite.
        OSError: The file cannot be written.
    """
    peak = float(np.max(np.abs(samples)))
    if not np.isfinite(peak):
        raise AudioError("came out with NaN or infinite samples; the model is not usable")
    if peak > 1.0:
        samples = samples / peak
    with files.replacing(path) as partial, partial.open("wb") as file:
        try:
            soundfile.write(
                file.fileno(), samples, sample_rate_hz, "PCM_16", format="WAV", closefd=False
            )
        except (soundfile.SoundFileError, AssertionError) as error:
            raise OSError(f"{path} cannot be written: {error}") from error
    return peak

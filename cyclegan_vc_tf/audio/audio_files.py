"""Recordings: found, read, resampled, written. Samples are mono float32, full scale 1.0."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from cyclegan_vc_tf.audio import resampling
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

EXTENSIONS = frozenset({
    ".aif", ".aifc", ".aiff", ".au", ".bwf", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus",
    ".rf64", ".snd", ".sph", ".w64", ".voc", ".wav", ".wave",
})  # fmt: skip
"""File name endings of the formats that libsndfile reads and that say what they hold."""

BLOCK_SAMPLES = 2**21
"""Longer recordings are read, resampled and written block by block: 44 s each at 48 kHz."""

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


@dataclass(frozen=True)
class AudioInfo:
    """What a file had in it.

    Attributes:
        sample_rate_hz: Its rate.
        samples: How many it had, of each channel.
    """

    sample_rate_hz: int
    samples: int


def read(path: Path) -> tuple[np.ndarray, int]:
    """Reads a recording of any format libsndfile knows, and averages its channels.

    Returns:
        Samples, (samples,) float32, and their rate in Hz.

    Raises:
        AudioError: The file cannot be read, has no samples, or has NaN or infinite ones.
    """
    samples, recording = read_resampled(path)
    return samples, recording.sample_rate_hz


def read_resampled(path: Path, rate_hz: int = 0) -> tuple[np.ndarray, AudioInfo]:
    """The same at another rate: a long recording is never in memory at its own.

    Args:
        path: The recording.
        rate_hz: The rate that is wanted; 0 is the recording's.

    Returns:
        Samples, (samples,) float32, as `resample` makes them of the whole; and what was read.

    Raises:
        AudioError: As for `read`.
    """
    with open_audio(path) as sound:
        source_hz = int(sound.samplerate)
        rate_hz = rate_hz or source_hz
        parts = read_blocks(sound)
        samples = next(parts)[1]
        count = len(samples)
        if count != BLOCK_SAMPLES:
            return resampling.resample(samples, source_hz, rate_hz), AudioInfo(source_hz, count)
        bring = resampling.resampler(source_hz, rate_hz)
        samples = bring(samples, False).copy()
        for _, block in parts:
            count += len(block)
            more = bring(block, len(block) < BLOCK_SAMPLES)
            # Grows in its place; nothing else refers to it.
            samples.resize(len(samples) + len(more), refcheck=False)
            samples[len(samples) - len(more) :] = more
    samples.resize(resampling.resampled_length(count, source_hz, rate_hz), refcheck=False)
    return samples, AudioInfo(source_hz, count)


class _ForwardSoundFile(soundfile.SoundFile):
    """Read from beginning to end: after a seek, a lossy decoder goes on with other samples."""

    def seekable(self) -> bool:
        return False


@contextmanager
def open_audio(path: Path) -> Iterator[soundfile.SoundFile]:
    """A recording to read from, with `blocks`; what fails meanwhile is an AudioError.

    Raises:
        AudioError: The file cannot be read.
    """
    try:
        with path.open("rb") as file, _ForwardSoundFile(file.fileno(), closefd=False) as sound:
            if soundfile.SoundFile.seekable(sound):
                # As `soundfile.read` does, for after a seek mp3 is decoded with other rounding.
                sound.seek(0)
            yield sound
    except OSError as error:
        raise AudioError(f"cannot be opened ({error.strerror})") from error
    except (soundfile.SoundFileError, TypeError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise AudioError(f"cannot be read as audio ({reason})") from error


def read_blocks(sound: soundfile.SoundFile) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A recording block by block; the last one alone, which may be empty, is not full.

    Yields:
        Channels, (samples, channels), and their average, (samples,), float32.

    Raises:
        AudioError: It has no samples, or NaN or infinite ones.
    """
    begun, full = 0, True
    while full:
        channels = sound.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
        full = len(channels) == BLOCK_SAMPLES
        samples = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
        if begun == samples.size == 0:
            raise AudioError("has no samples")
        finite = np.isfinite(samples)
        if not finite.all():
            first_s = (begun + int(np.argmin(finite))) / sound.samplerate
            raise AudioError(f"has NaN or infinite samples, the first at {first_s:.3f} s")
        begun += len(samples)
        yield channels, np.ascontiguousarray(samples)


def duration_s(path: Path) -> float:
    """How long a recording says it is, in seconds; 0 where it cannot be read."""
    try:
        with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            return sound.frames / sound.samplerate
    except (OSError, soundfile.SoundFileError, TypeError):
        return 0.0


def _split_blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, len(samples), BLOCK_SAMPLES):
        yield samples[begin : begin + BLOCK_SAMPLES]


def _resampled_blocks(
    samples: np.ndarray, from_hz: int, recording: AudioInfo
) -> Iterator[np.ndarray]:
    """At a recording's rate, in all as many as it has, (samples,) float32."""
    missing = recording.samples
    if len(samples) < BLOCK_SAMPLES:
        yield resampling.fix_length(
            resampling.resample(samples, from_hz, recording.sample_rate_hz), missing
        )
        return
    bring, last = resampling.resampler(from_hz, recording.sample_rate_hz), len(samples) - 1
    for begin, block in zip(
        range(0, len(samples), BLOCK_SAMPLES), _split_blocks(samples), strict=True
    ):
        resampled = bring(block, begin + len(block) > last)[:missing]
        missing -= len(resampled)
        yield resampled
    yield np.zeros(missing, np.float32)


def is_silent(samples: np.ndarray) -> bool:
    """Whether samples, a constant offset aside, stay below -80 dB full scale throughout."""
    mean = samples.mean()
    return all(np.max(np.abs(block - mean)) < SILENCE_PEAK for block in _split_blocks(samples))


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
    return _write_blocks(path, lambda: _split_blocks(samples), sample_rate_hz)


def write_resampled(path: Path, samples: np.ndarray, from_hz: int, recording: AudioInfo) -> float:
    """The same, at the rate of the `recording` that samples at `from_hz` were made of.

    The file has as many samples as that had.
    """
    blocks = partial(_resampled_blocks, samples, from_hz, recording)
    return _write_blocks(path, blocks, recording.sample_rate_hz)


def _write_blocks(
    path: Path, blocks: Callable[[], Iterator[np.ndarray]], sample_rate_hz: int
) -> float:
    """Goes through the blocks twice: what they are scaled by is known after the first time."""
    # Not Python's max: it passes NaN over.
    peak = float(np.max([np.max(np.abs(block), initial=0.0) for block in blocks()]))
    if not np.isfinite(peak):
        raise AudioError("came out with NaN or infinite samples; the model is not usable")
    with files.replacing(path) as partial_path, partial_path.open("wb") as file:
        try:
            with soundfile.SoundFile(
                file.fileno(), "w", sample_rate_hz, 1, "PCM_16", format="WAV", closefd=False
            ) as sound:
                for block in blocks():
                    sound.write(block / peak if peak > 1.0 else block)
        except (soundfile.SoundFileError, AssertionError) as error:
            reason = files.find_write_error(file.fileno()) or error
            raise OSError(f"{path} cannot be written: {reason}") from error
    return peak

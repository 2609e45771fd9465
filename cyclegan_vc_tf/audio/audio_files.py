"""Audio files: find, read, resample, write. Samples are mono float32 with full scale 1.0."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from cyclegan_vc_tf.audio import av_files, resampling, sound_files
from cyclegan_vc_tf.audio.findings import SILENCE_PEAK, Findings
from cyclegan_vc_tf.system import files, remote_files
from cyclegan_vc_tf.system.errors import InputError, join_names

EXTENSIONS = frozenset({
    ".aif", ".aifc", ".aiff", ".au", ".bwf", ".caf", ".flac", ".mp1", ".mp2", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".sph", ".w64", ".voc", ".wav", ".wave",
})  # fmt: skip
"""File name endings of formats that libsndfile reads without being told the coding."""

BLOCK_SAMPLES = 2**21
"""Samples per block, 44 s at 48 kHz; longer recordings are processed block by block."""


MAX_FULL_CHANNELS = 8
"""Channels up to which a block has `BLOCK_SAMPLES` samples; more channels have shorter blocks."""

MAX_PEAK = 1e10
"""Largest sample, full scale 1; floating-point files of 32-bit integers have up to 2e9."""

MIN_RATE_HZ, MAX_RATE_HZ = 1000, 10**6
"""Range of sampling rates. Resampling from a lower rate would fill the memory with no speech."""


class AudioError(InputError):
    """A file cannot be used as audio; the message is the reason, without the file's name.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> issubclass(vc.AudioError, vc.InputError)
        True
    """


def find(folder: Path) -> list[str]:
    """Find the audio files under a folder.

    Files with other endings, hidden files and hidden folders are ignored.

    Returns:
        Names relative to `folder`, sorted.

    Raises:
        InputError: `folder` is not a folder, or it or a folder in it cannot be read.
    """
    return _find_endings(folder, readable_extensions())


def find_for_flag(flag: str, folder: Path, expected: str = "") -> list[str]:
    """Find the audio files under the folder of a flag, as `find` does.

    Args:
        flag: Name of the flag.
        folder: Folder that it names.
        expected: What a folder without audio files is told; by default the endings of audio files.

    Raises:
        InputError: As `find` says, or there is no audio file; it names the flag.
    """
    try:
        names = find(folder)
    except InputError as error:
        raise InputError(f"--{flag} {error}") from None
    if not names:
        expected = expected or f"files ending in {', '.join(sorted(readable_extensions()))}"
        raise InputError(f"--{flag} {folder} has no audio file; expected {expected}")
    return names


def readable_extensions() -> frozenset[str]:
    """Return the file name endings of formats that can be read, with PyAV's if it is installed."""
    return EXTENSIONS | av_files.EXTENSIONS if av_files.is_available() else EXTENSIONS


def find_unreadable(folder: Path) -> list[str]:
    """Find the files under a folder that hold audio in a format that cannot be read.

    Returns:
        Names relative to `folder`, sorted.

    Raises:
        InputError: `folder` is not a folder, or it or a folder in it cannot be read.
    """
    return _find_endings(folder, av_files.EXTENSIONS - readable_extensions())


def describe_unreadable(names: Sequence[str]) -> str:
    """Return a line about files whose format cannot be read; empty without such files."""
    if not names:
        return ""
    return (
        f"{len(names)} files are not used, because their format cannot be read: "
        f"{join_names(list(names))}; {av_files.INSTALL}, or convert them to wav or flac"
    )


def _find_endings(folder: Path, endings: frozenset[str]) -> list[str]:
    """Find files by their endings, in lower case, under a folder."""
    if isinstance(folder, remote_files.RemotePath):
        names = [name for name in folder.list_files() if Path(name).suffix.lower() in endings]
        return [name for name in names if not any(map(_is_hidden, Path(name).parts))]
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {kind}; expected a folder of recordings")
    found, seen = [], set()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from error

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        # A link may lead to a folder above itself.
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in names:
            path = Path(parent, name)
            is_wanted = not _is_hidden(name) and path.suffix.lower() in endings
            if is_wanted and path.is_file():
                found.append(path.relative_to(folder).as_posix())
    return sorted(found)


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def count_files(folder: Path) -> int:
    """Count all files under a folder."""
    if isinstance(folder, remote_files.RemotePath):
        return len(folder.list_files())
    return sum(path.is_file() for path in folder.rglob("*"))


@dataclass(frozen=True)
class AudioInfo:
    """Rate and length of a recording, as it was read from its file.

    Attributes:
        sample_rate_hz: Sampling rate of the file.
        samples: Samples per channel.
        warnings: Defects of the recording that did not prevent reading, each without the file's
            name.
    """

    sample_rate_hz: int
    samples: int
    warnings: tuple[str, ...] = ()


def read(path: Path) -> tuple[np.ndarray, int]:
    """Read a recording in any format that libsndfile or PyAV reads, with its channels averaged.

    Returns:
        Samples, (samples,) float32, and their rate in Hz.

    Raises:
        AudioError: The file cannot be read, has no samples, or has NaN or infinite samples.
    """
    samples, recording = read_resampled(path)
    return samples, recording.sample_rate_hz


def read_resampled(path: Path, rate_hz: int = 0) -> tuple[np.ndarray, AudioInfo]:
    """Read a recording at another rate, with its channels averaged.

    A long recording is resampled block by block, so it is never in memory at its own rate.

    Args:
        path: Audio file.
        rate_hz: Sampling rate of the result; 0 keeps the rate of the file.

    Returns:
        Samples, (samples,) float32, equal to `resample` of the whole; and rate, length and
            warnings of the file.

    Raises:
        AudioError: The file cannot be read, has no samples, or has NaN or infinite samples.
    """
    samples, recording, findings = _read_channel(path, rate_hz, None)
    if findings.loudest_channel is not None:
        samples, recording, _ = _read_channel(path, rate_hz, findings.loudest_channel)
    return samples, replace(recording, warnings=findings.warnings)


def _read_channel(
    path: Path, rate_hz: int, channel: int | None
) -> tuple[np.ndarray, AudioInfo, Findings]:
    """Read one channel of a recording, or the average of all for None, at another rate."""
    with open_audio(path) as sound:
        source_hz = int(sound.samplerate)
        rate_hz = rate_hz or source_hz
        blocks = read_blocks(sound, channel)
        samples = next(blocks)[1]
        count = len(samples)
        if count != block_samples(sound):
            resampled = resampling.resample(samples, source_hz, rate_hz)
            return resampled, AudioInfo(source_hz, count), sound.findings
        resample_block = resampling.make_resampler(source_hz, rate_hz)
        samples = resample_block(samples, False).copy()
        for _, block in blocks:
            count += len(block)
            resampled = resample_block(block, len(block) < block_samples(sound))
            # In place, which is safe because no other reference to the array exists.
            samples.resize(len(samples) + len(resampled), refcheck=False)
            samples[len(samples) - len(resampled) :] = resampled
    samples.resize(resampling.resampled_length(count, source_hz, rate_hz), refcheck=False)
    return samples, AudioInfo(source_hz, count), sound.findings


@contextmanager
def open_audio(path: Path) -> Iterator[sound_files.SoundReader]:
    """Open a recording for `read_blocks`, and turn errors inside the context into AudioError.

    Raises:
        AudioError: The file cannot be read.
    """
    try:
        with (
            remote_files.local_copy(path) as local,
            local.open("rb") as file,
            sound_files.open_decoder(local, file) as sound,
        ):
            if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
                raise AudioError(
                    f"has a sampling rate of {sound.samplerate} Hz; expected {MIN_RATE_HZ} to "
                    f"{MAX_RATE_HZ} Hz"
                )
            yield sound
    except OSError as error:
        raise AudioError(f"cannot be opened ({error.strerror})") from error
    except (soundfile.SoundFileError, TypeError) as error:
        reason = sound_files.describe_error(error)
        raise AudioError(f"cannot be read as audio ({reason})") from error
    except av_files.DecodingError as error:
        raise AudioError(f"cannot be read as audio ({error})") from error


def block_samples(sound: sound_files.SoundReader) -> int:
    """Return the samples per channel of a block of `read_blocks`."""
    return BLOCK_SAMPLES * MAX_FULL_CHANNELS // max(sound.channels, MAX_FULL_CHANNELS)


def read_blocks(
    sound: sound_files.SoundReader, channel: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read a recording block by block; only the last block is shorter, and it may be empty.

    Args:
        sound: Recording.
        channel: Channel to use alone; None averages the channels.

    Yields:
        Channels, (samples, channels), and their average or the chosen one, (samples,), both
        float32.

    Raises:
        AudioError: The recording has no samples, or has NaN, infinite or absurdly large samples.
    """
    position, is_full = 0, True
    while is_full:
        channels = sound.read(block_samples(sound), dtype="float32", always_2d=True)
        is_full = len(channels) == block_samples(sound)
        if channel is None and channels.shape[1] > 1:
            with np.errstate(over="ignore", invalid="ignore"):
                samples = channels.mean(axis=1)
        else:
            samples = channels[:, channel or 0]
        if position == samples.size == 0:
            raise AudioError("has no samples")
        # False for NaN as well.
        is_usable = np.abs(samples) <= MAX_PEAK
        if not is_usable.all():
            first = int(np.argmin(is_usable))
            what = f"samples above {MAX_PEAK:g} times full scale"
            what = what if np.isfinite(samples[first]) else "NaN or infinite samples"
            first_s = (position + first) / sound.samplerate
            raise AudioError(f"has {what}, the first at {first_s:.3f} s")
        position += len(samples)
        sound.findings.add(channels, samples)
        yield channels, np.ascontiguousarray(samples)


def duration_s(path: Path) -> float:
    """Return the duration that a file's header states, in seconds; 0 if it cannot be read."""
    try:
        with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            return sound.frames / sound.samplerate
    except (OSError, soundfile.SoundFileError, TypeError):
        return av_files.duration_s(path)


def is_silent(samples: np.ndarray) -> bool:
    """Return whether samples, without their mean, stay below -80 dB full scale throughout."""
    mean = samples.mean()
    return all(np.max(np.abs(block - mean)) < SILENCE_PEAK for block in _split_blocks(samples))


def write(path: Path, samples: np.ndarray, sample_rate_hz: int) -> float:
    """Write a 16-bit wav file; samples that would clip are all scaled down by one factor.

    Args:
        path: Wav file; written under another name and then renamed.
        samples: Waveform, (samples,), full scale 1.0.
        sample_rate_hz: Sampling rate of the waveform.

    Returns:
        Peak before scaling: above 1.0 exactly if the samples were scaled.

    Raises:
        AudioError: Samples are NaN or infinite.
        OSError: The file cannot be written.
    """
    return _write_blocks(path, lambda: _split_blocks(samples), sample_rate_hz)


def write_resampled(path: Path, samples: np.ndarray, from_hz: int, recording: AudioInfo) -> float:
    """Write a 16-bit wav file with the rate and the length of a recording.

    Samples that would clip are all scaled down by one factor.

    Args:
        path: Wav file; written under another name and then renamed.
        samples: Waveform, (samples,), full scale 1.0.
        from_hz: Sampling rate of the waveform.
        recording: Recording that gives the rate and the number of samples.

    Returns:
        Peak before scaling: above 1.0 exactly if the samples were scaled.

    Raises:
        AudioError: Samples are NaN or infinite.
        OSError: The file cannot be written.
    """
    blocks = partial(_resample_blocks, samples, from_hz, recording)
    return _write_blocks(path, blocks, recording.sample_rate_hz)


def _split_blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Split samples into blocks of `BLOCK_SAMPLES`; the last may be shorter."""
    for begin in range(0, len(samples), BLOCK_SAMPLES):
        yield samples[begin : begin + BLOCK_SAMPLES]


def _resample_blocks(
    samples: np.ndarray, from_hz: int, recording: AudioInfo
) -> Iterator[np.ndarray]:
    """Resample to the rate and the length of a recording, in blocks of (samples,) float32."""
    missing = recording.samples
    if len(samples) < BLOCK_SAMPLES:
        yield resampling.fix_length(
            resampling.resample(samples, from_hz, recording.sample_rate_hz), missing
        )
        return
    resample_block = resampling.make_resampler(from_hz, recording.sample_rate_hz)
    position = 0
    for block in _split_blocks(samples):
        position += len(block)
        resampled = resample_block(block, position == len(samples))[:missing]
        missing -= len(resampled)
        yield resampled
    yield np.zeros(missing, np.float32)


def _write_blocks(
    path: Path, blocks: Callable[[], Iterator[np.ndarray]], sample_rate_hz: int
) -> float:
    """Write blocks as a 16-bit wav file, in two passes: one for the peak, one for the file."""
    # NumPy's max, because Python's max ignores NaN.
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

"""Audio of formats that libsndfile does not read, decoded by PyAV where it is installed.

PyAV is the optional extra `av`. Its FFmpeg libraries remove the samples that encoders add in front,
where a file states them.
"""

import errno
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from cyclegan_vc_tf.audio.findings import Findings

if TYPE_CHECKING:
    import av

EXTENSIONS = frozenset({
    ".3g2", ".3ga", ".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".avi", ".dsf", ".flv", ".m4a",
    ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".ra", ".tta", ".weba", ".webm", ".wma",
    ".wmv", ".wv",
})  # fmt: skip
"""File name endings of formats that hold speech and that libsndfile does not read."""

INSTALL = "pip install -e '.[av]'"
"""Command that installs PyAV."""

TIMED_FORMATS = ("matroska", "mov")
"""Containers with the time of every packet."""

MAX_PADDING_SAMPLES = 4096
"""Largest number of samples that an encoder adds at the end."""

MIN_GAP_S, MAX_GAP_S = 0.02, 60.0
"""Shortest and longest gap in a recording that is filled with silence, so that times stay right."""


class DecodingError(Exception):
    """A file cannot be decoded; the message is the reason."""


def is_available() -> bool:
    """Return whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class AvSoundFile:
    """Sound of an open file, decoded block by block, with the interface of a `SoundFile`.

    Of a video, the sound is decoded alone.

    Args:
        container: Open container.

    Attributes:
        samplerate: Sampling rate in Hz.
        channels: Number of channels.
        subtype: Empty: libsndfile's name of the coding is not known.
        findings: Findings of `audio_files.read_blocks` about the recording.

    Raises:
        DecodingError: There is no sound, or it cannot be decoded.
    """

    subtype = ""

    def __init__(self, container: "av.container.InputContainer") -> None:
        import av

        self.container = container
        if not container.streams.audio:
            raise DecodingError("it has no sound")
        self.stream = container.streams.audio[0]
        # Up to version 17, PyAV ends the process where it decodes such a stream.
        if self.stream.codec_context is None:
            raise DecodingError("no sound can be decoded")
        self.is_timed = any(name in container.format.name for name in TIMED_FORMATS)
        self.damaged_packets = 0
        self.frames = self._decode()
        first = next(self.frames, None)
        if first is None:
            raise DecodingError("no sound can be decoded")
        self.samplerate, self.channels = int(first.sample_rate), len(first.layout.channels)
        self.resampler = av.AudioResampler("fltp", first.layout, first.sample_rate)
        self.start = first.pts
        stated = self._count_stated()
        self.findings = Findings(self.samplerate, self.channels, stated, is_cut=False)
        self.blocks = self._align(first, stated)
        self.rest = np.zeros((0, self.channels), np.float32)

    def read(self, samples: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """Decode the next samples, (samples, channels) float32; fewer at the end."""
        parts, count = [self.rest], len(self.rest)
        while count < samples and (block := next(self.blocks, None)) is not None:
            parts.append(block)
            count += len(block)
        joined = np.concatenate(parts)
        self.rest = joined[samples:]
        return joined[:samples]

    def _decode(self) -> "Iterator[av.AudioFrame]":
        """Decode all frames; packets that cannot be decoded are counted and left out."""
        import av

        is_last_damaged = False
        try:
            for packet in self.container.demux(self.stream):
                try:
                    yield from packet.decode()
                    is_last_damaged &= not packet.size
                except av.error.InvalidDataError:
                    self.damaged_packets += 1
                    is_last_damaged = True
        except av.FFmpegError:
            is_last_damaged = True
        if hasattr(self, "findings"):
            self.findings.is_cut = is_last_damaged
            self.findings.damaged_parts = self.damaged_packets - is_last_damaged

    def _count_stated(self) -> int:
        """Return the number of samples that the file states; 0 if it does not or estimates it."""
        if self.is_timed and self.stream.duration is not None and self.stream.time_base:
            return round(self.stream.duration * self.stream.time_base * self.samplerate)
        if "matroska" in self.container.format.name and len(self.container.streams) == 1:
            return round(Fraction(self.container.duration or 0, 10**6) * self.samplerate)
        return 0

    def _align(self, frame: "av.AudioFrame | None", stated: int) -> Iterator[np.ndarray]:
        """Place frames at their times; gaps are silent, and padding at the end is left out.

        Args:
            frame: First frame.
            stated: Number of samples that the file states, or 0.

        Yields:
            Blocks, (samples, channels) float32.
        """
        position = 0
        while frame is not None:
            gap = self._time_of(frame) - position
            if MIN_GAP_S * self.samplerate < gap < MAX_GAP_S * self.samplerate:
                yield np.zeros((gap, self.channels), np.float32)
                position += gap
            for converted in self.resampler.resample(frame):
                block = converted.to_ndarray().T
                excess = position + len(block) - stated
                if self.stream.duration and stated and 0 < excess < MAX_PADDING_SAMPLES:
                    block = block[: max(0, len(block) - excess)]
                yield block
                position += len(block)
            frame = next(self.frames, None)

    def _time_of(self, frame: "av.AudioFrame") -> int:
        """Return the time of a frame in samples after the first one; 0 if it is not known."""
        if not self.is_timed or frame.pts is None or self.start is None or not frame.time_base:
            return 0
        return round((frame.pts - self.start) * frame.time_base * self.samplerate)


class _SeekingFile:
    """File that PyAV reads; a seek to a place that is not in a file returns an error code.

    PyAV prints the traceback of an exception that follows another one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.read, self.tell = file, file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Return the new position, or FFmpeg's code of an invalid argument."""
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError):
            return -errno.EINVAL


@contextmanager
def open_container(file: BinaryIO) -> "Iterator[av.container.InputContainer]":
    """Open a file that PyAV decodes; a playlist in it cannot open other files.

    Raises:
        DecodingError: It cannot be opened, now or while it is read.
    """
    import av

    try:
        with av.open(_SeekingFile(file), "r", options={"protocol_whitelist": ""}) as container:
            yield container
    except av.error.InvalidDataError as error:
        raise DecodingError(f"{error.strerror}; it may be cut short") from error
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise DecodingError(getattr(error, "strerror", None) or str(error)) from error


def duration_s(path: Path) -> float:
    """Return the duration that a file's header states, in seconds; 0 if it cannot be read."""
    if not is_available():
        return 0.0
    try:
        with path.open("rb") as file, open_container(file) as container:
            return (container.duration or 0) / 1e6
    except (OSError, DecodingError):
        return 0.0

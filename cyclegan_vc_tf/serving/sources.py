"""Sources of samples in chunks: a recording, or raw samples from another program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cyclegan_vc_tf.audio import audio_files, sound_files
from cyclegan_vc_tf.audio.audio_files import AudioError
from cyclegan_vc_tf.system.errors import InputError

FORMATS: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
"""Type of a raw sample by the name of its format."""

FULL_SCALE = 32768.0
"""Value of a 16-bit sample that is 1.0 as a floating-point number."""


@contextmanager
def open_recording(path: Path, period_ms: float) -> Iterator[tuple[int, Iterator[np.ndarray]]]:
    """Open a recording in chunks, with its channels averaged.

    Args:
        path: Recording.
        period_ms: Duration of a chunk.

    Yields:
        Sample rate in Hz, and chunks, (samples,) float32 each; the last may be shorter.

    Raises:
        InputError: The recording is not usable.
    """
    try:
        with audio_files.open_audio(path) as sound:
            rate_hz = int(sound.samplerate)
            yield rate_hz, _cut(sound, chunk_samples(period_ms, rate_hz))
    except AudioError as error:
        raise InputError(f"--input {path} {error}") from error


def chunk_samples(period_ms: float, rate_hz: int) -> int:
    """Return the number of samples of a period, at least one."""
    return max(1, round(period_ms * rate_hz / 1000))


def read_raw(file: BinaryIO, sample_format: str, samples: int) -> Iterator[np.ndarray]:
    """Read raw samples until the end of a file or pipe.

    Args:
        file: File of bytes.
        sample_format: Name of the format, a key of `FORMATS`.
        samples: Samples per chunk.

    Yields:
        Chunks, (samples,) float32, full scale 1.0; the last may be shorter.

    Raises:
        InputError: Samples are not finite, or the end is inside a sample.
    """
    kind = FORMATS[sample_format]
    while data := file.read(samples * kind.itemsize):
        if len(data) % kind.itemsize:
            raise InputError(
                f"--input=- ended inside a sample; expected {sample_format}, whose samples have "
                f"{kind.itemsize} bytes"
            )
        chunk = np.frombuffer(data, kind).astype(np.float32)
        if not np.isfinite(chunk).all():
            raise InputError(
                f"--input=- has NaN or infinite samples; expected {sample_format}; check "
                "--sample_format"
            )
        yield chunk / FULL_SCALE if kind.kind == "i" else chunk


def _cut(sound: sound_files.SoundReader, samples: int) -> Iterator[np.ndarray]:
    """Cut the blocks of a recording into chunks."""
    rest = np.zeros(0, np.float32)
    for _, block in audio_files.read_blocks(sound):
        rest = np.concatenate([rest, block])
        whole = len(rest) // samples * samples
        for begin in range(0, whole, samples):
            yield rest[begin : begin + samples]
        rest = rest[whole:]
    if len(rest):
        yield rest

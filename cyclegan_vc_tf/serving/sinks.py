"""Destinations of converted samples: a wav file that grows, or raw samples to another program."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from cyclegan_vc_tf.serving.sources import FORMATS, FULL_SCALE
from cyclegan_vc_tf.system import files


class Sink(Protocol):
    """Destination of samples."""

    @property
    def clipped(self) -> int:
        """Number of samples beyond full scale, which were clipped."""

    def write(self, samples: np.ndarray) -> None:
        """Write samples, (samples,) float32."""


class WavSink:
    """Wav file of 16 bits; samples beyond full scale are clipped, as a loudspeaker would.

    Args:
        sound: Open sound file.
    """

    def __init__(self, sound: soundfile.SoundFile) -> None:
        self.clipped = 0
        self._sound = sound

    def write(self, samples: np.ndarray) -> None:
        """Append samples to the file."""
        self.clipped += int(np.sum(np.abs(samples) > 1.0))
        self._sound.write(np.clip(samples, -1.0, 1.0))


class RawSink:
    """Raw samples to a file or pipe, passed on at once.

    Args:
        file: File of bytes.
        sample_format: Name of the format.
    """

    def __init__(self, file: BinaryIO, sample_format: str) -> None:
        self.clipped = 0
        self._file, self._kind = file, FORMATS[sample_format]

    def write(self, samples: np.ndarray) -> None:
        """Write samples; integers are clipped to full scale."""
        if self._kind.kind == "i":
            self.clipped += int(np.sum(np.abs(samples) > 1.0))
            highest = FULL_SCALE - 1
            samples = np.clip(np.rint(samples * FULL_SCALE), -FULL_SCALE, highest)
        self._file.write(samples.astype(self._kind).tobytes())
        self._file.flush()


@contextmanager
def open_wav(path: Path, rate_hz: int) -> Iterator[WavSink]:
    """Open a wav file to write; it has its name when the block ends, also by a signal.

    Raises:
        OSError: The file cannot be written.
    """
    with files.replacing(path) as partial, partial.open("wb") as file:
        try:
            with soundfile.SoundFile(
                file.fileno(), "w", rate_hz, 1, "PCM_16", format="WAV", closefd=False
            ) as sound:
                yield WavSink(sound)
        except (soundfile.SoundFileError, AssertionError) as error:
            reason = files.find_write_error(file.fileno()) or error
            raise OSError(f"{path} cannot be written: {reason}") from error


class Tee:
    """Several destinations of one stream of samples.

    Args:
        sinks: Destinations.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    @property
    def clipped(self) -> int:
        """Largest number of clipped samples of a destination."""
        return max((sink.clipped for sink in self._sinks), default=0)

    def write(self, samples: np.ndarray) -> None:
        """Write samples to all destinations."""
        for sink in self._sinks:
            sink.write(samples)

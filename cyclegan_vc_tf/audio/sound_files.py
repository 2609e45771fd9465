"""Open sound files: libsndfile reads them, PyAV reads what libsndfile cannot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import soundfile

from cyclegan_vc_tf.audio import av_files, headers
from cyclegan_vc_tf.audio.findings import Findings


class ForwardSoundFile(soundfile.SoundFile):
    """Sound file that is only read forward.

    soundfile seeks before it reads, if it can. After a seek, lossy decoders continue with different
    samples.

    Attributes:
        findings: Findings of `read_blocks` about the recording.
    """

    def __init__(self, file: int | headers.HeaderFile, header: headers.Header) -> None:
        super().__init__(file, closefd=False)
        stated = 0 if header.is_estimated else self.frames
        self.findings = Findings(self.samplerate, self.channels, stated, header.is_cut)

    def seekable(self) -> bool:
        """Return False."""
        return False


SoundReader = ForwardSoundFile | av_files.AvSoundFile
"""Open sound file that is read block by block."""


_MP3_FAULT = "File does not exist or is not a regular file"
"""Reason of libsndfile for an open file that begins as mp3 files do and cannot be decoded."""


@contextmanager
def open_decoder(path: Path, file: BinaryIO) -> Iterator[SoundReader]:
    """Open a sound file by libsndfile, or else by PyAV if that is installed.

    Args:
        path: Path of the file.
        file: The file, open for reading.

    Raises:
        SoundFileError: libsndfile cannot open the file.
        TypeError: libsndfile knows the ending only with more about the coding.
        DecodingError: PyAV cannot open the file, or is needed and is not installed.
    """
    try:
        sound = _open_with_header(file, headers.examine(path) if path.is_file() else None)
    except (soundfile.SoundFileError, TypeError) as error:
        is_foreign = path.suffix.lower() in av_files.EXTENSIONS
        if is_foreign and not av_files.is_available():
            reason = f"{describe_error(error)}; {av_files.INSTALL} to read more formats"
            raise av_files.DecodingError(reason) from error
        if not (path.is_file() and av_files.is_available()):
            raise
        try:
            file.seek(0)
            with av_files.open_container(file) as container:
                yield av_files.AvSoundFile(container)
        except av_files.DecodingError:
            if is_foreign:
                raise
            raise error from None
        return
    with sound:
        if soundfile.SoundFile.seekable(sound):
            # `soundfile.read` seeks as well, and after a seek mp3 is decoded with different
            # rounding.
            sound.seek(0)
        yield sound


def describe_error(error: Exception) -> str:
    """Return the reason in an error of libsndfile."""
    reason = str(getattr(error, "error_string", error)).rstrip(".")
    return "no sound can be decoded" if reason.startswith(_MP3_FAULT) else reason


def _open_with_header(file: BinaryIO, header: headers.Header | None) -> ForwardSoundFile:
    """Open a sound file, with another header if its own is wrong or missing."""
    header = header or headers.Header()
    if header.replacement:
        return ForwardSoundFile(headers.HeaderFile(file, header), header)
    return ForwardSoundFile(file.fileno(), header)

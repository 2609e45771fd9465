"""Headers of audio files that were piped, not closed, or cut short.

libsndfile reads as many samples as a header states, or an estimate if the header states none. This
module finds wrong and missing lengths, makes headers with the right length, and detects files that
are cut short.
"""

import io
import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MIN_OPEN_LENGTH = 0x7FFFF000
"""Smallest data length that means "unknown".

Programs that write into a pipe state such a length, for example 0xFFFFFFFF (ffmpeg) or 0x7FFFF000
(SoX).
"""

MAX_HEADER_BYTES = 2**16
"""Bytes searched for the first frame of an mp3 file, and for the last page of an Ogg file."""

_BITRATES_KBPS = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III by version bits, for indices from 1; MPEG 2 and 2.5 share a table."""

_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Sampling rates by version bits: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5."""

_FRAME_START = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]")
"""First bytes of a layer III frame: sync, a version, the layer, a bit rate."""

_SAME_STREAM = 0xFFFE0C00
"""Bits of an mp3 frame header that stay equal in a stream: sync, version, layer, rate."""


@dataclass(frozen=True)
class Header:
    """Findings about the header of a file.

    Attributes:
        replacement: Bytes to read in place of the beginning of the file; empty if it is right.
        replaced_bytes: Number of bytes at the beginning that `replacement` replaces.
        is_cut: Whether the file ends before its stated end.
        is_estimated: Whether libsndfile estimates the length.
    """

    replacement: bytes = b""
    replaced_bytes: int = 0
    is_cut: bool = False
    is_estimated: bool = False


def examine(path: Path) -> Header:
    """Examine the header of a file; unknown formats have nothing to report.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        beginning = file.read(12)
        size = file.seek(0, io.SEEK_END)
        if beginning[:4] == b"RIFF" and beginning[8:] == b"WAVE":
            return _examine_chunks(file, size, "<", b"data")
        if beginning[:4] == b"FORM" and beginning[8:] in (b"AIFF", b"AIFC"):
            return _examine_chunks(file, size, ">", b"SSND")
        if beginning[:4] == b"OggS":
            return _examine_ogg(file, size)
        if size and (beginning[:3] == b"ID3" or beginning[:1] == b"\xff"):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _examine_mp3(data)
    return Header()


class HeaderFile(io.RawIOBase):
    """A file that is read with another header.

    Args:
        file: File with a wrong or missing header.
        header: Findings with a replacement.
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.file, self.header, self.position = file, header, 0
        self.shift = len(header.replacement) - header.replaced_bytes
        self.size = file.seek(0, io.SEEK_END) + self.shift

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, origin + offset)
        return self.position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """Read bytes into a buffer and return their number."""
        view = memoryview(buffer).cast("B")
        head = self.header.replacement[self.position : self.position + len(view)]
        view[: len(head)] = head
        self.file.seek(max(self.position + len(head) - self.shift, self.header.replaced_bytes))
        rest = self.file.read(len(view) - len(head))
        view[len(head) : len(head) + len(rest)] = rest
        self.position += len(head) + len(rest)
        return len(head) + len(rest)


def _examine_chunks(file: BinaryIO, size: int, order: str, data_name: bytes) -> Header:
    """Examine the chunks of a RIFF or FORM file up to the sample data.

    A data length of zero is right only if other chunks, or nothing, follow up to the end.

    Source: Microsoft and IBM, 1991, "Multimedia programming interface and data specifications 1.0";
        Apple, 1989, "Audio interchange file format".
    """
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        position += 8
        if name != data_name:
            if not _is_name(name):
                break
            position += length + length % 2
            continue
        available = size - position
        if length == 0 and not _is_chunk_list(file, position, size, order):
            file.seek(0)
            beginning = bytearray(file.read(position))
            beginning[position - 4 : position] = struct.pack(f"{order}I", min(available, 2**32 - 1))
            return Header(bytes(beginning), position)
        return Header(is_cut=available < length < MIN_OPEN_LENGTH)
    return Header()


def _is_chunk_list(file: BinaryIO, position: int, size: int, order: str) -> bool:
    """Return whether whole chunks with printable names fill a file from a position to its end."""
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if not _is_name(name):
            return False
        position += 8 + length + length % 2
    return position == size


def _is_name(name: bytes) -> bool:
    """Return whether bytes can be the name of a chunk."""
    return all(32 <= byte < 127 for byte in name)


def _examine_ogg(file: BinaryIO, size: int) -> Header:
    """Find out whether an Ogg file lacks its last page, which has the end-of-stream flag.

    Source: Pfeiffer, 2003, RFC 3533, section 6.
    """
    file.seek(max(0, size - MAX_HEADER_BYTES - 282))
    tail = file.read()
    last = tail.rfind(b"OggS\0")
    if last < 0 or last + 27 > len(tail):
        return Header(is_cut=True)
    segments = tail[last + 26]
    lengths = tail[last + 27 : last + 27 + segments]
    is_complete = last + 27 + segments + sum(lengths) <= len(tail)
    return Header(is_cut=not (is_complete and len(lengths) == segments and tail[last + 5] & 4))


def _examine_mp3(data: mmap.mmap) -> Header:
    """Make a header with the number of frames for an mp3 file that has none.

    Without one, libsndfile estimates the number from the bit rate of the first frames, which is
    right for a constant bit rate alone.

    Source: ISO/IEC 11172-3, section 2.4.1.3; Windszus, "MPEG audio frame header".
    """
    begin = 0
    if data[:3] == b"ID3" and len(data) >= 10:
        size = data[6:10]
        begin = 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
        begin += 10 * bool(data[5] & 0x10)
    first = _find_frame(data, begin, begin + MAX_HEADER_BYTES)
    if first < 0:
        return Header()
    word = _header_word(data, first)
    version, is_mono = word >> 19 & 3, word >> 6 & 3 == 3
    side_bytes = (17 if is_mono else 32) if version == 3 else (9 if is_mono else 17)
    has_length = data[first + 4 + side_bytes : first + 8 + side_bytes] in (b"Xing", b"Info")
    if has_length or data[first + 36 : first + 40] == b"VBRI":
        return Header()
    frames, position, is_cut, bitrates = 0, first, False, set()
    while 0 <= position < len(data):
        frame = _header_word(data, position)
        length = _frame_bytes(frame, word)
        if not length:
            position = _find_frame(data, position + 1, len(data), word)
        elif position + length > len(data):
            is_cut = True
            break
        else:
            frames += 1
            position += length
            bitrates.add(frame >> 12 & 15)
    if len(bitrates) == 1:
        return Header(is_cut=is_cut, is_estimated=True)
    # A frame without error protection, of a bit rate that has room for the lengths.
    info = (word | 0x10000) & ~0xF200 | (9 if version == 3 else 8) << 12
    body = struct.pack(f">I{side_bytes}s4sII", info, b"", b"Xing", 1, frames)
    return Header(data[:first] + body.ljust(_frame_bytes(info, info), b"\0"), first, is_cut)


def _find_frame(data: mmap.mmap, begin: int, end: int, stream: int = 0) -> int:
    """Find the next mp3 frame that another frame follows; -1 if there is none."""
    while match := _FRAME_START.search(data, begin, min(end + 3, len(data))):
        begin = match.start()
        word = _header_word(data, begin)
        length = _frame_bytes(word, stream or word)
        if length and _frame_bytes(_header_word(data, begin + length), word):
            return begin
        begin += 1
    return -1


def _header_word(data: mmap.mmap, position: int) -> int:
    """Return the four bytes at a position as a number; 0 at the end of the data."""
    word = data[position : position + 4]
    return int.from_bytes(word, "big") if len(word) == 4 else 0


def _frame_bytes(word: int, stream: int) -> int:
    """Return the length of a layer III frame; 0 for a word that is not a header of the stream."""
    version, bitrate, rate = word >> 19 & 3, word >> 12 & 15, word >> 10 & 3
    is_layer_3 = word >> 21 == 0x7FF and word >> 17 & 3 == 1 and version != 1
    if not is_layer_3 or bitrate in (0, 15) or rate == 3 or (word ^ stream) & _SAME_STREAM:
        return 0
    bits = _BITRATES_KBPS[3 if version == 3 else 2][bitrate - 1] * 1000
    return (144 if version == 3 else 72) * bits // _RATES_HZ[version][rate] + (word >> 9 & 1)

"""Reading of NumPy archives (.npz) that may be damaged, or forged to fill the memory."""

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

MAX_EXPANSION = 64
"""Largest size of all arrays as a multiple of the size of their archive."""

MIN_LIMIT_BYTES = 1 << 24
"""Size of all arrays that any archive may have, in bytes."""

_ENDING = ".npy"

_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class ArrayArchiveError(ValueError):
    """A file is not a NumPy archive of plain arrays, or is damaged; the message is the reason."""


class ArrayArchive(Mapping[str, np.ndarray]):
    """Arrays of an open archive by name; each is read when it is looked up."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._entries = {
            entry.filename.removesuffix(_ENDING): entry for entry in archive.infolist()
        }

    def __getitem__(self, name: str) -> np.ndarray:
        """Read an array.

        Raises:
            KeyError: The archive has no array of that name.
            ArrayArchiveError: The array is damaged or is not plain.
        """
        entry = self._entries[name]
        with _name_damage(name):
            return _parse_array(self._archive.read(entry))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the arrays."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of arrays."""
        return len(self._entries)

    def find_larger(self, size_bytes: int) -> list[str]:
        """Return the names of the files in the archive that are larger than `size_bytes`."""
        return [entry.filename for entry in self._entries.values() if entry.file_size > size_bytes]


@contextmanager
def open_arrays(path: Path) -> Iterator[ArrayArchive]:
    """Open a NumPy archive; nothing in it is unpickled.

    Raises:
        OSError: The file cannot be opened.
        ArrayArchiveError: The file is not a NumPy archive, or would expand far beyond its size.
    """
    with path.open("rb") as file:
        with _name_damage(""):
            archive = zipfile.ZipFile(file)
        with archive:
            size, stored = sum(entry.file_size for entry in archive.infolist()), path.stat().st_size
            if size > MAX_EXPANSION * stored + MIN_LIMIT_BYTES:
                raise ArrayArchiveError(
                    f"it would expand to {size:,} bytes, more than {MAX_EXPANSION} times its size"
                )
            yield ArrayArchive(archive)


def fits_float32(array: np.ndarray) -> bool:
    """Return whether an array holds floating-point numbers, all finite in single precision."""
    with np.errstate(over="ignore"):
        return array.dtype.kind == "f" and bool(np.isfinite(array.astype(np.float32)).all())


def parse_header(file: io.BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header of an array file; `file` is then at the first value.

    Returns:
        Shape and type of the array.

    Raises:
        ValueError: The header is damaged, or belongs to an array of Python objects.
    """
    try:
        version = np.lib.format.read_magic(file)
        shape, _, kind = _HEADER_READERS[version](file)
    # NumPy raises many types for a damaged header, which it parses as Python's literals.
    except Exception as error:
        raise ValueError("its header is damaged") from error
    if kind.hasobject:
        raise ValueError("it holds Python objects")
    return shape, kind


def _parse_array(content: bytes) -> np.ndarray:
    """Return the array in the bytes of an array file.

    Raises:
        ValueError: The header is damaged, or states another size than the bytes have.
    """
    file = io.BytesIO(content)
    shape, kind = parse_header(file)
    expected, found = math.prod(shape) * kind.itemsize, len(content) - file.tell()
    if expected != found:
        raise ValueError(f"its header states {expected:,} bytes, and it has {found:,}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _name_damage(name: str) -> Iterator[None]:
    """Turn errors of damage, which have many types, into ArrayArchiveError.

    Args:
        name: Name of the array; empty for the archive.
    """
    try:
        yield
    # zipfile, zlib, lzma and NumPy raise a dozen types for damaged files.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArrayArchiveError(f"{name}: {reason}" if name else reason) from error

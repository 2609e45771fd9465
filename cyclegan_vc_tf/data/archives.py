"""Downloaded zip and tar archives: list their files, and unpack single files.

Unpacking never uses the paths inside an archive: the caller gives the output path of each file.
"""

import bz2
import gzip
import io
import lzma
import posixpath
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, Any

from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar

MAX_EXPANSION = 30
"""Largest size of an unpacked archive as a multiple of its own size; speech has less than 10."""

MIN_LIMIT_BYTES = 1 << 24
"""Size that any archive may unpack to, in bytes."""

MAX_LINK_BYTES = 4096
"""Largest size of the target of a link, in bytes."""

DECOMPRESSORS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
"""Functions that open a compressed file, by its first bytes."""


def list_files(path: Path) -> list[str]:
    """List the regular files in an archive, after reading it to its end to verify it.

    Args:
        path: Zip file (`.zip`), or tar file, compressed or not.

    Returns:
        Names of the files in the archive.

    Raises:
        InputError: The file is not an archive or is damaged; or a member has an absolute path, a
            path that leads out of the folder of unpacking, or is a link that does. The message
            calls the archive "it".
    """
    with _open_archive(path) as archive:
        if isinstance(archive, zipfile.ZipFile):
            entries = [
                (entry.filename, *_describe_entry(archive, entry)) for entry in archive.infolist()
            ]
            damaged = archive.testzip()
            if damaged:
                raise zipfile.BadZipFile(f"bad checksum of {damaged}")
        else:
            entries = [
                (
                    member.name,
                    _link_target(member) if member.issym() or member.islnk() else None,
                    member.isfile(),
                )
                for member in archive.getmembers()
            ]
            # tarfile stops without an error at a damaged header.
            if any(rest.strip(b"\0") for rest in iter(partial(archive.fileobj.read, 2**20), b"")):
                raise tarfile.ReadError("a damaged header")
            for member in archive.getmembers():
                if member.isfile() and member.issparse():
                    raise tarfile.ReadError(f"a file with holes, {member.name!r}")
        for name, target, _ in entries:
            if "\0" in name:
                raise InputError(
                    f"it has a member with a NUL character, {name!r}; nothing is unpacked"
                )
            if _leaves_folder(name):
                raise InputError(
                    f"it has a member outside of its folder, {name!r}; nothing is unpacked"
                )
            if target is not None and (_leaves_folder(target)):
                raise InputError(
                    f"it has a link that leads out of its folder, {name!r}; nothing is unpacked"
                )
    return [name for name, _, is_file in entries if is_file]


def unpack(path: Path, outputs: Mapping[str, Path], description: str) -> None:
    """Write selected files of an archive.

    Args:
        path: Archive.
        outputs: Output path of each file, by its name as returned by `list_files`.
        description: Text of the progress bar.

    Raises:
        InputError: The archive is damaged.
    """
    with (
        _open_archive(path) as archive,
        progress_bar(total=len(outputs), desc=description, unit="file") as progress,
    ):
        # In the order of the archive, because going back in a compressed tar file rereads it.
        is_zip = isinstance(archive, zipfile.ZipFile)
        for entry in archive.infolist() if is_zip else archive:
            output = outputs.get(entry.filename if is_zip else entry.name)
            if output is None:
                continue
            with (
                (archive.open if is_zip else archive.extractfile)(entry) as source,
                output.open("wb") as file,
            ):
                shutil.copyfileobj(source, file)
            progress.update()


@contextmanager
def _open_archive(path: Path) -> Iterator[Any]:
    """Open an archive, and turn errors of damage into InputError."""
    limit_bytes = MAX_EXPANSION * path.stat().st_size + MIN_LIMIT_BYTES
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if size > limit_bytes:
                    raise InputError(_expansion_reason(size))
                yield archive
        else:
            with (
                _open_decompressed(path) as stream,
                tarfile.open(fileobj=BoundedReader(stream, limit_bytes), mode="r:") as archive,
            ):
                yield archive
    except InputError:
        raise
    except OSError as error:
        # Errors of the operating system have a number; bz2's error of a damaged stream has none.
        if error.errno is not None:
            raise
        raise _damage_error(path, error) from error
    # zipfile, tarfile and the decompressors raise a dozen types for damaged files.
    except Exception as error:
        raise _damage_error(path, error) from error


class BoundedReader(io.BufferedIOBase):
    """Reader of a decompressed stream that refuses to go beyond a number of bytes.

    Args:
        stream: Stream to read.
        limit_bytes: Number of bytes.
    """

    def __init__(self, stream: IO[bytes], limit_bytes: int) -> None:
        self._stream, self._limit_bytes = stream, limit_bytes

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it.

        Raises:
            InputError: The position would be beyond the limit.
        """
        if whence == io.SEEK_SET and offset > self._limit_bytes:
            raise InputError(_expansion_reason(offset))
        return self._stream.seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        """Read bytes.

        Raises:
            InputError: The stream goes on beyond the limit.
        """
        missing = self._limit_bytes + 1 - self._stream.tell()
        data = self._stream.read(missing if size is None or size < 0 else min(size, missing))
        if self._stream.tell() > self._limit_bytes:
            raise InputError(_expansion_reason(self._stream.tell()))
        return data


def _open_decompressed(path: Path) -> IO[bytes]:
    """Open a file, and decompress it if it begins as a compressed file."""
    with path.open("rb") as file:
        beginning = file.read(max(map(len, DECOMPRESSORS)))
    for signature, open_compressed in DECOMPRESSORS.items():
        if beginning.startswith(signature):
            return open_compressed(path)
    return path.open("rb")


def _expansion_reason(size: int) -> str:
    """Return why an archive of too many bytes is refused."""
    return (
        f"it would unpack to {size:,} bytes or more, more than {MAX_EXPANSION} times its size; "
        "nothing is unpacked"
    )


def _damage_error(path: Path, error: Exception) -> InputError:
    """Return the error for a file that is damaged or is not an archive."""
    with path.open("rb") as file:
        beginning = file.read(64).lstrip()
    if beginning.startswith(b"<"):
        return InputError("it is a web page, not an archive")
    return InputError(f"it is not a complete archive ({error})")


def _describe_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[str | None, bool]:
    """Return the target of a link, or None; and whether the entry is a regular file."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        if entry.file_size > MAX_LINK_BYTES:
            raise zipfile.BadZipFile(f"a link of {entry.file_size} bytes")
        link = archive.read(entry).decode(errors="backslashreplace")
        return _resolve_link(posixpath.dirname(entry.filename), link), False
    return None, not entry.is_dir()


def _link_target(member: tarfile.TarInfo) -> str:
    """Return the target of a link, relative to the top of its archive."""
    # A hard link names its target from the archive's top, a symbolic link from its own folder.
    return _resolve_link(posixpath.dirname(member.name) if member.issym() else "", member.linkname)


def _resolve_link(folder: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(folder, link))


def _leaves_folder(name: str) -> bool:
    """Return whether a path is absolute or contains a step upwards."""
    # Windows' rules accept both slashes as separators, and recognize drives.
    path = PureWindowsPath(name)
    return bool(path.anchor) or ".." in path.parts

"""Downloaded zip and tar archives: list their files, and unpack single files.

Unpacking never uses the paths inside an archive: the caller gives the output path of each file.
"""

import posixpath
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar


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
        for name, target, _ in entries:
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
    try:
        with zipfile.ZipFile(path) if path.suffix == ".zip" else tarfile.open(path) as archive:
            yield archive
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError) as error:
        raise _damage_error(path, error) from error
    except OSError as error:
        # Errors of the operating system have a number; bz2's error of a damaged stream has none.
        if error.errno is not None:
            raise
        raise _damage_error(path, error) from error


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

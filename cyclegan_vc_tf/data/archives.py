"""Archives from elsewhere: what is in them, and single files out of them.

An archive's own paths are never written to: who unpacks says where each file goes.
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
    """Names of the plain files in an archive, which is read to its end and found to be whole.

    Args:
        path: A zip file (`.zip`), or a tar file, compressed or not.

    Raises:
        InputError: It is none, it is damaged, or one of its members has an absolute path, climbs
            out of the folder that it would be unpacked in, or is a link that leads out of it. The
            message calls the archive "it".
    """
    with _open_archive(path) as archive:
        if isinstance(archive, zipfile.ZipFile):
            entries = [
                (each.filename, *_describe_entry(archive, each)) for each in archive.infolist()
            ]
            damaged = archive.testzip()
            if damaged:
                raise zipfile.BadZipFile(f"bad checksum of {damaged}")
        else:
            entries = [
                (
                    each.name,
                    _link_target(each) if each.issym() or each.islnk() else None,
                    each.isfile(),
                )
                for each in archive.getmembers()
            ]
            # tarfile takes a damaged header for the end.
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


def unpack(path: Path, outputs: Mapping[str, Path], about: str) -> None:
    """Writes some of an archive's files.

    Args:
        path: The archive.
        outputs: Where to write each member, by its name in the archive; of members that `members`
            has given.
        about: What the progress bar says.

    Raises:
        InputError: The archive is damaged.
    """
    with (
        _open_archive(path) as archive,
        progress_bar(total=len(outputs), desc=about, unit="file") as progress,
    ):
        # In the archive's own order: going back in a compressed tar file begins at its start.
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
    """Opens an archive, and says what is wrong with it."""
    try:
        with zipfile.ZipFile(path) if path.suffix == ".zip" else tarfile.open(path) as archive:
            yield archive
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, RuntimeError) as error:
        raise _damage_error(path, error) from error
    except OSError as error:
        # What bz2 says of a damaged stream has no number; what the system says has.
        if error.errno is not None:
            raise
        raise _damage_error(path, error) from error


def _damage_error(path: Path, error: Exception) -> InputError:
    with path.open("rb") as file:
        begins = file.read(64).lstrip()
    what = "a web page, no archive" if begins.startswith(b"<") else f"no whole archive ({error})"
    return InputError(f"it is {what}")


def _describe_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[str | None, bool]:
    """Where a link leads, or None; whether this is a plain file."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        link = archive.read(entry).decode(errors="backslashreplace")
        return _resolve_link(posixpath.dirname(entry.filename), link), False
    return None, not entry.is_dir()


def _link_target(entry: tarfile.TarInfo) -> str:
    # A hard link's name is seen from the archive's top, a symbolic one's from its own folder.
    return _resolve_link(posixpath.dirname(entry.name) if entry.issym() else "", entry.linkname)


def _resolve_link(folder: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(folder, link))


def _leaves_folder(name: str) -> bool:
    # Windows' rules take both slashes for separators, and know drives.
    path = PureWindowsPath(name)
    return bool(path.anchor) or ".." in path.parts

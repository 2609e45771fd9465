"""Files in object storage, such as `s3://bucket/folder`, through fsspec.

A `RemotePath` is read-only. Object stores are S3, Google Cloud Storage, Azure and others that
fsspec knows; each needs a package of its own, which fsspec names.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path, PosixPath
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from cyclegan_vc_tf.system.errors import InputError, single_line

INSTALL = "pip install 'cyclegan-vc-tf[cluster]'"
"""Command that installs fsspec and S3."""

STORAGES = ("s3", "gs", "az", "abfs", "oci", "oss", "hdfs", "webhdfs", "sftp")
"""Protocols of storage that is accepted. Other processes see it, it tells when files changed, and
reading runs no code of someone else; fsspec has protocols without these properties."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL = "file://"
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
"""Names that storages give the time of the last modification."""


def is_url(text: str) -> bool:
    """Return whether a text begins with a protocol, such as `s3://`."""
    return _URL.match(text) is not None


def without_file_protocol(text: str) -> str:
    """Return a text without `file://` at its beginning."""
    return text[len(_LOCAL) :] if text.lower().startswith(_LOCAL) else text


def to_path(text: str | Path) -> Path:
    """Return a `RemotePath` for a URL, and a usual path for any other text.

    Raises:
        InputError: The URL has a protocol that is not accepted, or names no folder.
    """
    if isinstance(text, Path) or not is_url(text):
        return Path(text)
    protocol, _, rest = text.partition("://")
    if protocol not in STORAGES:
        accepted = ", ".join(f"{name}://" for name in STORAGES)
        raise InputError(f"received {text}; expected a folder, or one in storage: {accepted}")
    if not rest.strip("/"):
        raise InputError(f"{text} names no folder; expected an address such as s3://bucket/folder")
    return RemotePath(text)


class RemotePath(PosixPath):
    """Path of a folder or file in object storage; parts of its name are joined as in a usual path.

    Its first part is the protocol with a colon. It can be listed and read, and nothing else.
    """

    def __str__(self) -> str:
        """Return the URL, or the usual text for a part of it."""
        first, *rest = self.parts
        return "/".join([f"{first}/" if first.endswith(":") else first, *rest])

    def __fspath__(self) -> str:
        """Return the URL, which functions of the system do not find."""
        return str(self)

    def resolve(self, strict: bool = False) -> "RemotePath":
        """Return this path."""
        return self

    def absolute(self) -> "RemotePath":
        """Return this path."""
        return self

    def expanduser(self) -> "RemotePath":
        """Return this path."""
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return size, time of the last modification, and kind.

        Raises:
            OSError: The path does not exist or cannot be read.
        """
        with _errors_of(self):
            return _to_status(self, _file_system(self).info(str(self)))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether the path can be read."""
        try:
            self.stat()
        except OSError:
            return False
        return True

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether the path is a file that can be read."""
        return self.exists() and stat.S_ISREG(self.stat().st_mode)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether the path is a folder that can be read."""
        return self.exists() and stat.S_ISDIR(self.stat().st_mode)

    def open(self, mode: str = "r", *args: Any, **options: Any) -> Any:
        """Open the file to read its bytes one after the other.

        Raises:
            OSError: The file cannot be read, or `mode` is not "rb".
        """
        if mode != "rb":
            raise OSError(f"{self} cannot be opened with mode {mode}; expected rb")
        with _errors_of(self):
            return _file_system(self).open(str(self), "rb")

    def list_files(self) -> dict[str, os.stat_result]:
        """Return the status of all files below this folder by name, relative to it and sorted.

        Raises:
            InputError: The folder does not exist or cannot be read, the package of its storage is
                not installed, or the name of a file is not a path.
        """
        try:
            with _errors_of(self):
                system = _file_system(self)
                system.invalidate_cache()
                root = system._strip_protocol(str(self))
                found = system.find(root, detail=True)
        except FileNotFoundError:
            found = {}
        except OSError as error:
            raise InputError(f"{self} cannot be read ({error.strerror})") from error
        if not found:
            raise InputError(f"{self} does not exist; expected a folder of recordings")
        if list(found) == [root]:
            raise InputError(f"{self} is a file; expected a folder of recordings")
        listed = {}
        for key in sorted(found):
            name = key.removeprefix(root).removeprefix("/")
            # A folder may be kept as an empty file with its name.
            if not name or name.endswith("/"):
                continue
            if Path(name).is_absolute() or Path(name).as_posix() != name:
                raise InputError(
                    f"{self} has a file with the name {name!r}, which is not a path; rename it"
                )
            listed[name] = _to_status(self / name, found[key])
        return listed

    def download(self, path: Path) -> None:
        """Copy the file to a local path.

        Raises:
            OSError: The file cannot be read, or the copy cannot be written.
        """
        with _errors_of(self):
            _file_system(self).get_file(str(self), str(path))


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """Yield a path where a file can be read: a temporary copy of a remote file, or the file itself.

    Raises:
        OSError: The remote file cannot be read.
    """
    if not isinstance(path, RemotePath):
        yield path
        return
    with TemporaryDirectory(prefix="cyclegan_vc_tf-") as folder:
        # Decoders may need the ending.
        copy = Path(folder) / f"copy{path.suffix}"
        path.download(copy)
        yield copy


def _file_system(path: RemotePath) -> Any:
    """Return the file system of fsspec that holds a path.

    Raises:
        InputError: fsspec, or the package of the storage, is not installed.
    """
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise InputError(f"{path} needs fsspec, which is not installed; {INSTALL}") from error
    try:
        return fsspec.core.url_to_fs(str(path))[0]
    except ImportError as error:
        raise InputError(f"{path} needs another package ({error}); {INSTALL} for S3") from error


@contextmanager
def _errors_of(path: RemotePath) -> Iterator[None]:
    """Turn errors of a storage into errors of the system with a reason and this path.

    Raises:
        OSError: The storage refuses or fails.
    """

    def refuse(kind: type[OSError], error: Exception) -> NoReturn:
        reason = error.strerror if isinstance(error, OSError) else None
        text = single_line(str(reason or error) or type(error).__name__)
        number = error.errno if isinstance(error, OSError) else None
        raise kind(number or errno.EIO, text, str(path)) from error

    try:
        yield
    except InputError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        refuse(type(error), error)
    # Each storage has errors of its own, for missing credentials or a server that is not there.
    except Exception as error:
        refuse(OSError, error)


def _to_status(path: RemotePath, info: dict[str, Any]) -> os.stat_result:
    """Return the status of a path from what fsspec knows of it.

    Raises:
        InputError: The storage has no time of the last modification.
    """
    is_folder = info["type"] == "directory"
    times = [info[name] for name in _TIMES if info.get(name) is not None]
    if not times and not is_folder:
        raise InputError(f"{path} has no time of its last modification; expected other storage")
    modified_ns = _to_ns(times[0]) if times and not is_folder else 0
    seconds = modified_ns // 10**9
    mode = (stat.S_IFDIR if is_folder else stat.S_IFREG) | 0o444
    fields = (mode, 0, 0, 1, 0, 0, info.get("size") or 0, seconds, seconds, seconds)
    return os.stat_result(fields, {"st_mtime_ns": modified_ns})


def _to_ns(moment: Any) -> int:
    """Return a time in ns since 1970 from a date, a date as text, or seconds since 1970."""
    if isinstance(moment, int | float):
        return int(moment * 10**9)
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    elapsed = moment - datetime.fromtimestamp(0, timezone.utc)
    return (elapsed.days * 86_400 + elapsed.seconds) * 10**9 + elapsed.microseconds * 1000

"""Temporary files of the page: one folder per session, all removed in the end."""

import contextlib
import hashlib
import secrets
import shutil
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from cyclegan_vc_tf.system import files

PREFIX = "cyclegan-vc-web-"
"""Beginning of the name of every page's temporary folder."""

LOCK = "lock"

SWEEP_S = 5.0
"""Time between two removals of what ended sessions have left."""


class Workspace:
    """Temporary folder of one server, with a folder inside for each session.

    The name of a session's folder cannot be guessed: files in it are served to whoever knows their
    path. A folder that a killed server left is removed when the next one starts.

    Args:
        parent: Folder to make the temporary folder in; by default the system's.

    Attributes:
        root: The temporary folder.
        cache: Folder that Gradio keeps uploaded and shown files in; sessions are inside it.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        remove_abandoned(parent)
        self.root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._held = ExitStack()
        self._held.enter_context(files.locked(self.root / LOCK, wait=True))
        self.cache = self.root / "files"
        self.cache.mkdir()
        self._sessions = self.cache / "sessions"
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._ended: set[Path] = set()
        self._closed = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, daemon=True, name="sweeper")
        self._sweeper.start()

    def session_folder(self, session: str) -> Path:
        """Return the folder of a session; it is made if it does not exist.

        Args:
            session: Name that the browser gave its session; it may be any text.
        """
        with self._lock:
            folder = self._path(session)
            # A browser whose connection broke comes back with the session it had.
            self._ended.discard(folder)
            folder.mkdir(parents=True, exist_ok=True)
            return folder

    def fresh_folder(self, session: str, name: str) -> Path:
        """Return a new and empty folder inside a session's folder, in place of the one before it.

        Args:
            session: Name of the session.
            name: Beginning of the folder's name; the session's last folder of it is removed.
        """
        parent = self.session_folder(session)
        for before in parent.glob(f"{name}-*"):
            shutil.rmtree(before, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))

    def shared_folder(self) -> Path:
        """Return the folder of pictures that all sessions may see."""
        folder = self.cache / "shared"
        folder.mkdir(exist_ok=True)
        return folder

    def end_session(self, session: str) -> None:
        """Remove the files of a session, and those that its unfinished work still writes."""
        with self._lock:
            self._ended.add(self._path(session))
            self._remove_ended()

    def _sweep(self) -> None:
        while not self._closed.wait(SWEEP_S):
            with self._lock:
                self._remove_ended()

    def _remove_ended(self) -> None:
        # Those that exist: a server may have had thousands of sessions.
        for folder in self._ended.intersection(self._sessions.glob("*")):
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove all files."""
        self._closed.set()
        self._sweeper.join()
        shutil.rmtree(self.root, ignore_errors=True)
        self._held.close()

    def _path(self, session: str) -> Path:
        name = hashlib.blake2b(session.encode(errors="replace"), key=self._key).hexdigest()
        return self._sessions / name[:40]


def remove_abandoned(parent: Path) -> None:
    """Remove temporary folders of servers that do not run any more.

    Args:
        parent: Folder that holds them.
    """
    for folder in parent.glob(f"{PREFIX}*"):
        # Another user's folder cannot be opened, and stays.
        with contextlib.suppress(OSError):
            lock = folder / LOCK
            if lock.is_file() and not folder.is_symlink() and not files.is_locked(lock):
                shutil.rmtree(folder, ignore_errors=True)

"""A server of the page in a process of its own, and Chromium to look at it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from browsers import WAIT_MS, browser_path
from conftest import REPOSITORY

__all__ = ["LIMITS", "WAIT_MS", "WebServer", "browser_path", "wait_until"]

LIMITS = ("--max_seconds=5", "--max_upload_mb=1")


class WebServer:
    """Server of the page.

    Args:
        folder: Folder for runs, features and temporary files.
        flags: Flags of the command.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self.flags = folder, flags
        self.runs, self.temporary = folder / "runs", folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.address = ""

    def start(self, port: int = 0) -> "WebServer":
        """Start the server, and wait until it has printed its address."""
        command = [sys.executable, "-m", "cyclegan_vc_tf", "web"]
        folders = {"TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(self.folder / "cache")}
        with (self.folder / "errors.txt").open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, f"--runs_dir={self.runs}", f"--port={port}", *self.flags],
                cwd=REPOSITORY,
                env={**os.environ, **folders, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Page: "), (self.folder / "errors.txt").read_text()
        self.address = line.removeprefix("Page: ").strip().replace("0.0.0.0", "127.0.0.1")
        return self

    @property
    def port(self) -> int:
        """Port of the page."""
        return int(self.address.rstrip("/").rsplit(":", 1)[-1])

    def kill(self) -> None:
        """Kill the server as an emergency would."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """End the server, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        status = self.process.wait(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def session_folders(self) -> list[Path]:
        """Return the folders of all sessions that have files."""
        return [
            path for path in self.temporary.glob("cyclegan-vc-web-*/files/sessions/*")
            if any(path.iterdir())
        ]  # fmt: skip


def wait_until(happened: object, what: str, seconds: float = WAIT_MS / 1000) -> None:
    """Wait until a function returns something true."""
    assert callable(happened)
    deadline_s = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.2)

"""Trainings as processes of their own: they go on without the page and without its server."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cyclegan_vc_tf.config import preset_files
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.serving.web.run_list import PAGE_FOLDER, RunList
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

PROCESS_FILE, LOG_FILE = "process.json", "log.txt"

START_TOLERANCE_S = 2.0
"""Difference between two readings of one process's start time; the clock may have been set."""

LOG_BYTES = 4000
"""Bytes from the end of a log that are shown."""


@dataclass(frozen=True)
class TrainingState:
    """State of a training.

    Attributes:
        name: Name of the run.
        running: Whether its process runs.
        log: Last lines that it printed.
    """

    name: str
    running: bool
    log: tuple[str, ...] = ()


class Trainings:
    """Trainings that the page started, now or before.

    `RUNS/.web/NAME/process.json` names the process of a training by its number and start time, so
    that a server that is started again finds it. `log.txt` beside it has what it printed.

    Args:
        runs: List of runs.
        max_running: Largest number of trainings that run at once.
    """

    def __init__(self, runs: RunList, max_running: int = 1) -> None:
        self.runs, self.max_running = runs, max_running
        self._children: dict[str, subprocess.Popen] = {}

    def names(self) -> list[str]:
        """Return the names of all trainings that the page started, sorted."""
        folder = self.runs.runs_dir / PAGE_FOLDER
        return sorted(path.parent.name for path in folder.glob(f"*/{PROCESS_FILE}"))

    def running(self) -> list[str]:
        """Return the names of the trainings that run."""
        return [name for name in self.names() if self._process(name)]

    def start(self, name: str, preset: str, changes: Mapping[str, Any]) -> None:
        """Start a new training.

        Args:
            name: Name of the new run.
            preset: Name of the preset.
            changes: Flags beside the preset, such as `source_dir`.

        Raises:
            InputError: The name, the preset or a setting is wrong, or too many trainings run.
        """
        self._begin(self.runs.new_path(name).name, {"preset": preset, **changes})

    def go_on(self, name: str, changes: Mapping[str, Any] | None = None) -> None:
        """Resume a training from its last checkpoint.

        Args:
            name: Name of an existing run.
            changes: Flags that may change on a resume, such as `steps`.

        Raises:
            InputError: There is no such run, or a training uses it.
        """
        path = self.runs.find(name)
        if path.parent != self.runs.runs_dir or (path / run_files.PUBLISHED).exists():
            raise InputError(f"{name} has generators only and cannot be trained further")
        if files.is_locked(path / run_files.LOCK):
            raise InputError(f"{name} is in use by a training; stop it first")
        self._begin(name, dict(changes or {}))

    def stop(self, name: str) -> None:
        """Ask a training to save and end; it does so after the step at hand.

        Raises:
            InputError: It does not run.
        """
        process = self._process(name)
        if process is None:
            raise InputError(f"{name} does not run; choose a running training")
        process.terminate()

    def state(self, name: str) -> TrainingState:
        """Return the state of a training."""
        log = self._folder(name) / LOG_FILE
        return TrainingState(name, self._process(name) is not None, _last_lines(log))

    def _begin(self, name: str, values: Mapping[str, Any]) -> None:
        with files.locked(self.runs.runs_dir / PAGE_FOLDER / "lock", wait=True):
            running = self.running()
            if name in running:
                raise InputError(f"{name} runs already")
            if len(running) >= self.max_running:
                raise InputError(
                    f"{', '.join(running)} runs already; stop it first, or raise --max_trainings"
                )
            folder = self._folder(name)
            folder.mkdir(parents=True, exist_ok=True)
            arguments = [f"--{flag}={value}" for flag, value in values.items()]
            command = [
                sys.executable, "-m", "cyclegan_vc_tf", "train", *arguments,
                f"--run_dir={self.runs.runs_dir / name}",
            ]  # fmt: skip
            source = str(preset_files.PACKAGE_DIR.parent)
            path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
            with (folder / LOG_FILE).open("wb") as log:
                # A session of its own: neither Ctrl-C nor a closed terminal reaches it.
                process = subprocess.Popen(
                    command,
                    cwd=self.runs.runs_dir,
                    env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._children[name] = process
            began_s = psutil.Process(process.pid).create_time()
            record = {"pid": process.pid, "began_s": began_s, "command": command}
            files.write_json(folder / PROCESS_FILE, record)

    def _folder(self, name: str) -> Path:
        return self.runs.page_folder(name)

    def _process(self, name: str) -> psutil.Process | None:
        """Return the process of a training if it runs: one of that number and start time."""
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            return None
        if name not in self.names():
            return None
        try:
            record = files.read_json(self._folder(name) / PROCESS_FILE)
            process = psutil.Process(int(record["pid"]))
            same = abs(process.create_time() - float(record["began_s"])) < START_TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.Error, OSError, ValueError, LookupError, TypeError):
            return None


def _last_lines(path: Path) -> tuple[str, ...]:
    """Return the last lines of a log; of a progress bar only its last state."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n"))
    return tuple(line for line in lines if line.strip())[-12:]

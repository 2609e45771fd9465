"""Processes of one training on several workers, all of them on this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def find_ports(count: int) -> list[int]:
    """Return numbers of ports of this machine that no program uses."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]


def tf_config_variables(count: int) -> list[dict[str, str]]:
    """Return the environment variable `TF_CONFIG` of each of `count` workers."""
    addresses = [f"localhost:{port}" for port in find_ports(count)]
    cluster = {"worker": addresses}
    return [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        for index in range(count)
    ]


@dataclass
class Workers:
    """Running workers.

    Attributes:
        processes: Processes, the chief first.
        files: File with the output of each process.
        ends: Time at which each process was seen to end.
    """

    processes: list[subprocess.Popen]
    files: list[Path]
    ends: dict[int, float] = field(default_factory=dict)

    def are_running(self) -> bool:
        """Return whether any process runs; note the times of those that ended."""
        for number, process in enumerate(self.processes):
            if process.poll() is not None:
                self.ends.setdefault(number, time.monotonic())
        return len(self.ends) < len(self.processes)

    def are_connected(self) -> bool:
        """Return whether each worker has said that it is connected with the others."""
        return all("Worker " in text for text in self.outputs())

    def wait(self, timeout_s: float = 600) -> list[int]:
        """Wait until all processes have ended, and return their exit statuses.

        Args:
            timeout_s: Time after which they are killed.
        """
        end = time.monotonic() + timeout_s
        while self.are_running():
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"workers still ran after {timeout_s} s: {self.outputs()}")
            time.sleep(0.02)
        return [process.returncode for process in self.processes]

    def kill(self) -> None:
        """Kill the processes that still run."""
        for process in self.processes:
            process.kill()
            process.wait()

    def outputs(self) -> list[str]:
        """Return the output of each process, errors included."""
        return [file.read_text(errors="replace") for file in self.files]


def start(
    folder: Path,
    arguments: Sequence[str | Path],
    variables: Sequence[Mapping[str, str]],
    **options: Any,
) -> Workers:
    """Start one Python process per worker.

    Args:
        folder: Folder for the files of their output.
        arguments: Arguments of Python; `{worker}` stands for the number of the worker.
        variables: Environment variables of each worker.
        options: Further options of `subprocess.Popen`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workers = Workers([], [folder / f"worker-{number}.txt" for number in range(len(variables))])
    for number, own in enumerate(variables):
        command = [str(each).replace("{worker}", str(number)) for each in arguments]
        with workers.files[number].open("wb") as output:
            workers.processes.append(
                subprocess.Popen(
                    [sys.executable, *command],
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **own},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    **options,
                )
            )
    return workers

"""A Dask scheduler and workers on this machine, as processes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from cyclegan_vc_tf.system import files

MAX_START_S = 120.0
"""Seconds that the scheduler has to start."""


@dataclass(frozen=True)
class Cluster:
    """Running scheduler and workers.

    Attributes:
        address: Address of the scheduler.
        scheduler: Process of the scheduler.
        workers: Processes of the workers, which are not started again when they end.
    """

    address: str
    scheduler: psutil.Process
    workers: list[psutil.Process]

    def work_s(self) -> float:
        """Return the seconds of processor time that the workers have taken."""
        return sum(sum(worker.cpu_times()[:2]) for worker in self.workers)


@contextmanager
def running(folder: Path, count: int) -> Iterator[Cluster]:
    """Run a scheduler and workers of one thread each.

    Args:
        folder: Folder for the scheduler's file.
        count: Number of workers.
    """
    found = folder / "scheduler.json"
    options = ["--host=127.0.0.1", "--port=0", "--no-dashboard", "--dashboard-address=:0"]
    started = [_start("scheduler", folder, f"--scheduler-file={found}", *options)]
    try:
        begin_s = time.monotonic()
        while not found.exists():
            if time.monotonic() - begin_s > MAX_START_S:
                raise RuntimeError(f"no scheduler within {MAX_START_S:.0f} s; see {folder}")
            time.sleep(0.05)
        address = files.read_json(found)["address"]
        for _ in range(count):
            options = ["--nthreads=1", "--no-nanny", "--no-dashboard", "--host=127.0.0.1"]
            started.append(
                _start("worker", folder, address, f"--local-directory={folder}", *options)
            )
        scheduler, *workers = (psutil.Process(process.pid) for process in started)
        yield Cluster(address, scheduler, workers)
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _start(kind: str, folder: Path, *options: str) -> subprocess.Popen:
    with (folder / f"{kind}.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options],
            stdout=log,
            stderr=log,
        )

"""A real Dask scheduler and real workers on loopback, and tasks for them.

Workers import this module, so it imports neither TensorFlow nor pytest.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import analysis_worker
from cyclegan_vc_tf.data.utterances import Recording
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

TESTS = Path(__file__).parent

MAX_WAIT_S = 120.0


def wait_for(path: Path) -> None:
    """Wait until a file exists."""
    begin_s = time.monotonic()
    while not path.exists():
        assert time.monotonic() - begin_s < MAX_WAIT_S, path
        time.sleep(0.05)


class Cluster:
    """Scheduler and workers in processes.

    Attributes:
        folder: Folder of the scheduler's file and of the workers' logs.
        scheduler: Process of the scheduler.
        workers: Processes of the workers, or of their nannies, which start a dead worker again.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
            **(environment or {}),
        }
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen] = []
        options = ["--host=127.0.0.1", "--port=0", "--no-dashboard", "--dashboard-address=:0"]
        self.scheduler = self._start("scheduler", f"--scheduler-file={self.file}", *options)
        wait_for(self.file)

    @property
    def address(self) -> str:
        """Address of the scheduler."""
        return files.read_json(self.file)["address"]

    def start_worker(self, *options: str) -> None:
        """Start one worker with one thread."""
        where = f"--local-directory={self.folder}"
        usual = ["--nthreads=1", "--no-dashboard", "--host=127.0.0.1", where]
        self.workers.append(self._start("worker", self.address, *usual, *options))

    def close(self) -> None:
        """Kill all processes; workers end without their nannies and their scheduler."""
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

    def _start(self, kind: str, *arguments: str) -> subprocess.Popen:
        with (self.folder / f"{kind}-{len(self.workers)}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )


@contextlib.contextmanager
def running_cluster(
    folder: Path, workers: int, environment: dict[str, str] | None = None
) -> Iterator[Cluster]:
    """Run a cluster whose workers are started again when they die; all of them have begun."""
    from distributed import Client

    cluster = Cluster(folder, environment)
    try:
        for _ in range(workers):
            cluster.start_worker()
        with Client(cluster.address) as client:
            client.wait_for_workers(workers, timeout=MAX_WAIT_S)
        yield cluster
    finally:
        cluster.close()


def note(folder: Path, name: str) -> int:
    """Note that a process works on an item; return how often it was worked on."""
    path = folder / f"{name}.attempts"
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return len(path.read_text().split())


def attempts(folder: Path) -> dict[str, list[int]]:
    """Numbers of the processes that worked on each item."""
    return {
        path.name.removesuffix(".attempts"): [int(line) for line in path.read_text().split()]
        for path in folder.glob("*.attempts")
    }


def square(folder: Path, number: int) -> int:
    """Return a square; the number 3 kills its process, and 4 takes until a file is there."""
    note(folder, str(number))
    if number == 3:
        os._exit(9)
    if number == 4:
        wait_for(folder / "go")
    return number**2


def refuse(number: int) -> int:
    """Refuse every number."""
    raise InputError(f"{number} is refused")


def which_modules(prefix: str) -> list[str]:
    """Names of loaded modules that begin with a prefix."""
    return [name for name in sys.modules if name.startswith(prefix)]


def analyse_or_die(
    folder: Path, config: FeatureConfig, corpus: CorpusConfig, recording: Recording
) -> bytes:
    """Analyse a recording; `bad.wav` kills its process, `late.wav` takes until a file is there."""
    note(folder, recording.name)
    if recording.name == "bad.wav":
        os._exit(9)
    if recording.name == "late.wav":
        wait_for(folder / "go")
    return analysis_worker.analyse_remotely(folder, config, corpus, recording)

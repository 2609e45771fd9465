"""Worker processes that make steps on request, and the protocol of their pipes.

Contenders have separate processes, with the thread pools, allocators and settings of a training. A
request is a line `{"steps": 3}` on the worker's standard input. The worker's first line has facts
and means that it is ready. Each further line has the times of a request's steps. A line with the
reason of a failure is the last one.
"""

import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from cyclegan_vc_tf.system.errors import single_line

REPOSITORY = Path(__file__).parents[2]

WARM_UP = 2
"""Steps before the first that counts, in which graphs are traced and code is compiled."""

MAX_ANSWER_S = 900.0
"""Seconds within which a worker has to be ready, or finish a turn."""

MAX_END_S = 10.0
"""Seconds within which a worker has to end after its last request."""

MAX_REASON = 200
"""Largest number of characters of the reason of a failure."""

Facts = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """Measurements of one turn of a worker.

    Attributes:
        wall_s: Seconds of each step.
        cpu_s: Processor seconds of each step, over all threads.
        peak_mb: Peak memory of the process so far, in MB of 10^6 bytes.
        peak_gpu_mb: Peak memory of a GPU so far, in MB of 10^6 bytes; None without a GPU.
    """

    wall_s: list[float]
    cpu_s: list[float]
    peak_mb: float
    peak_gpu_mb: float | None = None


class WorkerError(Exception):
    """A worker could not start or continue. The message is the reason, in one line."""


GpuMemory = Callable[[], float | None]
"""Function that returns the peak memory of a GPU so far, in MB; None without a GPU."""


def serve(
    make: Callable[[], tuple[Callable[[], Any], Facts]], peak_gpu_mb: GpuMemory = lambda: None
) -> None:
    """Make steps on request until the pipe is closed; the worker's side of the protocol.

    Output of libraries goes to standard error, so that none of it is taken for an answer.

    Args:
        make: Function that returns a function making one step, and facts about it.
        peak_gpu_mb: Function that returns the peak memory of a GPU.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(found: Facts) -> None:
        print(json.dumps(found), file=answers, flush=True)

    try:
        step, facts = make()
        for _ in range(WARM_UP):
            step()
        answer(facts)
        for line in sys.stdin:
            answer(asdict(timed(step, json.loads(line)["steps"], peak_gpu_mb)))
    except Exception as error:
        answer({"failed": shorten_reason(f"{type(error).__name__}: {error}")})


def timed(step: Callable[[], Any], steps: int, peak_gpu_mb: GpuMemory = lambda: None) -> Turn:
    """Make steps and measure each.

    Args:
        step: Function that makes a step, and returns when a GPU has finished it too.
        steps: Number of steps.
        peak_gpu_mb: Function that returns the peak memory of a GPU.
    """
    wall_s, cpu_s = [], []
    for _ in range(steps):
        begin = time.perf_counter(), time.process_time()
        step()
        wall_s.append(time.perf_counter() - begin[0])
        cpu_s.append(time.process_time() - begin[1])
    # Peak memory of this process, without that of its parent before the start.
    return Turn(wall_s, cpu_s, memory_mb("VmHWM"), peak_gpu_mb())


def memory_mb(name: str, process: str = "self") -> float:
    """Read a figure of a process' memory from /proc, in MB of 10^6 bytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    (kib,) = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) * 1024 / 1e6


def measure_once(*module: str) -> Any:
    """Run a module in a separate process, and return its result.

    Args:
        module: Module to start, and its arguments. Its last line of output is JSON.

    Raises:
        CalledProcessError: The process failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def shorten_reason(text: str) -> str:
    """Return the beginning of an error's text, in one line."""
    line = single_line(text)
    return line if len(line) <= MAX_REASON else f"{line[:MAX_REASON]}…"


class Worker:
    """A process started with `python -m`, which sleeps between requests.

    Args:
        module: Module to start, and its arguments.
        python: Interpreter to start it with; by default this one.
    """

    def __init__(self, *module: str, python: str = sys.executable) -> None:
        # Messages, of which some libraries print many, are read only after a failure.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", *module],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> "Worker":
        """Return the worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, which may have to end processes of its own."""
        try:
            self._process.communicate(timeout=MAX_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()

    def ready(self) -> Facts:
        """Wait until the worker has made its warm-up steps.

        Returns:
            Facts about the worker.

        Raises:
            WorkerError: The worker cannot make a step.
        """
        return self._answer()

    def measure(self, steps: int) -> Turn:
        """Let the worker make and measure steps.

        Raises:
            WorkerError: The worker cannot make them.
        """
        stdin = self._process.stdin
        try:
            print(json.dumps({"steps": steps}), file=stdin, flush=True)
        except BrokenPipeError as error:
            raise WorkerError(self._last_words()) from error
        return Turn(**self._answer())

    def _answer(self) -> Facts:
        stdout = cast(IO[str], self._process.stdout)
        if not select.select([stdout], [], [], MAX_ANSWER_S)[0]:
            raise WorkerError(f"gave no answer within {MAX_ANSWER_S:.0f} s")
        line = stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        answer = json.loads(line)
        if "failed" in answer:
            raise WorkerError(answer["failed"])
        return answer

    def _last_words(self) -> str:
        """Return the exit status, and the last line of the worker's messages."""
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return shorten_reason(": ".join([f"ended with status {status}", *lines[-1:]]))

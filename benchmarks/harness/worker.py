"""A process that makes steps when it is told to: both ends of the pipes to it.

Contenders do not share a process: thread pools, allocators and settings are those of a training.
A request is a line `{"steps": 3}` on the worker's standard input. The first line that comes back
says that it is ready, with facts about it; each further one gives the times of a request's steps.
Or a line gives the reason why it failed, and is the last.
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
"""Steps before the first that counts: in these, graphs are traced and code is compiled."""

LONGEST_S = 900.0
"""What a worker may take to become ready, or for a turn."""

LONGEST_END_S = 10.0
"""What a worker may take to end, once nothing is asked of it any more."""

LONGEST_REASON = 200
"""Characters of the reason why a worker failed."""

Facts = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What a worker measured in one turn.

    Attributes:
        wall_s: Seconds of each step.
        cpu_s: Processor seconds of each step, over all of its threads.
        peak_mb: Most memory that the process held until then, in MB of 10^6 bytes.
    """

    wall_s: list[float]
    cpu_s: list[float]
    peak_mb: float


class WorkerError(Exception):
    """A worker cannot be started or cannot go on; the message is the reason, in one line."""


def serve(make: Callable[[], tuple[Callable[[], Any], Facts]]) -> None:
    """The worker's end: makes steps as they are asked for, until the other end hangs up.

    What a library prints goes to standard error, so that no line of it is taken for an answer.

    Args:
        make: Gives what makes one step, and facts about it.
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
            answer(asdict(timed(step, json.loads(line)["steps"])))
    except Exception as error:
        answer({"failed": reason(f"{type(error).__name__}: {error}")})


def timed(step: Callable[[], Any], steps: int) -> Turn:
    """Makes so many steps and measures each."""
    wall_s, cpu_s = [], []
    for _ in range(steps):
        begun = time.perf_counter(), time.process_time()
        step()
        wall_s.append(time.perf_counter() - begun[0])
        cpu_s.append(time.process_time() - begun[1])
    # Its own most; what its parent held before it began does not count.
    return Turn(wall_s, cpu_s, memory_mb("VmHWM"))


def memory_mb(name: str, process: str = "self") -> float:
    """Memory of a process, in MB of 10^6 bytes: what the system counts under a name."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    (kib,) = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) * 1024 / 1e6


def once(*module: str) -> Any:
    """What a module measures in a process of its own, whose threads and memory end with it.

    Args:
        module: What is started, and its arguments; the last line that it prints is JSON.

    Raises:
        CalledProcessError: It failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def reason(text: str) -> str:
    """The beginning of an error's text, in a line."""
    line = single_line(text)
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}…"


class Worker:
    """This end: a process started with `python -m`, which sleeps while it is not asked.

    Args:
        module: What is started, and its arguments.
    """

    def __init__(self, *module: str) -> None:
        # Its messages, which come at length from some libraries, are read only if it fails.
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> "Worker":
        """Gives itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process, which may have some of its own to end."""
        try:
            self._process.communicate(timeout=LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()

    def ready(self) -> Facts:
        """Waits until the worker has made its first steps, which do not count.

        Returns:
            What it says about itself.

        Raises:
            WorkerError: It cannot make one.
        """
        return self._answer()

    def go(self, steps: int) -> Turn:
        """Has the worker make and measure so many steps.

        Raises:
            WorkerError: It cannot.
        """
        stdin = self._process.stdin
        try:
            print(json.dumps({"steps": steps}), file=stdin, flush=True)
        except BrokenPipeError as error:
            raise WorkerError(self._last_words()) from error
        return Turn(**self._answer())

    def _answer(self) -> Facts:
        stdout = cast(IO[str], self._process.stdout)
        if not select.select([stdout], [], [], LONGEST_S)[0]:
            raise WorkerError(f"gave no answer within {LONGEST_S:.0f} s")
        line = stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        answer = json.loads(line)
        if "failed" in answer:
            raise WorkerError(answer["failed"])
        return answer

    def _last_words(self) -> str:
        """How it ended, and the last line of what it said."""
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return reason(": ".join([f"ended with status {status}", *lines[-1:]]))

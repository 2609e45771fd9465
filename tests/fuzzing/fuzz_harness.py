"""Budget of the fuzzing tests, and the promise that every case is checked against.

A case is one input to one command, or to one function of the package. The promise: a right result,
or one clear line and exit status 2 (1 among many files), in bounded time and memory, with nothing
left behind.
"""

import contextlib
import importlib
import io
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import DrawFn, SearchStrategy, composite

from cyclegan_vc_tf.system import signals

CPU_S = float(os.environ.get("FUZZING_CPU_S", "0"))
"""CPU time per subject in seconds; 0 is the gate: one round of each subject's few examples."""

SEED = int(os.environ.get("FUZZING_SEED", "1"))
"""Seed of the first round; each further round adds one."""

COUNTS = os.environ.get("FUZZING_COUNTS", "")
"""File to append a line per test to: name, number of cases, CPU seconds, `held` or `fault`."""

ROUND_EXAMPLES = 200
"""Examples per round where a CPU time is given."""

MAX_CASE_CPU_S = 60
"""CPU time that one case may take, in seconds."""

MAX_CASE_BYTES = 3 << 30
"""Address space that one case may take beyond what the process has at its beginning."""


MAX_SHOWN = 5000
"""Characters of a case that a message shows; Hypothesis warns of messages beyond 30 000."""


class CaseTooSlowError(AssertionError):
    """A case takes more CPU time than a case may take."""


def fuzz(strategy: SearchStrategy, check: Callable[[Any], None], examples: int) -> None:
    """Check examples of a strategy, within the budget.

    Args:
        strategy: Strategy of the cases.
        check: Function of a case, which raises for a fault.
        examples: Number of examples in the gate.
    """
    begin, count, end, seed = time.process_time(), 0, "held", SEED

    def used_s() -> float:
        return time.process_time() - begin

    def check_within_budget(case: Any) -> None:
        nonlocal count, end
        # Hypothesis repeats and shortens a case after its fault.
        if CPU_S and used_s() >= CPU_S and end == "held":
            return
        count += 1
        try:
            check(case)
        except BaseException:
            end = "fault"
            raise

    try:
        while True:
            _run_round(strategy, check_within_budget, ROUND_EXAMPLES if CPU_S else examples, seed)
            seed += 1
            if used_s() >= CPU_S:
                break
    finally:
        if COUNTS:
            name = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
            with open(COUNTS, "a", encoding="utf-8") as file:
                file.write(f"{name}\t{count}\t{used_s():.1f}\t{end}\n")


class _Case:
    """Case that is shown in at most `MAX_SHOWN` characters.

    Args:
        value: The case.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        """Return the beginning of the case's text."""
        return repr(self.value)[:MAX_SHOWN]


@composite
def _shown(draw: DrawFn, strategy: SearchStrategy) -> _Case:
    """Return a case of a strategy; Hypothesis would show the argument of a mapping in full."""
    return _Case(draw(strategy))


def _run_round(
    strategy: SearchStrategy, check: Callable[[Any], None], examples: int, seed: int
) -> None:
    """Check examples of a strategy, and shorten a case that has a fault in a hunt."""

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if CPU_S else [Phase.generate],
    )
    @given(_shown(strategy))
    def run_round(case: _Case) -> None:
        check(case.value)

    run_round()


@contextlib.contextmanager
def case_folder() -> Iterator[Path]:
    """Yield a new folder that is removed afterwards.

    Files that the package makes in the folder for temporary files are found by `bounded`.
    """
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as folder:
        try:
            yield Path(folder)
        finally:
            for path in Path(folder).rglob("*"):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Run a block with bounded CPU time and memory, and check that nothing is left behind."""
    # Python's own helper of worker processes stays until this process ends.
    resource_tracker.ensure_running()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    children = child_processes()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)

    def refuse(number: int, frame: Any) -> None:
        raise CaseTooSlowError(f"more than {MAX_CASE_CPU_S} s of CPU time")

    handler = signal.signal(signal.SIGPROF, refuse)
    with tempfile.TemporaryDirectory(prefix="fuzzing-temporary-") as temporary:
        directory, tempfile.tempdir = tempfile.tempdir, temporary
        resource.setrlimit(resource.RLIMIT_AS, (used + MAX_CASE_BYTES, hard))
        signal.setitimer(signal.ITIMER_PROF, MAX_CASE_CPU_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, handler)
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
            tempfile.tempdir = directory
        left = sorted(path.name for path in Path(temporary).iterdir())
        assert not left, f"temporary files are left: {left}"
    assert child_processes() <= children, "child processes are left"


def child_processes() -> set[str]:
    """Return the ids of this process' children."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


@dataclass(frozen=True)
class Outcome:
    """End of a command: exit status, and both outputs."""

    status: int
    output: str
    errors: str


def run_command(name: str, *arguments: object) -> Outcome:
    """Run a command in this process, and check how it ends.

    Args:
        name: Name of a module of `cyclegan_vc_tf.cli`.
        arguments: Flags.
    """
    module = importlib.import_module(f"cyclegan_vc_tf.cli.{name}")
    streams = [io.TextIOWrapper(io.BytesIO(), write_through=True, errors=how) for how in
               ("strict", "backslashreplace")]  # fmt: skip
    handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
    before, status = sys.argv, None
    sys.argv = [name, *map(str, arguments)]
    try:
        with (
            contextlib.redirect_stdout(streams[0]),
            contextlib.redirect_stderr(streams[1]),
            bounded(),
        ):
            try:
                module.main()
            except SystemExit as ended:
                status = ended.code
    finally:
        sys.argv = before
        for number, handler in handlers.items():
            signal.signal(number, handler)
    output, errors = (stream.buffer.getvalue().decode(errors="replace") for stream in streams)
    outcome = Outcome(status, output, errors)
    check_end(outcome)
    return outcome


def check_end(outcome: Outcome) -> None:
    """Check that a command ended with a result, or with one clear line."""
    assert outcome.status in (0, 1, 2), outcome
    assert "Traceback" not in outcome.errors, outcome
    if outcome.status == 2:
        lines = [line for line in outcome.errors.splitlines() if line]
        # A progress bar ends its own line.
        assert len([line for line in lines if "it/s" not in line and "%|" not in line]) == 1, lines


def list_tree(folder: Path) -> dict[str, bytes | None]:
    """Return the contents of all files under a folder by name; None for a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }

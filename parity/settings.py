"""Run the parity suite under several numbers of threads, with oneDNN on and off, and under load.

    python -m parity.settings                 six settings, without mutants: about an hour
    python -m parity.settings --quick         six settings, quick cases: about half an hour
    python -m parity.settings --busy=4        beside four busy processes

Exit status: 0 if everything holds in every setting, 1 otherwise.
"""

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tabulate import tabulate

THREADS = (1, 2, 4)
"""Threads inside an operation, for TensorFlow and PyTorch."""

BUSY_LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Script that takes all the time it can get, and ends when its parent ends."""

HOLDS = "everything holds"
"""Last line of a run in which nothing failed."""


@dataclass(frozen=True)
class Setting:
    """Environment of a run.

    Attributes:
        threads: Threads inside an operation.
        onednn: Whether TensorFlow computes with oneDNN.
    """

    threads: int
    onednn: bool

    def environment(self) -> dict[str, str]:
        """Return the variables that TensorFlow, oneDNN and PyTorch read."""
        return {
            "TF_NUM_INTRAOP_THREADS": str(self.threads),
            "OMP_NUM_THREADS": str(self.threads),
            "TF_ENABLE_ONEDNN_OPTS": str(int(self.onednn)),
        }


SETTINGS = [Setting(*pair) for pair in itertools.product(THREADS, (True, False))]
"""All settings, in the order of the table."""


@contextmanager
def busy_processes(number: int) -> Iterator[list[subprocess.Popen]]:
    """Keep this many processes busy until the context ends."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(number)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_suite(setting: Setting, arguments: list[str]) -> tuple[list[str], float]:
    """Run `python -m parity` in a process with a setting.

    Returns:
        Its failures, or the end of its output if it broke off; and its time in s.
    """
    start_s = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "parity", *arguments],
        env={**os.environ, **setting.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = process.stdout.strip().splitlines()
    if process.returncode == 0 and lines and lines[-1] == HOLDS:
        failures: list[str] = []
    elif process.returncode == 1:
        # Failures are the last paragraph.
        failures = process.stdout.strip().rpartition("\n\n")[2].splitlines()
    else:
        failures = process.stderr.strip().splitlines()[-5:] or ["no output"]
    return failures, time.monotonic() - start_s


def main() -> int:
    """Run every setting and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m parity.settings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="leave out what `--quick` leaves out")
    parser.add_argument("--busy", type=int, default=0, help="busy processes beside each run")
    arguments = parser.parse_args()
    if arguments.busy < 0:
        parser.error(f"--busy is {arguments.busy}; expected 0 or more")
    rows, failed = [], 0
    with busy_processes(arguments.busy):
        for setting in SETTINGS:
            options = ["--quick"] if arguments.quick else ["--no-mutants"]
            failures, time_s = run_suite(setting, options)
            failed += bool(failures)
            verdict = "; ".join(failures) or HOLDS
            onednn = "on" if setting.onednn else "off"
            rows.append((setting.threads, onednn, f"{time_s:.0f}", verdict))
            print(
                f"{setting.threads} threads, oneDNN {onednn}, {time_s:.0f} s: {verdict}", flush=True
            )
    print(tabulate(rows, ("threads", "oneDNN", "s", "verdict"), tablefmt="github"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

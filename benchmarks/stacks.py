"""Compare interpreters, such as those of both stacks: a training step, and the start of convert.py.

    python -m benchmarks.stacks --python=REFERENCE/bin/python --python=LIVING/bin/python

Every interpreter runs this code with its own packages. Steps have the settings of each variant's
paper. Interpreters take turns, A B A B. The tables have processor seconds, over all threads.
"""

import os
import resource
import statistics
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import port, sizes, turns, worker
from benchmarks.harness.worker import Worker
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.training import PRECISIONS
from cyclegan_vc_tf.system import files

SERVE = "serve"
"""First argument of the process that makes steps."""

SECONDS = 2.0
"""Length of the recording that is converted."""


def serve(variant: str, precision: str) -> None:
    """Serve steps of a variant with its paper's settings."""
    config = PRESETS[variant]
    config = replace(config, training=replace(config.training, precision=precision))
    worker.serve(lambda: port.training_step(config))


def measure_steps(
    pythons: Sequence[str], variant: str, precision: str, rounds: int
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Measure steps in turns.

    Returns:
        Processor seconds of each step, and versions, by interpreter.
    """
    module = ("benchmarks.stacks", SERVE, variant, precision)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(*module, python=name)) for name in pythons}
        versions = {name: each.ready()["versions"] for name, each in workers.items()}
        measured: dict[str, list[float]] = {name: [] for name in pythons}
        for _ in range(rounds):
            for name, each in workers.items():
                measured[name] += each.measure(1).cpu_s
    return measured, versions


def process_cpu_s(command: Sequence[str | Path]) -> float:
    """Measure the processor seconds of a process from its start to its end.

    Raises:
        CalledProcessError: The process failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=worker.REPOSITORY)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_starts(pythons: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Measure convert.py on one short recording in turns, after a warm-up of each."""
    with TemporaryDirectory() as made:
        work = Path(made)
        wav = turns.write(work / "a.wav", turns.synthesize_speech(SECONDS))
        turns.process_s("-m", "benchmarks.demo_run", work / "run", "demo", "dio")
        command = (
            "convert.py", f"--run_dir={work}/run", f"--input={wav}", f"--output={work}/out",
        )  # fmt: skip
        methods = {name: lambda name=name: process_cpu_s((name, *command)) for name in pythons}
        turns.measure_in_turns(methods, 1)
        return turns.measure_in_turns(methods, rounds)


def format_row(what: str, measured: dict[str, list[float]]) -> str:
    """Format a row of the table: medians, and ratios to the first interpreter."""
    medians = [statistics.median(values) for values in measured.values()]
    cells = [f"{median:.3f} ({median / medians[0]:.3f})" for median in medians]
    return f"| {what} | {' | '.join(cells)} |"


def parse(arguments: Sequence[str] | None = None) -> Any:
    """Parse the flags of the command."""
    parser: ArgumentParser = sizes.parser("stacks", __doc__)
    parser.add_argument(
        "--python", action="append", default=[], metavar="FILE",
        help="an interpreter; the first is what the others are compared with; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--variant", choices=PRESETS, action="append", help="measure only this variant; repeatable"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, action="append",
        help="measure only this precision; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=sizes.whole(), default=7, help="number of measurements of each"
    )
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    given = parser.parse_args(arguments)
    if len(given.python) < 2:
        parser.error("--python is given less than twice; name two or more interpreters")
    for name in given.python:
        if not os.access(name, os.X_OK):
            parser.error(f"--python is {name}, which cannot be run; expected an interpreter")
    return given


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == [SERVE]:
        return serve(*sys.argv[2:])
    given = parse()
    results: dict[str, dict[str, list[float]]] = {}
    print("| CPU s, median (ratio) |" + "".join(f" {name} |" for name in given.python))
    print("|---|" + "---|" * len(given.python))
    for variant in given.variant or PRESETS:
        for precision in given.precision or PRECISIONS:
            what = f"{variant}, {precision}, per step"
            results[what], versions = measure_steps(given.python, variant, precision, given.rounds)
            print(format_row(what, results[what]), flush=True)
    results["convert.py, 2 s of speech"] = measure_starts(given.python, given.rounds)
    print(format_row("convert.py, 2 s of speech", results["convert.py, 2 s of speech"]))
    for name, each in versions.items():
        print(f"\n{name}: " + ", ".join(f"{key} {value}" for key, value in each.items()))
    if given.json:
        files.write_json(given.json, {"unit": "CPU s", "measured": results, "versions": versions})
    return None


if __name__ == "__main__":
    main()

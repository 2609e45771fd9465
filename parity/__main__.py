"""Compare this project with its PyTorch companion, and print the differences.

    python -m parity                             everything, about ten minutes
    python -m parity --quick                     without long trainings and mutants, four minutes
    python -m parity --only=TEXT                 only cases that have this text in their names
    python -m parity --report=docs/notes/parity.md    also write a report
    python -m parity --save=living.json          also save the results, on the other stack
    python -m parity --report=FILE.md --beside=living.json    with a column of the other stack

Exit status: 0 if everything holds, 1 if something does not, 2 for a wrong flag, a report that
cannot be written, or missing packages.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

PACKAGES = ("torch", "scipy", "tabulate", "markdown")
"""Packages of the extra `parity`."""


def main() -> int:
    """Run the suite, print its tables and write the report."""
    parser = argparse.ArgumentParser(
        prog="python -m parity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="leave out full-width networks, long trainings and mutants",
    )
    parser.add_argument(
        "--only",
        metavar="TEXT",
        help="run only cases that have this text in their names; no traps, trainings or mutants",
    )
    parser.add_argument(
        "--no-mutants",
        dest="mutants",
        action="store_false",
        help="leave out the faults that are put in on purpose; not together with --report",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.md",
        help="write a report to this file, and a web page beside it",
    )
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FILE.json",
        help="write results to this file, for --beside on the other stack",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="FILE.json",
        help="results of the other stack, which get a column of the report",
    )
    arguments = parser.parse_args()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        parser.error(f"{', '.join(missing)} not installed; run pip install -e '.[parity]'")
    if arguments.report and not (arguments.mutants or arguments.quick):
        parser.error("--no-mutants was given with --report; a report needs the mutants: leave one")
    if arguments.only is not None and (arguments.report or arguments.save):
        parser.error("--only was given with --report or --save, which need all cases: leave it out")
    for flag, path, suffix in (
        ("report", arguments.report, ".md"), ("save", arguments.save, ".json")
    ):  # fmt: skip
        problem = check_writable(path, suffix) if path else ""
        if problem:
            parser.error(f"--{flag} is {str(path)!r}; {problem}")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cyclegan_vc_tf.system.errors import InputError
    from parity import evidence, report, stack_results

    try:
        beside = stack_results.load(arguments.beside) if arguments.beside else None
        if arguments.only is not None:
            results = evidence.gather_only(arguments.only)
        else:
            results = evidence.gather(quick=arguments.quick, mutants=arguments.mutants)
    except InputError as error:
        parser.error(str(error))
    print(report.case_table(results, "simple", beside), end="\n\n")
    if arguments.only is None:
        print(report.trap_table(results, "simple"), end="\n\n")
        print(report.optimiser_table(results, "simple"), end="\n\n")
    if arguments.only is None and not arguments.quick:
        print(report.convergence_table(results, "simple"), end="\n\n")
    failures = results.failures()
    if arguments.save:
        stack_results.save(stack_results.summarize(results), arguments.save)
    print("\n".join(failures) if failures else "everything holds", flush=True)
    if arguments.report:
        report.write(results, arguments.report, quick=arguments.quick, beside=beside)
        print(f"report: {arguments.report} and {arguments.report.with_suffix('.html')}")
    return 1 if failures else 0


def check_writable(path: Path, suffix: str) -> str:
    """Return the reason why a file cannot be written to `path`, or an empty string."""
    if path.suffix != suffix:
        return f"expected a name that ends in {suffix}"
    if path.is_dir():
        return "it is a folder; expected a file"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return ""
    except OSError as error:
        return f"its folder cannot be written to ({error.strerror}); choose another folder"


if __name__ == "__main__":
    sys.exit(main())

"""python -m parity: this project beside its PyTorch companion, and how far apart they are.

    python -m parity                            everything, a few minutes
    python -m parity --quick                    a minute and a half: no trainings, no mutants
    python -m parity --report=docs/notes/parity.md    a report too, with pictures, and as a web page

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
"""What the extra `parity` adds."""


def main() -> int:
    """Runs the suite, prints its tables, writes the report."""
    parser = argparse.ArgumentParser(
        prog="python -m parity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--quick", action="store_true", help="leave out all that takes long")
    parser.add_argument("--report", type=Path, metavar="FILE.md", help="write a report")
    arguments = parser.parse_args()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        parser.error(f"{', '.join(missing)} not installed; pip install -e '.[parity]'")
    if arguments.report:
        refused = unwritable(arguments.report)
        if refused:
            parser.error(f"--report is {str(arguments.report)!r}; {refused}")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cyclegan_vc_tf.system.errors import InputError
    from parity import evidence, report

    try:
        found = evidence.gather(quick=arguments.quick)
    except InputError as error:
        parser.error(str(error))
    print(report.case_table(found, "simple"), end="\n\n")
    print(report.trap_table(found, "simple"), end="\n\n")
    print(report.optimiser_table(found, "simple"), end="\n\n")
    if not arguments.quick:
        print(report.convergence_table(found, "simple"), end="\n\n")
    failures = found.failures()
    print("\n".join(failures) if failures else "everything holds", flush=True)
    if arguments.report:
        report.write(found, arguments.report, quick=arguments.quick)
        print(f"report: {arguments.report} and {arguments.report.with_suffix('.html')}")
    return 1 if failures else 0


def unwritable(path: Path) -> str:
    """Why a report cannot be written there; empty if it can."""
    if path.suffix != ".md":
        return "expected a name that ends in .md"
    if path.is_dir():
        return "expected a file, and this is a folder"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return ""
    except OSError as error:
        return f"nothing can be written there ({error.strerror}); choose another place"


if __name__ == "__main__":
    sys.exit(main())

"""python -m parity: this project beside its PyTorch companion, and how far apart they are.

    python -m parity                            everything, a few minutes
    python -m parity --quick                    within a minute: no trainings, no mutants
    python -m parity --report=docs/parity.md    a report too, with pictures, and as a web page

Exit status: 0 if everything holds, 1 if something does not, 2 for a wrong flag or without PyTorch.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path


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
    if arguments.report and arguments.report.suffix != ".md":
        parser.error(f"--report is {str(arguments.report)!r}; expected a name that ends in .md")

    if importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is not installed; pip install -e '.[parity]'")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from parity import evidence, report

    found = evidence.gather(quick=arguments.quick)
    print(report.case_table(found, "simple"), end="\n\n")
    print(report.trap_table(found, "simple"), end="\n\n")
    print(report.optimiser_table(found, "simple"), end="\n\n")
    if not arguments.quick:
        print(report.convergence_table(found, "simple"), end="\n\n")
    if arguments.report:
        report.write(found, arguments.report, quick=arguments.quick)
        print(f"report: {arguments.report} and {arguments.report.with_suffix('.html')}")
    failures = found.failures()
    print("\n".join(failures) if failures else "everything holds")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Results of a run on one stack in a file, for a column of the other stack's report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from parity.cases.compare import Row
from parity.circumstances import circumstances
from parity.evidence import Evidence


@dataclass(frozen=True)
class StackResults:
    """Results of a run of the suite on one stack.

    Attributes:
        stack: Name of the stack, "reference" or "living".
        circumstances: Versions, machine and date.
        distances: Relative difference of each row of the cases, as text, by `row_key`.
        failures: A sentence for each result that failed.
    """

    stack: str
    circumstances: str
    distances: Mapping[str, str]
    failures: list[str]


def row_key(row: Row) -> str:
    """Return the key of a row: case, type and quantity."""
    return f"{row.case} | {row.dtype} | {row.kind}"


def summarize(evidence: Evidence) -> StackResults:
    """Return the results of a run that was just made."""
    distances = {row_key(row): f"{row.distance:.1e}" for row in evidence.rows}
    return StackResults(stack.NAME, circumstances(), distances, evidence.failures())


def save(results: StackResults, path: Path) -> None:
    """Write results to a JSON file."""
    files.write_json(path, asdict(results))


def load(path: Path) -> StackResults:
    """Read results of the other stack.

    Raises:
        InputError: The file is missing, is not such a file, or is of this stack.
    """
    remedy = "make it on the other stack with python -m parity --save=FILE.json"
    try:
        results = StackResults(**files.read_json(path))
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"--beside is {path}, which cannot be read ({error}); {remedy}") from error
    if results.stack == stack.NAME:
        raise InputError(f"--beside is {path}, of the {stack.NAME} stack too; {remedy}")
    return results

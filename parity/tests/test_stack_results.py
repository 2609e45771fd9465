"""Results of the other stack in a file, and their column in the report."""

import json
from pathlib import Path

import pytest

from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.system.errors import InputError
from parity import report, stack_results
from parity.cases.compare import Row
from parity.evidence import Evidence

EVIDENCE = Evidence(
    [
        Row("gate", "float64", "output", "output on 3x4", 2e-16, 3e-16, 5.7e-14, True, 7),
        Row("gate", "float32", "output", "output on 3x4", 2e-7, 4e-7, 3e-5, True, 7),
    ],
    [],
    [],
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """File of a run on the other stack, with another distance and a failure."""
    path = tmp_path / "other.json"
    stack_results.save(stack_results.summarize(EVIDENCE), path)
    other = json.loads(path.read_text())
    assert other["stack"] == stack.NAME
    other["stack"] = {"reference": "living", "living": "reference"}[stack.NAME]
    other["distances"] = {"gate | float64 | output": "9.9e-15"}
    other["failures"] = ["case made up fails"]
    path.write_text(json.dumps(other))
    return path


def test_the_report_has_a_column_of_each_stack(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    report.write(EVIDENCE, path, quick=True, beside=stack_results.load(saved))
    lines = path.read_text().splitlines()
    header, _, first, second = [line for line in lines if line.startswith("|")][-4:]
    cells = [[cell.strip() for cell in line.split("|")] for line in (header, first, second)]
    names = [f"relative difference, {name} stack" for name in ("reference", "living")]
    columns = [cells[0].index(name) for name in names]
    assert columns[1] == columns[0] + 1
    own, other = columns if stack.NAME == "reference" else columns[::-1]
    assert (cells[1][own], cells[1][other]) == ("3.0e-16", "9.9e-15")
    assert (cells[2][own], cells[2][other]) == ("4.0e-07", "not run")
    text = path.read_text()
    assert f"on the {stack.NAME} stack: TensorFlow" in text
    assert "**1 FAILURES.**" in text
    assert "stack: case made up fails" in text


def test_results_of_this_stack_or_of_nothing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    stack_results.save(stack_results.summarize(EVIDENCE), path)
    with pytest.raises(InputError, match=f"of the {stack.NAME} stack too; make it on the other"):
        stack_results.load(path)
    for text in ("{}", "[", '{"stack": "living", "more": 1}'):
        path.write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            stack_results.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        stack_results.load(tmp_path / "missing.json")

"""The command `python -m parity`: tables, report, exit status."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cyclegan_vc_tf.system.errors import InputError
from parity import __main__ as command
from parity import evidence
from parity.cases.case import Case, single_input
from parity.cases.catalogue import CASES
from parity.cases.pairs import Functions
from parity.evidence import Evidence
from parity.mutation import mutants
from parity.trainings import convergence, trajectories
from parity.trainings.optimizers import measure_drifts
from parity.trainings.trajectories import EXACT, SLACK, Envelope
from parity.traps.catalogue import TRAPS

REPOSITORY = Path(__file__).parents[2]

WRONG = Case(
    "made up", (), Functions(lambda x: 2.0 * x, lambda x: 2.1 * x), single_input((3, 4)),
    dtypes=("float64",),
)  # fmt: skip


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a few cases, traps and mutants, and made-up trajectories."""
    few = [case for case in CASES if case.name.startswith(("gated", "pixel"))]
    faults = [each for each in mutants.mutants_of_parts() if "GatedLinearUnit" in each.name]
    gaps = np.geomspace(1e-6, 1e-2, 12)[:, None]
    monkeypatch.setattr(evidence, "CASES", few)
    monkeypatch.setattr(evidence, "TRAPS", TRAPS[:2])
    monkeypatch.setattr(mutants, "mutants_of_parts", lambda: faults)
    monkeypatch.setattr(mutants, "mutants_of_networks", lambda: [])
    monkeypatch.setattr(trajectories, "exact", lambda corpus: np.geomspace(1e-16, 1e-11, 100))
    monkeypatch.setattr(
        trajectories,
        "envelope",
        lambda *given, **settings: Envelope(
            25 * np.arange(1, 13), gaps * [0.8, 1.0, 1.4], gaps * [0.9, 1.1]
        ),
    )


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["parity", *map(str, arguments)])
    return command.main()


def test_the_command_compares_a_part() -> None:
    """In a process of its own, as it is typed."""
    done = subprocess.run(
        [sys.executable, "-m", "parity", "--only=gated linear"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "gated linear unit" in done.stdout and "pixel" not in done.stdout
    assert "wrong way" not in done.stdout and "optimiser" not in done.stdout, "no empty tables"
    assert done.stdout.endswith("everything holds\n")


def test_a_part_that_fails_or_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(evidence, "CASES", [WRONG])
    assert run(monkeypatch, "--only=made") == 1
    for flags, expected in (
        (["--only=unmade"], "expected a text in the name of a case: made up"),
        (["--only=made", "--save=all.json"], "which need all cases"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(monkeypatch, *flags)
        assert ended.value.code == 2
        assert expected in capsys.readouterr().err


@pytest.mark.usefixtures("short")
def test_a_report_of_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "new" / "parity.md"
    assert run(monkeypatch, f"--report={path}") == 0
    printed = capsys.readouterr().out
    assert "\neverything holds\n" in printed
    text, page = path.read_text(), path.with_suffix(".html").read_text()
    for expected in (
        "gated linear unit",
        "padding=2 on both sides",
        "torch.optim.Adam",
        "5.7e-14",
    ):
        assert expected in printed
        assert expected in text
        assert expected in page
    # One row per case, type and quantity: four cases, two types, outputs and gradients.
    assert len(re.findall(r"\| equal ", text)) == 16
    assert page.count("<td>equal</td>") == 16
    pictures = re.findall(r"!\[.*\]\((.*)\)", text)
    assert [(path.parent / name).read_bytes()[:4] for name in pictures] == [b"\x89PNG"] * 3
    # The page stands alone.
    assert page.count('src="data:image/png;base64,') == 3
    assert not re.search(r'src="(?!data:)', page)
    assert {each.name for each in path.parent.iterdir()} == {
        "parity.md", "parity.html", *pictures,
    }  # fmt: skip


@pytest.mark.usefixtures("short")
def test_a_quick_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "quick.md"
    assert run(monkeypatch, "--quick", f"--report={path}") == 0
    assert "\neverything holds\n" in capsys.readouterr().out
    assert "Mutants" not in path.read_text()
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.usefixtures("short")
def test_a_case_that_fails_is_named_and_the_status_is_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(evidence, "CASES", [WRONG])
    path = tmp_path / "parity.md"
    assert run(monkeypatch, "--quick", f"--report={path}") == 1
    expected = (
        "case made up, float64, output: output on 3x4: relative difference 0.048, expected at most"
    )
    assert expected in capsys.readouterr().out
    assert expected in path.read_text()
    assert "**2 FAILURES.**" in path.read_text()


def test_everything_that_can_fail_fails() -> None:
    drifts = measure_drifts(1.0)[:1]
    fine = Evidence([], [], drifts, [], 3, np.full(100, 1e-15))
    assert fine.failures() == []
    gap = np.ones((2, 3))
    worse = Evidence(
        [],
        [],
        [type(drifts[0])("Adam", 1.0, 0.0, 0.0, "nothing", np.nan)],
        ["swapped"],
        3,
        np.array([1e-15] * 49 + [2 * EXACT[50]] + [np.nan] * 50),
        {"float32": Envelope(np.array([25, 50]), gap, np.array([[1.0], [1.1 * SLACK]]))},
    )
    results = convergence.load()
    apart = replace(fine, convergence={**results, "pytorch": results["cached"]})
    assert len(apart.failures()) == 3
    unknown = {"0": {**results["pytorch"]["0"], "losses": np.full((20, 10), np.nan).tolist()}}
    lost = {**results, "pytorch": {**results["pytorch"], **unknown}}
    assert len(replace(fine, convergence=lost).failures()) == 3
    assert replace(fine, convergence=results).failures() == []
    first, last = EXACT.values()
    assert worse.failures() == [
        "optimiser Adam, gradients 1e+00: absolute difference nan per step from the formula "
        "(nothing), expected at most 8.9e-16",
        "mutant swapped was seen by no case",
        f"trajectory, float64: relative difference {2 * first:.2g} of the losses within 50 steps, "
        f"expected at most {first:.2g}",
        "trajectory, float64: relative difference nan of the losses within 100 steps, "
        f"expected at most {last:.2g}",
        "envelope, float32: median relative gap 7.7 of the losses between the frameworks up to "
        "step 50, expected between 0.14 and 7",
    ]
    sentence = (
        r"convergence: the frameworks' (\w+) losses differ, p = \S+, expected at least 0\.017"
    )
    found = [re.fullmatch(sentence, line) for line in apart.failures()]
    assert [match and match[1] for match in found] == ["cycle", "identity", "adversarial"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--report=here.txt"], "--report is 'here.txt'; expected a name that ends in .md"),
        (["--quik"], "unrecognized arguments: --quik"),
    ],
)
def test_a_wrong_flag_is_refused_before_any_work(flags: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "parity", *flags], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"python -m parity: error: {message}"
    assert "Traceback" not in done.stderr


def test_a_report_that_cannot_be_written_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(evidence, "gather", lambda **given: pytest.fail("work was done"))
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.md").mkdir()
    for path, message in (
        (tmp_path / "file" / "parity.md", "File exists"),
        (Path("/proc/parity.md"), "its folder cannot be written to"),
        (tmp_path / "folder.md", "it is a folder; expected a file"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(monkeypatch, f"--report={path}")
        assert ended.value.code == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_without_the_long_study_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def missing() -> None:
        raise InputError("lacks trainings")

    monkeypatch.setattr(convergence, "load", missing)
    monkeypatch.setattr(evidence, "CASES", pytest.fail)
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("error: lacks trainings")


def test_the_committed_report_is_of_a_run_that_held() -> None:
    """The report lists all of today's cases and traps."""
    text = (REPOSITORY / "docs" / "notes" / "parity.md").read_text()
    assert "**Everything holds.**" in text
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert {case.name for case in CASES} <= rows
    assert {trap.name for trap in TRAPS} <= rows
    assert {f"{name}: {arm.what}" for name, arm in convergence.ARMS.items()} <= rows
    for name in re.findall(r"!\[.*\]\((.*)\)", text):
        assert (REPOSITORY / "docs" / "notes" / name).exists()

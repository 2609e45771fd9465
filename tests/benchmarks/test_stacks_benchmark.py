"""`python -m benchmarks.stacks`: two interpreters in turns, and its refusals."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import stacks
from benchmarks.harness.worker import Worker


def test_interpreters_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A link to this interpreter is another one; steps are made up, convert.py is real."""
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    pythons = [sys.executable, str(other)]
    asked = []

    def measure(given: list[str], variant: str, precision: str, rounds: int) -> tuple:
        asked.append((variant, precision))
        versions = {name: {"tensorflow": "1.2"} for name in given}
        return {given[0]: [1.0, 3.0, 2.0], given[1]: [2.0, 3.0, 2.5]}, versions

    monkeypatch.setattr(stacks, "measure_steps", measure)
    flags = [f"--python={name}" for name in pythons]
    path = tmp_path / "found.json"
    command = ["stacks", *flags, "--variant=vc2", "--rounds=1", f"--json={path}"]
    monkeypatch.setattr(sys, "argv", command)
    stacks.main()
    printed = capsys.readouterr().out
    assert "| vc2, float32, per step | 2.000 (1.000) | 2.500 (1.250) |" in printed
    assert asked == [("vc2", "float32"), ("vc2", "mixed_bfloat16")]
    assert "tensorflow 1.2" in printed
    started = json.loads(path.read_text())["measured"]["convert.py, 2 s of speech"]
    assert all(values[0] > 0.5 for values in started.values())


def test_a_worker_is_started_with_the_interpreter_that_was_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "{\\"arguments\\": \\"$*\\"}"\n')
    python.chmod(0o755)
    with Worker("some.module", "fast", python=str(python)) as started:
        assert started.ready() == {"arguments": "-m some.module fast"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([f"--python={sys.executable}"], "given less than twice; name two or more interpreters"),
        (["--python=/no", f"--python={sys.executable}"], "--python is /no, which cannot be run"),
    ],
)
def test_wrong_interpreters_are_refused(
    flags: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as ended:
        stacks.parse(flags)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err

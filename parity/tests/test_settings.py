"""Tests of the parity suite under several settings."""

import os
import subprocess
import sys

import pytest

from parity import settings
from parity.settings import HOLDS, SETTINGS, Setting, run_suite


def test_every_setting_of_threads_and_onednn_is_run_once() -> None:
    pairs = {(setting.threads, setting.onednn) for setting in SETTINGS}
    assert pairs == {(1, True), (1, False), (2, True), (2, False), (4, True), (4, False)}
    assert len(SETTINGS) == len(pairs)


@pytest.mark.parity
def test_frameworks_take_threads_from_the_environment() -> None:
    # Torch says how many threads it uses; TensorFlow keeps its number to itself.
    process = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.get_num_threads())"],
        env={**os.environ, **Setting(1, False).environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("status", "output", "errors", "failures"),
    [
        (0, f"table\n\n{HOLDS}\n", "cases: 100%", []),
        (1, "table\n\na is 2 apart\nb is 3 apart\n", "", ["a is 2 apart", "b is 3 apart"]),
        (-9, "table\n", "cases: 12%\nkilled", ["cases: 12%", "killed"]),
        (0, "", "", ["no output"]),
    ],
)
def test_what_a_run_says_is_read(
    monkeypatch: pytest.MonkeyPatch, status: int, output: str, errors: str, failures: list[str]
) -> None:
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **options: subprocess.CompletedProcess(command, status, output, errors),
    )
    assert run_suite(Setting(2, True), [])[0] == failures


def test_a_failure_in_one_setting_is_the_status_of_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_with_four_threads(setting: Setting, arguments: list[str]) -> tuple[list[str], float]:
        return (["vc2: 2 apart"] if setting.threads == 4 else []), 1.0

    monkeypatch.setattr(settings, "run_suite", fail_with_four_threads)
    monkeypatch.setattr(sys, "argv", ["parity.settings", "--quick"])
    assert settings.main() == 1
    output = capsys.readouterr().out
    assert output.count(HOLDS) == 2 * 4, "each setting is printed at once and in the table"
    assert "4 threads, oneDNN off, 1 s: vc2: 2 apart" in output


def test_busy_processes_end_with_the_context() -> None:
    with settings.busy_processes(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert [process.poll() for process in processes] == [-9, -9]


def test_a_negative_number_of_busy_processes_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["parity.settings", "--busy=-1"])
    with pytest.raises(SystemExit, match="2"):
        settings.main()
    assert "--busy is -1; expected 0 or more" in capsys.readouterr().err

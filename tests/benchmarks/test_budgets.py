"""The benchmark of amounts of speech and of training."""

import json
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, finished_here, write_voices

from benchmarks import budgets
from cyclegan_vc_tf.runs import run_folder

SMALL = (
    "--channels=2 --residual_blocks=1 --crop_frames=16 --batch_size=1 --inca_iterations=0 "
    "--novtln_init --self_regularization_weight=0 --precision=float32 --workers=1"
)


def test_the_first_recordings_make_up_the_minutes(tmp_path: Path) -> None:
    """Six recordings of 0.60, 0.65, … 0.85 s; the first three have 1.95 s, the first two 1.25 s."""
    source = write_voices(tmp_path / "source", 110.0, 6)
    target = tmp_path / "target"
    assert budgets.copy_first(source, target, 1.3 / 60) == pytest.approx(1.95 / 60)
    assert sorted(path.name for path in target.iterdir()) == ["00.wav", "01.wav", "02.wav"]
    assert budgets.copy_first(source, target, 1.2 / 60) == pytest.approx(1.25 / 60)
    assert budgets.copy_first(source, target, 5.0) == pytest.approx(4.35 / 60)
    assert len(list(target.iterdir())) == 6


def test_a_training_is_scored_at_each_number_of_steps_and_not_repeated(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without_graph: None,
) -> None:
    """Commands run in this process, and take 100 s of CPU time each."""

    def run_in_this_process(*arguments: str) -> float:
        finished_here(*arguments)
        return 100.0

    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(budgets, "run", run_in_this_process)
    held_out = f"--held_out_source_dir={corpus}/low --held_out_target_dir={corpus}/high"
    flags = ["--minutes=0.1", "--steps=1,2", f"--output={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["budgets", *flags, f"--flags={SMALL} {held_out}"])
    budgets.main()
    *_, first, second = rows = capsys.readouterr().out.splitlines()
    folder = tmp_path / "0.1-minutes"
    for row, steps in ((first, 1), (second, 2)):
        minutes, count, cpu_s, mcd, *_ = (cell.strip() for cell in row.strip("|").split("|"))
        assert 0.1 <= float(minutes) < 0.3 and int(count) == steps
        assert float(cpu_s) == 100 * steps
        scores = json.loads((folder / f"scores-{steps}.json").read_text())
        expected = [scores[each]["converted"]["mcd_db"] for each in ("A2B", "B2A")]
        assert mcd == f"{expected[0]:.2f} / {expected[1]:.2f}"
    run = run_folder.open_run(folder / "run")
    assert run.config.network.channels == 2 and run.checkpoints.last_step() == 2

    def refuse(*arguments: str) -> float:
        raise AssertionError(arguments)

    monkeypatch.setattr(budgets, "run", refuse)
    budgets.main()
    assert capsys.readouterr().out.splitlines()[-2:] == rows[-2:]
    monkeypatch.setattr(sys, "argv", ["budgets", *flags, "--flags=--seed=1"])
    with pytest.raises(SystemExit, match="has runs of other settings"):
        budgets.main()


def test_a_preset_without_recordings_and_a_command_that_fails_end_in_a_line(
    tmp_path: Path,
) -> None:
    with pytest.raises(SystemExit, match="--preset vc1 has no recordings of its own"):
        budgets.measure("vc1", 1.0, [1], tmp_path)
    with pytest.raises(SystemExit, match="train ended with status 2"):
        budgets.run("train", "--steps=none")


def test_the_cpu_time_is_that_of_the_command() -> None:
    """Python alone takes more than 10 ms to start."""
    assert budgets.run("train", "--help") > 0.01

"""Evaluation of a trained run: against itself, without neural metrics, by the command."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from conftest import run_here

from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.evaluation import evaluator, neural_metrics
from cyclegan_vc_tf.evaluation.scoring import METRICS, SYSTEMS
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system.errors import InputError

FORMULAS = ("mcd_db", "voicing_error", "msd_db", "global_variance_ratio")
NEURAL = ("speaker_similarity", "source_similarity", "dnsmos", "word_error_rate")


@pytest.fixture(scope="module")
def run_dir(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of training, half of the recordings held out."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = run_here(
        "train.py", f"--run_dir={folder}", f"--source_dir={corpus / 'low'}",
        f"--target_dir={corpus / 'high'}", f"--features_dir={folder.parent / 'features'}",
        "--held_out_fraction=0.5", "--f0_method=dio", "--channels=2", "--residual_blocks=1",
        "--crop_frames=16", "--steps=2", "--convert_every=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def no_neural_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        neural_metrics, "missing_reason", lambda *packages: neural_metrics.NOT_INSTALLED
    )


def held_out(run_dir: Path, speaker: str) -> list[Path]:
    corpus = json.loads((run_dir / "corpus.json").read_text())[speaker]
    return [Path(corpus["held_out_folder"], name) for name in corpus["held_out"]]


def test_speech_is_no_distance_from_itself(run_dir: Path, tmp_path: Path) -> None:
    """References that are the sources: the source is perfect, and what changes it is not."""
    for speaker, other in (("A", "B"), ("B", "A")):
        (tmp_path / other).mkdir()
        for path in held_out(run_dir, speaker):
            shutil.copy(path, tmp_path / other)
    run = run_folder.open_run(run_dir)
    done = evaluator.evaluate(run, 2, MetricsConfig(reference_dir=str(tmp_path)))
    assert done.step == 2
    for systems in done.scores.values():
        source = systems["source"].summary
        assert source["mcd_db"] == pytest.approx(0, abs=1e-9)
        assert source["log_f0_rmse"] == pytest.approx(0, abs=1e-9)
        assert source["voicing_error"] == source["msd_db"] == 0
        assert source["global_variance_ratio"] == pytest.approx(1)
        assert systems["world_target"].summary["mcd_db"] > 0.5
        assert systems["converted"].summary["mcd_db"] > systems["world_target"].summary["mcd_db"]
        assert systems["f0_only"].summary["log_f0_rmse"] > 0.3, "from one speaker's range away"
    assert set(done.not_measured) == set(NEURAL)


def test_the_command_writes_a_page_a_table_and_numbers(run_dir: Path, tmp_path: Path) -> None:
    done = run_here("evaluate", f"--run_dir={run_dir}", f"--json={tmp_path / 'means.json'}")
    assert done.returncode == 0, done.stderr
    assert f"not measured: dnsmos: {neural_metrics.NOT_INSTALLED}" in done.stdout
    folder = run_dir / "evaluation" / "step-2"
    assert f"Report: {folder / 'report.html'}" in done.stdout
    means = json.loads((tmp_path / "means.json").read_text())
    assert means == json.loads((folder / "metrics.json").read_text())
    assert set(means) == {"A2B", "B2A"}
    for systems in means.values():
        assert tuple(systems) == SYSTEMS
        for values in systems.values():
            assert tuple(values) == METRICS
            assert all(values[metric] is None for metric in NEURAL)
            assert all(isinstance(values[metric], float) for metric in FORMULAS)
    with (folder / "recordings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = [row for row in rows if (row["direction"], row["system"]) == ("A2B", "converted")]
    mean = sum(float(row["mcd_db"]) for row in ours if row["mcd_db"]) / len(ours)
    assert means["A2B"]["converted"]["mcd_db"] == pytest.approx(mean)
    page = (folder / "report.html").read_text()
    assert page.count("<audio") == 2 * 3 * min(3, len(ours))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--run_dir=nowhere"], "not a run folder"),
        (["--whisper_model=nowhere", "--transcripts=x"], "has no model.bin"),
        (["--reference_dir=nowhere"], "nowhere/A is not there"),
        (["--step=7"], "has no checkpoint of step 7; expected one of [2]"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_line(
    run_dir: Path, flags: list[str], said: str
) -> None:
    done = run_here("evaluate", f"--run_dir={run_dir}", *flags)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_run_that_was_imported_has_no_recordings(run_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(run_dir, tmp_path / "run")
    corpus = {name: {"training": {}} for name in "AB"}
    (tmp_path / "run" / "corpus.json").write_text(json.dumps(corpus))
    run = run_folder.open_run(tmp_path / "run")
    with pytest.raises(InputError, match="imported or published and has no recordings of its own"):
        evaluator.evaluate(run, 2, MetricsConfig())

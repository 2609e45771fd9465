"""Scores of checkpoints: the best step, its checkpoint, and evaluation in training."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import run_here, scalars

from cyclegan_vc_tf.evaluation import neural_metrics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.system.errors import InputError

MEANS = {
    # Mean MCD 8, 6 and 7; mean similarity .5, .6 and .7.
    100: {"A2B": {"mcd_db": 7.0, "speaker_similarity": 0.5, "dnsmos": None},
          "B2A": {"mcd_db": 9.0, "speaker_similarity": 0.5, "dnsmos": None}},
    200: {"A2B": {"mcd_db": 7.0, "speaker_similarity": 0.9, "dnsmos": 3.0},
          "B2A": {"mcd_db": 5.0, "speaker_similarity": 0.3, "dnsmos": None}},
    300: {"A2B": {"mcd_db": 6.0, "speaker_similarity": 0.7, "dnsmos": 2.0},
          "B2A": {"mcd_db": 8.0, "speaker_similarity": 0.7, "dnsmos": 2.5}},
}  # fmt: skip


@pytest.fixture
def evaluations(tmp_path: Path) -> EvaluationHistory:
    known = EvaluationHistory(tmp_path / "evaluations.json")
    for step, means in MEANS.items():
        known.add(step, means)
    return known


@pytest.mark.parametrize(
    ("metric", "steps", "best"),
    [
        ("mcd_db", [100, 200, 300], 200),
        ("mcd_db", [100, 300, 400], 300),
        ("speaker_similarity", [100, 200, 300], 300),
        ("speaker_similarity", [100, 200], 200),
        ("dnsmos", [100, 200, 300], 300),
        ("dnsmos", [100, 200], None),
        ("word_error_rate", [100, 200, 300], None),
        ("mcd_db", [], None),
    ],
)
def test_the_best_step_has_the_best_mean_of_both_directions(
    evaluations: EvaluationHistory, metric: str, steps: list[int], best: int | None
) -> None:
    assert evaluations.best(metric, steps) == best


def test_repeated_evaluations_are_removed(evaluations: EvaluationHistory) -> None:
    evaluations.forget_after(200)
    assert evaluations.all() == {step: MEANS[step] for step in (100, 200)}


@pytest.mark.parametrize("text", ["{", "[]", '{"x": {}}', '{"1": 3}'])
def test_a_damaged_file_is_named(evaluations: EvaluationHistory, text: str) -> None:
    evaluations.path.write_text(text)
    with pytest.raises(InputError, match=r"evaluations\.json is damaged"):
        evaluations.all()


def test_the_best_checkpoint_is_kept_beside_the_last(tmp_path: Path) -> None:
    checkpoints, variable = Checkpoints(tmp_path), tf.Variable(0.0)
    for step in (1, 2, 3, 4):
        best = 2 if step > 1 else None
        checkpoints.save(tf.train.Checkpoint(x=variable), step, 1, lambda steps, best=best: best)
    assert checkpoints.steps() == [2, 4]


@pytest.fixture
def no_neural_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        neural_metrics, "missing_reason", lambda *packages: neural_metrics.NOT_INSTALLED
    )


@pytest.mark.usefixtures("no_neural_metrics", "without_graph")
def test_a_training_evaluates_keeps_its_best_and_resumes(corpus: Path, tmp_path: Path) -> None:
    """The best checkpoint is kept, converts with --step=best, and survives a resume."""
    run_dir = tmp_path / "run"
    again = [f"--run_dir={run_dir}", "--keep_checkpoints=1", "--evaluate_every=2"]
    done = run_here(
        "train.py", *again, f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
        f"--features_dir={corpus / 'features'}", "--held_out_fraction=0.5", "--f0_method=dio",
        "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--steps=3",
        "--convert_every=0", "--log_every=1", "--best_metric=msd_db",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Step 2: msd_db A2B " in done.stdout and "Step 3: msd_db A2B " in done.stdout
    run = run_folder.open_run(run_dir)
    known = run.evaluations.all()
    assert list(known) == [2, 3]
    written = scalars(run_dir, "evaluation/")
    for step, means in known.items():
        for direction, values in means.items():
            assert values["mcd_db"] > 0 and values["dnsmos"] is None
            logged = written[f"evaluation/{direction}/mcd_db", step]
            assert logged == pytest.approx(values["mcd_db"], rel=1e-6)
    # These scores make step 3 the best one.
    for means in known[3].values():
        means["msd_db"] = 0.0
    run.evaluations.path.write_text(json.dumps({str(step): known[step] for step in known}))
    done = run_here("train.py", *again, "--steps=6")
    assert done.returncode == 0, done.stderr
    assert run.checkpoints.steps() == [3, 6] and list(run.evaluations.all()) == [2, 3, 4, 6]
    assert (run.pick("best"), run.pick("last"), run.pick("3")) == (3, 6, 3)
    recording = next((corpus / "low").iterdir())
    done = run_here(
        "convert.py", f"--run_dir={run_dir}", f"--input={recording}",
        f"--output={tmp_path / 'converted'}", "--step=best",
    )  # fmt: skip
    assert "Converted 1 of 1 with step 3" in done.stdout
    with pytest.raises(InputError, match="expected a number, last or best"):
        run.pick("first")
    run.evaluations.path.unlink()
    with pytest.raises(InputError, match="was evaluated by msd_db"):
        run.pick("best")


@pytest.mark.usefixtures("no_neural_metrics")
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--best_metric=dnsmos"], "--best_metric=dnsmos cannot be measured"),
        (["--best_metric=mcd"], "--best_metric"),
        (["--held_out_fraction=0"], "has no held-out recording of A"),
    ],
)
def test_a_metric_without_values_is_refused_before_the_first_step(
    corpus: Path, tmp_path: Path, flags: list[str], message: str
) -> None:
    done = run_here(
        "train.py", f"--run_dir={tmp_path / 'run'}", f"--source_dir={corpus / 'low'}",
        f"--target_dir={corpus / 'high'}", f"--features_dir={corpus / 'features'}",
        "--held_out_fraction=0.5", "--f0_method=dio", "--channels=2", "--residual_blocks=1",
        "--crop_frames=16", "--steps=2", "--evaluate_every=1", *flags,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("run/checkpoints/*"))

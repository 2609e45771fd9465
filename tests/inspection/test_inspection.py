"""Inspection of run folders: contents, and each kind of damage."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import run_here, variables

import cyclegan_vc_tf
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.hub import pretrained, publishing
from cyclegan_vc_tf.inspection import inspector, summary
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.versions import Versions
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import loss_terms
from cyclegan_vc_tf.training.trainer import Trainer

STATISTICS = {
    name: Statistics(-10 * np.eye(24)[0], 0.1 * np.ones(24), log_f0, 0.1)
    for name, log_f0 in (("A", 4.7), ("B", 5.3))
}
LOSSES = {
    # Means of steps 81 to 90 and of 91 to 100: 10 and 5; 2 and 2; of one value, no change.
    "generator": {81: 9.0, 90: 11.0, 91: 4.0, 100: 6.0},
    "cycle_A": {85: 2.0, 95: 1.0, 100: 3.0},
    "identity_B": {100: 0.25},
}


@pytest.fixture(scope="module")
def learned(small_config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a training besides its settings: checkpoints of steps 3 and 4, and losses."""
    folder = tmp_path_factory.mktemp("learned")
    trainer = Trainer(small_config)
    for step in (3, 4):
        Checkpoints(folder / "checkpoints").save(trainer.checkpoint, step, keep=2)
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for name, curve in LOSSES.items():
            for step, value in curve.items():
                tf.summary.scalar(f"loss/{name}", value, step)
    writer.close()
    return folder


@pytest.fixture
def run(
    tmp_path: Path, small_config: RunConfig, corpus: Path, learned: Path
) -> run_folder.RunFolder:
    """An untrained run with checkpoints of steps 3 and 4, and losses in an event file."""
    recordings = {}
    for speaker, folder in (("A", "low"), ("B", "high")):
        shutil.copytree(corpus / folder, tmp_path / folder)
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        hashes = {name: _sha256sum(tmp_path / folder / name) for name in names[1:]}
        recordings[speaker] = {
            "folder": str(tmp_path / folder),
            "training": hashes,
            "held_out_folder": str(tmp_path / folder),
            "held_out": names[:1],
        }
    run = run_folder.create_run(tmp_path / "run", small_config, STATISTICS, recordings)
    shutil.copytree(learned, run.path, dirs_exist_ok=True)
    return run


def _sha256sum(path: Path) -> str:
    """The hash that the command sha256sum prints."""
    with os.popen(f"sha256sum '{path}'") as printed:
        return printed.read().split()[0]


def inspected(run: run_folder.RunFolder, status: int) -> list[str]:
    """Run the command, and return the lines that it prints."""
    done = run_here("inspect_run", f"--run_dir={run.path}")
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_run_in_order_fits_a_screen(run: run_folder.RunFolder, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    done = run_here("inspect_run", f"--run_dir={run.path}", f"--json={tmp_path / 'found.json'}")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 100
    for expected_text in (
        "vc1 (Kaneko and Kameoka, 2017, arXiv:1711.11293)",
        "speaker A       5 recordings, 1 held out, ",
        "24 mel-cepstra per 5 ms, 16000 Hz; F0 by dio, 71 to 800 Hz",
        "4 of 4",
        " total          generator 6 (-50%)",
        " cycle          A 3 (+0%)",
        " identity       B 0.25",
        "of steps 3, 4; last 4",
        "versions        not recorded",
    ):
        assert any(expected_text in line for line in lines), (expected_text, done.stdout)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["problems"] == []
    assert found["losses"]["identity_B"] == {"step": 100, "value": 0.25, "change": None}
    data = {path: path.stat().st_size for path in run.path.rglob("*") if path.is_file()}
    assert sum(found["bytes"].values()) == sum(data.values())
    assert found["bytes"]["checkpoints"] == sum(
        size for path, size in data.items() if path.parent.name == "checkpoints"
    )
    after = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    assert after == before, "nothing is changed"


def test_parameters_are_those_of_the_checkpoint(run: run_folder.RunFolder) -> None:
    """The counts agree with the values in the checkpoint."""
    saved = variables(run.path, 4)
    for name, count in inspector.inspect(run.path).facts["parameters"].items():
        values = [value for key, value in saved.items() if key.startswith(f"{name}/")]
        assert count == sum(np.size(value) for value in values)


@pytest.mark.parametrize(
    ("steps", "values", "change"),
    [
        ([100], [1.0], None),
        ([80, 90, 100], [7.0, 4.0, 3.0], -0.25),
        ([85, 89, 91, 92, 100], [1.0, 3.0, 3.0, 3.0, 3.0], 0.5),
        ([85, 95], [0.0, 3.0], None),
        ([10, 100], [1.0, 2.0], None),
    ],
)
def test_a_trend_is_the_last_tenth_over_the_one_before(
    steps: list[int], values: list[float], change: float | None
) -> None:
    assert inspector.relative_change(steps, values) == (
        None if change is None else pytest.approx(change)
    )


def damage_config(run: run_folder.RunFolder) -> None:
    (run.path / "config.json").write_text("{")


def lose_config(run: run_folder.RunFolder) -> None:
    (run.path / "config.json").unlink()


def another_versions_config(run: run_folder.RunFolder) -> None:
    data = json.loads((run.path / "config.json").read_text())
    data["training"]["warp"] = 1
    (run.path / "config.json").write_text(json.dumps(data))


def impossible_config(run: run_folder.RunFolder) -> None:
    data = json.loads((run.path / "config.json").read_text())
    data["network"]["generator_widths"] = [1]
    (run.path / "config.json").write_text(json.dumps(data))


def other_config(run: run_folder.RunFolder) -> None:
    data = json.loads((run.path / "config.json").read_text())
    data["network"]["channels"] = 8
    (run.path / "config.json").write_text(json.dumps(data))


def deeper_config(run: run_folder.RunFolder) -> None:
    data = json.loads((run.path / "config.json").read_text())
    data["network"]["residual_blocks"] = 2
    (run.path / "config.json").write_text(json.dumps(data))


def other_names(run: run_folder.RunFolder) -> None:
    """Rename networks in a checkpoint, with equal shapes."""
    trainer = Trainer(run.config)
    saved = tf.train.Checkpoint(
        step=trainer.step,
        generator_optimizer=trainer.generator_optimizer,
        discriminator_optimizer=trainer.discriminator_optimizer,
        **{name.replace("A2B", "A2C"): model for name, model in trainer.networks.items()},
    )
    run.checkpoints.save(saved, 4, keep=2)


def damage_statistics(run: run_folder.RunFolder) -> None:
    path = run.path / "statistics.npz"
    path.write_bytes(path.read_bytes()[:300])


def lose_statistics(run: run_folder.RunFolder) -> None:
    (run.path / "statistics.npz").unlink()


def statistics_without_numbers(run: run_folder.RunFolder) -> None:
    with np.load(run.path / "statistics.npz", allow_pickle=False) as arrays:
        changed = dict(arrays) | {"B_mean": np.full(24, np.nan)}
    np.savez(run.path / "statistics.npz", **changed)


def statistics_of_others(run: run_folder.RunFolder) -> None:
    with np.load(run.path / "statistics.npz", allow_pickle=False) as arrays:
        changed = dict(arrays) | {"A_deviation": np.ones(80)}
    np.savez(run.path / "statistics.npz", **changed)


def damage_corpus(run: run_folder.RunFolder) -> None:
    (run.path / "corpus.json").write_text('{"A": {}}')


def index_alone(run: run_folder.RunFolder) -> None:
    (run.path / "checkpoints" / "ckpt-4.data-00000-of-00001").unlink()


def data_alone(run: run_folder.RunFolder) -> None:
    (run.path / "checkpoints" / "ckpt-4.index").unlink()


def truncate_data(run: run_folder.RunFolder) -> None:
    path = run.path / "checkpoints" / "ckpt-3.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-100])


def flip_bits(run: run_folder.RunFolder) -> None:
    path = run.path / "checkpoints" / "ckpt-4.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)


def cut_events(run: run_folder.RunFolder) -> None:
    [path] = run.path.glob("events*")
    path.write_bytes(path.read_bytes()[:-5])


def damage_evaluations(run: run_folder.RunFolder) -> None:
    run.evaluations.path.write_text('{"4": {"A2B": {"mcd_db": "good"}}}')


def cut_evaluations(run: run_folder.RunFolder) -> None:
    run.evaluations.path.write_text('{"4": ')


def damage_versions(run: run_folder.RunFolder) -> None:
    run.versions.path.write_text("[]")


def damage_note_of_an_import(run: run_folder.RunFolder) -> None:
    (run.path / "imported.json").write_text("{}")


def damage_note_of_a_publication(run: run_folder.RunFolder) -> None:
    (run.path / "published.json").write_text("{}")


def killed_writer_of_a_checkpoint(run: run_folder.RunFolder) -> None:
    (run.path / "checkpoints" / ".writing").mkdir()


def killed_writer_of_settings(run: run_folder.RunFolder) -> None:
    (run.path / ".config.json.0123abcd.partial").write_text("{")


def killed_maker_of_the_run(run: run_folder.RunFolder) -> None:
    (run.path.parent / ".run.partial").mkdir()


def move_recordings(run: run_folder.RunFolder) -> None:
    (run.path.parent / "low").rename(run.path.parent / "elsewhere")


def lose_a_recording(run: run_folder.RunFolder) -> None:
    (run.path.parent / "high" / "02.wav").unlink()


def lose_a_held_out_recording(run: run_folder.RunFolder) -> None:
    (run.path.parent / "high" / "00.wav").unlink()


def change_a_recording(run: run_folder.RunFolder) -> None:
    with (run.path.parent / "low" / "03.wav").open("ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize(
    ("break_it", "expected_text"),
    [
        (damage_config, "config.json cannot be read (Expecting property name"),
        (lose_config, "config.json is missing; restore it from a copy of the run, or repeat"),
        (another_versions_config, "config.json: warp is not a setting of this version"),
        (impossible_config, "config.json: no networks can be built (--generator_widths has 1"),
        (other_config, "of other shapes than the networks of the settings"),
        (deeper_config, "ckpt-4 cannot be read ("),
        (other_names, "ckpt-4 cannot be read ("),
        (damage_statistics, "statistics.npz cannot be read"),
        (lose_statistics, "statistics.npz is missing; restore it"),
        (statistics_without_numbers, "B_mean is NaN or infinite"),
        (statistics_of_others, "A_deviation has shape (80,) and type float64; expected (24,)"),
        (damage_corpus, "corpus.json cannot be read ("),
        (index_alone, "ckpt-4 has an index but no data; remove"),
        (data_alone, "ckpt-4 has data but no index: its writer was killed; remove"),
        (truncate_data, "ckpt-3.* to go on from step 4"),
        (flip_bits, "ckpt-4.* to go on from step 3"),
        (cut_events, "of its"),
        (damage_evaluations, "evaluations.json is damaged ('good' is not a number)"),
        (cut_evaluations, "evaluations.json is damaged (Expecting value"),
        (damage_versions, "versions.json is damaged"),
        (damage_note_of_an_import, "imported.json cannot be read"),
        (damage_note_of_a_publication, "published.json cannot be read"),
        (killed_writer_of_a_checkpoint, ".writing was left by a process that was killed"),
        (killed_writer_of_settings, ".config.json.0123abcd.partial was left by"),
        (killed_maker_of_the_run, ".run.partial was left by"),
        (move_recordings, "the recordings of A are not in "),
        (lose_a_recording, "1 of 5 recordings of B are gone, "),
        (lose_a_held_out_recording, "1 of 5 recordings of B are gone, "),
        (change_a_recording, "1 of 5 training recordings of A changed since the run began, "),
    ],
)
def test_each_damage_is_reported_in_a_line_with_its_remedy(
    run: run_folder.RunFolder, break_it: object, expected_text: str
) -> None:
    break_it(run)  # type: ignore[operator]
    lines = inspected(run, status=1)
    damages = [line for line in lines if line.startswith("damaged: ")]
    assert any(expected_text in line for line in damages), damages
    assert all("; " in line for line in damages)
    expected = 2 if break_it in (other_config, deeper_config) else 1
    assert len(damages) == expected, "no other damage is reported; settings damage both checkpoints"
    assert len(lines) - len(damages) > 5, "readable parts are shown all the same"


def test_files_of_a_running_training_are_not_damage(run: run_folder.RunFolder) -> None:
    for break_it in (data_alone, cut_events, killed_writer_of_a_checkpoint):
        break_it(run)
    with (run.path / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert any("a training is writing to it" in line for line in inspected(run, status=0))
    lines = inspected(run, status=1)
    assert sum(line.startswith("damaged: ") for line in lines) == 3


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    for path in (tmp_path, tmp_path / "absent", tmp_path / "thesis.doc"):
        done = run_here("inspect_run", f"--run_dir={path}")
        assert done.returncode == 2 and "is not a run folder" in done.stderr


def test_evaluations_and_versions_are_shown(run: run_folder.RunFolder) -> None:
    for step, mcd_db in ((3, 6.0), (4, 7.25)):
        run.evaluations.add(step, {way: {"mcd_db": mcd_db} for way in ("A2B", "B2A")})
    run.versions.note(0)
    lines = inspected(run, status=0)
    assert "evaluations     of steps 3, 4; MCD (dB) at step 4: A2B 7.25, B2A 7.25" in lines
    assert "checkpoints     of steps 3, 4; last 4, best 3" in lines
    [versions] = [line for line in lines if line.startswith("versions")]
    assert f"tensorflow {tf.__version__}, numpy {np.__version__}, python 3." in versions
    assert len(versions) < 100 and "…" not in versions
    assert not any("from step" in line for line in lines) and "before" not in versions


def test_versions_are_recorded_where_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Versions(tmp_path / "versions.json")
    known.note(0)
    known.note(50)
    assert list(known.all()) == [0]
    monkeypatch.setattr(cyclegan_vc_tf, "__version__", "9.9")
    known.note(100)
    assert known.all()[100]["cyclegan_vc_tf"] == "9.9" and list(known.all()) == [0, 100]
    monkeypatch.undo()
    known.note(70)
    assert list(known.all()) == [0], "what was trained from 100 on is repeated"
    known.path.write_text("{")
    with pytest.raises(InputError, match=r"versions\.json is damaged"):
        known.note(80)


@pytest.mark.usefixtures("without_graph")
def test_a_training_records_its_versions(corpus: Path, tmp_path: Path) -> None:
    """A training records versions at its first step, and an old run where it resumes."""
    again = [f"--run_dir={tmp_path / 'run'}", "--convert_every=0"]
    done = run_here(
        "train.py", *again, f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
        f"--features_dir={corpus / 'features'}", "--f0_method=dio", "--channels=2",
        "--residual_blocks=1", "--crop_frames=16", "--steps=2", "--held_out_fraction=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = run_folder.open_run(tmp_path / "run")
    assert run.versions.all()[0]["tensorflow"] == tf.__version__
    assert "from step" not in "".join(inspected(run, status=0))
    run.versions.path.unlink()
    assert run_here("train.py", *again, "--steps=3").returncode == 0
    assert any(
        "from step 2 on; before 2: not recorded" in line for line in inspected(run, status=0)
    )


def test_published_runs_are_inspected_and_their_weights_read(
    run: run_folder.RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.versions.note(0)
    publishing.publish(run, 4, tmp_path / "models" / "low-high", "Two made-up voices.")
    published = run_folder.open_run(tmp_path / "models" / "low-high")
    monkeypatch.setattr(pretrained, "MODELS_DIR", tmp_path / "models")
    by_name = run_here("inspect_run", "--run_dir=pretrained:low-high")
    assert (by_name.returncode, by_name.stdout.splitlines()) == (0, inspected(published, status=0))
    lines = inspected(published, status=0)
    assert "steps           4 of 4, published" in lines
    assert "corpus          no recordings" in lines
    assert any(line.startswith("versions") and "tensorflow" in line for line in lines)
    weights = published.path / "weights.npz"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "weights.npz cannot be read" in inspected(published, status=1)[-1]
    with np.load(run.path / "statistics.npz", allow_pickle=False) as arrays:
        np.savez(weights, **dict(arrays))
    assert "weights.npz cannot be read" in inspected(published, status=1)[-1]


def test_imported_runs_are_inspected(run: run_folder.RunFolder) -> None:
    note = {"step": 3, "untrained": ["discriminator_A"]}
    (run.path / "imported.json").write_text(json.dumps(note))
    nothing = {name: {"training": {}} for name in "AB"}
    (run.path / "corpus.json").write_text(json.dumps(nothing))
    lines = inspected(run, status=0)
    assert "steps           4 of 4; imported at step 3 without discriminator_A" in lines


@pytest.mark.parametrize("variant", PRESETS)
def test_the_longest_facts_fit_too(variant: str) -> None:
    names = ["A2B", "B2A", "A2B2A", "B2A2B"]
    loss = {"step": 400_000, "value": -0.0123456, "change": -0.123}
    losses = {f"adversarial_{name}": loss for name in names}
    losses |= {f"{kind}_{name}": loss for kind in ("cycle", "identity") for name in "AB"}
    losses |= {f"discriminator_{name}": loss for name in ("A", "B", "cycled_A", "cycled_B")}
    losses |= {name: loss for name in ("generator", "discriminator")}
    losses |= {
        f"{kind}_{name}": loss for kind in ("regularization", "teacher") for name in names[:2]
    }
    side = {"folder": "/" + "long/" * 40 + "anna", "training": 12345, "held_out": 1234}
    steps = list(range(100_000, 400_001, 1000))
    lines = summary.summary_lines(
        {
            "path": "/" + "long/" * 40 + "run",
            "in_use": True,
            "published": None,
            "imported": {"step": 100_000, "untrained": ["discriminator_A", "discriminator_B"]},
            "variant": variant,
            "paper": "Kaneko, Kameoka, Tanaka and Hojo, 2021, arXiv:2102.12841",
            "features": PRESETS[variant].features.used,
            "steps": 400_000,
            "step": 400_000,
            "corpus": {"A": side, "B": side},
            "parameters": {"generator_A2B": 10**9, "discriminator_A": 10**9},
            "evaluations": {step: {"A2B": {"mcd_db": 7.0}} for step in steps},
            "checkpoints": {"steps": steps, "best": 100_000},
            "losses": losses,
            "versions": {step: {"tensorflow": "2.15.1"} for step in steps},
            "bytes": dict.fromkeys(("checkpoints", "events", "converted", "other"), 10**11),
        }
    )
    assert len(lines) <= 24 and max(map(len, lines)) <= 100
    assert "                from step 400000 on; others before, from step 399000 on" in "\n".join(
        lines
    )
    assert [line for line in lines if "cycled_B" in line and "…" not in line]
    assert lines[0].endswith("long/run")


def test_every_loss_of_a_step_has_a_line_whose_label_fits() -> None:
    names = {"new", *(loss.name for loss in loss_terms.GENERATOR_LOSSES)}
    losses = {f"{name}_A2B": {"step": 1, "value": 0.5, "change": None} for name in names}
    lines = summary._loss_lines(losses)[1:]
    assert {label.strip() for label, _ in lines} == names
    assert all(len(label) < summary.LABEL_COLUMNS for label, _ in lines)

"""Recordings on a resume: moved folders are accepted, other recordings are refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_here, scalars, variables, write_voices

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.evaluation import evaluation_sets
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError

STATISTICS = {name: Statistics(np.zeros(24), np.ones(24), 5.0, 0.1) for name in "AB"}
SMALL = (
    "--f0_method=dio", "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--log_every=1",
    "--convert_every=0", "--workers=1",
)  # fmt: skip
FOLDERS = {
    "source_dir": ("low", 110.0),
    "target_dir": ("high", 210.0),
    "held_out_source_dir": ("held_low", 115.0),
    "held_out_target_dir": ("held_high", 205.0),
}


def table(folder: str = "train", **changes: Any) -> dict[str, Any]:
    """A table of recordings; `changes` replace entries of speaker B."""
    entry = {
        "folder": f"/{folder}",
        "training": {"1.wav": "11", "2.wav": "22"},
        "held_out_folder": f"/{folder}/held",
        "held_out": ["3.wav"],
        "held_out_sha256": {"3.wav": "33"},
    }
    return {"A": entry, "B": {**entry, **changes}}


@pytest.fixture
def run(tmp_path: Path, small_config: RunConfig) -> RunFolder:
    return run_folder.create_run(tmp_path / "run", small_config, STATISTICS, table())


def test_the_recordings_of_the_run_are_accepted_in_any_folder(run: RunFolder) -> None:
    run_folder.check_resume_recordings(run, table())
    run_folder.check_resume_recordings(run, table("moved"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"training": {"1.wav": "11", "2.wav": "22", "x.wav": "44", "y.wav": "55"}},
            "--target_dir /train has other training recordings than the run began with: "
            "2 added (x.wav first)",
        ),
        ({"training": {"2.wav": "22"}}, "1 removed (1.wav)"),
        ({"training": {"1.wav": "11", "2.wav": "00"}}, "1 changed (2.wav)"),
        ({"training": {"2.wav": "00", "z.wav": "44"}}, "1 added (z.wav), 1 removed (1.wav), 1 cha"),
        (
            {"held_out_sha256": {"3.wav": "33", "new.wav": "66"}},
            "--held_out_target_dir /train/held has other held-out recordings than the run began "
            "with: 1 added (new.wav)",
        ),
        ({"held_out_sha256": {}}, "1 removed (3.wav)"),
        ({"held_out_sha256": {"3.wav": "00"}}, "1 changed (3.wav)"),
    ],
)
def test_other_recordings_are_refused_by_name(
    run: RunFolder, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError) as refused:
        run_folder.check_resume_recordings(run, table(**changes))
    assert expected in str(refused.value) and "restore them" in str(refused.value)


def test_runs_of_old_versions_have_no_hashes_of_held_out_recordings(run: RunFolder) -> None:
    old = table()
    for entry in (old["A"], old["B"]):
        entry.pop("held_out_sha256", None)
    (run.path / "corpus.json").write_text(json.dumps(old))
    run_folder.check_resume_recordings(run, table(held_out_sha256={"3.wav": "anything"}))
    with pytest.raises(InputError, match=r"1 added \(new\.wav\)"):
        run_folder.check_resume_recordings(
            run, table(held_out_sha256={"3.wav": "33", "new.wav": "66"})
        )


def training(run_dir: Path, corpus: Path, *more: str) -> list[str]:
    """Arguments of a small training on recordings below `corpus`."""
    folders = [f"--{flag}={corpus / name}" for flag, (name, _) in FOLDERS.items()]
    features = f"--features_dir={run_dir.parent / 'features'}"
    return ["train.py", f"--run_dir={run_dir}", features, *folders, *SMALL, *more]


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    for name, f0_hz in FOLDERS.values():
        write_voices(tmp_path / "voices" / name, f0_hz, 2)
    return tmp_path / "voices"


@pytest.mark.usefixtures("without_graph")
def test_a_corpus_that_moved_continues_bit_for_bit(voices: Path, tmp_path: Path) -> None:
    done = run_here(*training(tmp_path / "reference", voices, "--steps=4"))
    assert done.returncode == 0, done.stderr
    done = run_here(*training(tmp_path / "run", voices, "--steps=2"))
    assert done.returncode == 0, done.stderr
    moved = tmp_path / "elsewhere"
    shutil.move(voices, moved)
    done = run_here("train.py", f"--run_dir={tmp_path / 'run'}", "--steps=4")
    assert done.returncode == 2 and str(voices) in done.stderr
    done = run_here(*training(tmp_path / "run", moved, "--steps=4"))
    assert done.returncode == 0, done.stderr
    expected = variables(tmp_path / "reference", 4)
    for name, value in variables(tmp_path / "run", 4).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert scalars(tmp_path / "run", "loss/") == scalars(tmp_path / "reference", "loss/")
    # What comes later finds the recordings in the new folders too.
    run = run_folder.open_run(tmp_path / "run")
    assert run.config.corpus.source_dir == str(moved / "low")
    sets = evaluation_sets.load_evaluation_sets(run)
    assert sets["A2B"].sources["00"] == moved / "held_low" / "00.wav"
    assert all(path.is_file() for path in sets["B2A"].source_enrolment)


@pytest.mark.usefixtures("without_graph")
def test_a_recording_added_to_a_held_out_folder_stops_the_resume(
    voices: Path, tmp_path: Path
) -> None:
    done = run_here(*training(tmp_path / "run", voices, "--steps=1"))
    assert done.returncode == 0, done.stderr
    shutil.copy(voices / "held_low" / "00.wav", voices / "held_low" / "new.wav")
    done = run_here("train.py", f"--run_dir={tmp_path / 'run'}", "--steps=2")
    assert done.returncode == 2 and "1 added (new.wav)" in done.stderr
    assert f"--held_out_source_dir {voices / 'held_low'}" in done.stderr
    (voices / "held_low" / "new.wav").unlink()
    done = run_here("train.py", f"--run_dir={tmp_path / 'run'}", "--steps=2")
    assert done.returncode == 0, done.stderr

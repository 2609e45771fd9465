"""Run folders: complete or absent, even if the writer was killed."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import run_here

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.inspection import damage
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

STATISTICS = {
    name: Statistics(np.arange(24.0) + index, np.ones(24) / 3, 4.7 + index, 0.1)
    for index, name in enumerate("AB")
}
CORPUS = {"A": {"training": {"a.wav": "00"}}, "B": {"training": {"b.wav": "11"}}}


@pytest.fixture
def run(tmp_path: Path, small_config: RunConfig) -> RunFolder:
    return run_folder.create_run(tmp_path / "run", small_config, STATISTICS, CORPUS)


def state(value: float) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(weight=tf.Variable([value, value]))


def test_a_created_run_is_opened(run: RunFolder, small_config: RunConfig) -> None:
    opened = run_folder.open_run(run.path)
    assert opened.config == small_config
    assert opened.recordings == {"A": {"a.wav": "00"}, "B": {"b.wav": "11"}}
    for name, expected in STATISTICS.items():
        found = opened.statistics[name]
        np.testing.assert_array_equal(found.mean, expected.mean)
        np.testing.assert_array_equal(found.std, expected.std)
        assert found.log_f0_mean == expected.log_f0_mean
        assert found.log_f0_std == expected.log_f0_std
    assert list(run.path.parent.iterdir()) == [run.path], "nothing incomplete is left"


def test_a_run_folder_names_no_scheduler(tmp_path: Path, small_config: RunConfig) -> None:
    """A client runs what a scheduler sends: a run of someone else must not choose one."""
    corpus = dataclasses.replace(small_config.corpus, scheduler="tcp://host:8786")
    config = dataclasses.replace(small_config, corpus=corpus)
    run = run_folder.create_run(tmp_path / "run", config, STATISTICS, CORPUS)
    assert run.with_settings(config).config == config
    assert "tcp://" not in "".join(path.read_text() for path in run.path.glob("*.[jt][sx]*"))
    settings = json.loads((run.path / "config.json").read_text())
    settings["corpus"]["scheduler"] = "tcp://elsewhere:8786"
    (run.path / "config.json").write_text(json.dumps(settings))
    assert run_folder.open_run(run.path).config == small_config


def test_statistics_and_settings_are_not_pickled(run: RunFolder) -> None:
    with np.load(run.path / "statistics.npz", allow_pickle=False) as arrays:
        names = ("mean", "deviation", "log_f0_mean", "log_f0_deviation")
        assert set(arrays) == {f"{speaker}_{name}" for speaker in "AB" for name in names}
    json.loads((run.path / "config.json").read_text())


def test_an_existing_path_is_refused(tmp_path: Path, small_config: RunConfig) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.doc").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is a file"):
        run_folder.create_run(tmp_path / "file", small_config, STATISTICS, CORPUS)
    with pytest.raises(InputError, match=r"has files but no config\.json"):
        run_folder.create_run(tmp_path / "folder", small_config, STATISTICS, CORPUS)
    run_folder.create_run(tmp_path / "empty", small_config, STATISTICS, CORPUS)
    with pytest.raises(InputError, match="is not a run folder"):
        run_folder.open_run(tmp_path / "folder")


@pytest.mark.parametrize("name", ["config.json", "statistics.npz", "corpus.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"PK\x03\x04 and no more"])
def test_damaged_files_are_named(run: RunFolder, name: str, content: bytes) -> None:
    (run.path / name).write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        run_folder.open_run(run.path)


def test_settings_of_another_version_are_named(run: RunFolder) -> None:
    data = json.loads((run.path / "config.json").read_text())
    data["training"]["warp"] = 1
    (run.path / "config.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="warp is not a setting of this version"):
        run_folder.open_run(run.path)


@pytest.mark.parametrize("name", ["a[b]", "what?", "all*"])
def test_paths_that_tensorflow_takes_for_patterns_are_refused(
    tmp_path: Path, small_config: RunConfig, run: RunFolder, name: str
) -> None:
    with pytest.raises(InputError, match="takes for a pattern"):
        run_folder.create_run(tmp_path / name, small_config, STATISTICS, CORPUS)
    run.path.rename(tmp_path / name)
    with pytest.raises(InputError, match="takes for a pattern"):
        run_folder.open_run(tmp_path / name)


ODD = os.fsdecode(b"caf\xe9")
"""Name whose bytes are not UTF-8."""


def test_a_new_run_that_tensorflow_cannot_open_is_refused_before_any_work(tmp_path: Path) -> None:
    sides = (f"--source_dir={tmp_path}", f"--target_dir={tmp_path}")
    done = run_here("train.py", f"--run_dir={tmp_path / ODD / 'run'}", *sides)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert r"caf\udce9/run has bytes in it that are not UTF-8" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train.py", "convert.py", "evaluate", "inspect_run"])
def test_a_run_that_tensorflow_cannot_open_is_refused(
    tmp_path: Path, run: RunFolder, command: str
) -> None:
    run.path.rename(tmp_path / ODD)
    (tmp_path / "voice.wav").touch()
    where = (f"--input={tmp_path}", f"--output={tmp_path}/out") if command == "convert.py" else ()
    done = run_here(command, f"--run_dir={tmp_path / ODD}", *where)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert r"caf\udce9 has bytes in it that are not UTF-8" in done.stderr


@pytest.mark.parametrize("name", ["b" * 255, "b" * 237, "語" * 85, "a" * 246 + "語" * 3])
def test_the_longest_names_of_runs(tmp_path: Path, small_config: RunConfig, name: str) -> None:
    """A name may have 255 bytes (NAME_MAX in Linux' limits.h); two long ones do not clash."""
    made: list[Path] = []
    run = run_folder.create_run(tmp_path / name, small_config, STATISTICS, CORPUS, made.append)
    assert run_folder.open_run(run.path).config == small_config
    assert list(tmp_path.iterdir()) == [run.path]
    [partial] = made
    assert partial == files.partial_folder(run.path)
    assert partial.name.startswith(".") and partial.name.endswith(".partial")
    partial.name.encode("utf-8")
    other = files.partial_folder(tmp_path / f"{name[:-1]}x")
    assert other.name != partial.name
    partial.mkdir()
    [problem] = damage.find_leftovers(run.path)
    assert str(partial) in str(problem)


def test_the_last_checkpoints_are_kept(run: RunFolder) -> None:
    for step in (5, 10, 100):
        for name in ("ckpt-best.zip", "ckpt-5-backup.index"):
            run.checkpoints.folder.mkdir(exist_ok=True)
            (run.checkpoints.folder / name).touch()
        run.checkpoints.save(state(step), step, keep=2)
    assert run.checkpoints.steps() == [10, 100]
    assert sorted(path.name for path in run.checkpoints.folder.iterdir()) == [
        "ckpt-10.data-00000-of-00001",
        "ckpt-10.index",
        "ckpt-100.data-00000-of-00001",
        "ckpt-100.index",
        "ckpt-5-backup.index",
        "ckpt-best.zip",
    ]
    for step in (10, 100):
        found = state(0)
        run.checkpoints.restore(found, step, whole=True)
        np.testing.assert_array_equal(found.weight, [step, step])


def test_an_incomplete_checkpoint_does_not_count(run: RunFolder) -> None:
    run.checkpoints.save(state(1), 1, keep=3)
    folder = run.checkpoints.folder
    (folder / "ckpt-2.data-00000-of-00001").write_bytes(b"killed here")
    (folder / "ckpt-3.index").write_bytes(b"or here")
    (folder / ".writing").mkdir()
    (folder / ".writing" / "ckpt-4.index").write_bytes(b"or here")
    assert run.checkpoints.steps() == [1]
    assert run.checkpoints.pick(None) == 1
    run.checkpoints.save(state(2), 2, keep=3)
    found = state(0)
    run.checkpoints.restore(found, 2, whole=True)
    assert float(found.weight[0]) == 2.0
    assert run.checkpoints.steps() == [1, 2]
    assert not list(folder.glob("ckpt-3*")) and not (folder / ".writing").exists()


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_a_damaged_checkpoint_is_refused_in_one_line(
    run: RunFolder, ending: str, damage: str
) -> None:
    run.checkpoints.save(state(1), 1, keep=3)
    run.checkpoints.save(state(2), 2, keep=3)
    path = run.checkpoints.folder / f"ckpt-2.{ending}"
    content = path.read_bytes()
    middle = len(content) // 2
    changed = (
        content[: middle - 4]
        + bytes(b ^ 0x55 for b in content[middle - 4 : middle + 4])
        + content[middle + 4 :]
    )
    path.write_bytes({"cut": content[:middle], "changed": changed, "emptied": b""}[damage])
    with pytest.raises(
        InputError, match=r"ckpt-2 cannot be read .*remove .*ckpt-2\.\* to go on from step 1"
    ):
        run.checkpoints.restore(state(0), 2, whole=True)


def test_a_checkpoint_of_something_else_is_refused(run: RunFolder) -> None:
    run.checkpoints.save(state(1), 1, keep=3)
    other = tf.train.Checkpoint(bias=tf.Variable([0.0]))
    with pytest.raises(InputError, match="cannot be read"):
        run.checkpoints.restore(other, 1, whole=False)
    more = tf.train.Checkpoint(weight=tf.Variable([0.0, 0.0]), bias=tf.Variable([0.0]))
    with pytest.raises(InputError, match="cannot be read"):
        run.checkpoints.restore(more, 1, whole=False)
    shaped = tf.train.Checkpoint(weight=tf.Variable([0.0, 0.0, 0.0]))
    with pytest.raises(InputError, match="cannot be read"):
        run.checkpoints.restore(shaped, 1, whole=False)
    less = tf.train.Checkpoint()
    with pytest.raises(InputError, match="cannot be read"):
        run.checkpoints.restore(less, 1, whole=True)


def test_a_step_that_was_not_saved_is_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(InputError, match="has no checkpoint"):
        checkpoints.pick(None)
    checkpoints.save(state(1), 7, keep=3)
    with pytest.raises(InputError, match=r"has no checkpoint of step 8; expected one of \[7\]"):
        checkpoints.pick(8)


def test_only_one_training_writes_a_run(run: RunFolder) -> None:
    with run.lock() as first:
        assert first
        with run.lock() as second:
            assert not second
    with run.lock() as third:
        assert third


def test_only_one_process_makes_a_run(tmp_path: Path, small_config: RunConfig) -> None:
    """The second process is refused, and removes nothing of the first."""

    def fill(folder: Path) -> None:
        (folder / "first").touch()
        with pytest.raises(InputError, match="is being created by another process"):
            run_folder.create_run(tmp_path / "run", small_config, STATISTICS, CORPUS)

    run = run_folder.create_run(tmp_path / "run", small_config, STATISTICS, CORPUS, fill)
    assert (run.path / "first").exists()
    assert list(tmp_path.iterdir()) == [run.path]


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path, small_config: RunConfig) -> None:
    left = tmp_path / ".run.partial"
    (left / "checkpoints").mkdir(parents=True)
    (left / "checkpoints" / "ckpt-9.index").touch()
    (left / "imported.json").write_text("{}")
    run = run_folder.create_run(tmp_path / "run", small_config, STATISTICS, CORPUS)
    assert not left.exists() and not run.imported and not (run.path / "checkpoints").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{}", '{"step": 0}', '{"step": 0, "untrained": null}', "{"]
)
def test_a_damaged_imported_file_is_named(text: str, run: RunFolder) -> None:
    (run.path / "imported.json").write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        run_folder.open_run(run.path)

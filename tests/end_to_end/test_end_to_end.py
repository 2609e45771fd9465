"""Commands in real processes: train, kill, resume, convert, read the event files.

Resumes run in this process where another command of a test has shown the one of its own.
"""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from conftest import (
    REPOSITORY,
    finished,
    finished_here,
    other_events,
    run_command,
    run_here,
    scalars,
    variables,
    write_voices,
)

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system.errors import TrainingError
from cyclegan_vc_tf.training import loop
from cyclegan_vc_tf.training.trainer import Trainer

SMALL = (
    "--channels=4", "--residual_blocks=1", "--crop_frames=16", "--f0_method=dio", "--workers=2",
    "--checkpoint_every=5", "--keep_checkpoints=2", "--log_every=1", "--convert_every=0",
    "--held_out_fraction=0", "--identity_steps=8", "--decay_start=7", "--decay_steps=20",
)  # fmt: skip
STEPS = 15


def small_training(corpus: Path, run_dir: Path, features_dir: Path, *more: str) -> list[str]:
    """Return the arguments of a small training on synthetic voices."""
    sides = (f"--source_dir={corpus}/low", f"--target_dir={corpus}/high")
    folders = (f"--run_dir={run_dir}", f"--features_dir={features_dir}")
    return ["train.py", *sides, *folders, *SMALL, f"--steps={STEPS}", *more]


def assert_same_run(run_dir: Path, reference: Path, steps: int = STEPS) -> None:
    """Assert that all variables and losses of two runs are equal, bit for bit."""
    ours, theirs = variables(run_dir, steps), variables(reference, steps)
    assert ours.keys() == theirs.keys() and len(ours) > 100
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    # Speeds differ from run to run.
    groups = ("loss/", "gradient_norm/", "score/", "learning_rate/", "weight/")
    found, expected = (
        {name: value for name, value in scalars(folder).items() if name[0].startswith(groups)}
        for folder in (run_dir, reference)
    )
    assert found == {name: value for name, value in expected.items() if name[1] <= steps}
    for group in groups:
        logged = {step for name, step in found if name.startswith(group)}
        assert logged == set(range(1, steps + 1)), group


@pytest.fixture(scope="module")
def reference(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run that was never stopped."""
    folder = tmp_path_factory.mktemp("reference")
    finished(*small_training(corpus, folder / "run", folder / "features"))
    return folder / "run"


def checkpoints(run_dir: Path) -> set[str]:
    return {path.name for path in (run_dir / "checkpoints").glob("*.index")}


def during_preparation(run_dir: Path, features_dir: Path) -> bool:
    return bool(list(features_dir.glob("*/parts/*.npz"))) and not run_dir.exists()


def before_the_first_checkpoint(run_dir: Path, features_dir: Path) -> bool:
    events = list(run_dir.glob("events.out.tfevents.*"))
    return bool(events) and not (run_dir / "checkpoints").exists()


def while_a_checkpoint_is_written(run_dir: Path, features_dir: Path) -> bool:
    return (run_dir / "checkpoints" / ".writing").exists()


def between_two_checkpoints(run_dir: Path, features_dir: Path) -> bool:
    return checkpoints(run_dir) == {"ckpt-5.index"} and not while_a_checkpoint_is_written(
        run_dir, features_dir
    )


MOMENTS = (
    during_preparation,
    before_the_first_checkpoint,
    while_a_checkpoint_is_written,
    between_two_checkpoints,
)


def stop_at(
    moment: Callable[[Path, Path], bool],
    arguments: list[str],
    folders: tuple[Path, Path],
    number: signal.Signals,
) -> subprocess.CompletedProcess:
    """Start a command and send it a signal at a moment that its files show.

    The process is frozen first. If the moment has passed by then, the process continues.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 600
    while True:
        assert process.poll() is None, "the command ended before the moment came"
        assert time.monotonic() < end, "the moment did not come"
        if not moment(*folders):
            # Without a pause, the test would take a core from the command.
            time.sleep(0.001)
            continue
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.02)
        if moment(*folders):
            break
        os.kill(process.pid, signal.SIGCONT)
    process.send_signal(number)
    os.kill(process.pid, signal.SIGCONT)
    output, errors = process.communicate(timeout=600)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_a_killed_training_resumes_bit_for_bit(
    corpus: Path,
    reference: Path,
    tmp_path: Path,
    moment: Callable[[Path, Path], bool],
    request: pytest.FixtureRequest,
) -> None:
    # One case of each kind runs beside busy processes; `--busy` is for all of them.
    if moment is between_two_checkpoints:
        request.getfixturevalue("busy")
    run_dir, features_dir = tmp_path / "run", reference.parent / "features"
    if moment is during_preparation:
        features_dir = tmp_path / "features"
    command = small_training(corpus, run_dir, features_dir)
    killed = stop_at(moment, command, (run_dir, features_dir), signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert moment(run_dir, features_dir), "the files still show the moment"
    finished_here(*command)
    assert_same_run(run_dir, reference)
    left = [
        path for path in tmp_path.rglob("*") if "partial" in path.name or path.name == ".writing"
    ]
    assert left == [], "no partial file is left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_is_asked_to_stop_saves_and_resumes_bit_for_bit(
    corpus: Path,
    reference: Path,
    tmp_path: Path,
    number: signal.Signals,
    request: pytest.FixtureRequest,
) -> None:
    if number is signal.SIGTERM:
        request.getfixturevalue("busy")
    run_dir, features_dir = tmp_path / "run", reference.parent / "features"
    command = small_training(corpus, run_dir, features_dir, "--checkpoint_every=1000")
    stopped = stop_at(before_the_first_checkpoint, command, (run_dir, features_dir), number)
    assert stopped.returncode == 0, stopped.stderr
    assert "Traceback" not in stopped.stderr
    [saved] = checkpoints(run_dir)
    step = int(saved.removeprefix("ckpt-").removesuffix(".index"))
    assert step < STEPS and f"Stopped at step {step}, saved" in stopped.stdout
    # A resume may change the intervals and the number of workers.
    finished_here(*command[:-1], "--checkpoint_every=4", "--workers=1", "--keep_checkpoints=9")
    assert_same_run(run_dir, reference)
    assert {"ckpt-12.index", "ckpt-15.index"} <= checkpoints(run_dir)


def test_flags_of_a_run_resume_and_repeat_it(corpus: Path, reference: Path, tmp_path: Path) -> None:
    flags = f"--flagfile={reference}/flags.txt"
    printed = finished_here("train.py", flags)
    assert f"All {STEPS} steps of this run are done" in printed
    finished_here("train.py", flags, f"--run_dir={tmp_path}/again", f"--steps={STEPS - 5}")
    assert_same_run(tmp_path / "again", reference, STEPS - 5)
    # Flags that are left out keep the run's values.
    finished_here("train.py", f"--run_dir={tmp_path}/again", f"--steps={STEPS}")
    assert_same_run(tmp_path / "again", reference)
    before = {path: path.stat().st_mtime_ns for path in reference.rglob("*.index")}
    done = run_here("train.py", flags, "--channels=8", "--seed=5", "--steps=99")
    assert done.returncode == 2
    assert "--channels was 4 and is 8; --seed was 0 and is 5" in done.stderr
    assert "--steps" not in done.stderr
    done = run_here("train.py", flags, "--steps=3")
    assert done.returncode == 2 and "expected at least as many" in done.stderr
    assert f"--steps={STEPS}\n" in (reference / "flags.txt").read_text(), "nothing was changed"
    assert before == {path: path.stat().st_mtime_ns for path in reference.rglob("*.index")}


@pytest.mark.usefixtures("without_graph")
def test_a_run_and_its_recordings(tmp_path: Path) -> None:
    """Changed recordings are refused; a finished run no longer needs them."""
    for name, f0_hz in (("low", 110.0), ("high", 210.0)):
        write_voices(tmp_path / name, f0_hz, 3)
    run_dir = tmp_path / "run"
    command = small_training(tmp_path, run_dir, tmp_path / "features", "--held_out_fraction=0.7")
    printed = finished_here(*command, "--steps=1")
    assert "high: 1 training utterances" in printed
    wavs = sorted((run_dir / "converted").rglob("*.wav"))
    assert [path.parent.name for path in wavs] == ["A2B", "A2B", "B2A", "B2A"]
    before = [path.read_bytes() for path in wavs]

    # Killed after the last checkpoint, before the conversions: these are of an earlier step.
    (run_dir / "converted" / "step.txt").rename(tmp_path / "step.txt")
    finished_here(*command, "--steps=2")
    for path, content in zip(wavs, before, strict=True):
        assert path.read_bytes() != content
        path.write_bytes(content)
    (tmp_path / "step.txt").rename(run_dir / "converted" / "step.txt")
    finished_here(*command, "--steps=2")
    assert all(path.read_bytes() != old for path, old in zip(wavs, before, strict=True))

    write_voices(tmp_path / "high" / "more", 300.0, 3)
    for folder in ("high", "low"):
        (tmp_path / folder / "00.wav").unlink()
    done = run_here(*command, "--steps=3")
    assert done.returncode == 2
    assert "recordings than the run began with: " in done.stderr
    assert "1 removed (00.wav)" in done.stderr
    (tmp_path / "high").rename(tmp_path / "gone")
    assert "All 2 steps of this run are done" in finished_here(*command, "--steps=2")


@pytest.mark.usefixtures("without_graph")
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(
    corpus: Path, tmp_path: Path
) -> None:
    features_dir = corpus / "features"
    command = small_training(corpus, tmp_path / "run", features_dir, "--checkpoint_every=1")
    finished_here(*command, "--steps=2")
    before = variables(tmp_path / "run", 2)
    flags = tmp_path / "run" / "config.json"
    flags.write_text(flags.read_text().replace('"cycle_weight": 10.0', '"cycle_weight": 1e39'))
    # A weight beyond the bounds of its flag is refused; here it makes the loss infinite.
    unbounded = (
        "import runpy, sys\n"
        "from cyclegan_vc_tf.config import settings\n"
        "settings._check_value = lambda field, kind, value: value\n"
        "sys.argv[0] = 'train.py'\n"
        "runpy.run_path('train.py', run_name='__main__')\n"
    )
    done = run_command("-c", unbounded, f"--run_dir={tmp_path}/run", f"--steps={STEPS}")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "loss/generator became inf at step 3; the last good checkpoint is of step 2" in last
    assert checkpoints(tmp_path / "run") == {"ckpt-1.index", "ckpt-2.index"}
    for name, value in variables(tmp_path / "run", 2).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.usefixtures("without_graph")
def test_weights_that_are_not_finite_are_not_saved(
    corpus: Path, small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses belong to the weights before a step; weights after it are checked before a save."""
    sides = CorpusConfig(
        source_dir=f"{corpus}/low", target_dir=f"{corpus}/high", features_dir=f"{corpus}/features"
    )
    step = Trainer.train_step

    def spoil(self: Trainer, *batch: tf.Tensor, **options: tf.Tensor) -> object:
        report = step(self, *batch, **options)
        if int(self.step) == 2:
            weight = self.generators["A2B"].trainable_variables[0]
            weight.assign(weight * np.nan)
        return report

    monkeypatch.setattr(Trainer, "train_step", spoil)
    training = dataclasses.replace(small_config.training, checkpoint_every=1)
    config = dataclasses.replace(small_config, corpus=sides, training=training)
    expected = "generator_A2B's weights became NaN or infinite at step 2; .* is of step 1"
    with pytest.raises(TrainingError, match=expected):
        loop.train(tmp_path / "run", config)
    assert checkpoints(tmp_path / "run") == {"ckpt-1.index"}


def test_the_demo_corpus_from_recordings_to_converted_speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train 30 steps, resume, convert a folder, read the event files back."""
    run_dir = tmp_path / "demo"
    command = [
        "train.py", "--flagfile=configs/demo.flags", f"--run_dir={run_dir}",
        f"--features_dir={tmp_path}/features", "--channels=4", "--log_every=10",
        "--checkpoint_every=10", "--convert_every=20", "--convert_utterances=1",
        "--crop_frames=128",
    ]  # fmt: skip
    printed = finished(*command, "--steps=30")
    assert "heart: 80 training utterances" in printed and "michael: 80" in printed
    assert re.search(r"formants lie 0\.[78]\d+ times as high", printed), "a woman to a man"
    assert f"tensorboard --logdir {run_dir}" in printed and f"{run_dir}/converted" in printed
    monkeypatch.chdir(REPOSITORY)
    printed = finished_here(*command, "--steps=40")
    assert f"Resuming {run_dir} at step 30" in printed

    found = scalars(run_dir)
    assert {step for _, step in found} == {10, 20, 30, 40}
    tags = {tag for tag, _ in found}
    for tag in (
        "loss/adversarial_A2B", "loss/adversarial_B2A", "loss/cycle_A", "loss/cycle_B",
        "loss/regularization_A2B", "loss/regularization_B2A", "loss/generator",
        "loss/discriminator_A",
        "loss/discriminator_B", "loss/discriminator", "learning_rate/generator",
        "learning_rate/discriminator", "weight/adversarial", "weight/cycle", "weight/identity",
        "score/real_A", "score/real_B", "score/fake_A", "score/fake_B",
        "gradient_norm/generator", "gradient_norm/discriminator",
        "speed/steps_per_second", "speed/frames_per_second",
    ):  # fmt: skip
        assert tag in tags
    assert found["learning_rate/generator", 40] == pytest.approx(5e-4)
    assert found["weight/cycle", 40] == 3.0
    assert found["weight/regularization", 40] == 1.0
    assert "loss/identity_A" not in tags, "a loss of weight 0 is not computed"
    ratio = found["speed/frames_per_second", 40] / found["speed/steps_per_second", 40]
    assert ratio == pytest.approx(2 * 8 * 128, rel=1e-5), "two speakers, batch 8, 128 frames"
    others = other_events(run_dir)
    for direction in ("A2B", "B2A"):
        for kind in ("source", "converted", "cycled"):
            assert others[f"audio {direction}/089.flac/{kind}"] == {20, 40}
        for kind in ("spectrograms", "f0"):
            assert others[f"images {direction}/089.flac/{kind}"] == {20, 40}
    assert others["text configuration"] == {0}

    for direction, speaker in (("A2B", "heart"), ("B2A", "michael")):
        sources = sorted((REPOSITORY / "data/demo/held_out" / speaker).glob("*.flac"))
        for source in sources:
            info = soundfile.info(run_dir / "converted" / direction / f"{source.stem}.wav")
            assert (info.frames, info.samplerate) == (soundfile.info(source).frames, 16_000)
    finished_here(
        "convert.py", f"--run_dir={run_dir}", "--direction=B2A", f"--output={tmp_path}/out",
        "--input=data/demo/held_out/michael",
    )  # fmt: skip
    for source in sources:
        again, _ = soundfile.read(tmp_path / "out" / f"{source.stem}.wav")
        first, _ = soundfile.read(run_dir / "converted" / "B2A" / f"{source.stem}.wav")
        np.testing.assert_allclose(again, first, atol=2e-4)

"""Callbacks of a training: losses of every step, stops, errors, and failures that stop nothing.

Trainings of few steps make no graph, and hold recordings out only where these are converted.
"""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
from conftest import other_events, scalars, variables

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system.errors import StopTraining, TrainingError
from cyclegan_vc_tf.training import callbacks, feature_plots, loop, tensorboard
from cyclegan_vc_tf.training.callbacks import Callback, StepReport
from cyclegan_vc_tf.training.trainer import Trainer

NUMBA_ERROR = "cannot cache function '__o_fold': no locator available for file 'utils.py'"
"""Error of librosa at its first use where no folder can be written to."""

MakeConfig = Callable[..., RunConfig]

pytestmark = pytest.mark.usefixtures("without_graph")


@pytest.fixture
def make_config(corpus: Path, small_config: RunConfig) -> MakeConfig:
    """Settings of a small training of two voices, with some of the fields replaced."""
    folders = CorpusConfig(
        source_dir=f"{corpus}/low",
        target_dir=f"{corpus}/high",
        features_dir=f"{corpus}/features",
        workers=1,
    )

    def make(**changes: object) -> RunConfig:
        defaults = {"convert_every": 0, "log_every": 1, "convert_utterances": 1}
        training = dataclasses.replace(small_config.training, **{**defaults, **changes})
        network = dataclasses.replace(small_config.network, channels=2)
        fraction = 0.5 if training.convert_every else 0.0
        sides = dataclasses.replace(folders, held_out_fraction=fraction)
        return dataclasses.replace(small_config, corpus=sides, training=training, network=network)

    return make


class Recorder(Callback):
    """Records all calls, and calls a function with the step."""

    def __init__(self, action: Callable[[int], None] = lambda step: None) -> None:
        self.reports: dict[int, dict[str, float]] = {}
        self.ends: list[tuple[int, bool]] = []
        self.action = action

    def on_step(self, step: int, report: StepReport) -> None:
        """Record the scalars."""
        self.reports[step] = dict(report)
        self.action(step)

    def on_end(self, step: int, finished: bool) -> None:
        """Record the end."""
        self.ends.append((step, finished))


def saved_steps(run_dir: Path) -> list[int]:
    return run_folder.open_run(run_dir).checkpoints.steps()


def test_a_callback_receives_the_losses_that_tensorboard_shows(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    recorder = Recorder()
    assert loop.train(tmp_path / "run", make_config(), callbacks=[recorder])
    assert list(recorder.reports) == [1, 2, 3, 4]
    assert recorder.ends == [(4, True)]
    shown = scalars(tmp_path / "run")
    for step, report in recorder.reports.items():
        assert "loss/cycle_A" in report and "gradient_norm/generator" in report
        for name, value in report.items():
            assert shown[name, step] == pytest.approx(value, rel=1e-6), name


def test_unlogged_steps_are_reported_without_norms_which_are_not_measured(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    recorder = Recorder()
    config = make_config(log_every=3)
    assert loop.train(tmp_path / "run", config, callbacks=[recorder])
    with_norms = {
        s for s, report in recorder.reports.items() if "gradient_norm/generator" in report
    }
    assert with_norms == {3, 4}, "every third step and the last one"
    assert all(report["loss/generator"] > 0 for report in recorder.reports.values())


def test_callbacks_come_after_the_checkpoint_in_the_order_given(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    calls: list[tuple[str, int, list[int]]] = []
    first, second = (
        Recorder(lambda step, name=name: calls.append((name, step, saved_steps(tmp_path / "run"))))
        for name in ("first", "second")
    )
    config = make_config(steps=2, checkpoint_every=1)
    assert loop.train(tmp_path / "run", config, callbacks=[first, second])
    assert calls == [
        ("first", 1, [1]), ("second", 1, [1]), ("first", 2, [1, 2]), ("second", 2, [1, 2])
    ]  # fmt: skip


def test_a_callback_can_stop_the_training_which_is_saved_and_resumes(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    stop, lines = threading.Event(), []
    recorder = Recorder(lambda step: stop.set() if step == 2 else None)
    config = make_config(steps=5)
    finished = loop.train(tmp_path / "run", config, lines.append, callbacks=[recorder], stop=stop)
    assert not finished
    assert list(recorder.reports) == [1, 2] and recorder.ends == [(2, False)]
    assert saved_steps(tmp_path / "run") == [2]
    assert lines[-1] == "Stopped at step 2, saved; the same command goes on from there."
    resumed = Recorder()
    assert loop.train(tmp_path / "run", config, callbacks=[resumed])
    assert list(resumed.reports) == [3, 4, 5] and resumed.ends == [(5, True)]


@pytest.mark.parametrize("checkpoint_every", [1, 100], ids=["saved by plan", "saved by the stop"])
def test_a_callback_that_raises_stop_training_ends_it_and_the_step_is_saved(
    checkpoint_every: int, make_config: MakeConfig, tmp_path: Path
) -> None:
    """A whole training is the oracle: its weights equal those of the resumed one."""

    def stop(step: int) -> None:
        if step == 2:
            raise StopTraining

    config = make_config(steps=3, checkpoint_every=checkpoint_every)
    first, later = Recorder(stop), Recorder()
    assert not loop.train(tmp_path / "run", config, callbacks=[first, later])
    assert list(first.reports) == list(later.reports) == [1, 2], "both saw the last step"
    assert first.ends == later.ends == [(2, False)]
    assert max(saved_steps(tmp_path / "run")) == 2
    resumed = Recorder()
    assert loop.train(tmp_path / "run", config, callbacks=[resumed])
    assert list(resumed.reports) == [3]
    assert loop.train(tmp_path / "whole", config)
    parts, whole = (variables(tmp_path / name, 3) for name in ("run", "whole"))
    assert all(np.array_equal(parts[name], whole[name]) for name in whole)


def test_weights_that_are_not_finite_are_not_saved_by_a_stop(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    monkeypatch.setattr(Trainer, "find_nonfinite", lambda self: "generator_A2B")
    with pytest.raises(TrainingError, match="generator_A2B became NaN or infinite at step 2"):
        recorder = Recorder(lambda step: stop.set() if step == 2 else None)
        loop.train(tmp_path / "run", make_config(steps=5), callbacks=[recorder], stop=stop)
    assert saved_steps(tmp_path / "run") == []


@pytest.mark.parametrize(("failing", "kept"), [(2, 2), (3, 2)])
def test_a_callback_that_raises_does_not_lose_the_last_checkpoint(
    failing: int, kept: int, make_config: MakeConfig, tmp_path: Path
) -> None:
    def fail(step: int) -> None:
        if step == failing:
            raise ZeroDivisionError("in a callback")

    other, config = Recorder(), make_config(checkpoint_every=2)
    with pytest.raises(ZeroDivisionError, match="in a callback"):
        loop.train(tmp_path / "run", config, callbacks=[other, Recorder(fail)])
    assert other.ends == [(failing, False)]
    assert saved_steps(tmp_path / "run") == [kept]
    resumed = Recorder()
    assert loop.train(tmp_path / "run", config, callbacks=[resumed])
    assert list(resumed.reports) == [3, 4]
    assert {step for _, step in scalars(tmp_path / "run", "loss/")} == {1, 2, 3, 4}


def test_an_event_set_by_another_thread_ends_the_training(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    stop, trained = threading.Event(), threading.Event()

    def wait_and_stop() -> None:
        trained.wait(120)
        stop.set()

    recorder = Recorder(lambda step: trained.set())
    helper = threading.Thread(target=wait_and_stop)
    helper.start()
    config = make_config(steps=100_000, checkpoint_every=100_000)
    assert not loop.train(tmp_path / "run", config, callbacks=[recorder], stop=stop)
    helper.join()
    assert saved_steps(tmp_path / "run") == [max(recorder.reports)]
    assert max(recorder.reports) < 100_000


def test_a_training_in_a_thread_can_be_stopped_and_finished(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    """A web page trains in a thread, where handlers of signals cannot be installed."""
    stop, trained, results = threading.Event(), threading.Event(), []
    recorder = Recorder(lambda step: trained.set())

    def train(steps: int) -> None:
        config = make_config(steps=steps)
        results.append(loop.train(tmp_path / "run", config, callbacks=[recorder], stop=stop))

    def run_in_thread(steps: int) -> None:
        thread = threading.Thread(target=train, args=(steps,))
        thread.start()
        while thread.is_alive() and not trained.wait(0.1):
            pass
        stop.set()
        thread.join(120)
        assert not thread.is_alive()

    run_in_thread(100_000)
    [step] = saved_steps(tmp_path / "run")
    assert results == [False] and recorder.ends == [(step, False)]
    stop.clear(), trained.clear()
    run_in_thread(step + 1)
    assert results == [False, True] and recorder.ends[-1] == (step + 1, True)
    assert saved_steps(tmp_path / "run") == [step, step + 1]


def test_pictures_that_fail_stop_no_training_and_follow_the_checkpoint(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Librosa fails in a read-only environment, where numba has no folder to cache in."""
    saved_before: list[int] = []

    def fail(*arguments: object, **options: object) -> None:
        saved_before.append(max(saved_steps(tmp_path / "run")))
        raise RuntimeError(NUMBA_ERROR)

    monkeypatch.setattr(librosa, "stft", fail)
    monkeypatch.setattr(feature_plots, "plot_global_variances", fail)
    lines: list[str] = []
    config = make_config(convert_every=2, checkpoint_every=2)
    assert loop.train(tmp_path / "run", config, lines.append)
    # Per sampled step: one recording per direction, and the feature plots.
    assert saved_before == [2, 2, 2, 4, 4, 4]
    assert saved_steps(tmp_path / "run") == [2, 4]
    for step in (2, 4):
        failures = [line for line in lines if f"tep {step}" in line]
        assert len(failures) == 3
        for line in failures:
            assert "\n" not in line
            assert line.endswith(
                f"could not be made and are left out of TensorBoard (RuntimeError: {NUMBA_ERROR})"
            )
        assert [line.split(" could")[0].split("/")[0] for line in failures] == [
            f"step {step}: samples of A2B", f"step {step}: samples of B2A",
            f"feature plots of step {step}",
        ]  # fmt: skip
    found = other_events(tmp_path / "run")
    sounds = [tag for tag, steps in found.items() if tag.startswith("audio ") and steps == {2, 4}]
    assert len(sounds) == 2 * 3, "three kinds of sound in two directions do not need librosa"
    assert not any("spectrograms" in tag for tag in found)
    assert len(list((tmp_path / "run" / "converted").rglob("*.wav"))) == 4


def test_a_failure_of_all_samples_stops_no_training(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, step: int) -> None:
        raise OSError("disk\nfull")

    monkeypatch.setattr(callbacks.HeldOutRecordings, "write_examples", fail)
    lines: list[str] = []
    assert loop.train(tmp_path / "run", make_config(steps=2, convert_every=1), lines.append)
    assert [line for line in lines if "could not" in line] == [
        f"samples of step {step} could not be made and are left out of TensorBoard (OSError: disk)"
        for step in (1, 2)
    ]


def test_requests_to_stop_are_no_failures() -> None:
    lines: list[str] = []
    with (
        pytest.raises(KeyboardInterrupt),
        tensorboard.reporting_failures("pictures", lines.append),
    ):
        raise KeyboardInterrupt
    assert lines == []

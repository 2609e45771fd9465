"""Work behind the page: conversions, trainings as processes, their course, reports."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import tensorflow as tf
from conftest import voice

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.runs import events
from cyclegan_vc_tf.serving.web import conversions, markup, training_view, trainings, uploads
from cyclegan_vc_tf.serving.web.conversions import LoadedVoices, Options, Outcome
from cyclegan_vc_tf.serving.web.run_list import RunList
from cyclegan_vc_tf.serving.web.training_view import EventReader, TrainingView
from cyclegan_vc_tf.serving.web.trainings import Trainings, TrainingState
from cyclegan_vc_tf.system.errors import InputError

DEMO = vc.demo_corpus_dir() / "held_out" / "heart" / "089.flac"


@pytest.fixture(scope="module")
def voices() -> vc.VoiceConverter:
    """Return the pretrained voices."""
    return LoadedVoices().load(vc.load("pretrained:vc1-demo")._run.path)


@pytest.mark.parametrize("adapt", [False, True])
def test_conversions_equal_the_api_and_failures_stop_no_other(
    tmp_path: Path, voices: vc.VoiceConverter, adapt: bool
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF but nothing else")
    taken = uploads.take([DEMO, broken, tmp_path / "a.txt"], tmp_path / "in", WebConfig())
    (tmp_path / "out").mkdir()
    options = Options("A2B", semitones=2.0, adapt_source=adapt)
    outcomes = list(conversions.convert_uploads(voices, taken, tmp_path / "out", options, 60))
    assert [bool(outcome.converted) for outcome in outcomes] == [True, False, False]
    assert outcomes[1].reason.startswith("cannot be read as audio")
    assert str(tmp_path) not in "".join(outcome.reason for outcome in outcomes)
    expected = tmp_path / "expected.wav"
    voices.convert_file(DEMO, expected, "A2B", semitones=2.0, adapt_source=adapt)
    assert outcomes[0].converted is not None
    np.testing.assert_array_equal(
        soundfile.read(outcomes[0].converted)[0], soundfile.read(expected)[0]
    )
    archive = conversions.write_zip(outcomes, tmp_path / "all.zip")
    assert archive is not None
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == ["089.wav"]
        assert opened.read("089.wav") == outcomes[0].converted.read_bytes()
    drawn = conversions.draw(outcomes[0])
    assert drawn is not None
    for picture in drawn:
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert conversions.draw(outcomes[1]) is None
    assert conversions.write_zip(outcomes[1:], tmp_path / "none.zip") is None


def test_no_recording_is_begun_after_the_time_limit(
    tmp_path: Path, voices: vc.VoiceConverter
) -> None:
    taken = uploads.take([DEMO], tmp_path / "in", WebConfig())
    outcomes = list(conversions.convert_uploads(voices, taken, tmp_path, Options(), -1.0))
    assert [outcome.reason for outcome in outcomes] == [conversions.OUT_OF_TIME]


def test_loaded_voices_are_reused_and_few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loaded = []

    def load(run: Path, step: str, **vocoder: bool) -> object:
        loaded.append((run.name, step))
        return object()

    monkeypatch.setattr(conversions.api, "load", load)
    kept = LoadedVoices()
    first = kept.load(tmp_path / "a")
    assert kept.load(tmp_path / "a") is first
    kept.load(tmp_path / "b")
    kept.load(tmp_path / "c")
    assert kept.load(tmp_path / "a") is not first
    assert loaded == [("a", "last"), ("b", "last"), ("c", "last"), ("a", "last")]
    # A training wrote a checkpoint: the run is loaded anew.
    (tmp_path / "a" / "checkpoints").mkdir(parents=True)
    kept.load(tmp_path / "a")
    assert len(loaded) == 5


@pytest.fixture
def sleeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    """Yield trainings of which the command only sleeps, until SIGTERM."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n"
        "print('10%|#  | 1/10\\r20%|## | 2/10', flush=True)\n"
        "time.sleep(600)"
    )
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}"\n')
    script.chmod(0o755)
    monkeypatch.setattr(trainings.sys, "executable", str(script))
    made = Trainings(RunList(tmp_path / "runs"))
    yield made
    for name in made.running():
        record = json.loads((made.runs.page_folder(name) / trainings.PROCESS_FILE).read_text())
        os.kill(record["pid"], signal.SIGKILL)


def wait_until(happened: object, what: str) -> None:
    """Wait until a function returns something true."""
    assert callable(happened)
    deadline_s = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


def test_a_training_is_found_by_a_new_server_and_stopped(sleeping: Trainings) -> None:
    sleeping.start("one", "fast", {"steps": "5"})
    record = json.loads((sleeping.runs.page_folder("one") / trainings.PROCESS_FILE).read_text())
    assert record["command"][1:] == [
        "-m", "cyclegan_vc_tf", "train", "--preset=fast", "--steps=5",
        f"--run_dir={sleeping.runs.runs_dir / 'one'}",
    ]  # fmt: skip
    # A session of its own: Ctrl-C at the server's terminal does not reach it.
    assert os.getsid(record["pid"]) == record["pid"] != os.getsid(0)
    wait_until(lambda: sleeping.state("one").log, "the log has a line")
    with pytest.raises(InputError, match="one runs already; stop it first, or raise"):
        sleeping.start("two", "fast", {})
    # A server that is started again knows no child of its own.
    again = Trainings(RunList(sleeping.runs.runs_dir))
    assert again.running() == ["one"]
    assert again.state("one") == TrainingState("one", True, ("20%|## | 2/10",))
    again.stop("one")
    wait_until(lambda: not sleeping.running(), "the training ended")
    assert again.running() == [] and again.state("one").log[-1] == "saved"
    with pytest.raises(InputError, match="does not run"):
        again.stop("one")


def test_another_process_of_the_same_number_is_no_training(sleeping: Trainings) -> None:
    folder = sleeping.runs.page_folder("old")
    folder.mkdir(parents=True)
    own_start_s = psutil.Process().create_time()
    for began_s in (own_start_s - 3600, "x", None):
        (folder / trainings.PROCESS_FILE).write_text(
            json.dumps({"pid": os.getpid(), "began_s": began_s})
        )
        assert sleeping.running() == []
        with pytest.raises(InputError):
            sleeping.stop("old")
    (folder / trainings.PROCESS_FILE).write_text("{")
    assert sleeping.running() == []
    with pytest.raises(InputError):
        sleeping.stop("../old")


def test_published_runs_are_not_trained_further(sleeping: Trainings) -> None:
    with pytest.raises(InputError, match="cannot be trained further"):
        sleeping.go_on("pretrained:vc1-demo")
    with pytest.raises(InputError, match="is not a run"):
        sleeping.go_on("missing")


def test_the_course_of_a_training_is_read_from_its_events(tmp_path: Path) -> None:
    tone = voice(120, 0.2, seed=1)[None, :, None]
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step in (10, 20):
            tf.summary.scalar("loss/generator", 100 / step, step)
            tf.summary.scalar("loss/other", 1.0, step)
            tf.summary.scalar("speed/steps_per_second", step / 10, step)
            tf.summary.audio("A2B/a.wav/source", tone, 16_000, step)
            tf.summary.audio("A2B/a.wav/converted", tone / 2, 16_000, step)
            tf.summary.image("A2B/a.wav/spectrograms", np.zeros((1, 4, 6, 3), np.uint8), step)
            tf.summary.image("features/variance", np.zeros((1, 4, 6, 3), np.uint8), step)
    reader = EventReader()
    view = reader.read(tmp_path)
    assert (view.step, view.steps, view.steps_per_second, view.sampled_step) == (20, 0, 2.0, 20)
    assert view.losses == {"generator": ([10, 20], [10.0, 5.0])}
    assert reader.read(tmp_path) == view
    # A second file, of a training that went on.
    with tf.summary.create_file_writer(str(tmp_path), filename_suffix="b").as_default():
        tf.summary.scalar("loss/generator", 2.5, 40)
    assert reader.read(tmp_path).losses == {"generator": ([10, 20, 40], [10.0, 5.0, 2.5])}
    # A resumed training repeats steps, and rewrites its files without them.
    events.purge_events(tmp_path, 10)
    assert reader.read(tmp_path).losses == {"generator": ([10], [10.0])}
    paths = training_view.write_sample(view.samples["A2B/a.wav"], tmp_path)
    assert set(paths) == {"source", "converted", "spectrograms"}
    samples, rate_hz = soundfile.read(paths["converted"], dtype="float32")
    assert rate_hz == 16_000
    # TensorBoard's sounds have 16 bits.
    np.testing.assert_allclose(samples, tone[0, :, 0] / 2, atol=2**-14)
    assert EventReader().read(tmp_path / "missing") == TrainingView()


def test_a_sample_is_shown_with_its_spectrograms(tmp_path: Path) -> None:
    """A look between the sounds and the picture of a step finds the step before."""
    reader, tone = EventReader(), np.zeros((1, 800, 1), np.float32)
    picture = np.zeros((1, 4, 6, 3), np.uint8)
    with tf.summary.create_file_writer(str(tmp_path)).as_default() as writer:

        def look() -> dict[str, tuple[int, set[str]]]:
            writer.flush()
            samples = reader.read(tmp_path).samples
            return {name: (each.step, set(each.pictures)) for name, each in samples.items()}

        tf.summary.audio("A2B/a/source", tone, 16_000, 10)
        assert look() == {}
        tf.summary.image("A2B/a/spectrograms", picture, 10)
        assert look() == {"A2B/a": (10, {"spectrograms"})}
        tf.summary.image("A2B/a/f0", picture, 10)
        assert look() == {"A2B/a": (10, {"spectrograms", "f0"})}
        tf.summary.audio("A2B/a/source", tone, 16_000, 20)
        assert look() == {"A2B/a": (10, {"spectrograms", "f0"})}
        # Its spectrograms could not be drawn: the training goes on to the next one.
        tf.summary.audio("B2A/b/source", tone, 16_000, 20)
        assert look() == {"A2B/a": (20, set())}
        tf.summary.image("B2A/b/spectrograms", picture, 20)
        assert look() == {"A2B/a": (20, set()), "B2A/b": (20, {"spectrograms"})}


def test_long_curves_keep_their_ends() -> None:
    curve = {step: float(step) for step in range(1, 12_346)}
    steps, values = training_view._thin(curve)
    assert len(steps) <= training_view.MAX_POINTS + 1
    assert (steps[0], steps[-1]) == (1, 12_345) and values == [float(step) for step in steps]


@pytest.mark.parametrize(
    ("running", "view", "text"),
    [
        (True, TrainingView(), "preparing the recordings"),
        (True, TrainingView(0, 100), "beginning; 100 steps"),
        (True, TrainingView(20, 1000, 2.0), "step 20 of 1000, 2 per second, about 8 minutes left"),
        (True, TrainingView(20, 10**6, 1.0), "about 12 days left"),
        (True, TrainingView(100, 100), "converting held-out recordings"),
        (False, TrainingView(100, 100), "finished: 100 steps"),
        (False, TrainingView(20, 100), "stopped at step 20 of 100"),
        (False, TrainingView(), "not running"),
    ],
)
def test_the_state_of_a_training_is_told(running: bool, view: TrainingView, text: str) -> None:
    assert text in markup.training_progress(TrainingState("<a>", running), view)
    assert "<a>" not in markup.training_progress(TrainingState("<a>", running), view)


def test_names_from_outside_are_text_not_html() -> None:
    outcome = Outcome("<img src=x>.wav", None, None, "<script>", ("<b>",))
    html = (
        markup.outcome_table([outcome]) + markup.status("<i>") + markup.preformatted("<u>", "<a>")
    )
    for tag in ("<img", "<script", "<b>", "<i>", "<u>", "<a>"):
        assert tag not in html


def test_the_log_of_a_failed_training_is_one_line(tmp_path: Path) -> None:
    made = Trainings(RunList(tmp_path))
    made.start("wrong", "fast", {"source_dir": str(tmp_path / "none"), "target_dir": "x"})
    wait_until(lambda: not made.running(), "the training ended")
    (line,) = made.state("wrong").log
    assert line.startswith("cyclegan_vc_tf train: ") and "does not exist" in line


def test_tensorboard_ends_with_its_server(tmp_path: Path) -> None:
    code = (
        "import sys, urllib.request\nfrom pathlib import Path\n"
        "from cyclegan_vc_tf.serving.web.tensorboard_server import TensorBoardServer\n"
        "server = TensorBoardServer(Path(sys.argv[1]))\n"
        "assert server.start() == server.start()\n"
        "urllib.request.urlopen(server.start()).read()\nprint(server.start())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")

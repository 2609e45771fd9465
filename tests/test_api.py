"""Public Python API: imports, examples, and the numbers of the commands."""

import base64
import doctest
import importlib
import inspect
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import (
    REPOSITORY,
    run_here,
    scalars,
    steps_without_graph,
    variables,
    voice,
    write_voices,
)

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files, av_files, resampling
from cyclegan_vc_tf.config import overrides, preset_files
from cyclegan_vc_tf.interop import torch_files
from cyclegan_vc_tf.interop.public_melgan import public_module
from cyclegan_vc_tf.system import signals
from cyclegan_vc_tf.vocoders.melgan import Architecture

TINY = {
    "f0_method": "dio", "channels": 4, "residual_blocks": 1, "crop_frames": 16, "steps": 2,
    "generator_widths": "1,2,4,8,2,1", "padding": "symmetric", "up_norm_epsilon": 1e-5,
    "norm_affine": "down",
}  # fmt: skip
"""Settings that train in a moment, of networks that can be exported as layout karkirowle."""


pytestmark = pytest.mark.usefixtures("without_graph")


def quiet(text: str) -> None:
    """Print nothing."""


class Recorder(vc.Callback):
    """Callback that notes when it is called."""

    def __init__(self) -> None:
        self.losses: dict[int, float] = {}
        self.ends: list[tuple[int, bool]] = []

    def on_step(self, step: int, report: vc.StepReport) -> None:
        """Note the step and its loss."""
        self.losses[step] = report["loss/generator"]

    def on_end(self, step: int, finished: bool) -> None:
        """Note the last step."""
        self.ends.append((step, finished))


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    """Callback of the training of `folder`."""
    return Recorder()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> Path:
    """Folder with recordings of two made-up voices and a trained run, `runs/trained`."""
    folder = tmp_path_factory.mktemp("api")
    for name, f0_hz in (("anna", 210.0), ("ben", 110.0)):
        write_voices(folder / "recordings" / name, f0_hz, 5)
    sides = dict(zip(("source_dir", "target_dir"), speakers(folder), strict=True))
    with steps_without_graph():
        done = vc.train(
            folder / "runs" / "trained", **sides, **TINY, features_dir=folder / "features",
            held_out_fraction=0.4, log=quiet, callbacks=[recorder],
        )  # fmt: skip
    assert done
    return folder


def speakers(folder: Path) -> tuple[Path, Path]:
    return folder / "recordings" / "anna", folder / "recordings" / "ben"


def isolated(code: str) -> str:
    """Run code in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_is_light() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import cyclegan_vc_tf\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    loaded = set(isolated(code).split())
    assert "cyclegan_vc_tf" in loaded
    assert not loaded & {"tensorflow", "keras", "numpy", "absl", "librosa", "soundfile"}
    code = (
        "import time; begin = time.process_time()\n"
        "import cyclegan_vc_tf; print(time.process_time() - begin)"
    )
    assert min(float(isolated(code)) for _ in range(5)) < 0.05


def test_settings_and_errors_are_available_without_tensorflow() -> None:
    code = (
        "import sys, cyclegan_vc_tf as vc\n"
        "vc.preset('fast', steps=3); vc.Direction.A2B; vc.load; vc.train\n"
        "try:\n"
        "    vc.load('pretrained:nobody')\n"
        "except vc.InputError as error:\n"
        "    print('nobody' in str(error), 'tensorflow' in sys.modules)\n"
    )
    assert isolated(code).split() == ["True", "False"]


def test_every_public_name_exists_where_a_type_checker_sees_it() -> None:
    assert set(vc.__all__) == {*vc._MODULES, "__version__"}
    assert set(vc.__all__) <= set(dir(vc))
    for name in vc._MODULES:
        assert getattr(vc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'loda'"):
        vc.loda  # noqa: B018
    source = (REPOSITORY / "cyclegan_vc_tf" / "__init__.py").read_text(encoding="utf-8")
    checked = source.split("if TYPE_CHECKING:")[1].split("__version__")[0]
    namespace: dict[str, object] = {}
    exec("if True:" + checked, namespace)
    assert set(vc._MODULES) == {name for name in namespace if name != "__builtins__"}
    # Functions are wrapped, so that their errors name arguments.
    assert all(namespace[name] is inspect.unwrap(getattr(vc, name)) for name in vc._MODULES)


def write_public_melgan(path: Path) -> None:
    """Write a small random MelGAN generator under the public implementation's keys."""
    architecture, rng = Architecture(channels=2), np.random.default_rng(0)
    state = {}
    for address, shape in architecture.weight_shapes().items():
        layer, _, kind = address.rpartition("/")
        module = public_module(layer, architecture.ratios, architecture.dilations)
        values = rng.standard_normal(shape[::-1]).astype(np.float32)
        state[f"{module}.{'weight' if kind == 'kernel' else 'bias'}"] = values
    torch_files.write(path, {"generator": state})


def documented() -> list[tuple[str, object]]:
    """Public functions, classes and methods, each with its name."""
    found: list[tuple[str, object]] = [("cyclegan_vc_tf", vc)]
    for name in vc._MODULES:
        value = getattr(vc, name)
        found.append((name, value))
        if inspect.isclass(value):
            methods = vars(value).items()
            found += [(f"{name}.{key}", each) for key, each in methods if key[0] != "_"]
    return [(name, value) for name, value in found if callable(value) or inspect.ismodule(value)]


@pytest.mark.parametrize(("name", "value"), documented(), ids=[name for name, _ in documented()])
def test_the_examples_run(
    name: str, value: object, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in WITH_TORCH:
        pytest.importorskip("torch")
    monkeypatch.chdir(folder)
    if name == "import_vocoder":
        write_public_melgan(folder / "melgan.pt")
    text = inspect.getdoc(value) or ""
    assert text, f"{name} has no docstring"
    test = doctest.DocTestParser().get_doctest(text, {name: value}, name, None, 0)
    results = doctest.DocTestRunner(verbose=False).run(test)
    assert results.failed == 0
    needs_example = "." not in name or name.startswith("VoiceConverter.")
    if needs_example:
        assert results.attempted, f"{name} has no example"


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/get_started/quickstart.md",
        "docs/guides/python.md",
        "docs/reference/api.md",
    ],
)
def test_the_examples_of_a_page_run(
    page: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run in one namespace, with a preset of small networks and few steps."""
    pytest.importorskip("IPython")
    shutil.copytree(folder / "recordings", tmp_path / "recordings")
    shutil.copy(speakers(folder)[0] / "00.wav", tmp_path / "me.wav")
    if page == "docs/reference/api.md":
        shutil.copytree(folder / "runs" / "trained", tmp_path / "runs" / "anna-ben")
    small = overrides.override(vc.RunConfig(), {**TINY, "features_dir": str(tmp_path / "features")})
    monkeypatch.setattr(preset_files, "load_preset", lambda name: small)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"samples": voice(120.0, 0.5, seed=1, sample_rate_hz=44_100)}
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block.replace("steps=2000", "steps=4"), page, "exec"), namespace)
    if page == "docs/guides/python.md":
        assert namespace["lines"][-1].startswith(("Stopped at step", "Curves"))
        assert all(answer.startswith(b"RIFF") for answer in namespace["answers"])
        with pytest.raises(vc.InputError, match="no recording that can be read"):
            namespace["convert"](b"text")
        assert (tmp_path / "conversion.png").is_file()


WITH_TORCH = {"export_networks", "import_checkpoint", "import_vocoder"}
"""Names with examples that read or write files of PyTorch."""


def test_functions_document_what_they_take() -> None:
    for name, value in documented():
        if inspect.isfunction(value):
            text = inspect.getdoc(value) or ""
            for parameter in inspect.signature(value).parameters:
                assert parameter == "self" or f"{parameter}: " in text, (name, parameter)


def test_samples_and_files_convert_alike(folder: Path, tmp_path: Path) -> None:
    voices = vc.load(folder / "runs" / "trained")
    recording = speakers(folder)[0] / "00.wav"
    samples, rate_hz = audio_files.read(recording)
    converted = voices.convert(samples, rate_hz)
    peak = voices.convert_file(recording, tmp_path / "one.wav")
    assert peak == pytest.approx(np.abs(converted).max(), rel=1e-6)
    written, _ = soundfile.read(tmp_path / "one.wav")
    np.testing.assert_allclose(written, converted / max(peak, 1.0), atol=2**-15)
    result = voices.convert_folder(speakers(folder)[0], tmp_path / "all")
    assert result.failed == {} and len(list((tmp_path / "all").iterdir())) == 5
    again, _ = soundfile.read(tmp_path / "all" / "00.wav")
    np.testing.assert_array_equal(again, written)


def test_a_damaged_recording_warns(tmp_path: Path) -> None:
    wave = voice(120.0, 0.5, seed=3)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, -wave], 1), 16_000)
    with pytest.warns(UserWarning, match=r"a\.wav has channels that cancel each other"):
        vc.load("pretrained:vc1-demo").convert_file(tmp_path / "a.wav", tmp_path / "b.wav")
    assert soundfile.info(tmp_path / "b.wav").frames == len(wave)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
def test_samples_of_any_rate_come_back_at_that_rate(folder: Path, rate_hz: int) -> None:
    """The oracle is the conversion at the model's rate, resampled by itself."""
    voices = vc.load("pretrained:vc1-demo")
    samples = voice(186.0, 0.7, seed=3, sample_rate_hz=rate_hz)[:-7]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        converted = voices.convert(samples, rate_hz, "A2B")
        at_model = voices.convert(resampling.resample(samples, rate_hz, 16_000), 16_000, "A2B")
    # A recording of 8 kHz has half of the model's band.
    assert {str(each.message)[:31] for each in found} == (
        {"the recording has nothing above"} if rate_hz == 8_000 else set()
    )
    assert converted.shape == samples.shape and converted.dtype == np.float32
    expected = resampling.resample(at_model, 16_000, rate_hz)[: len(samples)]
    np.testing.assert_allclose(converted[: len(expected)], expected, atol=1e-6)
    assert not np.allclose(converted, samples, atol=1e-2)


def test_silence_and_nothing_come_back(folder: Path) -> None:
    voices = vc.load("pretrained:vc1-demo")
    assert voices.convert(np.zeros(0, np.float32), 44_100).shape == (0,)
    np.testing.assert_array_equal(voices.convert(np.zeros(500), 44_100), np.zeros(500))


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros((2, 100)), {}, r"shape \(2, 100\); expected \(samples,\)"),
        (np.zeros(100, np.int16), {}, "type int16; expected floating point"),
        (np.full(100, np.nan), {}, "NaN or infinite"),
        (np.zeros(100), {"sample_rate_hz": 0}, "sample_rate_hz 0; expected a rate in Hz"),
        (np.zeros(100), {"direction": "A2C"}, "direction A2C; expected A2B or B2A"),
        (np.zeros(100), {"f0": "flat"}, "f0 flat; expected convert or keep"),
        (np.zeros(100), {"semitones": float("nan")}, "semitones nan; expected a number"),
    ],
)
def test_samples_that_cannot_be_converted(samples: np.ndarray, options: dict, message: str) -> None:
    voices = vc.load("pretrained:vc1-demo")
    with pytest.raises(vc.InputError, match=message):
        voices.convert(samples, **{"sample_rate_hz": 16_000, **options})


def test_wrong_settings_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(vc.InputError, match=r"received stepz; .*did you mean steps"):
        vc.train(tmp_path / "run", stepz=3)
    with pytest.raises(vc.InputError, match="steps=0: 0 is not a positive integer"):
        vc.preset("fast", steps=0)
    with pytest.raises(vc.InputError, match="received flagfile; expected the name of a setting"):
        vc.preset("fast", flagfile="other")
    with pytest.raises(vc.InputError, match="received preset slow; expected one of demo, "):
        vc.train(tmp_path / "run", "slow")
    with pytest.raises(vc.InputError, match="corpus_url go with corpus; expected it"):
        vc.prepare(speakers=("SF1", "TF2"))
    with pytest.raises(vc.InputError, match="which is the recording"):
        recording = speakers(folder)[0] / "00.wav"
        vc.load("pretrained:vc1-demo").convert_file(recording, recording)
    assert not (tmp_path / "run").exists()


def test_paths_of_settings_become_absolute(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    config = vc.RunConfig(corpus=vc.CorpusConfig(source_dir="recordings/anna"))
    speakers = vc.prepare(
        config, target_dir="recordings/ben", features_dir="features", f0_method="dio", log=quiet
    )
    assert speakers["A"].folder == folder / "recordings" / "anna"
    assert speakers["B"].folder == folder / "recordings" / "ben"


def test_settings_of_the_vocoder_change_one_by_one() -> None:
    voices = vc.load("pretrained:vc1-demo", griffin_lim_iterations=7)
    assert voices._vocoder.griffin_lim_iterations == 7
    assert voices._vocoder.limit_power and voices.config.vocoder.limit_power, "the run's own"


def test_directions_that_were_not_imported_are_left_out(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "runs" / "trained", tmp_path / "run")
    note = {"step": 2, "untrained": ["generator_B2A", "discriminator_A"]}
    (tmp_path / "run" / "imported.json").write_text(json.dumps(note))
    voices = vc.load(tmp_path / "run")
    assert voices.directions == (vc.Direction.A2B,)
    with pytest.raises(vc.InputError, match="without generator_B2A"):
        voices.convert(np.zeros(100), 16_000, "B2A")


def test_training_from_a_script_is_the_commands(folder: Path, tmp_path: Path) -> None:
    """Equal settings give equal weights, bit for bit."""
    source, target = speakers(folder)
    done = run_here(
        "train.py", f"--run_dir={tmp_path}/command", f"--source_dir={source}",
        f"--target_dir={target}", f"--features_dir={folder}/features", "--held_out_fraction=0.4",
        *(f"--{name}={value}" for name, value in TINY.items()),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = variables(folder / "runs" / "trained", 2)
    theirs = variables(tmp_path / "command", 2)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(vc.InputError, match="settings: channels was 4 and is 8"):
        vc.train(tmp_path / "command", channels=8, log=quiet)


def test_callbacks_see_every_step(recorder: Recorder, folder: Path) -> None:
    assert recorder.losses.keys() == {1, 2}
    assert recorder.losses[2] == scalars(folder / "runs" / "trained")["loss/generator", 2]
    assert recorder.ends == [(2, True)]


def test_a_training_is_resumed_in_a_thread_and_stops_when_asked(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "runs" / "trained", tmp_path / "run")
    stop, finished = threading.Event(), []
    stop.set()

    def resume() -> None:
        finished.append(vc.train(tmp_path / "run", steps=500, stop=stop, log=quiet))

    thread = threading.Thread(target=resume)
    thread.start()
    thread.join()
    assert finished == [vc.TrainingResult(tmp_path / "run", step=3, finished=False)]
    assert not finished[0]
    assert vc.load(tmp_path / "run").step == 3, "the step under way is finished and saved"


def test_on_step_sees_the_losses_and_can_stop(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "runs" / "trained", tmp_path / "run")
    losses = {}

    def on_step(step: int, report: vc.StepReport) -> None:
        losses[step] = report["loss/generator"]
        if step == 4:
            raise vc.StopTraining

    result = vc.train(tmp_path / "run", steps=500, log_every=1, on_step=on_step, log=quiet)
    assert result == vc.TrainingResult(tmp_path / "run", step=4, finished=False)
    shown = scalars(tmp_path / "run", "loss/generator")
    assert losses == {step: pytest.approx(shown["loss/generator", step]) for step in (3, 4)}
    again = vc.train(tmp_path / "run", steps=4, log=quiet)
    assert again == vc.TrainingResult(tmp_path / "run", step=4, finished=True) and again


def test_threads_convert_alike_and_leave_signals_alone() -> None:
    voices = vc.load("pretrained:vc1-demo")
    recordings = [voice(150.0 + 20 * index, 0.5, seed=index) for index in range(6)]
    handlers = [signal.getsignal(number) for number in signals.SIGNALS]

    def convert(index: int) -> np.ndarray:
        direction = "A2B" if index % 2 else "B2A"
        return voices.convert(recordings[index], 16_000, direction)

    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(convert, range(6)))
    for index, converted in enumerate(together):
        np.testing.assert_array_equal(converted, convert(index))
    assert handlers == [signal.getsignal(number) for number in signals.SIGNALS]


def test_unreadable_files_of_a_folder_are_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av_files, "is_available", lambda: False)
    shutil.copytree(speakers(folder)[0], tmp_path / "in")
    (tmp_path / "in" / "memo.m4a").write_bytes(b"sound")
    with pytest.warns(UserWarning, match=r"in: 1 files are not used.*memo\.m4a"):
        vc.load("pretrained:vc1-demo").convert_folder(tmp_path / "in", tmp_path / "out")


def test_the_plot_shows_the_f0_of_a_tone() -> None:
    """The oracle is the frequency that the tone was made with."""
    voices = vc.load("pretrained:vc1-demo")
    time_s = np.arange(24_000) / 48_000
    tones = {
        f"{f0_hz} Hz": sum(np.sin(2 * np.pi * f0_hz * k * time_s) / 8 for k in range(1, 6))
        for f0_hz in (120, 220)
    }
    figure = voices.plot({**tones, "click": np.ones(2)}, 48_000)
    *_, f0_panel = [axes for axes in figure.axes if axes.get_ylabel() == "F0 (Hz)"]
    lines = {line.get_label(): line.get_ydata() for line in f0_panel.lines}
    for f0_hz in (120, 220):
        assert np.nanmedian(lines[f"{f0_hz} Hz"]) == pytest.approx(f0_hz, rel=0.01)
    assert np.isnan(lines["click"]).all()
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("recordings", [{}, {"source": np.zeros(0)}])
def test_nothing_cannot_be_plotted(recordings: dict) -> None:
    with pytest.raises(vc.InputError, match="no recordings, or an empty one"):
        vc.load("pretrained:vc1-demo").plot(recordings, 16_000)


def test_the_library_quiets_tensorflow_unless_told_otherwise() -> None:
    code = (
        "import os; before = os.environ.pop('TF_CPP_MIN_LOG_LEVEL', None)\n"
        "import cyclegan_vc_tf as vc; from cyclegan_vc_tf.system import startup\n"
        "print('TF_CPP_MIN_LOG_LEVEL' in os.environ)\n"
        "with startup.fast_import(): print(os.environ['TF_CPP_MIN_LOG_LEVEL'])\n"
        "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '0'\n"
        "with startup.fast_import(): print(os.environ['TF_CPP_MIN_LOG_LEVEL'])\n"
    )
    assert isolated(code).split() == ["False", "3", "0"]


def test_the_family_has_the_variants() -> None:
    assert vc.FAMILY is vc.VARIANTS and list(vc.FAMILY) == ["vc1", "vc2", "vc3", "mask"]


def test_a_stream_is_the_runs_in_any_chunks() -> None:
    """Equal output for other chunks, from settings that are given by name."""
    voices = vc.load("pretrained:vc1-demo")
    wave = voice(150.0, 0.8, seed=2)
    outputs = []
    for samples in (100, 4_000):
        with voices.stream("A2B", semitones=2.0, lookahead_frames=4) as stream:
            chunks = [wave[begin : begin + samples] for begin in range(0, len(wave), samples)]
            pushed = [stream.push(chunk) for chunk in chunks]
            assert [len(chunk) for chunk in pushed] == [len(chunk) for chunk in chunks]
            outputs.append(np.concatenate([*pushed, stream.flush()]))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0]).max() > 0.01
    for options, message in (
        ({"direction": "A2C"}, "direction A2C"), ({"sample_rate_hz": 0}, "sample_rate_hz 0"),
        ({"f0": "flat"}, "f0 flat"), ({"block_framez": 3}, "block_framez"),
    ):  # fmt: skip
        with pytest.raises(vc.InputError, match=message):
            voices.stream(**options)


def test_a_batch_shows_and_plays_itself(tmp_path: Path) -> None:
    wave = voice(120.0, 0.3, seed=1)
    for name in ("<b>.wav", *(f"{index}.wav" for index in range(6))):
        soundfile.write(tmp_path / name, wave, 16_000)
    wavs = {path: path for path in sorted(tmp_path.iterdir())}
    result = vc.BatchResult(
        failed={Path("in/&.wav"): "is <empty>"}, warnings={Path("a.wav"): ("is cut short",)},
        converted=wavs,
    )  # fmt: skip
    page = result._repr_html_()
    assert "<td>&amp;.wav</td><td>failed: is &lt;empty&gt;</td>" in page
    assert "is cut short" in page and "and 2 more converted" in page
    sounds = re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)
    assert [base64.b64decode(sound) for sound in sounds] == [
        path.read_bytes() for path in list(wavs)[:5]
    ]
    empty = vc.BatchResult(converted={Path("a"): tmp_path / "gone.wav"})._repr_html_()
    assert "<audio" not in empty


def test_an_inspection_shows_what_the_command_prints() -> None:
    found = vc.inspect("pretrained:vc1-demo")
    damaged = vc.Inspection({**found.facts, "path": "a<b"}, ["checkpoint <x> is gone"])
    assert "a&lt;b" in damaged._repr_html_()
    assert "damaged: checkpoint &lt;x&gt; is gone" in damaged._repr_html_()


def test_an_evaluation_is_returned_and_written(folder: Path, tmp_path: Path) -> None:
    evaluation = vc.evaluate(folder / "runs" / "trained", examples=1, output=tmp_path / "report")
    written = json.loads((tmp_path / "report" / "metrics.json").read_text())
    mean = statistics.fmean(
        utterance["log_f0_rmse"]
        for utterance in evaluation.scores["A2B"]["converted"].utterances.values()
    )
    assert written["A2B"]["converted"]["log_f0_rmse"] == pytest.approx(mean)
    mcd_db = written["A2B"]["converted"]["mcd_db"]
    page = evaluation._repr_html_()
    assert f"<td>A2B</td><td>converted</td><td>{mcd_db:.2f}</td>" in page
    assert "<th>MCD (dB) ↓</th>" in page and "DNSMOS" not in page, "it was not measured"
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "metrics.json", "recordings.csv", "report.html"
    }  # fmt: skip


def test_the_package_is_typed() -> None:
    assert (REPOSITORY / "cyclegan_vc_tf" / "py.typed").is_file()
    for name in ("api", "exchange"):
        module = importlib.import_module(f"cyclegan_vc_tf.{name}")
        for key, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                parameters = inspect.signature(value).parameters
                assert value.__annotations__.keys() == {*parameters, "return"}, key

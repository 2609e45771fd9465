"""Public Python API: imports, examples, and the numbers of the commands."""

import doctest
import importlib
import inspect
import json
import shutil
import statistics
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_here, scalars, variables, voice, write_voices

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files, resampling
from cyclegan_vc_tf.interop import torch_files
from cyclegan_vc_tf.interop.public_melgan import public_module
from cyclegan_vc_tf.vocoders.melgan import Architecture

TINY = {
    "f0_method": "dio", "channels": 4, "residual_blocks": 1, "crop_frames": 16, "steps": 2,
    "generator_widths": "1,2,4,8,2,1", "padding": "symmetric", "up_norm_epsilon": 1e-5,
    "norm_affine": "down",
}  # fmt: skip
"""Settings that train in a moment, of networks that can be exported as layout karkirowle."""


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
        "import time; begin = time.perf_counter()\n"
        "import cyclegan_vc_tf; print(time.perf_counter() - begin)"
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
    assert all(namespace[name] is getattr(vc, name) for name in vc._MODULES)


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
    with pytest.raises(vc.InputError, match="go with --corpus"):
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
    with pytest.raises(vc.InputError, match="--channels was 4 and is 8"):
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
    thread.join(timeout=120)
    assert finished == [False]
    assert vc.load(tmp_path / "run").step == 3, "the step under way is finished and saved"


def test_an_evaluation_is_returned_and_written(folder: Path, tmp_path: Path) -> None:
    evaluation = vc.evaluate(folder / "runs" / "trained", examples=1, output=tmp_path / "report")
    written = json.loads((tmp_path / "report" / "metrics.json").read_text())
    mean = statistics.fmean(
        utterance["log_f0_rmse"]
        for utterance in evaluation.scores["A2B"]["converted"].utterances.values()
    )
    assert written["A2B"]["converted"]["log_f0_rmse"] == pytest.approx(mean)
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

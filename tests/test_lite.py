"""Conversion without TensorFlow: exported generators, and the distribution cyclegan-vc-lite."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from conftest import REPOSITORY, voice
from exported_models import random_export
from test_packaging import build

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.conversion import batch
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import onnx_files
from cyclegan_vc_tf.runs import exported_files
from cyclegan_vc_tf.system import pool
from cyclegan_vc_tf.vocoders import melgan

SENTENCE = REPOSITORY / "data" / "demo" / "held_out" / "heart" / "089.flac"

MAX_DIFFERENCE = 3 / 2**15
"""Largest difference of a sample from the run's: 1 to 2 steps of 16 bits were seen."""

IMPORT_NAMES = {"scikit-learn": "sklearn", "tensorflow-addons": "tensorflow_addons"}


def dependencies(file: Path) -> set[str]:
    """Names of the packages that a distribution installs."""
    text = file.read_text(encoding="utf-8")
    listed = text[text.index("\ndependencies = [") : text.index("\n]", text.index("\ndep"))]
    return set(re.findall(r'^    "([\w-]+)', listed, re.MULTILINE))


def absent() -> list[str]:
    """Modules that cyclegan-vc-lite does not install, and those that they bring."""
    every = dependencies(REPOSITORY / "pyproject.toml")
    left_out = every - dependencies(REPOSITORY / "lite" / "pyproject.toml")
    assert {"tensorflow", "keras", "librosa", "scipy", "matplotlib"} <= left_out
    names = {IMPORT_NAMES.get(name, name) for name in left_out} | {"numba", "onnx", "torch"}
    # setuptools has a copy of its own, which pyworld imports through pkg_resources.
    return sorted(names - {"platformdirs"})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publication of the demo's run with an ONNX file per direction."""
    folder = tmp_path_factory.mktemp("lite") / "demo"
    vc.publish("pretrained:vc1-demo", folder, "Synthetic voices.", onnx=True)
    return folder


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that the wheel of cyclegan-vc-lite is installed into."""
    folder = tmp_path_factory.mktemp("lite-wheel")
    source = folder / "source"
    for name in ("cyclegan_vc_tf", "lite"):
        ignore = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(REPOSITORY / name, source / name, ignore=ignore)
    wheel = build("wheel", source / "lite", folder / "wheel")
    shutil.unpack_archive(wheel, folder / "installed", "zip")
    return folder / "installed"


def run_lite(
    installed: Path, *arguments: object, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command with cyclegan-vc-lite, where nothing else can be imported.

    Args:
        installed: Folder of the distribution.
        arguments: Arguments of the command.
        options: Options of Python.
    """
    code = (
        # An editable installation would find what the wheel does not have.
        "import sys\n"
        "sys.meta_path[:] = [each for each in sys.meta_path if 'editable' not in repr(each)]\n"
        f"sys.modules.update(dict.fromkeys({absent()!r}))\n"
        "from cyclegan_vc_tf.__main__ import main\nmain()"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *options, "-c", code, *map(str, arguments)],
        cwd=installed, env=environment, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def of_the_run(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """A sentence converted with TensorFlow."""
    samples, rate_hz = soundfile.read(SENTENCE)
    return vc.load("pretrained:vc1-demo").convert(samples, rate_hz, "A2B")


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_recording_is_converted_without_tensorflow(
    published: Path, lite: Path, of_the_run: np.ndarray, tmp_path: Path, place: str
) -> None:
    run_dir = published / exported_files.file_name("A2B") if place == "file" else published
    done = run_lite(
        lite, "convert", f"--run_dir={run_dir}", f"--input={SENTENCE}", f"--output={tmp_path}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Converted 1 of 1 with step 2000: {tmp_path}\n"
    converted, rate_hz = soundfile.read(tmp_path / "089.wav")
    assert (len(converted), rate_hz) == (len(of_the_run), 16_000)
    assert np.abs(converted - of_the_run).max() <= MAX_DIFFERENCE


def test_a_conversion_imports_little(published: Path, lite: Path, tmp_path: Path) -> None:
    """These packages took a third of the time of a short conversion."""
    done = run_lite(
        lite, "convert", f"--run_dir={published}/generator_A2B.onnx", f"--input={SENTENCE}",
        f"--output={tmp_path}", options=("-X", "importtime"),
    )  # fmt: skip
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"numpy", "pyworld", "onnxruntime"} <= imported
    assert not {"pkg_resources", "asyncio", "tqdm.auto", "scipy", "av"} & imported


def test_log_mel_spectra_are_synthesized_by_an_exported_vocoder(lite: Path, tmp_path: Path) -> None:
    """Both files are made with TensorFlow, and convert without it as with it."""
    made = random_export((4,), variant="vc3", mel_bins=20, fft_samples=256, hop_samples=64)
    # About the level of the recording.
    speech = Statistics(np.full(20, -2.0), np.full(20, 0.5), 0.0, 0.0)
    about = dataclasses.replace(made.about, statistics={"A": speech, "B": speech})
    onnx_files.write(tmp_path / "a.onnx", onnx_files.make_model(made.generator, about))
    network = melgan.melgan_generator(bins=20, channels=2, ratios=(8, 8), dilations=(1, 3))
    melgan.save(network, tmp_path / "melgan.npz", melgan.Analysis(22_050, 256))
    vc.export_vocoder(tmp_path / "melgan.npz", tmp_path / "melgan.onnx")
    recording = tmp_path / "a.wav"
    soundfile.write(recording, voice(150.0, 0.7, 1, 22_050), 22_050)
    arguments = ["convert", f"--run_dir={tmp_path}/a.onnx", f"--input={recording}",
                 "--vocoder=melgan"]  # fmt: skip
    done = run_lite(
        lite, *arguments, f"--vocoder_checkpoint={tmp_path}/melgan.onnx",
        f"--output={tmp_path}/out.wav",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    settings = {"vocoder": "melgan", "vocoder_checkpoint": str(tmp_path / "melgan.npz")}
    voices = vc.load(tmp_path / "a.onnx", **settings)
    expected = voices.convert(*soundfile.read(recording, dtype="float32"))
    converted, _ = soundfile.read(tmp_path / "out.wav")
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(converted, expected, atol=MAX_DIFFERENCE)
    done = run_lite(
        lite, *arguments, f"--vocoder_checkpoint={tmp_path}/melgan.npz",
        f"--output={tmp_path}/no.wav",
    )  # fmt: skip
    assert done.returncode == 2 and "needs TensorFlow, which is not installed" in done.stderr


def test_log_mel_spectra_are_synthesized_by_a_vocoder_that_was_trained_here(
    lite: Path, tmp_path: Path
) -> None:
    name = "pretrained:vocoder-demo"
    vc.export_vocoder(name, tmp_path / "vocoder.onnx")
    made = random_export((4,), variant="mask", sample_rate_hz=16_000)
    speech = Statistics(np.full(80, -2.0), np.full(80, 0.5), 0.0, 0.0)
    about = dataclasses.replace(made.about, statistics={"A": speech, "B": speech})
    onnx_files.write(tmp_path / "a.onnx", onnx_files.make_model(made.generator, about))
    recording = tmp_path / "a.wav"
    soundfile.write(recording, voice(150.0, 0.7, 1), 16_000)
    arguments = ["convert", f"--run_dir={tmp_path}/a.onnx", f"--input={recording}"]
    done = run_lite(
        lite, *arguments, f"--vocoder={tmp_path}/vocoder.onnx", f"--output={tmp_path}/out.wav"
    )
    assert (done.returncode, done.stderr) == (0, "")
    voices = vc.load(tmp_path / "a.onnx", vocoder=name)
    expected = voices.convert(*soundfile.read(recording, dtype="float32"))
    converted, _ = soundfile.read(tmp_path / "out.wav")
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(converted, expected, atol=MAX_DIFFERENCE)
    done = run_lite(lite, *arguments, f"--vocoder={name}", f"--output={tmp_path}/no.wav")
    assert done.returncode == 2
    assert f"--vocoder {name} needs TensorFlow, which is not installed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["convert", "--run_dir=RUN/config.onnx", "--input=IN"], "config.onnx is not there"),
        (["convert", "--run_dir=RUN/generator_A2B.onnx", "--input=IN", "--direction=B2A"],
         "converts A2B only; give --direction=A2B"),
        (["convert", "--run_dir=RUN/generator_A2B.onnx", "--input=IN", "--step=7"],
         "exported with step 2000 only"),
        (["convert", "--run_dir=pretrained:vc1-demo", "--input=IN"], "is not a model"),
        (["convert", "--run_dir=RUN/..", "--input=IN"], "TensorFlow is not installed"),
        (["train"], "needs all of cyclegan-vc-tf"),
        (["export"], "needs all of cyclegan-vc-tf"),
    ],
)  # fmt: skip
def test_what_lite_cannot_do_is_one_line(
    published: Path, lite: Path, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    filled = [each.replace("RUN", str(published)).replace("IN", str(SENTENCE))
              for each in arguments]  # fmt: skip
    if arguments[0] == "convert":
        filled.append(f"--output={tmp_path}")
    done = run_lite(lite, *filled)
    assert done.returncode == 2
    assert expected in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_help_lists_what_lite_can_do(lite: Path) -> None:
    done = run_lite(lite, "--help")
    commands = [line.split()[0] for line in done.stdout.splitlines() if re.match("  \\w", line)]
    assert (done.returncode, commands) == (0, ["convert"])


def test_tensorflow_converts_a_folder_where_it_is_installed(published: Path) -> None:
    assert not exported_files.is_exported(published)
    assert exported_files.is_exported(published / "generator_A2B.onnx")


def test_worker_processes_ask_the_exported_generator(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a.wav", "b.wav")
    for seed, name in enumerate(names):
        soundfile.write(tmp_path / name, voice(180.0, 0.7, seed), 16_000)
    voices = vc.load(published / "generator_A2B.onnx")
    alone = [voices.convert(soundfile.read(tmp_path / name)[0], 16_000) for name in names]
    monkeypatch.setattr(batch, "MIN_PARALLEL_S", 0.0)
    monkeypatch.setattr(pool, "available_cores", lambda: 2)
    result = voices.convert_folder(tmp_path, tmp_path / "out")
    assert not result.failed
    for name, expected in zip(names, alone, strict=True):
        converted = soundfile.read(tmp_path / "out" / name)[0]
        np.testing.assert_allclose(converted, expected, atol=1.01 / 2**15)


def test_exported_generators_convert_no_stream(published: Path) -> None:
    voices = vc.load(published / "generator_B2A.onnx")
    assert voices.directions == ("B2A",) and voices.variant == "vc1"
    with pytest.raises(vc.InputError, match="convert whole recordings"):
        voices.stream("B2A")


@pytest.mark.parametrize("damage", ["cut", "text", "other", "renamed", "no description"])
def test_other_files_are_refused(published: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.onnx"
    content = (published / "generator_A2B.onnx").read_bytes()
    model = onnx.load_from_string(content)
    if damage == "other":
        model.metadata_props[0].value = model.metadata_props[0].value.replace('"step"', '"stop"')
    elif damage == "renamed":
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 30
    elif damage == "no description":
        del model.metadata_props[:]
    path.write_bytes({"cut": content[:10_000], "text": b"# weights\n"}.get(
        damage, model.SerializeToString()))  # fmt: skip
    with pytest.raises(vc.InputError, match="expected an ONNX file of the command export"):
        vc.load(path)

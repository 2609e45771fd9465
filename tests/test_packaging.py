"""Wheel and sdist: built, installed into an empty folder, and used from another one."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from conftest import REPOSITORY

SOURCES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "cyclegan_vc_tf",
    "configs",
    "data",
)
"""Files and folders of the repository that a build reads."""

Run = Callable[..., subprocess.CompletedProcess]


def build(kind: str, source: Path, output: Path) -> Path:
    """Build a wheel or an sdist without network; return the file."""
    code = f"import sys\nfrom setuptools import build_meta\nbuild_meta.build_{kind}(sys.argv[1])"
    output.mkdir()
    subprocess.run(
        [sys.executable, "-c", code, str(output)], cwd=source, check=True, capture_output=True
    )
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that a wheel, built from an sdist as `python -m build` does, is installed into."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    source.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=ignore)
        else:
            shutil.copy(path, source / name)
    with tarfile.open(build("sdist", source, folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    wheel = build("wheel", unpacked, folder / "wheel")
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder / "installed"]
    subprocess.run([*map(str, command), str(wheel)], check=True, capture_output=True)
    return folder / "installed"


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Function that runs the installed command from an empty folder."""

    def command(*arguments: str | Path) -> subprocess.CompletedProcess:
        script = installed / "bin" / "cyclegan-vc-tf"
        done = subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done

    return command


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_wheel_holds_the_whole_package(installed: Path) -> None:
    package = installed / "cyclegan_vc_tf"
    for folder, source in (("presets", "configs"), ("demo_corpus", "data/demo")):
        assert names(package / folder) == names(REPOSITORY / source)
        for name in names(package / folder):
            assert (package / folder / name).read_bytes() == (
                REPOSITORY / source / name
            ).read_bytes()
    data = {"presets", "demo_corpus"}
    found = {name for name in names(package) if name.split("/")[0] not in data}
    expected = names(REPOSITORY / "cyclegan_vc_tf")
    assert {name for name in found if "__pycache__" not in name} == {
        name for name in expected if "__pycache__" not in name
    }
    assert "py.typed" in found
    assert {path.name for path in installed.iterdir()} - {"bin", "cyclegan_vc_tf"} == {
        path.name for path in installed.glob("*.dist-info")
    }, "no other package is installed"


def test_the_version_is_that_of_the_project(installed: Path, run: Run) -> None:
    declared = re.search(r'^version = "(.+)"', (REPOSITORY / "pyproject.toml").read_text(), re.M)
    assert declared
    assert run("--version").stdout == f"cyclegan-vc-tf {declared[1]}\n"
    assert (installed / f"cyclegan_vc_tf-{declared[1]}.dist-info").is_dir()


def test_a_pretrained_model_converts(installed: Path, run: Run, tmp_path: Path) -> None:
    assert "step 2000" in run("inspect", "--run_dir=pretrained:vc1-demo").stdout
    recording = installed / "cyclegan_vc_tf" / "demo_corpus" / "held_out" / "heart" / "089.flac"
    run("convert", "--run_dir=pretrained:vc1-demo", f"--input={recording}", "--output=a/b.wav")
    info = soundfile.info(tmp_path / "a" / "b.wav")
    assert (info.frames, info.samplerate) == (soundfile.info(recording).frames, 16_000)


def test_the_demo_trains_in_another_folder(run: Run, tmp_path: Path) -> None:
    done = run(
        "train", "--preset=demo", "--steps=2", "--channels=4", "--batch_size=1",
        "--crop_frames=16", "--inca_iterations=0", "--convert_every=0",
        "--frame_period_ms=20", "--features_dir=features",
    )  # fmt: skip
    assert "heart: 80 training utterances" in done.stdout and "michael: 80" in done.stdout
    converted = tmp_path / "runs" / "demo" / "converted"
    assert {path.name: len(list(path.glob("*.wav"))) for path in converted.glob("?2?")} == {
        "A2B": 12, "B2A": 12
    }  # fmt: skip

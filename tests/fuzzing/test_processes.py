"""One damaged input per subject of the fuzzing, given to the command in a process of its own."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_command, voice
from fuzz_harness import list_tree

RUN = REPOSITORY / "tests" / "end_to_end" / "data" / "version_0.1" / "run"

PRETRAINED = REPOSITORY / "cyclegan_vc_tf" / "hub" / "models" / "vc1-demo"


def wav_bytes() -> bytes:
    """Return a recording of half a second as a wav file."""
    file = io.BytesIO()
    soundfile.write(file, voice(150.0, 0.5, 1), 16_000, "PCM_16", format="WAV")
    return file.getvalue()


def a_recording(folder: Path) -> tuple[list[str], str]:
    (folder / "a.wav").write_bytes(b"")
    return [
        "convert", f"--run_dir={RUN}", f"--input={folder}/a.wav", f"--output={folder}/b.wav"
    ], f"--input {folder}/a.wav cannot be read as audio"  # fmt: skip


def a_run_folder(folder: Path) -> tuple[list[str], str]:
    shutil.copytree(RUN, folder / "run")
    (folder / "run" / "config.json").write_text("[" * 100_000)
    (folder / "a.wav").write_bytes(wav_bytes())
    return [
        "convert", f"--run_dir={folder}/run", f"--input={folder}/a.wav",
        f"--output={folder}/b.wav",
    ], "run is damaged: it is nested too deeply"  # fmt: skip


def a_flag_file(folder: Path) -> tuple[list[str], str]:
    (folder / "flags.txt").write_bytes("--steps=5\n".encode("utf-16"))
    return ["train", f"--flagfile={folder}/flags.txt"], "is not text in UTF-8"


def a_foreign_checkpoint(folder: Path) -> tuple[list[str], str]:
    for ending in ("index", "data-00000-of-00001"):
        content = (RUN / "checkpoints" / f"ckpt-4.{ending}").read_bytes()
        (folder / f"model.{ending}").write_bytes(content[: len(content) // 2])
    return [
        "import", f"--checkpoint={folder}/model", f"--run_dir={folder}/run"
    ], f"{folder}/model"  # fmt: skip


def a_corpus(folder: Path) -> tuple[list[str], str]:
    (folder / "archives").mkdir()
    (folder / "archives" / "vcc2016_training.zip").write_bytes(b"PK\3\4" + bytes(100))
    return [
        "prepare", "--corpus=vcc2016", "--speakers=SF1,TM1", f"--corpus_dir={folder}",
        "--corpus_url=http://127.0.0.1:9",
    ], "vcc2016_training.zip"  # fmt: skip


def a_published_model(folder: Path) -> tuple[list[str], str]:
    shutil.copytree(PRETRAINED, folder / "model")
    with np.load(folder / "model" / "weights.npz") as found:
        arrays = dict(found)
    name = "generator_A2B/output_conv/bias"
    np.savez(folder / "model" / "weights.npz", **{**arrays, name: arrays[name][:-1]})
    (folder / "a.wav").write_bytes(wav_bytes())
    return [
        "convert", f"--run_dir={folder}/model", f"--input={folder}/a.wav",
        f"--output={folder}/b.wav",
    ], "weights.npz cannot be read"  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [a_recording, a_run_folder, a_flag_file, a_foreign_checkpoint, a_corpus, a_published_model],
)
def test_a_command_refuses_damage_in_one_line(
    tmp_path: Path, damage: Callable[[Path], tuple[list[str], str]]
) -> None:
    arguments, message = damage(tmp_path)
    before = list_tree(tmp_path)
    done = run_command("-m", "cyclegan_vc_tf", *arguments)
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1 and message in done.stderr, done.stderr
    assert {name for name in set(list_tree(tmp_path)) - set(before) if name != "lock"} == set()


def test_convert_lists_the_damaged_recordings_of_a_folder(tmp_path: Path) -> None:
    content = wav_bytes()
    contents = {
        "bad_1.wav": content[:20], "bad_2.flac": b"fLaC" + bytes(100), "bad_3.mp3": b"",
        "cut.wav": content[: len(content) // 2], "good.wav": content,
    }  # fmt: skip
    for name, each in contents.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(each)
    done = run_command(
        "-m", "cyclegan_vc_tf", "convert", f"--run_dir={RUN}", f"--input={tmp_path}/in",
        f"--output={tmp_path}/out",
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr, done
    lines = done.stdout.splitlines()
    failed = [line.split()[1] for line in lines if line.startswith("failed: ")]
    assert failed == [f"{tmp_path}/in/{name}" for name in contents if name.startswith("bad")]
    assert f"warning: {tmp_path}/in/cut.wav is cut short" in done.stdout
    assert "Converted 2 of 5 with step 4" in lines[-1]
    assert set(list_tree(tmp_path / "out")) == {"cut.wav", "good.wav"}


def test_prepare_repairs_a_damaged_store(tmp_path: Path) -> None:
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").write_bytes(wav_bytes())
    command = (
        "-m", "cyclegan_vc_tf", "prepare", f"--source_dir={tmp_path}/low", "--f0_method=dio",
        f"--target_dir={tmp_path}/high", f"--features_dir={tmp_path}/features",
        "--held_out_fraction=0", "--workers=1",
    )  # fmt: skip
    assert run_command(*command).returncode == 0
    expected = {path: path.read_bytes() for path in tmp_path.rglob("*.npy")}
    assert expected
    for path in expected:
        path.write_bytes(expected[path][:-4])
    done = run_command(*command)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.npy")} == expected

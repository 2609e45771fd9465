"""Commands: help, presets, outputs, and one line for every error."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_command, run_here

import cyclegan_vc_tf
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.training.trainer import Trainer

STATISTICS = {
    name: Statistics(-10 * np.eye(24)[0], 0.1 * np.ones(24), log_f0, 0.1)
    for name, log_f0 in (("A", 4.7), ("B", 5.3))
}
RECORDINGS = {name: {"training": {}} for name in "AB"}


@pytest.fixture
def run(tmp_path: Path, small_config: RunConfig) -> run_folder.RunFolder:
    """Return an untrained run with a checkpoint of step 3."""
    run = run_folder.create_run(tmp_path / "run", small_config, STATISTICS, RECORDINGS)
    run.checkpoints.save(Trainer(small_config).checkpoint, 3, keep=1)
    return run


def refused(*arguments: str | Path) -> str:
    """Run a command that is refused, in a process; return its line of error."""
    return line_of(run_command(*arguments))


def refused_here(*arguments: str | Path) -> str:
    """Run a command that is refused, in the process of the tests; return its line of error."""
    return line_of(run_here(*arguments))


def line_of(done: subprocess.CompletedProcess) -> str:
    """Return the line of error of a command that was refused."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    # Progress bars aside.
    lines = [line for line in done.stderr.splitlines() if line and "%|" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_help_lists_the_flags_and_exits_with_0() -> None:
    for script, flag in (("train.py", "--checkpoint_every"), ("convert.py", "keep_sample_rate")):
        done = run_command(script, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert flag in done.stdout and "python" in done.stdout
    done = run_command("-m", "cyclegan_vc_tf", "prepare", "--help")
    assert done.returncode == 0 and "--f0_method" in done.stdout
    done = run_command("-m", "cyclegan_vc_tf")
    assert done.returncode == 0 and "prepare" in done.stdout


def test_old_names_of_flags_come_last_in_the_help() -> None:
    text = run_command("train.py", "--help").stdout
    sections = re.findall(r"^([a-z ]+):$", text, re.MULTILINE)
    assert sections[0] == "preset" and sections[-1] == "old names"
    assert (
        text.index("--vtln_init") < text.index("old names:") < text.index("frequency_warp: Alias")
    )


def test_the_version() -> None:
    done = run_command("-m", "cyclegan_vc_tf", "--version")
    assert (done.returncode, done.stdout) == (0, f"cyclegan-vc-tf {cyclegan_vc_tf.__version__}\n")


def given_to_training(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, object]:
    """Return the settings that train.py passes on, by name."""
    given: dict[str, object] = {}

    def note(run_dir: str, **settings: object) -> bool:
        given.update(settings, run_dir=run_dir)
        return True

    monkeypatch.setattr(api, "train", note)
    done = run_here("train.py", *arguments)
    assert done.returncode == 0, done.stderr
    return given


def test_a_preset_gives_settings_and_flags_beside_it_override_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = given_to_training(monkeypatch, "--preset=demo")
    assert given["steps"] == 1000 and given["run_dir"] == "runs/demo"
    assert given["source_dir"] == str(REPOSITORY / "data" / "demo" / "train" / "heart")
    for arguments in (("--preset=demo", "--steps=7"), ("--steps=7", "--preset=demo")):
        assert given_to_training(monkeypatch, *arguments) == given | {"steps": 7}
    (tmp_path / "mine.flags").write_text("--preset=demo\n--steps=7\n")
    other = given_to_training(monkeypatch, f"--flagfile={tmp_path}/mine.flags", "--run_dir=other")
    assert other == given | {"steps": 7, "run_dir": "other"}
    ours = given_to_training(monkeypatch, "--flagfile=configs/demo.flags")
    assert ours["steps"] == 1000


def test_wrong_command_lines() -> None:
    assert "should be one of <demo|demo_mask|" in refused("train.py", "--preset=slow")
    assert "--run_dir is not given" in refused("train.py")
    assert "Unknown command line flag 'stepz'. Did you mean: steps" in refused(
        "train.py", "--stepz=3"
    )
    assert "0 is not a positive integer" in refused("train.py", "--steps=0")
    assert "unexpected arguments ['here']" in refused("train.py", "here")
    assert "no-such-file" in refused("train.py", "--flagfile=no-such-file")
    assert "is not text in UTF-8" in refused(
        "train.py", "--flagfile=data/demo/train/heart/001.flac"
    )
    assert "~nobody-here/run" in refused("train.py", "--run_dir=~nobody-here/run")
    assert "sideways" in refused("convert.py", "--direction=sideways")
    assert "'dance' is not a command" in refused("-m", "cyclegan_vc_tf", "dance")
    assert "--target_dir is not given" in refused(
        "-m", "cyclegan_vc_tf", "prepare", "--source_dir=data/demo/train/heart"
    )


def test_debug_shows_the_traceback() -> None:
    done = run_command("convert.py", "--debug")
    assert done.returncode != 0
    assert "Traceback" in done.stderr and "--run_dir is not given" in done.stderr


def test_trainings_that_cannot_begin(tmp_path: Path, corpus: Path) -> None:
    sides = [f"--source_dir={corpus}/low", f"--target_dir={corpus}/high", "--f0_method=dio"]
    store = f"--features_dir={tmp_path}/features"
    new = f"--run_dir={tmp_path}/new"
    floor = refused_here("train.py", new, store, *sides, "--f0_floor_hz=300", "--f0_ceiling_hz=200")
    assert "--f0_floor_hz is 300.0; expected less than --f0_ceiling_hz" in floor
    absent = refused_here("train.py", new, store, *sides[:1], f"--target_dir={tmp_path}/absent")
    assert f"--target_dir {tmp_path}/absent does not exist" in absent
    assert "expected a multiple of 4" in refused_here(
        "train.py", new, store, *sides, "--crop_frames=18"
    )
    (tmp_path / "taken").write_text("thesis")
    assert "is a file" in refused_here("train.py", f"--run_dir={tmp_path}/taken", store, *sides)
    under = refused_here("train.py", f"--run_dir={tmp_path}/taken/run", store, *sides)
    assert "taken" in under
    assert (tmp_path / "taken").read_text() == "thesis"
    unwritable = refused_here("train.py", new, f"--features_dir={tmp_path}/taken/features", *sides)
    assert "taken" in unwritable
    silent = tmp_path / "silent"
    silent.mkdir()
    soundfile.write(silent / "a.wav", np.zeros(9000), 16_000)
    reason = refused_here("train.py", new, store, *sides[:1], f"--target_dir={silent}")
    assert "has no usable recording (a.wav is silent)" in reason
    assert not (tmp_path / "new").exists(), "nothing half-made is left"


def test_conversions_that_cannot_begin(
    tmp_path: Path, run: run_folder.RunFolder, corpus: Path
) -> None:
    output = f"--output={tmp_path}/out"
    one, run_dir = f"--input={corpus}/low/00.wav", f"--run_dir={run.path}"
    assert "is not a run folder" in refused_here(
        "convert.py", f"--run_dir={tmp_path}/absent", one, output
    )
    assert "--input is not given" in refused_here("convert.py", run_dir, output)
    absent = refused_here("convert.py", run_dir, f"--input={tmp_path}/absent.wav", output)
    assert "is not there" in absent
    (tmp_path / "empty").mkdir()
    assert "has no audio file" in refused_here(
        "convert.py", run_dir, f"--input={tmp_path}/empty", output
    )
    (tmp_path / "text.wav").write_text("no audio")
    assert "text.wav cannot be read as audio" in refused_here(
        "convert.py", run_dir, f"--input={tmp_path}/text.wav", output
    )
    soundfile.write(tmp_path / "nan.wav", np.full(800, np.nan), 16_000, subtype="FLOAT")
    assert "has NaN" in refused_here("convert.py", run_dir, f"--input={tmp_path}/nan.wav", output)
    (tmp_path / "file").touch()
    assert f"{tmp_path}/file" in refused_here(
        "convert.py", run_dir, one, f"--output={tmp_path}/file"
    )
    assert "/proc" in refused_here("convert.py", run_dir, one, "--output=/proc")
    assert "semitones" in refused_here("convert.py", run_dir, one, output, "--semitones=nan")
    assert "no checkpoint of step 9" in refused_here("convert.py", run_dir, one, output, "--step=9")
    line = refused_here("convert.py", run_dir, "--input=red\x1b[31m", output)
    assert "\x1b" not in line and r"red\x1b[31m is not there" in line
    assert "would overwrite" in refused_here("convert.py", run_dir, one, f"--output={corpus}/low")
    index = run.path / "checkpoints" / "ckpt-3.index"
    index.write_bytes(index.read_bytes()[:50])
    assert "ckpt-3 cannot be read" in refused_here("convert.py", run_dir, one, output)
    shutil.rmtree(run.path / "checkpoints")
    assert "has no checkpoint" in refused_here("convert.py", run_dir, one, output)
    assert not list((tmp_path / "out").rglob("*"))


def test_a_folder_is_converted_with_its_tree(
    tmp_path: Path, run: run_folder.RunFolder, corpus: Path
) -> None:
    source = tmp_path / "in"
    (source / "deep" / "er").mkdir(parents=True)
    shutil.copy(corpus / "low" / "00.wav", source / "a.wav")
    wave, _ = soundfile.read(corpus / "low" / "01.wav")
    soundfile.write(source / "deep" / "er" / "b.flac", np.stack([wave, wave], 1), 44_100)
    soundfile.write(source / "one.wav", np.array([0.25]), 16_000)
    (source / "notes.txt").write_text("no audio, ignored")
    convert = ["convert.py", f"--run_dir={run.path}", f"--input={source}"]
    output = source / "converted"  # inside of the input: what is there is not converted again
    for _ in range(2):
        done = run_here(*convert, f"--output={output}", "--keep_sample_rate")
        assert done.returncode == 0, done.stderr
        assert "Converted 3 of 3 with step 3" in done.stdout
        made = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
        assert made == {"a.wav", "deep/er/b.wav", "one.wav"}
    info = soundfile.info(output / "deep" / "er" / "b.wav")
    assert (info.frames, info.samplerate) == (len(wave), 44_100)
    np.testing.assert_allclose(soundfile.read(output / "one.wav")[0], [0.25], atol=1e-4)

    # The folder above the input is no part of it, and its recordings are not overwritten.
    done = run_here(*convert, f"--output={source}/deep/../..")
    assert done.returncode == 0, done.stderr
    assert "Converted 6 of 6" in done.stdout
    assert (tmp_path / "deep" / "er" / "b.wav").is_file()
    shutil.rmtree(output)
    (source / "deep" / "broken.wav").write_text("no audio")
    done = run_here(*convert, f"--output={tmp_path}/out", "--direction=B2A")
    assert done.returncode == 1
    assert "Converted 3 of 4" in done.stdout
    assert "broken.wav cannot be read as audio" in done.stdout
    assert not list((tmp_path / "out").rglob("broken*"))
    assert not list((tmp_path / "out").rglob(".*")), "nothing half-written is left"


def test_a_single_recording_is_written_to_a_wav_file(
    tmp_path: Path, run: run_folder.RunFolder, corpus: Path
) -> None:
    source = corpus / "low" / "00.wav"
    convert = ["convert.py", f"--run_dir={run.path}", f"--input={source}"]
    for output in (tmp_path / "new" / "result.wav", tmp_path / "Result.WAV"):
        done = run_here(*convert, f"--output={output}")
        assert done.returncode == 0, done.stderr
        assert soundfile.info(output).frames == soundfile.info(source).frames
        assert f"Converted 1 of 1 with step 3: {output}" in done.stdout
    # A file that is there is replaced; a folder of that name, and a folder of recordings, keep it.
    output.write_text("other")
    assert run_here(*convert, f"--output={output}").returncode == 0
    assert soundfile.info(output).samplerate == 16_000
    (tmp_path / "folder.wav").mkdir()
    assert run_here(*convert, f"--output={tmp_path}/folder.wav").returncode == 0
    assert (tmp_path / "folder.wav" / "00.wav").is_file()
    done = run_here(*convert[:2], f"--input={corpus}/low", f"--output={tmp_path}/all.wav")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "all.wav").iterdir())) == 6
    assert "would overwrite" in refused_here(*convert, f"--output={source}")
    assert "result.mp3 ends in .mp3; expected a .wav file or a folder" in refused_here(
        *convert, f"--output={tmp_path}/result.mp3"
    )


def test_the_direction_decides_the_generator_and_the_f0(
    tmp_path: Path, run: run_folder.RunFolder, corpus: Path
) -> None:
    medians_hz = {}
    for direction, speaker in (("A2B", "low"), ("B2A", "high")):
        done = run_here(
            "convert.py", f"--run_dir={run.path}", f"--input={corpus}/{speaker}/00.wav",
            f"--output={tmp_path}/{direction}", f"--direction={direction}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        wave, _ = audio_files.read(tmp_path / direction / "00.wav")
        f0_hz, _ = world.f0(wave, run.config.features)
        medians_hz[direction] = np.median(f0_hz[f0_hz > 0])
    # 110 Hz is A's mean and becomes B's, e^5.3 Hz; B's 210 Hz becomes A's, e^4.7 Hz.
    assert medians_hz["A2B"] == pytest.approx(np.exp(5.3), rel=0.1)
    assert medians_hz["B2A"] == pytest.approx(np.exp(4.7), rel=0.1)
    again = tmp_path / "again"
    done = run_here(
        "convert.py", f"--run_dir={run.path}", f"--input={corpus}/low/00.wav",
        f"--output={again}", "--direction=B2A", "--f0=keep",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    a2b, b2a = (soundfile.read(each / "00.wav")[0] for each in (tmp_path / "A2B", again))
    assert len(a2b) == len(b2a)
    assert not np.allclose(a2b, b2a, atol=1e-2)


def test_conversion_needs_nothing_but_the_run_folder(
    tmp_path: Path, run: run_folder.RunFolder, corpus: Path
) -> None:
    moved = tmp_path / "elsewhere" / "moved"
    moved.parent.mkdir()
    os.rename(run.path, moved)
    generator, step = run_folder.open_run(moved).load_generator("B2A")
    assert step == 3
    # An equal seed gives the weights of the checkpoint, and not those of the other direction.
    for direction, same in (("B2A", True), ("A2B", False)):
        written = Trainer(run.config).generators[direction].get_weights()
        pairs = zip(generator.get_weights(), written, strict=True)
        assert all(np.array_equal(*pair) for pair in pairs) == same
    done = run_here(
        "convert.py", f"--run_dir={moved}", f"--input={corpus}/high/00.wav",
        f"--output={tmp_path}/out", "--direction=B2A", "--f0=keep", "--semitones=-3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_conversion_by_world_imports_nothing_it_does_not_need(
    tmp_path: Path, run: run_folder.RunFolder, corpus: Path
) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['convert.py', '--run_dir={run.path}', '--output={tmp_path}/out',\n"
        f"            '--input={corpus}/low/00.wav']\n"
        "from cyclegan_vc_tf.cli import convert\n"
        "try:\n"
        "    convert.main()\n"
        "finally:\n"
        "    heavy = {'librosa', 'numba', 'matplotlib', 'torch', 'sklearn'}\n"
        "    print(sorted(heavy & {*sys.modules}))\n"
    )
    done = run_command("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Converted 1 of 1" in done.stdout

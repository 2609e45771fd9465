"""What prepare and convert print about recordings that are damaged, or that they cannot read."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import run_here, voice

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.training.trainer import Trainer

CANCEL = "has channels that cancel each other in their average; channel 1 is used alone"
RECORDINGS = {name: {"training": {}} for name in "AB"}

CUT = "is cut short; the 2.00 s that it has are used"
OTHERS = (
    "2 files are not used, because their format cannot be read: e.m4a, f.webm; pip install -e "
    "'.[av]', or convert them to wav or flac"
)


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole recording, one with cancelling channels, one cut short, and two of other formats.

    PyAV is not there.
    """
    monkeypatch.setattr("cyclegan_vc_tf.audio.av_files.is_available", lambda: False)
    folder = tmp_path / "damaged"
    folder.mkdir()
    wave = voice(120.0, 2.5, seed=3)
    soundfile.write(folder / "a.wav", wave, 16_000)
    soundfile.write(folder / "b.wav", np.stack([wave, -wave], 1), 16_000)
    soundfile.write(folder / "c.wav", wave, 16_000)
    content = (folder / "c.wav").read_bytes()
    (folder / "c.wav").write_bytes(content[: 44 + 2 * 32_000])
    for name in ("e.m4a", "f.webm"):
        (folder / name).write_bytes(b"unread")
    return folder


@pytest.mark.parametrize("split", [False, True])
def test_prepare_warns_and_uses_the_recordings(
    damaged: Path, corpus: Path, tmp_path: Path, split: bool
) -> None:
    done = run_here(
        "prepare", f"--source_dir={damaged}", f"--target_dir={corpus}/high", "--f0_method=dio",
        "--held_out_fraction=0", f"--features_dir={tmp_path}/features", "--workers=1",
        *(["--split_silence", "--shortest_piece_s=0.2", "--longest_piece_s=1",
           "--silence_s=0.2"] if split else []),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    warnings = [line for line in lines if line.startswith("  warning: ")]
    assert warnings == [
        f"  warning: b.wav {CANCEL}", f"  warning: c.wav {CUT}", f"  warning: {OTHERS}"
    ]  # fmt: skip
    assert lines[0].startswith("damaged: 3 training utterances") != split
    assert sum("warning" in line for line in lines) == 3, "none about the other speaker"
    (index,) = (tmp_path / "features").glob("damaged-*/index.json")
    utterances = json.loads(index.read_text())["utterances"]
    assert {each["skipped"] for each in utterances} == {""}
    found = {each["recording"]["name"]: each.get("warnings") for each in utterances}
    assert found == {"a.wav": None, "b.wav": [CANCEL], "c.wav": [CUT]}
    # One channel has the power of the mono file, all of which the average would lose.
    power = {each["recording"]["name"]: each["power"] for each in utterances}
    assert power["b.wav"] == pytest.approx(power["a.wav"], rel=1e-3)


@pytest.mark.parametrize("processes", [1, 2])
def test_convert_warns_and_converts_the_recordings(
    damaged: Path,
    small_config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
) -> None:
    statistics = Statistics(np.zeros(24), np.ones(24), np.log(120.0), 0.2)
    run = run_folder.create_run(
        tmp_path / "run", small_config, {"A": statistics, "B": statistics}, RECORDINGS
    )
    run.checkpoints.save(Trainer(small_config).checkpoint, 3, keep=1)
    monkeypatch.setattr("cyclegan_vc_tf.system.pool.available_cores", lambda: processes)
    monkeypatch.setattr("cyclegan_vc_tf.conversion.batch.MIN_PARALLEL_S", 0.0)
    done = run_here(
        "convert.py", f"--run_dir={run.path}", f"--input={damaged}", f"--output={tmp_path}/out"
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stdout.splitlines() if line.startswith("warning: ")]
    assert warnings == [
        f"warning: {damaged}/b.wav {CANCEL}", f"warning: {damaged}/c.wav {CUT}",
        f"warning: {OTHERS}",
    ]  # fmt: skip
    first, second = (soundfile.read(tmp_path / "out" / f"{name}.wav")[0] for name in "ab")
    np.testing.assert_array_equal(first, second)
    assert np.abs(first).max() > 1e-3


def test_a_name_with_a_line_break_is_shown_in_one_line(tmp_path: Path) -> None:
    """Such a name could write a line of its own, or control the terminal."""
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b\nfailed: c\x1b[31m.wav"):
        (tmp_path / "in" / name).write_bytes(b"")
    done = run_here(
        "convert.py", "--run_dir=pretrained:vc1-demo", f"--input={tmp_path}/in",
        f"--output={tmp_path}/out",
    )  # fmt: skip
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
    assert done.returncode == 1 and len(failed) == 2 and "\x1b" not in done.stdout
    assert "b\\nfailed: c\\x1b[31m.wav" in failed[1]

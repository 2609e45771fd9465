"""Folders whose names are not UTF-8, or as long as the file system allows."""

import os
from pathlib import Path

import pytest
from conftest import run_command, run_here, write_voices

from cyclegan_vc_tf import api

NAMES = {"bytes": os.fsdecode(b"caf\xe9"), "long": "\N{LATIN SMALL LETTER E WITH ACUTE}" * 127}
SMALL = (
    "--f0_method=dio", "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--workers=1",
    "--held_out_fraction=0.5",
)  # fmt: skip


SIDES = (("a", 110.0), ("b", 210.0))


def place_voices(new: Path, folder: Path, f0_hz: float) -> Path:
    """Write recordings, whose writer takes no such names, and rename their folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return write_voices(new, f0_hz, 4).rename(folder)


@pytest.mark.usefixtures("without_graph")
@pytest.mark.parametrize("kind", NAMES)
def test_the_whole_way_from_folders_with_odd_names(tmp_path: Path, kind: str) -> None:
    """Sources, features and outputs have the name; so has the run, where TensorFlow can open it."""
    name = NAMES[kind]
    work = tmp_path / name
    sources = [place_voices(tmp_path / "new", work / side / name, f0_hz) for side, f0_hz in SIDES]
    run_dir = tmp_path / ("run" if kind == "bytes" else name + "x") / "run"
    flags = [
        f"--source_dir={sources[0]}", f"--target_dir={sources[1]}",
        f"--features_dir={work / 'features'}", f"--run_dir={run_dir}",
    ]  # fmt: skip
    done = run_command("train.py", *flags, *SMALL, "--steps=1", "--convert_every=1")
    assert done.returncode == 0, done.stderr
    assert "could not be made" not in done.stdout + done.stderr
    done = run_here("train.py", f"--run_dir={run_dir}", "--steps=2")
    assert done.returncode == 0, done.stderr
    done = run_here("train.py", f"--flagfile={run_dir / 'flags.txt'}", "--steps=2")
    assert done.returncode == 0, done.stderr
    done = run_here("inspect_run", f"--run_dir={run_dir}")
    assert done.returncode == 0, done.stdout
    done = run_here(
        "convert.py", f"--run_dir={run_dir}", f"--input={sources[0]}", f"--output={work / 'out'}"
    )
    assert done.returncode == 0, done.stderr
    assert len(list((work / "out").iterdir())) == 4
    done = run_here(
        "evaluate", f"--run_dir={run_dir}", f"--output={work / 'report'}", "--examples=1"
    )
    assert done.returncode == 0, done.stderr
    assert (work / "report" / "report.html").is_file()


def test_the_api_prints_names_that_are_not_text(tmp_path: Path) -> None:
    """The standard output of a script refuses such names."""
    odd = NAMES["bytes"]
    sides = [place_voices(tmp_path / "new", tmp_path / odd / side, f0_hz) for side, f0_hz in SIDES]
    printed: list[str] = []
    api.prepare(
        source_dir=str(sides[0]), target_dir=str(sides[1]), features_dir=str(tmp_path / odd),
        f0_method="dio", workers=1, log=printed.append,
    )  # fmt: skip
    text = "\n".join(printed)
    text.encode()
    assert r"caf\udce9" in text

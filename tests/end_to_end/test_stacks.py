"""A run of either stack converts and is resumed on this one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_here, variables

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.runs import run_folder

DATA = REPOSITORY / "tests/end_to_end/data"

RUNS = {"reference": DATA / "version_0.1/run", "living": DATA / "living_stack/run"}
"""Run folders by the stack that trained them, on the recordings of `version_0.1`."""

LSB = 1 / 32768
"""Least significant bit of 16-bit samples in [-1, 1]."""


@pytest.mark.parametrize("stack", RUNS)
@pytest.mark.parametrize(("direction", "speaker"), [("A2B", "low"), ("B2A", "high")])
def test_conversions_of_both_stacks_differ_by_one_bit_at_most(
    stack: str, direction: str, speaker: str
) -> None:
    run = run_folder.open_run(RUNS[stack])
    generator, step = run.load_generator(direction)
    converter = Converter.for_run(run, Direction(direction), generator)
    samples, _ = soundfile.read(DATA / "version_0.1" / speaker / "03.wav", dtype="float32")
    wanted, _ = soundfile.read(RUNS[stack] / f"converted/{direction}/03.wav", dtype="float64")
    converted = converter.convert(samples)
    scaled = converted / max(1.0, float(np.abs(converted).max()))
    assert step == 4
    # Half a bit more: the file is rounded, and `scaled` is not.
    assert np.max(np.abs(scaled - wanted)) <= 1.5 * LSB


@pytest.mark.parametrize("stack", RUNS)
def test_a_run_of_either_stack_is_resumed(stack: str, tmp_path: Path) -> None:
    """Every value of the old checkpoint is read, and the next has the same keys and shapes."""
    shutil.copytree(RUNS[stack], tmp_path / "run")
    for speaker in ("low", "high"):
        shutil.copytree(DATA / "version_0.1" / speaker, tmp_path / speaker)
    for name in ("config.json", "corpus.json", "flags.txt"):
        path = tmp_path / "run" / name
        path.write_text(path.read_text().replace("/recordings", str(tmp_path)))
    before = variables(tmp_path / "run", 4)
    flags = [f"--flagfile={tmp_path / 'run/flags.txt'}", "--steps=5", "--keep_checkpoints=2"]
    done = run_here("train.py", *flags, "--evaluate_every=0")
    assert done.returncode == 0, done.stderr
    assert "at step 4" in done.stdout
    after = variables(tmp_path / "run", 5)
    assert {key: value.shape for key, value in after.items()} == {
        key: value.shape for key, value in before.items()
    }
    step = next(key for key in after if key.startswith("step/"))
    assert (before[step], after[step]) == (4, 5)
    # One step of Adam moves a weight by at most about its rate, 2e-4; moments decay by their betas.
    moved = [
        np.max(np.abs(after[key] - before[key]))
        for key in after
        if key.startswith(("generator_A2B", "discriminator_A"))
    ]
    assert 0 < max(moved) < 2e-3

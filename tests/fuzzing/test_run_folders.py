"""Run folders with damaged files: inspection, conversion, publication and export refuse them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, voice
from fuzz_harness import case_folder, fuzz, list_tree, run_command
from fuzz_mutations import Contents, damaged_bytes, damaged_json
from hypothesis import strategies as st

RUN = REPOSITORY / "tests" / "end_to_end" / "data" / "version_0.1" / "run"

JSON_FILES = ("config.json", "corpus.json", "evaluations.json", "versions.json")

EVENTS = next(path.name for path in RUN.glob("events*"))

FILES = (
    *JSON_FILES, "statistics.npz", EVENTS, "checkpoints/ckpt-4.index",
    "checkpoints/ckpt-4.data-00000-of-00001",
)  # fmt: skip

ADDED = {"imported.json": '{"step": 4, "untrained": []}', "published.json": '{"step": 4}'}
"""Files that another kind of run has."""


@st.composite
def damages(draw: st.DrawFn) -> Contents:
    """Return new contents of one or two files of the run; None for a missing file."""
    changed = Contents()
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from((*JSON_FILES, *JSON_FILES, *FILES, *ADDED)))
        kind = draw(st.sampled_from(("damaged", "damaged", "damaged", "missing", "swapped")))
        text = ADDED.get(name) or (RUN / name).read_bytes()
        if kind == "missing":
            changed[name] = None
        elif kind == "swapped":
            changed[name] = (RUN / draw(st.sampled_from(FILES))).read_bytes()
        elif name.endswith(".json"):
            changed[name] = draw(damaged_json(text if isinstance(text, str) else text.decode()))
        else:
            changed[name] = draw(damaged_bytes(text))
    return changed


def make_run(folder: Path, changed: Contents) -> Path:
    """Copy the run, and damage the copy."""
    run = folder / "run"
    shutil.copytree(RUN, run)
    changed.write(run)
    return run


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "a.wav"
    soundfile.write(path, voice(150.0, 0.2, 1), 16_000)
    return path


def test_inspect_describes_every_damage() -> None:
    def check(changed: Contents) -> None:
        with case_folder() as folder:
            run = make_run(folder, changed)
            before = list_tree(folder)
            outcome = run_command("inspect_run", f"--run_dir={run}", f"--json={folder}/found.json")
            if outcome.status != 2:
                json.loads((folder / "found.json").read_text())
                (folder / "found.json").unlink()
            assert list_tree(folder) == before

    fuzz(damages(), check, examples=8)


def test_convert_converts_or_refuses(recording: Path) -> None:
    def check(changed: Contents) -> None:
        with case_folder() as folder:
            run = make_run(folder, changed)
            before = list_tree(folder)
            outcome = run_command(
                "convert", f"--run_dir={run}", f"--input={recording}", f"--output={folder}/a.wav",
                "--step=best" if "evaluations.json" in changed else "--step=last",
            )  # fmt: skip
            if outcome.status == 0:
                samples, rate_hz = soundfile.read(folder / "a.wav")
                config = json.loads((run / "config.json").read_bytes().decode())
                assert rate_hz == config["features"]["sample_rate_hz"]
                assert len(samples) == round(0.2 * rate_hz) and np.isfinite(samples).all()
                (folder / "a.wav").unlink()
            assert list_tree(folder) == before

    fuzz(damages(), check, examples=15)


def test_publish_publishes_or_leaves_nothing() -> None:
    changes = damages() | st.builds(
        lambda content: Contents({"evaluation/step-4/metrics.json": content}),
        damaged_json('{"A2B": {"source": {"mcd_db": 7.0}}, "B2A": {}}'),
    )

    def check(changed: Contents) -> None:
        with case_folder() as folder:
            (folder / "about.md").write_text("About.")
            run = make_run(folder, changed)
            before = list_tree(folder)
            outcome = run_command(
                "publish",
                f"--run_dir={run}",
                f"--output={folder}/out",
                f"--about={folder}/about.md",
            )
            if outcome.status == 0:
                shutil.rmtree(folder / "out")
            assert list_tree(folder) == before

    fuzz(changes, check, examples=8)

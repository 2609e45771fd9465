"""Published models with damaged files: they convert, or are refused in a line."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, voice
from fuzz_arrays import array_archives
from fuzz_harness import case_folder, fuzz, list_tree, run_command
from fuzz_mutations import Contents, damaged_bytes, damaged_json
from hypothesis import strategies as st

from cyclegan_vc_tf.hub import publishing
from cyclegan_vc_tf.runs import run_folder

RUN = REPOSITORY / "tests" / "end_to_end" / "data" / "version_0.1" / "run"

SECONDS = 0.2


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of a published model."""
    folder = tmp_path_factory.mktemp("published") / "model"
    publishing.publish(run_folder.open_run(RUN), 4, folder, "About.")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "a.wav"
    soundfile.write(path, voice(150.0, SECONDS, 1), 16_000)
    return path


def damages(files: dict[str, bytes]) -> st.SearchStrategy[Contents]:
    """Return a strategy of new contents of one or two files of the model."""
    weights = dict(np.load(io.BytesIO(files["weights.npz"])))
    others = sorted(name for name in files if name != "weights.npz")

    @st.composite
    def changes(draw: st.DrawFn) -> Contents:
        changed = Contents()
        for _ in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from(("weights.npz", "weights.npz", *others)))
            kind = draw(st.sampled_from((*["damaged"] * 5, "missing", "swapped")))
            if kind == "missing":
                changed[name] = None
            elif kind == "swapped":
                changed[name] = files[draw(st.sampled_from(sorted(files)))]
            elif name == "weights.npz":
                changed[name] = draw(array_archives(weights))
            elif name.endswith(".json"):
                changed[name] = draw(damaged_json(files[name].decode()))
            else:
                changed[name] = draw(damaged_bytes(files[name]))
        return changed

    return changes()


def test_published_models_convert_or_are_refused(
    published: dict[str, bytes], recording: Path
) -> None:
    def check(changed: Contents) -> None:
        with case_folder() as folder:
            Contents({**published, **changed}).write(folder / "model")
            before = list_tree(folder)
            outcome = run_command(
                "convert", f"--run_dir={folder}/model", f"--input={recording}",
                f"--output={folder}/a.wav",
            )  # fmt: skip
            if outcome.status == 0:
                samples, rate_hz = soundfile.read(folder / "a.wav")
                config = json.loads((folder / "model" / "config.json").read_bytes().decode())
                assert rate_hz == config["features"]["sample_rate_hz"]
                assert len(samples) == round(SECONDS * rate_hz) and np.isfinite(samples).all()
                (folder / "a.wav").unlink()
            else:
                assert outcome.status == 2, outcome
            assert list_tree(folder) == before

    fuzz(damages(published), check, examples=12)

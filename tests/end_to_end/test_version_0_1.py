"""Runs, feature stores and pretrained models of version 0.1 open and give the same results."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_here

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data import feature_store
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.runs import run_folder

DATA = REPOSITORY / "tests/end_to_end/data/version_0.1"

STORES = {"low": "low-e31034a8d256eae1", "high": "high-b0e2178e1fd92270"}
"""Folders of the feature stores, by speaker: their names hash the settings."""


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A copy of everything, whose files name the copy's place."""
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    for name in ("config.json", "corpus.json", "flags.txt"):
        path = tmp_path / "run" / name
        path.write_text(path.read_text().replace("/recordings", str(tmp_path)))
    return tmp_path


def test_networks_return_what_they_returned() -> None:
    """To rounding: another processor adds in another order."""
    expected = np.load(DATA / "outputs.npz", allow_pickle=False)
    rng = np.random.default_rng(0)
    runs = {
        "vc1-demo": pretrained.find("pretrained:vc1-demo"),
        "vc2-demo": pretrained.find("pretrained:vc2-demo"),
        "run": DATA / "run",
    }
    compared = set()
    for name, path in runs.items():
        networks, _ = run_folder.open_run(path).load_networks()
        for network, model in networks.items():
            inputs = rng.standard_normal((1, 16, model.inputs[0].shape[2])).astype(np.float32)
            outputs = model(inputs, training=False).numpy()
            wanted = expected[f"{name}/{network}"]
            np.testing.assert_allclose(outputs, wanted, rtol=1e-4, atol=1e-5)
            compared.add(f"{name}/{network}")
    assert compared == set(expected.files)


@pytest.mark.parametrize(("direction", "speaker"), [("A2B", "low"), ("B2A", "high")])
def test_a_run_converts_as_it_did(direction: str, speaker: str) -> None:
    run = run_folder.open_run(DATA / "run")
    generator, step = run.load_generator(direction)
    converter = Converter.for_run(run, Direction(direction), generator)
    samples, _ = soundfile.read(DATA / speaker / "03.wav", dtype="float32")
    wanted, _ = soundfile.read(DATA / f"run/converted/{direction}/03.wav", dtype="float32")
    converted = converter.convert(samples)
    scaled = converted / max(1.0, float(np.abs(converted).max()))
    assert step == 4
    np.testing.assert_allclose(scaled, wanted, atol=4 / 32768)


@pytest.mark.parametrize("speaker", STORES)
def test_a_feature_store_is_found_and_read(speaker: str) -> None:
    config = run_folder.open_run(DATA / "run").config.features
    folder = feature_store.store_folder(DATA / "features", Path("/recordings") / speaker, config)
    assert folder == DATA / "features" / STORES[speaker]
    store = FeatureStore(folder)
    assert [each.name for each in store.utterances] == ["00.wav", "01.wav", "02.wav", "03.wav"]
    for utterance in store.utterances:
        samples, _ = soundfile.read(DATA / speaker / utterance.name, dtype="float32")
        f0_hz, spectra = frontend.analyse_for_training(samples, config)
        np.testing.assert_allclose(store.f0_hz_of(utterance), f0_hz, rtol=1e-5)
        np.testing.assert_allclose(store.spectra_of(utterance), spectra, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("without_graph")
def test_a_training_goes_on_with_its_own_flag_file(moved: Path) -> None:
    """The flag file has flags under names of then, and so has config.json."""
    flags = (moved / "run/flags.txt").read_text()
    assert "--frequency_warp=true" in flags
    assert "--pairing_rounds=1" in flags
    assert '"judges"' in (moved / "run/config.json").read_text()
    done = run_here("train.py", f"--flagfile={moved / 'run/flags.txt'}", "--steps=6")
    assert done.returncode == 0, done.stderr
    assert "at step 4" in done.stdout
    run = run_folder.open_run(moved / "run")
    # The evaluated one is the best, and is kept beside the last.
    assert run.checkpoints.steps() == [4, 6]
    assert run.config.network.vtln_init
    assert run.config.training.inca_iterations == 1


def test_other_settings_are_refused_under_the_name_of_today(moved: Path) -> None:
    done = run_here("train.py", f"--run_dir={moved / 'run'}", "--pairing_rounds=2", "--steps=6")
    assert done.returncode == 2
    assert "--inca_iterations was 1 and is 2" in done.stderr

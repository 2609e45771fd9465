"""Files of a trained vocoder, synthesis in chunks, and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import voice

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.exchange import publish
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.serving.web import training_flags
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import conditioning, neural, source_filter_vocoder, vocoder_folders
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

SIZES = VocoderNetworkConfig(
    channels=6, blocks=2, pitch_channels=4, pitch_blocks=1, synthesis_fft_samples=256,
    synthesis_frames=1,
)  # fmt: skip

LOG_MEL = FeatureConfig(spectra="log_mel", mel_bins=12, fft_samples=256, hop_samples=64)

WORLD = FeatureConfig(f0_method="dio")


def make(features: FeatureConfig = LOG_MEL) -> NeuralVocoder:
    count = conditioning.count_values(features)
    networks = neural.build_networks(features, SIZES, seed=3)
    mean, std = np.linspace(-3, 0, count, dtype=np.float32), np.ones(count, np.float32)
    return NeuralVocoder(features, SIZES, networks, mean, std, step=7)


@pytest.mark.parametrize("features", [LOG_MEL, WORLD], ids=["log_mel", "world"])
def test_a_vocoder_that_is_read_makes_equal_samples(
    features: FeatureConfig, tmp_path: Path
) -> None:
    vocoder = make(features)
    neural.save(tmp_path, vocoder)
    again = neural.load(tmp_path)
    analysed = frontend.analyse(voice(120.0, 0.5, 1), features)
    made = vocoder.synthesize(analysed)
    assert again.step == 7 and again.features == features and len(made) >= 8000
    np.testing.assert_array_equal(made, again.synthesize(analysed))


def test_chunks_give_the_samples_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder, analysed = make(), frontend.analyse(voice(120.0, 0.6, 1), LOG_MEL)
    whole = vocoder.synthesize(analysed)
    f0_hz = vocoder.estimate_f0(analysed)
    for chunk in (7, 40):
        monkeypatch.setattr(source_filter_vocoder, "CHUNK_FRAMES", chunk)
        np.testing.assert_allclose(vocoder.estimate_f0(analysed), f0_hz, rtol=1e-4)
        np.testing.assert_allclose(vocoder.synthesize(analysed), whole, atol=1e-5)


def test_features_of_no_frame_make_no_samples() -> None:
    analysed = frontend.MelFeatures(np.zeros((0, 12), np.float32))
    assert make().synthesize(analysed).shape == (0,)


def test_half_precision_changes_hardly_a_sample(tmp_path: Path) -> None:
    vocoder, analysed = make(), frontend.analyse(voice(120.0, 0.3, 1), LOG_MEL)
    for folder, half in (("full", False), ("half", True)):
        (tmp_path / folder).mkdir()
        neural.save(tmp_path / folder, vocoder, half=half)
    with np.load(tmp_path / "half" / vocoder_folders.WEIGHTS, allow_pickle=False) as stored:
        assert {stored[name].dtype.name for name in stored if "/" in name} == {"float16"}
    rounded = neural.load(tmp_path / "half").synthesize(analysed)
    exact = vocoder.synthesize(analysed)
    assert np.mean(np.abs(rounded - exact)) < 0.05 * np.std(exact)


def change(arrays: dict, settings: dict, fault: str) -> None:
    """Damage a vocoder's files in one way."""
    if fault == "a weight of another shape":
        arrays["vocoder/filters/bias"] = np.zeros(3, np.float32)
    elif fault == "a weight that is NaN":
        arrays["pitch/scores/bias"] = arrays["pitch/scores/bias"] * np.nan
    elif fault == "a weight too few":
        del arrays["vocoder/input_conv/kernel"]
    elif fault == "a weight too many":
        arrays["vocoder/other/kernel"] = np.zeros(3, np.float32)
    elif fault == "a deviation of zero":
        arrays["std"] = np.zeros(12, np.float32)
    elif fault == "another format":
        settings["format"] = 99
    elif fault == "a size that is a text":
        settings["network"]["channels"] = "6"
    elif fault == "a size beyond all bounds":
        settings["network"]["channels"] = 10**9
    elif fault == "sizes that would fill the memory":
        settings["network"] |= {"channels": 4096, "expansion": 64, "blocks": 20}
    else:
        raise AssertionError(fault)


@pytest.mark.parametrize(
    "fault",
    [
        "a weight of another shape", "a weight that is NaN", "a weight too few",
        "a weight too many", "a deviation of zero", "another format", "a size that is a text",
        "a size beyond all bounds", "sizes that would fill the memory",
    ],
)  # fmt: skip
def test_damage_is_refused_in_a_line(fault: str, tmp_path: Path) -> None:
    neural.save(tmp_path, make())
    with np.load(tmp_path / vocoder_folders.WEIGHTS, allow_pickle=False) as stored:
        arrays = dict(stored)
    settings = json.loads((tmp_path / vocoder_folders.SETTINGS).read_text())
    change(arrays, settings, fault)
    np.savez(tmp_path / vocoder_folders.WEIGHTS, **arrays)
    (tmp_path / vocoder_folders.SETTINGS).write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"is damaged: .*; train or get it anew") as refused:
        neural.load(tmp_path)
    assert "\n" not in str(refused.value)


def test_cut_files_are_refused(tmp_path: Path) -> None:
    neural.save(tmp_path, make())
    path = tmp_path / vocoder_folders.WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="is damaged"):
        neural.load(tmp_path)


def test_a_run_is_published_with_a_card(tmp_path: Path) -> None:
    run, output = tmp_path / "run", tmp_path / "published"
    run.mkdir()
    neural.save(run, make())
    step, weights = publish(run, output, "# Two voices\n\nCC0.")
    assert (step, weights) == (7, output / vocoder_folders.WEIGHTS)
    card = (output / "card.md").read_text()
    assert card.startswith("# Two voices") and "| hop_samples | `64` |" in card
    assert sorted(path.name for path in output.iterdir()) == [
        "card.md", "vocoder.json", "vocoder.npz"
    ]  # fmt: skip
    with pytest.raises(InputError, match="is not empty"):
        publish(run, output, "again")
    with pytest.raises(InputError, match="leave --step and --onnx out"):
        publish(run, tmp_path / "other", "again", step=7)


def test_vocoder_folders_are_no_runs() -> None:
    assert not set(vocoder_folders.names()) & set(pretrained.names())
    for name in vocoder_folders.names():
        folder = vocoder_folders.find(f"pretrained:{name}")
        assert neural.load(folder).step > 0
        assert sum(path.stat().st_size for path in folder.iterdir()) < 6e6


def test_mel_cepstra_take_a_folder_and_no_other_vocoder() -> None:
    VocoderConfig(vocoder="/folder", limit_power=True).validate("mel_cepstra")
    for wrong in (VocoderConfig(vocoder="melgan"), VocoderConfig(griffin_lim_iterations=3)):
        with pytest.raises(InputError, match="--vocoder and its settings cannot be given"):
            wrong.validate("mel_cepstra")


def test_the_page_takes_no_folder() -> None:
    assert training_flags.parse_flags("--vocoder=griffin_lim") == {"vocoder": "griffin_lim"}
    with pytest.raises(InputError, match="--vocoder is a path"):
        training_flags.parse_flags("--vocoder=/etc")

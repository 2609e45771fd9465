"""Exported source-filter vocoders: in their own runtime, and as the vocoder of a conversion."""

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from conftest import REPOSITORY, run_here, voice

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.interop import transform_kernels
from cyclegan_vc_tf.models.stft import hann_window
from cyclegan_vc_tf.system import onnx_sessions
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import (
    conditioning,
    exported_source_filter,
    neural,
    selection,
    source_filter_vocoder,
    vocoder_folders,
)
from cyclegan_vc_tf.vocoders.exported_source_filter import ExportedSourceFilter
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

DEMO = "pretrained:vocoder-demo"

SPEECH = REPOSITORY / "data/demo/held_out/heart/089.flac"

SIZES = VocoderNetworkConfig(
    channels=6, blocks=2, pitch_channels=4, pitch_blocks=1, synthesis_fft_samples=128,
    synthesis_frames=4,
)  # fmt: skip

FEATURES = {
    "log_mel": FeatureConfig(spectra="log_mel", mel_bins=12, fft_samples=256, hop_samples=64),
    "world": FeatureConfig(f0_method="dio"),
}


def make(features: FeatureConfig, folder: Path) -> NeuralVocoder:
    """Make a vocoder whose norms have scales and offsets of their own, and save it."""
    count = conditioning.count_values(features)
    networks = neural.build_networks(features, SIZES, seed=3)
    rng = np.random.default_rng(4)
    for network in networks.values():
        network.set_weights([
            each + 0.3 * rng.standard_normal(each.shape) if each.ndim == 1 else each
            for each in network.get_weights()
        ])  # fmt: skip
    mean = np.linspace(-3, 0, count, dtype=np.float32)
    std = np.linspace(0.5, 1.5, count, dtype=np.float32)
    made = NeuralVocoder(features, SIZES, networks, mean, std, step=7)
    folder.mkdir()
    neural.save(folder, made)
    return made


@pytest.mark.parametrize("size", [16, 128])
def test_kernels_are_those_of_fourier_transforms(size: int) -> None:
    """NumPy's transforms are the oracle."""
    frame = np.random.default_rng(0).standard_normal(size)
    bins, window = size // 2 + 1, hann_window(size)
    found = transform_kernels.analysis_kernel(size)[:, 0] @ frame
    expected = np.fft.rfft(frame * window)
    np.testing.assert_allclose(found[:bins] + 1j * found[bins:], expected, atol=1e-12)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(size))
    parts = np.concatenate([spectrum.real, spectrum.imag])
    found = parts @ transform_kernels.synthesis_kernel(size)[:, 0]
    np.testing.assert_allclose(found, np.fft.irfft(spectrum) * window, atol=1e-12)


@pytest.mark.parametrize("spectra", FEATURES)
def test_both_networks_compute_what_they_do_in_tensorflow(spectra: str, tmp_path: Path) -> None:
    own = make(FEATURES[spectra], tmp_path / "vocoder")
    about = vc.export_vocoder(tmp_path / "vocoder", tmp_path / "a.onnx", licence="CC0")
    exported = ExportedSourceFilter(tmp_path / "a.onnx")
    assert exported.about == about and (about.licence, about.step) == ("CC0", 7)
    assert exported.features == own.features and exported.config == SIZES
    rng = np.random.default_rng(5)
    hop = {"log_mel": 64, "world": 80}[spectra]
    for frames in (1, 5, 70):
        values = own.mean + rng.standard_normal((frames, len(own.mean))).astype(np.float32)
        excitation = rng.standard_normal((frames * hop, 2)).astype(np.float32)
        expected = own.filter(values, excitation)
        assert np.std(expected) > 0.01
        np.testing.assert_allclose(exported.filter(values, excitation), expected, atol=1e-5)
        if spectra == "log_mel":
            scores = own.score_pitch(values)
            assert np.std(scores) > 0.1
            np.testing.assert_allclose(exported.score_pitch(values), scores, atol=1e-5)


@pytest.mark.parametrize("spectra", FEATURES)
def test_files_of_tensorflow_and_keras_compute_both_networks(spectra: str, tmp_path: Path) -> None:
    own = make(FEATURES[spectra], tmp_path / "vocoder")
    about = vc.export_vocoder(tmp_path / "vocoder", tmp_path / "a.keras", format="keras")
    vc.export_vocoder(tmp_path / "vocoder", tmp_path / "saved", format="savedmodel")
    vc.export_vocoder(tmp_path / "vocoder", tmp_path / "a.tflite", format="tflite")
    vc.export_vocoder(
        tmp_path / "vocoder", tmp_path / "b.tflite", format="tflite", quantize="float16"
    )
    lite, half = (Interpreter(str(tmp_path / f"{name}.tflite")) for name in "ab")
    text = (tmp_path / "saved" / "assets.extra" / onnx_sessions.ENTRY).read_text()
    assert exported_source_filter.parse(text) == about
    loaded = keras.models.load_model(tmp_path / "a.keras")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    rng = np.random.default_rng(5)
    hop = {"log_mel": 64, "world": 80}[spectra]
    for frames in (1, 70):
        values = own.mean + rng.standard_normal((frames, len(own.mean))).astype(np.float32)
        excitation = rng.standard_normal((frames * hop, 2)).astype(np.float32)
        outputs = tf.nest.flatten(loaded([values[np.newaxis], excitation[np.newaxis]]))
        found = [np.asarray(each)[0] for each in outputs]
        answers = served(features=tf.constant(values), excitation=tf.constant(excitation))
        expected = {"samples": own.filter(values, excitation)}
        if spectra == "log_mel":
            expected["pitch"] = own.score_pitch(values)
        assert set(answers) == set(expected) and len(found) == len(expected)
        made, rounded = (
            each.get_signature_runner()(features=values, excitation=excitation)
            for each in (lite, half)
        )
        for received, (name, wanted) in zip(found, expected.items(), strict=True):
            np.testing.assert_allclose(made[name], wanted, atol=1e-5)
            np.testing.assert_allclose(rounded[name], wanted, atol=2e-2 * np.std(wanted) + 1e-3)
            np.testing.assert_allclose(received, wanted, atol=1e-5)
            np.testing.assert_allclose(answers[name].numpy(), wanted, atol=1e-5)


def test_speech_is_synthesized_as_by_the_vocoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vocoder that comes with the package, through the command, in chunks."""
    done = run_here(
        "export", f"--vocoder_checkpoint={DEMO}", "--format=onnx", f"--output={tmp_path}/a.onnx"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("source_filter, step 6000, log_mel, hop 256 samples, 16000 Hz, ")
    assert not onnx.load(tmp_path / "a.onnx").graph.input[0].type.tensor_type.shape.dim[0].dim_value
    config = neural.load(vocoder_folders.find(DEMO)).features
    features = frontend.analyse(audio_files.read(SPEECH)[0], config)
    monkeypatch.setattr(source_filter_vocoder, "CHUNK_FRAMES", 64)
    own, exported = (
        selection.make_vocoder(config, VocoderConfig(vocoder=name))(features, 30_000)
        for name in (DEMO, str(tmp_path / "a.onnx"))
    )
    assert np.std(own) > 0.02
    np.testing.assert_allclose(exported, own, atol=1e-4)


def test_half_precision_changes_hardly_a_sample(tmp_path: Path) -> None:
    own = neural.load(vocoder_folders.find(DEMO))
    for name, quantize in (("whole", "none"), ("half", "float16")):
        vc.export_vocoder(DEMO, tmp_path / f"{name}.onnx", quantize=quantize)
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.75 * sizes[0]
    features = frontend.analyse(audio_files.read(SPEECH)[0], own.features)
    values = conditioning.conditioning_values(features, own.features)
    excitation = np.random.default_rng(0).standard_normal((len(values) * 256, 2))
    expected = own.filter(values, excitation.astype(np.float32))
    rounded = ExportedSourceFilter(tmp_path / "half.onnx").filter(values, excitation)
    # The weights of the package are in half precision, so nothing is rounded but the transforms.
    np.testing.assert_allclose(rounded, expected, atol=1e-3)


def change(path: Path, about: dict, fault: str) -> None:
    """Damage an exported vocoder in one way."""
    model = onnx.load(path)
    if fault == "a description of a generator":
        del about["kind"]
    elif fault == "another format":
        about["format"] = 2
    elif fault == "a size beyond all bounds":
        about["network"]["blocks"] = 10**9
    elif fault == "other features":
        about["features"]["mel_bins"] = 13
    elif fault == "a step that is a text":
        about["step"] = "7"
    elif fault == "no estimate of F0":
        del model.graph.output[1]
    (entry,) = (each for each in model.metadata_props if each.key == onnx_sessions.KEY)
    entry.value = json.dumps(about)
    if fault == "no description":
        del model.metadata_props[:]
    onnx.save(model, path)


@pytest.mark.parametrize(
    "fault",
    [
        "a description of a generator", "another format", "a size beyond all bounds",
        "other features", "a step that is a text", "no estimate of F0", "no description",
    ],
)  # fmt: skip
def test_other_files_are_refused_in_a_line(fault: str, tmp_path: Path) -> None:
    make(FEATURES["log_mel"], tmp_path / "vocoder")
    path = tmp_path / "a.onnx"
    vc.export_vocoder(tmp_path / "vocoder", path)
    metadata = ExportedSourceFilter(path).about.to_metadata()
    change(path, json.loads(metadata[onnx_sessions.KEY]), fault)
    with pytest.raises(InputError, match=r"is not usable \(.*expected an ONNX file of") as refused:
        ExportedSourceFilter(path)
    assert "\n" not in str(refused.value)


def test_exports_that_cannot_begin(tmp_path: Path) -> None:
    make(FEATURES["log_mel"], tmp_path / "vocoder")
    (tmp_path / "empty").mkdir()
    for checkpoint, flag, expected in (
        ("vocoder", "--quantize=int8", "--quantize is int8, which is calibrated"),
        ("empty", "--licence=x", "is not the folder of a vocoder"),
    ):
        flags = [f"--vocoder_checkpoint={tmp_path / checkpoint}", f"--output={tmp_path}/a.onnx"]
        done = run_here("export", *flags, "--format=onnx", flag)
        assert done.returncode == 2, done.stderr
        assert expected in done.stderr and "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "vocoder"]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    make(FEATURES["log_mel"], tmp_path / "vocoder")
    path = tmp_path / "a.onnx"
    vc.export_vocoder(tmp_path / "vocoder", path)
    for config, name, expected in (
        (FeatureConfig(spectra="log_mel"), path, "--mel_bins is 12 there"),
        (FEATURES["log_mel"], tmp_path / "none.onnx", "none.onnx is not there"),
    ):
        with pytest.raises(InputError, match=expected):
            selection.make_vocoder(config, VocoderConfig(vocoder=str(name)))
    analysed = frontend.analyse(voice(120.0, 0.3, 1), FEATURES["log_mel"])
    made = selection.make_vocoder(FEATURES["log_mel"], VocoderConfig(vocoder=str(path)))
    assert made(analysed, 4000).shape == (4000,)


def test_a_description_is_what_was_written() -> None:
    about = exported_source_filter.SourceFilterDescription(FEATURES["world"], SIZES, 5, licence="♥")
    assert exported_source_filter.parse(about.to_metadata()[onnx_sessions.KEY]) == about

"""Exported vocoders: in their own runtimes, and as the vocoder of a conversion."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from conftest import run_here
from export_runner import run_elsewhere

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import exported_vocoder, melgan, selection
from cyclegan_vc_tf.vocoders.melgan import Analysis, Architecture

ARCHITECTURE = Architecture(bins=20, channels=4, ratios=(8, 4), dilations=(1, 3))

ANALYSIS = Analysis(sample_rate_hz=16_000, fft_samples=128)

CONFIG = FeatureConfig(
    spectra="log_mel", sample_rate_hz=16_000, mel_bins=20, fft_samples=128, hop_samples=32
)

TOLERANCE = 1e-5
"""Largest difference of a sample; full scale is 1."""


@pytest.fixture(scope="module")
def vocoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vocoder file with random weights, whose samples are neither silent nor clipped."""
    rng = np.random.default_rng(5)
    weights = {
        address: (0.1 if len(shape) == 1 else 1.2 / np.sqrt(np.prod(shape[:2])))
        * rng.standard_normal(shape)
        for address, shape in ARCHITECTURE.weight_shapes().items()
    }
    path = tmp_path_factory.mktemp("vocoder") / "melgan.npz"
    melgan.save(melgan.build(ARCHITECTURE, weights), path, ANALYSIS)
    return path


@pytest.fixture(scope="module")
def spectra() -> dict[str, np.ndarray]:
    """Spectra by number of frames; the first is the shortest that the network takes."""
    rng = np.random.default_rng(6)
    return {str(n): rng.standard_normal((n, 20)).astype(np.float32) for n in (4, 17, 300)}


def test_other_runtimes_synthesize_what_the_vocoder_does(
    vocoder: Path, spectra: dict[str, np.ndarray], tmp_path: Path
) -> None:
    about = vc.export_vocoder(vocoder, tmp_path / "a.onnx", licence="CC0")
    assert (about.name, about.sample_rate_hz, about.sizes.hop_samples) == ("melgan", 16_000, 32)
    vc.export_vocoder(vocoder, tmp_path / "half.onnx", quantize="float16")
    vc.export_vocoder(vocoder, tmp_path / "a.tflite", format="tflite")
    vc.export_vocoder(vocoder, tmp_path / "a.keras", format="keras")
    vc.export_vocoder(vocoder, tmp_path / "saved", format="savedmodel")
    model, _ = melgan.load(vocoder)
    expected = {name: model(each[np.newaxis]).numpy()[0, :, 0] for name, each in spectra.items()}
    assert all(0.05 < np.std(each) < 0.95 for each in expected.values())
    paths = [tmp_path / name for name in ("a.onnx", "half.onnx", "a.tflite")]
    outputs = run_elsewhere(tmp_path, spectra, paths)
    loaded = keras.models.load_model(tmp_path / "a.keras")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    for name, samples in expected.items():
        outputs[f"a.keras:{name}"] = np.asarray(loaded(spectra[name][np.newaxis]))[0]
        outputs[f"saved:{name}"] = served(log_mel=tf.constant(spectra[name]))["samples"].numpy()
        for file in ("a.onnx", "a.tflite", "a.keras", "saved"):
            received = outputs[f"{file}:{name}"]
            assert received.shape == samples.shape == (32 * len(spectra[name]),)
            assert np.abs(received - samples).max() < TOLERANCE, (file, name)
        assert 1e-5 < np.abs(outputs[f"half.onnx:{name}"] - samples).max() < 2e-2
    assert exported_vocoder.parse(str(outputs["a.onnx:about"])) == about
    assert json.loads(str(outputs["a.tflite:about"]))["kind"] == "vocoder"


def test_a_run_is_synthesized_by_the_exported_vocoder(vocoder: Path, tmp_path: Path) -> None:
    """Also frames that are too few for the network, and more than a chunk."""
    vc.export_vocoder(vocoder, tmp_path / "a.onnx")
    own, exported = (
        selection.make_vocoder(
            CONFIG, VocoderConfig(vocoder="melgan", vocoder_checkpoint=str(file))
        )
        for file in (vocoder, tmp_path / "a.onnx")
    )
    rng = np.random.default_rng(7)
    for frames in (1, 3, 600):
        features = MelFeatures(rng.standard_normal((frames, 20)).astype(np.float32))
        samples = exported(features, 32 * frames - 5)
        assert samples.shape == (32 * frames - 5,)
        np.testing.assert_allclose(samples, own(features, 32 * frames - 5), atol=TOLERANCE)


def test_the_command_exports_a_vocoder(vocoder: Path, tmp_path: Path) -> None:
    done = run_here(
        "export", f"--vocoder_checkpoint={vocoder}", "--format=onnx", "--quantize=float16",
        f"--output={tmp_path}/a.onnx", "--licence=MIT",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("melgan, 20 mel bins, hop 32 samples, 16000 Hz, 0.0 MB: ")
    about = exported_vocoder.ExportedVocoder(tmp_path / "a.onnx").about
    assert (about.licence, about.quantize) == ("MIT", "float16")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--format=torch"], "--vocoder_checkpoint has no effect with --format=torch"),
        (["--run_dir=pretrained:vc1-demo"], "--run_dir has no effect with --vocoder_checkpoint"),
        (["--direction=B2A"], "--direction has no effect with --vocoder_checkpoint"),
        (["--about=x"], "--about has no effect with --vocoder_checkpoint"),
        (["--quantize=int8"], "--quantize is int8"),
        (["--output=OUT/a.npz"], "does not end in .onnx"),
        (["--vocoder_checkpoint=nothing.npz"], "nothing.npz does not exist"),
    ],
)  # fmt: skip
def test_exports_of_vocoders_that_cannot_begin(
    vocoder: Path, tmp_path: Path, flags: list[str], expected: str
) -> None:
    given = [each.replace("OUT", str(tmp_path)) for each in flags]
    done = run_here(
        "export", f"--vocoder_checkpoint={vocoder}", "--format=onnx",
        f"--output={tmp_path}/a.onnx", *given,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert expected in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(vocoder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    vc.export_vocoder(vocoder, path)
    model = onnx.load(path)

    def refusal(file: Path, config: FeatureConfig = CONFIG) -> str:
        choice = VocoderConfig(vocoder="melgan", vocoder_checkpoint=str(file))
        with pytest.raises(InputError) as error:
            selection.make_vocoder(config, choice)
        return str(error.value)

    assert f"--vocoder_checkpoint {tmp_path}/no.onnx is not there" in refusal(tmp_path / "no.onnx")
    other = dataclasses.replace(CONFIG, hop_samples=64)
    assert "synthesizes 20 bands every 32 of 128 samples at 16000 Hz" in refusal(path, other)
    vc.export_model("pretrained:vc1-demo", tmp_path / "generator.onnx")
    assert "it is a generator, which --run_dir takes" in refusal(tmp_path / "generator.onnx")
    with pytest.raises(InputError, match="it is a 'vocoder', which vocoder_checkpoint takes"):
        vc.load(path)
    for change, fault in (
        (('"format": 1', '"format": 9'), "has format 9; expected 1"),
        (('"bins": 20', '"bins": 21'), r"its graph has"),
        (('"hop_samples": 32', '"hop_samples": -1'), "expected whole numbers above 0"),
        (('"name"', '"nom"'), "is not usable"),
        (('"licence": ""', '"licence": 1'), "are not texts"),
    ):
        (entry,) = (each for each in model.metadata_props if each.key == "cyclegan_vc_tf")
        text = entry.value
        entry.value = text.replace(*change)
        assert entry.value != text
        (tmp_path / "changed.onnx").write_bytes(model.SerializeToString())
        entry.value = text
        assert fault in refusal(tmp_path / "changed.onnx")
    path.write_bytes(b"# weights")
    assert "cannot be read" in refusal(path)

"""Exported generators, in the runtimes that they are made for, against the run."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.conversion.inference import inference_function
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import onnx_files, onnx_graph, onnx_quantization, tensorflow_files
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.stack import plain
from cyclegan_vc_tf.runs import exported_model
from cyclegan_vc_tf.runs.exported_model import ExportedModel
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan

TOLERANCE = 1e-5
"""Largest difference in standard deviations of each bin, as a part of the largest value.

Two runtimes in float32 differ by 1e-6 to 4e-6 here, as TensorFlow and PyTorch do.
"""

FRAMES = (1, 4, 13, 64, 302)

SYMMETRIC = {"padding": "symmetric", "gate": "silu", "norm_affine": "down", "up_norm_epsilon": 1e-5}

NETWORKS = {
    "vc1": {"variant": "vc1"},
    "vc1-public": {"variant": "vc1", **SYMMETRIC},
    "vc1-skip": {"variant": "vc1", "vtln_init": True},
    "vc2": {"variant": "vc2"},
    "vc2-public": {"variant": "vc2", "mel_cepstra": 35, **SYMMETRIC},
    "vc3": {"variant": "vc3"},
    "mask": {"variant": "mask"},
}
"""Settings of the networks by name; 35 bins are filled up to 36."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """A generator with random weights and statistics, its description and its outputs."""

    generator: keras.Model
    about: ExportedModel
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]

    def difference(self, name: str, outputs: np.ndarray) -> float:
        """Largest difference from the run, as `TOLERANCE` counts it."""
        target = self.about.statistics["B"]
        expected = self.expected[name]
        assert outputs.shape == expected.shape and outputs.dtype == np.float32
        largest = np.abs((expected - target.mean) / target.scale).max()
        return float(np.abs((outputs - expected) / target.scale).max() / largest)


def random_export(frames: tuple[int, ...] = FRAMES, **changes: object) -> Exported:
    rng = np.random.default_rng(8)
    variant = str(changes.pop("variant"))
    config: RunConfig = vc.preset(variant, channels=4, residual_blocks=1, **changes)
    (generator,) = registry.build_networks(config, ["generator_A2B"]).values()
    for variable in map(plain, generator.weights):
        # Biases, scales and offsets are zero or one at first.
        if len(variable.shape) == 1:
            variable.assign_add(0.3 * rng.standard_normal(variable.shape).astype(np.float32))
    bins = config.features.bins
    statistics = {
        speaker: Statistics(
            mean=3 * rng.standard_normal(bins), std=np.exp(rng.standard_normal(bins)),
            log_f0_mean=5.0, log_f0_std=0.2,
        )
        for speaker in "AB"
    }  # fmt: skip
    # A bin that never changes is not divided.
    statistics["A"].std[1] = 0.0
    about = ExportedModel(
        Direction.A2B,
        7,
        exported_model.without_paths(config),
        statistics,
        licence="CC0",
        card="# ♥",
    )
    run = inference_function(generator)
    inputs, expected = {}, {}
    for count in frames:
        normalized = rng.standard_normal((count, bins))
        features = normalization.denormalize(normalized, statistics["A"])
        outputs = run(normalization.normalize(features, statistics["A"]))
        inputs[str(count)] = features
        expected[str(count)] = normalization.denormalize(outputs, statistics["B"])
    return Exported(generator, about, inputs, expected)


def run_elsewhere(
    folder: Path, inputs: dict[str, np.ndarray], paths: list[Path]
) -> dict[str, np.ndarray]:
    """Outputs of files in a process without TensorFlow, by file and name of the input."""
    np.savez(folder / "inputs.npz", **inputs)
    script = Path(__file__).with_name("run_exports.py")
    arguments = [folder / "inputs.npz", folder / "outputs.npz", *paths]
    subprocess.run([sys.executable, script, *map(str, arguments)], check=True)
    with np.load(folder / "outputs.npz") as outputs:
        return {key.removeprefix(f"{folder}/"): value for key, value in outputs.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_computes_what_the_run_does(name: str, tmp_path: Path) -> None:
    made = random_export(**NETWORKS[name])
    onnx_files.write(tmp_path / "a.onnx", onnx_files.make_model(made.generator, made.about))
    half = dataclasses.replace(made.about, quantize="float16")
    onnx_files.write(tmp_path / "half.onnx", onnx_files.make_model(made.generator, half))
    outputs = run_elsewhere(tmp_path, made.inputs, [tmp_path / "a.onnx", tmp_path / "half.onnx"])
    for count in made.inputs:
        assert made.difference(count, outputs[f"a.onnx:{count}"]) < TOLERANCE
    # Kernels have 11 bits; instance norms of one position enlarge differences at 4 frames.
    assert 1e-5 < made.difference("302", outputs["half.onnx:302"]) < 2e-2
    assert exported_model.parse(str(outputs["a.onnx:about"])).licence == "CC0"


def test_a_long_recording_is_as_exact(tmp_path: Path) -> None:
    """TensorFlow Lite adds values in one chain: a plain mean of 3,000 frames is 3e-5 off."""
    made = random_export((3000,), variant="vc3")
    onnx_files.write(tmp_path / "a.onnx", onnx_files.make_model(made.generator, made.about))
    tensorflow_files.write_lite(tmp_path / "a.tflite", made.generator, made.about, [])
    paths = [tmp_path / "a.onnx", tmp_path / "a.tflite"]
    outputs = run_elsewhere(tmp_path, made.inputs, paths)
    for path in paths:
        assert made.difference("3000", outputs[f"{path.name}:3000"]) < TOLERANCE


def test_tensorflow_lite_computes_what_the_run_does(tmp_path: Path) -> None:
    made = random_export(variant="mask")
    tensorflow_files.write_lite(tmp_path / "a.tflite", made.generator, made.about, [])
    outputs = run_elsewhere(tmp_path, made.inputs, [tmp_path / "a.tflite"])
    for count in made.inputs:
        assert made.difference(count, outputs[f"a.tflite:{count}"]) < TOLERANCE
    assert json.loads(str(outputs["a.tflite:about"]))["sample_rate_hz"] == 22_050


def test_keras_and_saved_model_compute_what_the_run_does(tmp_path: Path) -> None:
    made = random_export(variant="mask")
    tensorflow_files.write_keras(tmp_path / "a.keras", made.generator, made.about)
    tensorflow_files.write_saved_model(tmp_path / "a", made.generator, made.about)
    # An existing one is replaced.
    tensorflow_files.write_saved_model(tmp_path / "a", made.generator, made.about)
    model = keras.models.load_model(tmp_path / "a.keras")
    served = tf.saved_model.load(str(tmp_path / "a")).signatures["serving_default"]
    for count, features in made.inputs.items():
        assert made.difference(count, np.asarray(model(features[np.newaxis]))[0]) < TOLERANCE
        outputs = served(features=tf.constant(features))["converted"].numpy()
        assert made.difference(count, outputs) < TOLERANCE
    text = (tmp_path / "a" / "assets.extra" / "cyclegan_vc_tf.json").read_text()
    assert exported_model.parse(text).step == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.keras"]


def test_a_folder_of_somebody_is_not_replaced(tmp_path: Path) -> None:
    made = random_export((4,), variant="vc1")
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputError, match="has other files in it"):
        tensorflow_files.write_saved_model(tmp_path, made.generator, made.about)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_eight_bits_are_calibrated(tmp_path: Path) -> None:
    made = random_export(variant="vc1")
    model = onnx_files.make_model(made.generator, made.about)
    quantized = onnx_quantization.to_int8(model, list(made.inputs.values()))
    onnx_files.write(tmp_path / "a.onnx", quantized)
    kinds = {node.op_type for node in quantized.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    kernels = [each for each in quantized.graph.initializer if len(each.dims) == 3]
    assert {each.data_type for each in kernels} == {onnx.TensorProto.INT8}
    outputs = run_elsewhere(tmp_path, made.inputs, [tmp_path / "a.onnx"])
    assert 1e-4 < made.difference("64", outputs["a.onnx:64"]) < 0.3
    assert exported_model.parse(str(outputs["a.onnx:about"])).step == 7


def test_the_description_survives_its_text() -> None:
    about = random_export((4,), variant="vc2").about
    read = exported_model.parse(about.to_text())
    assert (read.direction, read.step, read.config, read.card) == (
        "A2B", 7, about.config, "# ♥"
    )  # fmt: skip
    for speaker, values in about.statistics.items():
        # Equal in float64: analysis outside of the graph uses them.
        np.testing.assert_array_equal(read.statistics[speaker].mean, values.mean)
        np.testing.assert_array_equal(read.statistics[speaker].std, values.std)


def test_a_layer_without_a_row_is_named() -> None:
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, keras.layers.Softmax(name="odd")(inputs))
    with pytest.raises(TypeError, match="odd is a Softmax"):
        onnx_graph.GraphBuilder().add_network(model, "features")


def test_a_melgan_goes_by_the_same_table(tmp_path: Path) -> None:
    model = melgan.melgan_generator(bins=20, channels=2, ratios=(3, 2), dilations=(1, 3))
    graph = onnx_graph.GraphBuilder()
    features = graph.add("Unsqueeze", graph.add("Transpose", "features", perm=[1, 0]),
                         graph.integers(0))  # fmt: skip
    outputs = graph.add_network(model, features)
    graph.add("Squeeze", outputs, graph.integers(0, 1), name="converted")
    made = graph.to_model(
        {"features": ("frames", 20)}, {"converted": ("samples",)}, {"cyclegan_vc_tf": ""}
    )
    onnx.save(made, tmp_path / "a.onnx")
    spectra = np.random.default_rng(3).standard_normal((17, 20)).astype(np.float32)
    outputs = run_elsewhere(tmp_path, {"17": spectra}, [tmp_path / "a.onnx"])
    expected = model(spectra[np.newaxis]).numpy()[0, :, 0]
    np.testing.assert_allclose(outputs["a.onnx:17"], expected, atol=1e-5 * np.abs(expected).max())

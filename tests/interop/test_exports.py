"""Exported generators, in the runtimes that they are made for, against the run."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from export_runner import run_elsewhere
from exported_models import NETWORKS, random_export

from cyclegan_vc_tf.interop import onnx_files, onnx_graph, onnx_quantization, tensorflow_files
from cyclegan_vc_tf.models import matmul_conv
from cyclegan_vc_tf.runs import exported_model
from cyclegan_vc_tf.system.errors import InputError

TOLERANCE = 1e-5
"""Limit of `Exported.difference`.

Two runtimes in float32 differ by 1e-6 to 4e-6 here, as TensorFlow and PyTorch do.
"""


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
    tensorflow_files.write_lite(tmp_path / "a.tflite", made.graph)
    paths = [tmp_path / "a.onnx", tmp_path / "a.tflite"]
    outputs = run_elsewhere(tmp_path, made.inputs, paths)
    for path in paths:
        assert made.difference("3000", outputs[f"{path.name}:3000"]) < TOLERANCE


def test_tensorflow_lite_adds_thousands_of_products_as_exactly(tmp_path: Path) -> None:
    """Sums of 5 · 1024 products, as in wide networks: one chain is several times as far off."""
    rng = np.random.default_rng(4)
    inputs = keras.Input((None, 1024))
    model = keras.Model(inputs, matmul_conv.Conv1D(64, 5)(inputs))
    kernel = rng.random((5, 1024, 64)).astype(np.float32)
    model.layers[-1].set_weights([kernel, np.zeros(64)])
    graph = tensorflow_files.Graph(model, ("features",), ("converted",), "{}")
    tensorflow_files.write_lite(tmp_path / "a.tflite", graph)
    features = rng.random((64, 1024)).astype(np.float32)
    outputs = run_elsewhere(tmp_path, {"a": features}, [tmp_path / "a.tflite"])["a.tflite:a"]
    windows = np.lib.stride_tricks.sliding_window_view(features.astype(np.float64), 5, axis=0)
    exact = np.einsum("tck,kco->to", windows, kernel.astype(np.float64))
    assert np.abs(outputs / exact - 1).max() < 1e-6


def test_tensorflow_lite_computes_what_the_run_does(tmp_path: Path) -> None:
    made = random_export(variant="mask")
    tensorflow_files.write_lite(tmp_path / "a.tflite", made.graph)
    outputs = run_elsewhere(tmp_path, made.inputs, [tmp_path / "a.tflite"])
    for count in made.inputs:
        assert made.difference(count, outputs[f"a.tflite:{count}"]) < TOLERANCE
    assert json.loads(str(outputs["a.tflite:about"]))["sample_rate_hz"] == 22_050


def test_keras_and_saved_model_compute_what_the_run_does(tmp_path: Path) -> None:
    made = random_export(variant="mask")
    tensorflow_files.write_keras(tmp_path / "a.keras", made.graph)
    tensorflow_files.write_saved_model(tmp_path / "a", made.graph)
    # An existing one is replaced.
    tensorflow_files.write_saved_model(tmp_path / "a", made.graph)
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
        tensorflow_files.write_saved_model(tmp_path, made.graph)
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
        onnx_graph.add_network(onnx_graph.GraphBuilder(), model, "features")

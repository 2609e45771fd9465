"""SavedModel, Keras and TensorFlow Lite files of generators and vocoders."""

import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.models.feature_layers import with_statistics
from cyclegan_vc_tf.models.short_sums import short_sums
from cyclegan_vc_tf.runs.exported_model import INPUT, OUTPUT, ExportedModel
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.onnx_sessions import ENTRY


@dataclass(frozen=True)
class Graph:
    """Network to write, and what its file says of it.

    Attributes:
        model: Model with a batch axis in front, from (batch, frames, bins).
        inputs: Names of its inputs in the file.
        outputs: Names of its outputs in the file.
        text: Description, JSON.
        quantize: Precision of a TensorFlow Lite file: "none", "float16" or "int8".
    """

    model: keras.Model
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    text: str
    quantize: str = "none"


def make_graph(generator: keras.Model, about: ExportedModel) -> Graph:
    """Return the graph of a generator, from and to features that are not normalised.

    Args:
        generator: Generator of the direction.
        about: Description.
    """
    source, target = (
        about.statistics[speaker] for speaker in (about.direction.source, about.direction.target)
    )
    model = with_statistics(generator, source, target, OUTPUT)
    return Graph(model, (INPUT,), (OUTPUT,), about.to_text(), about.quantize)


def write_keras(path: Path, graph: Graph) -> None:
    """Write a Keras file; the description is an entry of its archive.

    Args:
        path: A .keras file.
        graph: Network and description.
    """
    with files.replacing(path) as partial:
        # Keras goes by the ending.
        named = partial.with_suffix(".keras")
        try:
            graph.model.save(named)
            named.replace(partial)
        finally:
            named.unlink(missing_ok=True)
        _append_entry(partial, graph)


def write_saved_model(path: Path, graph: Graph) -> None:
    """Write a SavedModel folder; the description is one of its extra assets.

    Args:
        path: Folder to make.
        graph: Network and description.

    Raises:
        InputError: The folder exists and is not a SavedModel or empty.
    """
    if path.exists() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise InputError(f"--output {path} has other files in it; expected a new folder")
    module, function = _trace(graph)
    with files.building(path, replaces=True) as partial:
        tf.saved_model.save(module, str(partial), signatures={"serving_default": function})
        extra = partial / "assets.extra"
        extra.mkdir()
        files.write_text(extra / ENTRY, graph.text)


def write_lite(path: Path, graph: Graph, calibration: Sequence[np.ndarray] = ()) -> None:
    """Write a TensorFlow Lite file; the description is an entry of an archive at its end.

    Args:
        path: A .tflite file.
        graph: Network and description. Its `quantize` decides the precision.
        calibration: Features of the source speaker, (frames, bins) each, for "int8".

    Source: TensorFlow Lite's metadata format, in which a model file ends with a zip archive.
    """
    # Partial sums in 8 bits would be rounded once more.
    with short_sums(convolutions=graph.quantize != "int8"):
        module, function = _trace(graph)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    if graph.quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if graph.quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if graph.quantize == "int8":

        def examples() -> Iterator[list[np.ndarray]]:
            yield from ([each.astype(np.float32)] for each in calibration)

        converter.representative_dataset = examples
    with warnings.catch_warnings():
        # The converter's own notes, such as that a statistic of the calibration is missing.
        warnings.simplefilter("ignore")
        content = converter.convert()
    with files.replacing(path) as partial:
        partial.write_bytes(content)
        _append_entry(partial, graph)


WRITERS: dict[str, Callable[[Path, Graph], None]] = {
    "keras": write_keras, "savedmodel": write_saved_model, "tflite": write_lite
}  # fmt: skip
"""Function that writes each format."""


def _trace(graph: Graph) -> tuple[tf.Module, Callable]:
    """Return a module with the model's variables, and its graph without the batch axis."""
    model = graph.model
    module = tf.Module()
    # TensorFlow Lite's converter loses Keras 3's variables, and finds TensorFlow's.
    module.weights = [stack.plain(variable) for variable in model.variables]

    def convert(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        batches = [each[tf.newaxis] for each in inputs]
        made = tf.nest.flatten(model(batches if len(batches) > 1 else batches[0], training=False))
        return {name: each[0] for name, each in zip(graph.outputs, made, strict=True)}

    signature = [
        tf.TensorSpec((None, each.shape[-1]), tf.float32, name)
        for each, name in zip(model.inputs, graph.inputs, strict=True)
    ]
    module.convert = tf.function(convert, input_signature=signature, autograph=False)
    return module, module.convert.get_concrete_function()


def _append_entry(path: Path, graph: Graph) -> None:
    """Add the description to a zip archive; a file that is none gets one at its end."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ENTRY, graph.text)

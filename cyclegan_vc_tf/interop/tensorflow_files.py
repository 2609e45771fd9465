"""SavedModel, Keras and TensorFlow Lite files of generators, with normalisation inside."""

import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.models.feature_layers import with_statistics
from cyclegan_vc_tf.models.layers import means_by_axis
from cyclegan_vc_tf.runs.exported_model import ENTRY, INPUT, OUTPUT, ExportedModel
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError


def write_keras(path: Path, generator: keras.Model, about: ExportedModel) -> None:
    """Write a Keras file; the description is an entry of its archive.

    Args:
        path: A .keras file.
        generator: Generator of the direction.
        about: Description.
    """
    model = _wrap(generator, about)
    with files.replacing(path) as partial:
        # Keras goes by the ending.
        named = partial.with_suffix(".keras")
        try:
            model.save(named)
            named.replace(partial)
        finally:
            named.unlink(missing_ok=True)
        _append_entry(partial, about)


def write_saved_model(path: Path, generator: keras.Model, about: ExportedModel) -> None:
    """Write a SavedModel folder; the description is one of its extra assets.

    Args:
        path: Folder to make.
        generator: Generator of the direction.
        about: Description.

    Raises:
        InputError: The folder exists and is not a SavedModel or empty.
    """
    if path.exists() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise InputError(f"--output {path} has other files in it; expected a new folder")
    module, function = _trace(generator, about)
    partial = files.partial_folder(path)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        tf.saved_model.save(module, str(partial), signatures={"serving_default": function})
        extra = partial / "assets.extra"
        extra.mkdir()
        files.write_text(extra / ENTRY, about.to_text())
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_lite(
    path: Path, generator: keras.Model, about: ExportedModel, calibration: Sequence[np.ndarray]
) -> None:
    """Write a TensorFlow Lite file; the description is an entry of an archive at its end.

    Args:
        path: A .tflite file.
        generator: Generator of the direction.
        about: Description. Its `quantize` decides the precision.
        calibration: Features of the source speaker, (frames, bins) each, for "int8".

    Source: TensorFlow Lite's metadata format, in which a model file ends with a zip archive.
    """
    with means_by_axis():
        module, function = _trace(generator, about)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    if about.quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if about.quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if about.quantize == "int8":

        def examples() -> Iterator[list[np.ndarray]]:
            yield from ([each.astype(np.float32)] for each in calibration)

        converter.representative_dataset = examples
    with warnings.catch_warnings():
        # The converter's own notes, such as that a statistic of the calibration is missing.
        warnings.simplefilter("ignore")
        content = converter.convert()
    with files.replacing(path) as partial:
        partial.write_bytes(content)
        _append_entry(partial, about)


def _wrap(generator: keras.Model, about: ExportedModel) -> keras.Model:
    """Return a model around the generator, from and to features that are not normalised."""
    source, target = (
        about.statistics[speaker] for speaker in (about.direction.source, about.direction.target)
    )
    return with_statistics(generator, source, target, OUTPUT)


def _trace(generator: keras.Model, about: ExportedModel) -> tuple[tf.Module, Callable]:
    """Return a module with the model's variables, and its graph from and to (frames, bins)."""
    model = _wrap(generator, about)
    module = tf.Module()
    # TensorFlow Lite's converter loses Keras 3's variables, and finds TensorFlow's.
    module.weights = [stack.plain(variable) for variable in model.variables]
    bins = about.config.features.bins

    def convert(features: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: model(features[tf.newaxis], training=False)[0]}

    signature = [tf.TensorSpec((None, bins), tf.float32, INPUT)]
    module.convert = tf.function(convert, input_signature=signature, autograph=False)
    return module, module.convert.get_concrete_function()


def _append_entry(path: Path, about: ExportedModel) -> None:
    """Add the description to a zip archive; a file that is none gets one at its end."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ENTRY, about.to_text())

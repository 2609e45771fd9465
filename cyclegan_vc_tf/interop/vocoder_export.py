"""Export of a vocoder as a file that other runtimes synthesize with."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from cyclegan_vc_tf.interop.model_export import ExportOptions
from cyclegan_vc_tf.models.layers import without_autograph
from cyclegan_vc_tf.system import packaged_models
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan, neural, vocoder_folders
from cyclegan_vc_tf.vocoders.exported_source_filter import (
    EXCITATION,
    PITCH,
    SAMPLES,
    VALUES,
    SourceFilterDescription,
)
from cyclegan_vc_tf.vocoders.exported_vocoder import INPUT, OUTPUT, VocoderDescription
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

Description = VocoderDescription | SourceFilterDescription
"""What the file of a vocoder says about it."""


def check(options: ExportOptions) -> None:
    """Refuse a precision that vocoders do not have.

    Raises:
        InputError: The file would be quantized to integers.
    """
    if options.quantize == "int8":
        raise InputError(
            "--quantize is int8, which is calibrated with recordings, and a vocoder has none; "
            "expected none or float16"
        )


def is_trained_here(checkpoint: str) -> bool:
    """Return whether a text is the folder of a vocoder of `train_vocoder`, or the name of one."""
    return checkpoint.startswith(packaged_models.PREFIX) or Path(checkpoint).is_dir()


def export(checkpoint: str, path: Path, options: ExportOptions) -> Description:
    """Write a vocoder for another runtime.

    Args:
        checkpoint: Vocoder file, or what `is_trained_here` accepts.
        path: File to write, or folder of a SavedModel; an existing one is replaced.
        options: Options, as `model_export.check` and `check` accept them.

    Returns:
        Description that the file holds.

    Raises:
        InputError: The vocoder is missing or damaged.
    """
    if is_trained_here(checkpoint):
        return export_trained(checkpoint, path, options)
    return export_melgan(Path(checkpoint), path, options)


def export_melgan(checkpoint: Path, path: Path, options: ExportOptions) -> VocoderDescription:
    """Write a MelGAN, as `export` does."""
    try:
        model, analysis = melgan.load(checkpoint)
    except InputError as error:
        raise InputError(f"--vocoder_checkpoint {error}") from error
    about = describe(model, analysis, options)
    if options.format == "onnx":
        from cyclegan_vc_tf.interop import onnx_files

        onnx_files.write(path, onnx_files.make_vocoder(model, about))
        return about
    from cyclegan_vc_tf.interop import tensorflow_files

    graph = tensorflow_files.Graph(
        flatten_samples(model), (INPUT,), (OUTPUT,), about.to_text(), about.quantize
    )
    tensorflow_files.WRITERS[options.format](path, graph)
    return about


def export_trained(name: str, path: Path, options: ExportOptions) -> SourceFilterDescription:
    """Write a vocoder that was trained here, as `export` does."""
    try:
        vocoder = neural.load(vocoder_folders.find(name))
    except InputError as error:
        raise InputError(f"--vocoder_checkpoint: {error}") from error
    about = SourceFilterDescription(
        vocoder.features, vocoder.config, vocoder.step, options.quantize, options.licence
    )
    if options.format == "onnx":
        from cyclegan_vc_tf.interop import onnx_files

        onnx_files.write(path, onnx_files.make_source_filter(vocoder, about))
        return about
    from cyclegan_vc_tf.interop import lite_synthesis, tensorflow_files

    if options.format == "tflite":
        network = lite_synthesis.with_convolutions(vocoder.networks["vocoder"])
        vocoder = replace(vocoder, networks={**vocoder.networks, "vocoder": network})
    model = join_networks(vocoder)
    outputs = (SAMPLES, PITCH)[: len(model.outputs)]
    graph = tensorflow_files.Graph(
        model, (VALUES, EXCITATION), outputs, about.to_text(), about.quantize
    )
    tensorflow_files.WRITERS[options.format](path, graph)
    return about


@without_autograph
def join_networks(vocoder: NeuralVocoder) -> keras.Model:
    """Return both networks of a vocoder as one, with normalisation inside.

    Returns:
        Model of values of frames, (batch, frames, values), and an excitation, (batch, frames · hop,
        2). It returns samples, (batch, frames · hop), and scores of F0 where the vocoder has a
        pitch network. It shares the vocoder's variables.
    """
    values = keras.Input((None, len(vocoder.mean)), name=VALUES)
    excitation = keras.Input((None, 2), name=EXCITATION)
    scale = 1 / vocoder.std.astype(np.float64)
    normalize = keras.layers.Rescaling(
        scale.tolist(), (-vocoder.mean * scale).tolist(), name="normalize"
    )
    normalized = normalize(values)
    samples = vocoder.networks["vocoder"]([normalized, excitation])
    outputs = [keras.layers.Reshape((-1,), name=SAMPLES)(samples)]
    if "pitch" in vocoder.networks:
        scores = vocoder.networks["pitch"](normalized)
        outputs.append(keras.layers.Activation("linear", name="scores")(scores))
    return keras.Model([values, excitation], outputs, name="vocoder_and_pitch")


def describe(
    model: keras.Model, analysis: melgan.Analysis, options: ExportOptions
) -> VocoderDescription:
    """Describe a MelGAN generator."""
    return VocoderDescription(
        name="melgan",
        sizes=melgan.frame_sizes(model),
        sample_rate_hz=analysis.sample_rate_hz,
        fft_samples=analysis.fft_samples,
        quantize=options.quantize,
        licence=options.licence,
    )


@without_autograph
def flatten_samples(model: keras.Model) -> keras.Model:
    """Return a model from (batch, frames, bins) to (batch, samples), with the model's variables."""
    spectra = keras.Input((None, model.inputs[0].shape[-1]), name=INPUT)
    samples = keras.layers.Reshape((-1,), name=OUTPUT)(model(spectra))
    return keras.Model(spectra, samples, name="vocoder")

"""Export of a vocoder as a file that other runtimes synthesize with."""

from pathlib import Path

import keras

from cyclegan_vc_tf.interop.model_export import ExportOptions
from cyclegan_vc_tf.models.layers import without_autograph
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan
from cyclegan_vc_tf.vocoders.exported_vocoder import INPUT, OUTPUT, VocoderDescription


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


def export(checkpoint: Path, path: Path, options: ExportOptions) -> VocoderDescription:
    """Write a vocoder for another runtime.

    Args:
        checkpoint: Vocoder file.
        path: File to write, or folder of a SavedModel; an existing one is replaced.
        options: Options, as `model_export.check` and `check` accept them.

    Returns:
        Description that the file holds.

    Raises:
        InputError: The vocoder file is missing or damaged.
    """
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
        flatten_samples(model), INPUT, OUTPUT, about.to_text(), about.quantize
    )
    tensorflow_files.WRITERS[options.format](path, graph)
    return about


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

"""ONNX files: generators, from features of the source to the target's, and vocoders."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx

from cyclegan_vc_tf.config.network import FRAME_MULTIPLE
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop.onnx_builder import GraphBuilder
from cyclegan_vc_tf.interop.onnx_graph import add_network
from cyclegan_vc_tf.runs.exported_model import INPUT, OUTPUT, ExportedModel
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.vocoders import pitch_classes
from cyclegan_vc_tf.vocoders.exported_source_filter import (
    EXCITATION,
    PITCH,
    VALUES,
    SourceFilterDescription,
)
from cyclegan_vc_tf.vocoders.exported_source_filter import SAMPLES as SOURCE_FILTER_SAMPLES
from cyclegan_vc_tf.vocoders.exported_vocoder import INPUT as SPECTRA
from cyclegan_vc_tf.vocoders.exported_vocoder import OUTPUT as SAMPLES
from cyclegan_vc_tf.vocoders.exported_vocoder import VocoderDescription
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder


def make_model(generator: keras.Model, about: ExportedModel) -> onnx.ModelProto:
    """Make the ONNX model of a generator, with normalisation and any number of frames.

    Args:
        generator: Generator of the direction.
        about: Description that the file keeps. Where its `quantize` is "float16", kernels are
            stored in half precision.

    Returns:
        Model from (frames, bins) to (frames, bins), both float32 in the units of the analysis.
    """
    bins = about.config.features.bins
    graph = GraphBuilder(half=about.quantize == "float16")
    frames = graph.add("Shape", INPUT, start=0, end=1)
    hidden = _normalize(graph, INPUT, about.statistics[about.direction.source])
    hidden = _fill_up(graph, hidden, frames)
    hidden = graph.add("Transpose", hidden, perm=[1, 0])
    hidden = add_network(graph, generator, graph.add("Unsqueeze", hidden, graph.integers(0)))
    hidden = graph.add("Transpose", graph.add("Squeeze", hidden, graph.integers(0)), perm=[1, 0])
    hidden = graph.add("Slice", hidden, graph.integers(0), frames, graph.integers(0))
    target = about.statistics[about.direction.target]
    hidden = graph.add("Mul", hidden, graph.constant(target.scale))
    graph.add("Add", hidden, graph.constant(target.mean), name=OUTPUT)
    shape = ("frames", bins)
    return graph.to_model({INPUT: shape}, {OUTPUT: shape}, about.to_metadata())


def make_vocoder(network: keras.Model, about: VocoderDescription) -> onnx.ModelProto:
    """Make the ONNX model of a vocoder, for any number of frames that it takes.

    Args:
        network: Network from (batch, frames, bins) to (batch, samples, 1).
        about: Description that the file keeps. Where its `quantize` is "float16", kernels are
            stored in half precision.

    Returns:
        Model from log-mel spectra, (frames, bins), to samples, (frames · hop,), both float32.
    """
    graph = GraphBuilder(half=about.quantize == "float16")
    hidden = graph.add("Transpose", SPECTRA, perm=[1, 0])
    hidden = add_network(graph, network, graph.add("Unsqueeze", hidden, graph.integers(0)))
    graph.add("Squeeze", hidden, graph.integers(0, 1), name=SAMPLES)
    spectra, samples = ("frames", about.sizes.bins), ("samples",)
    return graph.to_model({SPECTRA: spectra}, {SAMPLES: samples}, about.to_metadata())


def make_source_filter(vocoder: NeuralVocoder, about: SourceFilterDescription) -> onnx.ModelProto:
    """Make the ONNX model of a vocoder that was trained here, for any number of frames.

    Args:
        vocoder: The vocoder.
        about: Description that the file keeps. Where its `quantize` is "float16", kernels are
            stored in half precision.

    Returns:
        Model from values of frames, (frames, values), and their excitation, (frames · hop, 2), to
        samples, (frames · hop,), and for log-mel spectra to scores of F0, (frames, COUNT + 1).
    """
    graph = GraphBuilder(half=about.quantize == "float16")
    values = graph.add("Sub", VALUES, graph.constant(vocoder.mean))
    values = graph.add("Div", values, graph.constant(vocoder.std))
    features, excitation = (
        graph.add("Unsqueeze", graph.add("Transpose", each, perm=[1, 0]), graph.integers(0))
        for each in (values, EXCITATION)
    )
    samples = add_network(graph, vocoder.networks["vocoder"], features, excitation)
    graph.add("Squeeze", samples, graph.integers(0, 1), name=SOURCE_FILTER_SAMPLES)
    outputs: dict[str, tuple[Any, ...]] = {SOURCE_FILTER_SAMPLES: ("samples",)}
    if "pitch" in vocoder.networks:
        scores = add_network(graph, vocoder.networks["pitch"], features)
        scores = graph.add("Squeeze", scores, graph.integers(0))
        graph.add("Transpose", scores, perm=[1, 0], name=PITCH)
        outputs[PITCH] = ("frames", pitch_classes.COUNT + 1)
    inputs = {VALUES: ("frames", len(vocoder.mean)), EXCITATION: ("samples", 2)}
    return graph.to_model(inputs, outputs, about.to_metadata())


def write(path: Path, model: onnx.ModelProto) -> None:
    """Write a model to a file."""
    with files.replacing(path) as partial:
        partial.write_bytes(model.SerializeToString())


def _normalize(graph: GraphBuilder, features: str, statistics: Statistics) -> str:
    """Normalise (frames, bins) to mean 0 and standard deviation 1.

    The mean is subtracted in two parts, so that the difference has the precision of float64.
    """
    rounded = statistics.mean.astype(np.float32)
    centred = graph.add("Sub", features, graph.constant(rounded))
    centred = graph.add("Sub", centred, graph.constant(statistics.mean - rounded))
    return graph.add("Div", centred, graph.constant(statistics.scale))


def _fill_up(graph: GraphBuilder, features: str, frames: str) -> str:
    """Append copies of the last frame up to a multiple of four frames."""
    missing = graph.add("Mod", graph.add("Neg", frames), graph.integers(FRAME_MULTIPLE))
    none = graph.integers(0)
    pads = graph.add("Concat", none, none, missing, none, axis=0)
    return graph.add("Pad", features, pads, mode="edge")

"""ONNX files: generators, from features of the source to the target's, and vocoders."""

from pathlib import Path

import keras
import numpy as np
import onnx

from cyclegan_vc_tf.config.network import FRAME_MULTIPLE
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop.onnx_graph import GraphBuilder
from cyclegan_vc_tf.runs.exported_model import INPUT, OUTPUT, ExportedModel
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.vocoders.exported_vocoder import INPUT as SPECTRA
from cyclegan_vc_tf.vocoders.exported_vocoder import OUTPUT as SAMPLES
from cyclegan_vc_tf.vocoders.exported_vocoder import VocoderDescription


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
    hidden = graph.add_network(generator, graph.add("Unsqueeze", hidden, graph.integers(0)))
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
    hidden = graph.add_network(network, graph.add("Unsqueeze", hidden, graph.integers(0)))
    graph.add("Squeeze", hidden, graph.integers(0, 1), name=SAMPLES)
    spectra, samples = ("frames", about.sizes.bins), ("samples",)
    return graph.to_model({SPECTRA: spectra}, {SAMPLES: samples}, about.to_metadata())


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

"""ONNX form of the layers of a source-filter vocoder.

Source: ONNX operator specification, operator set 17.
"""

from typing import Any

import numpy as np

from cyclegan_vc_tf.interop.onnx_builder import GraphBuilder
from cyclegan_vc_tf.interop.transform_kernels import analysis_kernel, synthesis_kernel
from cyclegan_vc_tf.models import frame_layers
from cyclegan_vc_tf.models.stft import hann_window
from cyclegan_vc_tf.vocoders import source_filter


def gelu(graph: GraphBuilder, inputs: list[str]) -> str:
    """Append x · Φ(x)."""
    scaled = graph.add("Div", *inputs, graph.constant(np.sqrt(2.0)))
    share = graph.add("Add", graph.add("Erf", scaled), graph.constant(1.0))
    return graph.add("Mul", graph.add("Mul", *inputs, graph.constant(0.5)), share)


def normalize_channels(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    """Append `ChannelNormalization`."""
    centred = graph.add("Sub", *inputs, graph.add("ReduceMean", *inputs, axes=[1]))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[1])
    variance = graph.add("Add", variance, graph.constant(frame_layers.NORM_EPSILON))
    normalized = graph.add("Div", centred, graph.add("Sqrt", variance))
    gamma, beta = (graph.column(each) for each in (layer.gamma, layer.beta))
    return graph.add("Add", graph.add("Mul", normalized, gamma), beta)


def convolve_depthwise(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    """Append `CausalDepthwiseConv1D`."""
    kernel = np.asarray(layer.kernel).T[:, np.newaxis]
    return graph.add(
        "Conv", *inputs, graph.constant(kernel), group=len(kernel), pads=[layer.size - 1, 0]
    )


def synthesize(graph: GraphBuilder, layer: source_filter.SourceFilter, inputs: list[str]) -> str:
    """Append `SourceFilter`; its transforms are convolutions, which every runtime has."""
    filters, excitation = inputs
    margin = (layer.size - layer.hop) // 2
    steps: dict[str, Any] = {"strides": [layer.hop], "pads": [margin, margin]}
    logs = _split_frames(graph, filters, layer)
    periodic, phase, noise = graph.add("Split", logs, outputs=3, axis=1)
    most = graph.constant(source_filter.MAX_LOG_MAGNITUDE)
    periodic, noise = (graph.add("Exp", graph.add("Min", each, most)) for each in (periodic, noise))
    analysis = graph.constant(analysis_kernel(layer.size), halve=False)
    sources = graph.add("Transpose", excitation, perm=[1, 0, 2])
    spectra = graph.add("Conv", sources, analysis, **steps)
    pulses, hiss = (
        graph.add("Split", each, outputs=2, axis=1)
        for each in graph.add("Split", spectra, outputs=2, axis=0)
    )
    real, imaginary = (
        graph.add("Mul", periodic, graph.add(function, phase)) for function in ("Cos", "Sin")
    )
    shaped = [
        graph.add("Sub", graph.add("Mul", real, pulses[0]), graph.add("Mul", imaginary, pulses[1])),
        graph.add("Add", graph.add("Mul", real, pulses[1]), graph.add("Mul", imaginary, pulses[0])),
    ]
    parts = [
        graph.add("Add", each, graph.add("Mul", noise, added))
        for each, added in zip(shaped, hiss, strict=True)
    ]
    synthesis = graph.constant(synthesis_kernel(layer.size), halve=False)
    waves = graph.add("ConvTranspose", graph.add("Concat", *parts, axis=1), synthesis, **steps)
    powers = graph.constant(hann_window(layer.size)[np.newaxis, np.newaxis] ** 2, halve=False)
    weights = graph.add("ConvTranspose", _ones(graph, noise), powers, **steps)
    return graph.add("Div", waves, weights)


def _split_frames(graph: GraphBuilder, filters: str, layer: source_filter.SourceFilter) -> str:
    """Append the change from filters per frame to filters per frame of the synthesis."""
    values = 3 * (layer.size // 2 + 1)
    parts = graph.add("Reshape", filters, graph.integers(1, layer.frames, values, -1))
    parts = graph.add("Transpose", parts, perm=[0, 2, 3, 1])
    return graph.add("Reshape", parts, graph.integers(1, values, -1))


def _ones(graph: GraphBuilder, like: str) -> str:
    """Append ones, (1, 1, frames of a value)."""
    frames = graph.add("Shape", like, start=2)
    shape = graph.add("Concat", graph.integers(1, 1), frames, axis=0)
    return graph.add("ConstantOfShape", shape, value=graph.tensor(np.ones(1, np.float32)))

"""ONNX graphs of networks, made from their Keras layers; needs the package `onnx`.

Each layer has a row in `EMITTERS`. Values have channels as their first axis behind the batch, as
ONNX convolves; Keras has them last. Layers, not TensorFlow's graphs, are written: the table depends
on no converter and no release of TensorFlow.

Source: ONNX operator specification, operator set 17.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from cyclegan_vc_tf.interop import onnx_synthesis
from cyclegan_vc_tf.interop.onnx_builder import GraphBuilder
from cyclegan_vc_tf.models import frame_layers, layers, matmul_conv, stack
from cyclegan_vc_tf.vocoders import melgan, source_filter

TO_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}
"""Permutation that moves channels to the last axis, by number of axes."""

TO_FIRST = {3: (0, 2, 1), 4: (0, 3, 1, 2)}
"""Permutation that moves channels to the axis behind the batch, by number of axes."""


def add_network(graph: GraphBuilder, network: keras.Model, *inputs: str) -> str:
    """Append the layers of a network.

    A mask among the inputs is all ones: no frame is to be filled in.

    Args:
        graph: Graph to append to.
        network: Network with one output.
        inputs: Names of its inputs, with channels first, (1, bins, frames); a mask has none.

    Returns:
        Name of its output, with channels first.

    Raises:
        TypeError: A layer has no row in `EMITTERS`.
    """
    values = {
        stack.layer_of(each).name: name for each, name in zip(network.inputs, inputs, strict=False)
    }
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            values.setdefault(layer.name, "")
            continue
        taken = [values[before.name] for before in stack.layers_before(layer)]
        values[layer.name] = _find_emitter(layer)(graph, layer, taken)
    return values[stack.layer_of(network.outputs[0]).name]


Emitter = Callable[[GraphBuilder, Any, list[str]], str]
"""Function of graph, layer and names of inputs that returns the name of the layer's output."""


def _find_emitter(layer: keras.layers.Layer) -> Emitter:
    """Return the row of a layer's class, or of the nearest class that it is made from."""
    for kind in type(layer).__mro__:
        if kind in EMITTERS:
            return EMITTERS[kind]
    raise TypeError(f"{layer.name} is a {type(layer).__name__}, which has no ONNX form here")


def _same_padding(layer: Any, axes: int) -> list[int]:
    """Return zeros in front of every axis, then behind it.

    Sizes are multiples of the stride: frames and bins are filled up to a multiple of 4.
    """
    if layer.padding == "valid":
        return [0] * (2 * axes)
    missing = [
        max(0, (size - 1) * dilation + 1 - stride)
        for size, stride, dilation in zip(
            layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
        )
    ]
    return [zeros // 2 for zeros in missing] + [zeros - zeros // 2 for zeros in missing]


def _convolve(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    kernel, *bias = layer.get_weights()
    axes = kernel.ndim - 2
    weights = [kernel.transpose(axes + 1, axes, *range(axes)), *bias]
    return graph.add(
        "Conv", *inputs, *map(graph.constant, weights), strides=list(layer.strides),
        pads=_same_padding(layer, axes), dilations=list(layer.dilation_rate),
    )  # fmt: skip


def _convolve_transposed(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    kernel, *bias = layer.get_weights()
    weights = [kernel.transpose(2, 1, 0), *bias]
    return graph.add(
        "ConvTranspose", *inputs, *map(graph.constant, weights), strides=list(layer.strides)
    )


def _gate(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    value, gate = graph.add("Split", *inputs, outputs=2, axis=1)
    return graph.add("Mul", value, graph.add("Sigmoid", gate))


def _activate(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    if layer.activation is melgan.leaky_relu:
        return graph.add("LeakyRelu", *inputs, alpha=melgan.LEAKY_SLOPE)
    if layer.activation is source_filter.gelu:
        return onnx_synthesis.gelu(graph, inputs)
    if (name := layer.activation.__name__) == "tanh":
        return graph.add("Tanh", *inputs)
    if name not in ("swish", "silu"):
        raise TypeError(f"{layer.name} has the activation {name}, which has no ONNX form here")
    return graph.add("Mul", *inputs, graph.add("Sigmoid", *inputs))


def _normalize(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    channels = layer.output.shape[-1]
    scale = np.ones(channels) if layer.gamma is None else np.asarray(layer.gamma)
    offset = np.zeros(channels) if layer.beta is None else np.asarray(layer.beta)
    weights = map(graph.constant, (scale, offset))
    return graph.add("InstanceNormalization", *inputs, *weights, epsilon=float(layer.epsilon))


def _shuffle_1d(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    channels = layer.output.shape[-1]
    halves = graph.add("Reshape", *inputs, graph.integers(1, 2, channels, -1))
    pairs = graph.add("Transpose", halves, perm=[0, 2, 3, 1])
    return graph.add("Reshape", pairs, graph.integers(1, channels, -1))


def _resize(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    picture, like = inputs
    sizes = graph.add(
        "Concat", graph.add("Shape", picture, end=2), graph.add("Shape", like, start=2), axis=0
    )
    # Of two nearest positions TensorFlow takes the later one.
    return graph.add(
        "Resize", picture, "", "", sizes, mode="nearest", nearest_mode="round_prefer_ceil",
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip


def _permute(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    return _transpose(graph, inputs[0], (0, *layer.dims))


def _transpose(graph: GraphBuilder, value: str, order: tuple[int, ...]) -> str:
    """Permute axes; `order` counts them with channels last."""
    last, first = TO_LAST[len(order)], TO_FIRST[len(order)]
    return graph.add("Transpose", value, perm=[last[order[axis]] for axis in first])


def _reshape(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    value = graph.add("Transpose", *inputs, perm=TO_LAST[len(layer.input.shape)])
    value = graph.add("Reshape", value, graph.integers(1, *layer.target_shape))
    return graph.add("Transpose", value, perm=TO_FIRST[1 + len(layer.target_shape)])


def _pad(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    return _pad_axes(graph, inputs[0], layer.padding, "constant")


def _reflect(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    return _pad_axes(graph, inputs[0], layer.padding, "reflect")


def _pad_axes(graph: GraphBuilder, value: str, padding: Any, mode: str) -> str:
    """Pad the axes behind the channels by one number, one pair, or one pair per axis."""
    if isinstance(padding, int):
        padding = (padding, padding)
    pairs = [padding] if isinstance(padding[0], int) else padding
    front, behind = zip(*pairs, strict=True)
    pads = graph.integers(0, 0, *front, 0, 0, *behind)
    return graph.add("Pad", value, pads, mode=mode)


def _crop(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    pairs = [layer.cropping] if isinstance(layer.cropping[0], int) else layer.cropping
    starts = [front for front, _ in pairs]
    ends = [-behind if behind else np.iinfo(np.int64).max for _, behind in pairs]
    axes = range(2, 2 + len(pairs))
    return graph.add("Slice", *inputs, *(graph.integers(*each) for each in (starts, ends, axes)))


def _mask(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    features = graph.add("Transpose", inputs[0], perm=TO_LAST[3])
    picture = graph.add("Unsqueeze", features, graph.integers(1))
    one = graph.tensor(np.ones(1, np.float32))
    mask = graph.add("ConstantOfShape", graph.add("Shape", picture), value=one)
    return graph.add("Concat", picture, mask, axis=1)


def _rescale(graph: GraphBuilder, layer: Any, inputs: list[str]) -> str:
    return graph.add("Mul", *inputs, graph.column(layer.scale))


EMITTERS: dict[type, Emitter] = {
    keras.layers.Activation: _activate,
    keras.layers.Add: lambda graph, layer, inputs: graph.add("Add", *inputs),
    keras.layers.Conv1D: _convolve,
    keras.layers.Conv1DTranspose: _convolve_transposed,
    keras.layers.Conv2D: _convolve,
    keras.layers.Cropping1D: _crop,
    keras.layers.Cropping2D: _crop,
    keras.layers.Multiply: lambda graph, layer, inputs: graph.add("Mul", *inputs),
    keras.layers.Permute: _permute,
    keras.layers.ReLU: lambda graph, layer, inputs: graph.add("Relu", *inputs),
    keras.layers.Rescaling: _rescale,
    keras.layers.Reshape: _reshape,
    keras.layers.ZeroPadding1D: _pad,
    keras.layers.ZeroPadding2D: _pad,
    frame_layers.CausalDepthwiseConv1D: onnx_synthesis.convolve_depthwise,
    frame_layers.ChannelNormalization: onnx_synthesis.normalize_channels,
    layers.BinsByFrames: lambda graph, layer, inputs: _transpose(graph, inputs[0], (0, 2, 1, 3)),
    layers.GatedLinearUnit: _gate,
    layers.InstanceNormalization: _normalize,
    layers.MaskFrames: _mask,
    layers.NearestResize: _resize,
    layers.PixelShuffle1D: _shuffle_1d,
    layers.PixelShuffle2D: lambda graph, layer, inputs: graph.add(
        "DepthToSpace", *inputs, blocksize=2, mode="DCR"
    ),
    matmul_conv.Conv1D: _convolve,
    matmul_conv.Conv2D: _convolve,
    melgan.ReflectionPadding1D: _reflect,
    source_filter.SourceFilter: onnx_synthesis.synthesize,
}
"""ONNX form of each class of layers."""

"""The network of MelGAN's generator: log-mel spectra in, samples out.

Source: Kumar et al., 2019, arXiv:1910.06711; what the paper leaves open is as in the authors'
github.com/descriptinc/melgan-neurips, mel2wav/modules.py.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

Shape = tuple[int, ...]

SLOPE = 0.2
"""Of all leaky rectifiers, below zero."""

END_KERNEL = 7
"""Frames that the first convolution sees, and samples that the last one sees."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class ReflectionPadding1D(keras.layers.Layer):
    """Mirrors `padding` frames at both ends; the outermost frame is not repeated.

    Input shape: (batch, frames, channels), more than `padding` frames.
    Output shape: (batch, frames + 2 * padding, channels).
    """

    def __init__(self, padding: int, **options: Any) -> None:
        super().__init__(**options)
        self.padding = padding

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pads `inputs`.

        Raises:
            ValueError: There are too few frames. Where the number is not known when a graph is
                made, TensorFlow finds it when the graph runs.
        """
        frames = inputs.shape[1]
        if frames is not None and frames <= self.padding:
            raise ValueError(
                f"ReflectionPadding1D of {self.padding} needs more than {self.padding} frames. "
                f"Received: {frames}"
            )
        return tf.pad(inputs, ((0, 0), (self.padding, self.padding), (0, 0)), mode="REFLECT")

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Twice `padding` frames more."""
        batch, frames, channels = input_shape
        return (batch, None if frames is None else frames + 2 * self.padding, channels)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made from."""
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
def leaky(inputs: tf.Tensor) -> tf.Tensor:
    """max(x, 0.2 · x), as `tf.nn.leaky_relu`, whose slope is rounded to float32 in any type."""
    return tf.maximum(inputs, SLOPE * inputs)


@dataclass(frozen=True)
class Architecture:
    """What a generator is built from.

    Attributes:
        bins: Of the log-mel spectrum, a frame.
        channels: At the rate of the samples; each stage before has twice as many.
        ratios: How many frames each stage makes of one.
        dilations: Of the residual blocks behind each stage.
    """

    bins: int = 80
    channels: int = 32
    ratios: tuple[int, ...] = (8, 8, 2, 2)
    dilations: tuple[int, ...] = (1, 3, 9)

    @classmethod
    def of(cls, model: keras.Model) -> "Architecture":
        """What `model`, a generator, was built from."""
        layers = {layer.name: layer for layer in model.layers}

        def matching(pattern: str) -> list[Any]:
            return [layer for name, layer in layers.items() if re.fullmatch(pattern, name)]

        return cls(
            bins=model.input_shape[-1],
            channels=layers["output_conv"].kernel.shape[1],
            ratios=tuple(layer.strides[0] for layer in matching(r"up_\d+_conv")),
            dilations=tuple(
                layer.dilation_rate[0] for layer in matching(r"up_1_residual_\d+_conv")
            ),
        )

    @property
    def hop_samples(self) -> int:
        """Samples a frame."""
        return math.prod(self.ratios)

    @property
    def shortest(self) -> int:
        """The fewest frames that can be padded by reflection at every rate."""
        # The first stage has the fewest frames to mirror, and as far to mirror as the others.
        return max(END_KERNEL // 2, max(self.dilations, default=0) // self.ratios[0]) + 1

    @property
    def context(self) -> int:
        """So many frames on either side of a frame decide its samples, and no others do.

        Counted from the samples back: a convolution looks half its kernel further; a sample of a
        transposed convolution of kernel 2r, stride r comes from two neighbours.
        """
        reach = END_KERNEL // 2
        for ratio in reversed(self.ratios):
            reach = math.ceil((reach + sum(self.dilations)) / ratio) + 1
        return reach + END_KERNEL // 2

    def weight_shapes(self) -> dict[str, Shape]:
        """Shapes of all weights in Keras' layouts, by address, such as `up_1_conv/kernel`."""
        shapes: dict[str, Shape] = {}

        def add(layer: str, kernel: Shape, channels: int) -> None:
            shapes[f"{layer}/kernel"], shapes[f"{layer}/bias"] = kernel, (channels,)

        width = self.channels * 2 ** len(self.ratios)
        add("input_conv", (END_KERNEL, self.bins, width), width)
        for stage, ratio in enumerate(self.ratios, 1):
            before, width = width, width // 2
            add(f"up_{stage}_conv", (2 * ratio, width, before), width)
            for number in range(1, len(self.dilations) + 1):
                block = f"up_{stage}_residual_{number}"
                add(f"{block}_conv", (3, width, width), width)
                add(f"{block}_out_conv", (1, width, width), width)
                add(f"{block}_shortcut", (1, width, width), width)
        add("output_conv", (END_KERNEL, width, 1), 1)
        return shapes


@tf.autograph.experimental.do_not_convert  # No layer has control flow for it to find.
def melgan_generator(
    bins: int = 80,
    channels: int = 32,
    ratios: tuple[int, ...] = (8, 8, 2, 2),
    dilations: tuple[int, ...] = (1, 3, 9),
) -> keras.Model:
    """MelGAN's generator, without the weight normalisation that it is trained with.

    Args:
        bins: Of the log-mel spectrum, a frame.
        channels: At the rate of the samples; each stage before has twice as many.
        ratios: How many frames each stage makes of one.
        dilations: Of the residual blocks behind each stage.

    Returns:
        (batch, frames, bins) → (batch, frames · product of ratios, 1), samples in [-1, 1]; 4
        frames or more, and more than the largest dilation over the first ratio.

    Source: Kumar et al., 2019, arXiv:1910.06711, figure 1.
    """
    shapes = Architecture(bins, channels, tuple(ratios), tuple(dilations)).weight_shapes()

    def convolve(hidden: Any, name: str, dilation: int = 1) -> Any:
        kernel, filters = shapes[f"{name}/kernel"][0], shapes[f"{name}/bias"][0]
        return keras.layers.Conv1D(filters, kernel, dilation_rate=dilation, name=name)(hidden)

    def rectify(hidden: Any, block: str) -> Any:
        return keras.layers.Activation(leaky, name=f"{block}_leaky")(hidden)

    def pad(hidden: Any, frames: int, block: str) -> Any:
        return ReflectionPadding1D(frames, name=f"{block}_pad")(hidden)

    inputs = keras.Input((None, bins), name="log_mel")
    hidden = convolve(pad(inputs, END_KERNEL // 2, "input"), "input_conv")
    for stage, ratio in enumerate(ratios, 1):
        name = f"up_{stage}_conv"
        filters = shapes[f"{name}/bias"][0]
        hidden = keras.layers.Conv1DTranspose(filters, 2 * ratio, strides=ratio, name=name)(
            rectify(hidden, f"up_{stage}")
        )
        # PyTorch's padding r // 2 + r % 2 takes as much from the front; an output padding of r % 2
        # leaves so much more behind. "same" padding cuts one sample later when r is odd.
        front = ratio // 2 + ratio % 2
        hidden = keras.layers.Cropping1D((front, ratio - front), name=f"up_{stage}_crop")(hidden)
        for number, dilation in enumerate(dilations, 1):
            block = f"up_{stage}_residual_{number}"
            inner = pad(rectify(hidden, block), dilation, block)
            inner = convolve(inner, f"{block}_conv", dilation)
            inner = convolve(rectify(inner, f"{block}_out"), f"{block}_out_conv")
            shortcut = convolve(hidden, f"{block}_shortcut")
            hidden = keras.layers.Add(name=f"{block}_add")([shortcut, inner])
    hidden = pad(rectify(hidden, "output"), END_KERNEL // 2, "output")
    hidden = convolve(hidden, "output_conv")
    outputs = keras.layers.Activation("tanh", name="output_tanh")(hidden)
    return keras.Model(inputs, outputs, name="melgan_generator")

"""MelGAN: the generator network, synthesis with it, and its files.

Source: Kumar et al., 2019, arXiv:1910.06711. Details that the paper leaves open follow the authors'
github.com/descriptinc/melgan-neurips, mel2wav/modules.py.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models.stack import plain
from cyclegan_vc_tf.system import array_archives, device, files
from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.vocoders import chunks
from cyclegan_vc_tf.vocoders.chunks import CHUNK_FRAMES, FrameSizes

Shape = tuple[int, ...]

LEAKY_SLOPE = 0.2
"""Slope of all leaky rectifiers below zero."""

END_KERNEL = 7
"""Kernel size of the first convolution, in frames, and of the last one, in samples."""

FORMAT = 1
"""Format number of a vocoder file; it rises when the content of these files changes."""

HEADER = ("melgan", "bins", "channels", "ratios", "dilations")
"""Keys of the format number and the architecture in a vocoder file, beside the weights."""


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
        """Pad `inputs`.

        Raises:
            ValueError: There are too few frames. If their number is unknown when the graph is
                built, TensorFlow raises an error when the graph runs.
        """
        frames = inputs.shape[1]
        if frames is not None and frames <= self.padding:
            raise ValueError(
                f"ReflectionPadding1D of {self.padding} needs more than {self.padding} frames. "
                f"Received: {frames}"
            )
        return tf.pad(inputs, ((0, 0), (self.padding, self.padding), (0, 0)), mode="REFLECT")

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Add twice `padding` frames to a shape."""
        batch, frames, channels = input_shape
        return (batch, None if frames is None else frames + 2 * self.padding, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer."""
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
def leaky_relu(inputs: tf.Tensor) -> tf.Tensor:
    """Compute max(x, 0.2 · x).

    `tf.nn.leaky_relu` differs: it rounds the slope to float32 for every type of input.
    """
    return tf.maximum(inputs, LEAKY_SLOPE * inputs)


@dataclass(frozen=True)
class Architecture:
    """Sizes that define a generator.

    Attributes:
        bins: Bins per frame of the log-mel spectrum.
        channels: Channels at the rate of the samples; each earlier stage has twice as many.
        ratios: Upsampling ratio of each stage.
        dilations: Dilations of the residual blocks after each stage.
    """

    bins: int = 80
    channels: int = 32
    ratios: tuple[int, ...] = (8, 8, 2, 2)
    dilations: tuple[int, ...] = (1, 3, 9)

    @classmethod
    def from_model(cls, model: keras.Model) -> "Architecture":
        """Read the architecture of a generator from its layers."""
        layers = {layer.name: layer for layer in model.layers}

        def find_layers(pattern: str) -> list[Any]:
            return [layer for name, layer in layers.items() if re.fullmatch(pattern, name)]

        return cls(
            bins=model.input_shape[-1],
            channels=layers["output_conv"].kernel.shape[1],
            ratios=tuple(layer.strides[0] for layer in find_layers(r"up_\d+_conv")),
            dilations=tuple(
                layer.dilation_rate[0] for layer in find_layers(r"up_1_residual_\d+_conv")
            ),
        )

    @property
    def hop_samples(self) -> int:
        """Samples per frame."""
        return math.prod(self.ratios)

    @property
    def min_frames(self) -> int:
        """Smallest number of frames that reflection can pad at every rate."""
        # The first stage has the fewest frames to mirror, and pads as many as later stages.
        return max(END_KERNEL // 2, max(self.dilations, default=0) // self.ratios[0]) + 1

    @property
    def context_frames(self) -> int:
        """Number of frames on either side of a frame that its samples depend on.

        The count goes backwards from the samples. A convolution adds half its kernel. A sample of a
        transposed convolution with kernel 2r and stride r depends on two neighbouring inputs.
        """
        reach = END_KERNEL // 2
        for ratio in reversed(self.ratios):
            reach = math.ceil((reach + sum(self.dilations)) / ratio) + 1
        return reach + END_KERNEL // 2

    def weight_shapes(self) -> dict[str, Shape]:
        """Return shapes of all weights in Keras' layouts, by address such as `up_1_conv/kernel`."""
        shapes: dict[str, Shape] = {}

        def add(layer: str, kernel: Shape, channels: int) -> None:
            shapes[f"{layer}/kernel"], shapes[f"{layer}/bias"] = kernel, (channels,)

        width = self.channels * 2 ** len(self.ratios)
        add("input_conv", (END_KERNEL, self.bins, width), width)
        for stage, ratio in enumerate(self.ratios, 1):
            input_width, width = width, width // 2
            add(f"up_{stage}_conv", (2 * ratio, width, input_width), width)
            for number in range(1, len(self.dilations) + 1):
                block = f"up_{stage}_residual_{number}"
                add(f"{block}_conv", (3, width, width), width)
                add(f"{block}_out_conv", (1, width, width), width)
                add(f"{block}_shortcut", (1, width, width), width)
        add("output_conv", (END_KERNEL, width, 1), 1)
        return shapes


@tf.autograph.experimental.do_not_convert  # No layer contains Python control flow.
def melgan_generator(
    bins: int = 80,
    channels: int = 32,
    ratios: tuple[int, ...] = (8, 8, 2, 2),
    dilations: tuple[int, ...] = (1, 3, 9),
) -> keras.Model:
    """Build MelGAN's generator, without the weight normalisation that its training uses.

    Args:
        bins: Bins per frame of the log-mel spectrum.
        channels: Channels at the rate of the samples; each earlier stage has twice as many.
        ratios: Upsampling ratio of each stage.
        dilations: Dilations of the residual blocks after each stage.

    Returns:
        Model from (batch, frames, bins) to (batch, frames · product of ratios, 1), samples in
        [-1, 1]. It needs at least 4 frames, and more frames than the largest dilation divided by
        the first ratio.

    Source: Kumar et al., 2019, arXiv:1910.06711, figure 1.
    """
    shapes = Architecture(bins, channels, tuple(ratios), tuple(dilations)).weight_shapes()

    def convolve(hidden: Any, name: str, dilation: int = 1) -> Any:
        kernel, filters = shapes[f"{name}/kernel"][0], shapes[f"{name}/bias"][0]
        return keras.layers.Conv1D(filters, kernel, dilation_rate=dilation, name=name)(hidden)

    def rectify(hidden: Any, block: str) -> Any:
        return keras.layers.Activation(leaky_relu, name=f"{block}_leaky")(hidden)

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
        # PyTorch's padding removes r // 2 + r % 2 frames at both ends; its output padding of r % 2
        # keeps that many more at the back. "same" padding cuts one sample later for an odd r.
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


def build(architecture: Architecture, arrays: Mapping[str, np.ndarray]) -> keras.Model:
    """Build a generator with given weights.

    Args:
        architecture: Sizes of the generator.
        arrays: All weights by address, in Keras' layouts.
    """
    # The first variable of a network begins TensorFlow's use of a GPU.
    device.configure_gpu()
    model = melgan_generator(**vars(architecture))
    for address, array in arrays.items():
        _find_variable(model, address).assign(array)
    return model


def hop_samples(model: keras.Model) -> int:
    """Return the number of samples that a generator makes from one frame."""
    return Architecture.from_model(model).hop_samples


def frame_sizes(model: keras.Model) -> FrameSizes:
    """Return the sizes of a generator's frames."""
    sizes = Architecture.from_model(model)
    return FrameSizes(sizes.bins, sizes.hop_samples, sizes.min_frames, sizes.context_frames)


def synthesize(
    model: keras.Model, log_mel: np.ndarray, *, chunk_frames: int = CHUNK_FRAMES
) -> np.ndarray:
    """Synthesize the samples of a log-mel spectrum of any length, in chunks.

    Args:
        model: MelGAN generator.
        log_mel: Log-mel spectrum, (frames, bins), scaled as in the model's training.
        chunk_frames: Frames per chunk.

    Returns:
        Samples, (frames · hop,) float32 in [-1, 1].

    Raises:
        InputError: The number of bins is not the model's.
    """

    def run(part: np.ndarray) -> np.ndarray:
        return model(part[np.newaxis], training=False)[0, :, 0].numpy()

    return chunks.synthesize(run, log_mel, frame_sizes(model), chunk_frames)


@dataclass(frozen=True)
class Analysis:
    """Settings of a generator's training spectra that its architecture does not determine.

    Attributes:
        sample_rate_hz: Sampling rate of the recordings, in Hz.
        fft_samples: Length of the analysis window, in samples.
    """

    sample_rate_hz: int = 22_050
    fft_samples: int = 1024


def save(model: keras.Model, path: Path, analysis: Analysis = Analysis()) -> None:
    """Write a generator to a vocoder file, completely or not at all.

    The file is NumPy's .npz. It holds the weights in Keras' layouts by address, such as
    `up_1_conv/kernel`, the architecture, and the analysis of the training spectra.
    """
    architecture = Architecture.from_model(model)
    arrays: dict[str, Any] = dict(
        zip(HEADER, map(np.array, (FORMAT, *astuple(architecture))), strict=True)
    )
    arrays |= {name: np.array(value) for name, value in asdict(analysis).items()}
    for address in architecture.weight_shapes():
        arrays[address] = _find_variable(model, address).numpy()
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> tuple[keras.Model, Analysis]:
    """Load a generator, and the analysis of its training spectra, from a file written by `save`.

    Raises:
        InputError: The file does not exist, is damaged, or is not a vocoder file.
    """
    remedy = "make it with `python -m cyclegan_vc_tf import_vocoder`"
    if not path.is_file():
        raise InputError(
            f"{path} does not exist or is not a file; expected a vocoder file: {remedy}"
        )
    try:
        with array_archives.open_arrays(path) as stored:
            arrays = dict(stored)
        header, analysis = (
            [arrays.pop(key).astype(np.int64, casting="safe").tolist() for key in keys]
            for keys in (HEADER, asdict(Analysis()))
        )
    except (LookupError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a vocoder file, or is damaged; {remedy}") from error
    format_number, bins, channels, ratios, dilations = header
    if format_number != FORMAT:
        raise InputError(
            f"{path} has format {format_number}; expected format {FORMAT}, of this version; "
            f"{remedy}"
        )
    try:
        architecture = Architecture(bins, channels, tuple(ratios), tuple(dilations))
        expected = {key: (key, shape) for key, shape in architecture.weight_shapes().items()}
        faults = describe_mismatch(expected, arrays) or (
            "" if min(dilations, default=1) > 0 else f"dilations {dilations}"
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} has an unsupported architecture; {remedy}") from error
    if faults:
        raise InputError(f"{path} is not a complete vocoder; {faults}; {remedy}")
    return build(architecture, arrays), Analysis(*analysis)


def describe_mismatch(
    expected: Mapping[str, tuple[str, Shape]], stored: Mapping[str, np.ndarray]
) -> str:
    """Describe where stored weights differ from a generator's; empty where they fit.

    Args:
        expected: Key in `stored` and shape of each weight, by its address.
        stored: Stored arrays by key.
    """
    unset, wrong = [], []
    for address, (key, shape) in expected.items():
        received = stored.get(key)
        if received is None:
            unset.append(address if address == key else f"{address} ({key})")
        elif received.shape != shape or received.dtype.kind != "f" or not received.size:
            wrong.append(
                f"{key} is {received.dtype}{list(received.shape)}, expected float{list(shape)}"
            )
        elif not array_archives.fits_float32(received):
            wrong.append(f"{key} holds a value that is not finite")
    unread = sorted(set(stored) - {key for key, _ in expected.values()})
    faults = {"keys unread": unread, "variables unset": unset, "not usable": wrong}
    return "; ".join(f"{fault}: {join_names(names)}" for fault, names in faults.items() if names)


def _find_variable(model: keras.Model, address: str) -> tf.Variable:
    """Return a generator's variable by address."""
    layer, _, kind = address.rpartition("/")
    return plain(getattr(model.get_layer(layer), kind))

"""The network of MelGAN's generator: log-mel spectra in, samples out.

Source: Kumar et al., 2019, arXiv:1910.06711; what the paper leaves open is as in the authors'
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

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names

Shape = tuple[int, ...]

LEAKY_SLOPE = 0.2
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
def leaky_relu(inputs: tf.Tensor) -> tf.Tensor:
    """max(x, 0.2 · x), as `tf.nn.leaky_relu`, whose slope is rounded to float32 in any type."""
    return tf.maximum(inputs, LEAKY_SLOPE * inputs)


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


FORMAT = 1
"""Raised when a file of this package's holds something else."""

HEADER = ("melgan", "bins", "channels", "ratios", "dilations")
"""What stands in such a file beside the weights: the format, and the architecture."""


@dataclass(frozen=True)
class Analysis:
    """Of the spectra that a generator was trained on, what its shape does not tell.

    Attributes:
        sample_rate_hz: Of the recordings.
        fft_samples: Of the window.
    """

    sample_rate_hz: int = 22_050
    fft_samples: int = 1024


CHUNK_FRAMES = 512
"""How many frames `synthesize` takes at a time, beside the frames around them."""


def hop_samples(model: keras.Model) -> int:
    """Samples that a generator makes of a frame."""
    return Architecture.of(model).hop_samples


def synthesize(
    model: keras.Model, log_mel: np.ndarray, *, chunk_frames: int = CHUNK_FRAMES
) -> np.ndarray:
    """Samples of a log-mel spectrum of any length.

    A long one is taken in chunks, each with all the frames around it that its samples depend on:
    the samples are those of the whole, to rounding. One that is too short for the reflection
    padding is made longer by its last frame; the samples of that are cut.

    Args:
        model: A generator.
        log_mel: (frames, bins), scaled as for the model's training.
        chunk_frames: Frames in a chunk.

    Returns:
        (frames · hop,) float32 in [-1, 1].

    Raises:
        InputError: `log_mel` has another number of bins than the model takes.
    """
    architecture = Architecture.of(model)
    if log_mel.ndim != 2 or log_mel.shape[1] != architecture.bins:
        raise InputError(
            f"the log-mel spectrum is {list(log_mel.shape)}; the vocoder takes (frames, "
            f"{architecture.bins}): use the mel settings that the vocoder was trained with"
        )
    frames, hop, context = len(log_mel), architecture.hop_samples, architecture.context
    if 0 < frames < architecture.shortest:
        log_mel = np.pad(log_mel, ((0, architecture.shortest - frames), (0, 0)), mode="edge")
    pieces = [np.zeros(0, np.float32)]
    for start in range(0, frames, chunk_frames):
        stop, first = min(start + chunk_frames, frames), max(start - context, 0)
        samples = model(log_mel[np.newaxis, first : stop + context], training=False)[0, :, 0]
        pieces.append(samples[(start - first) * hop : (stop - first) * hop].numpy())
    return np.concatenate(pieces).astype(np.float32)


def save(model: keras.Model, path: Path, analysis: Analysis = Analysis()) -> None:
    """Writes a generator to a file, whole or not at all.

    The file is NumPy's .npz: arrays in Keras' layouts by address, such as `up_1_conv/kernel`, what
    the generator is built from, and of what spectra it was trained on.
    """
    architecture = Architecture.of(model)
    arrays = dict(zip(HEADER, map(np.array, (FORMAT, *astuple(architecture))), strict=True))
    arrays |= {name: np.array(value) for name, value in asdict(analysis).items()}
    for address in architecture.weight_shapes():
        arrays[address] = _find_variable(model, address).numpy()
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> tuple[keras.Model, Analysis]:
    """The generator in a file that `save` wrote, and of what spectra it was trained on.

    Raises:
        InputError: The file is not there, is damaged, or is another file.
    """
    remedy = "make it with `python -m cyclegan_vc_tf import_vocoder`"
    if not path.is_file():
        raise InputError(f"{path} is not there or no file; expected a vocoder: {remedy}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        head, rest = (
            [arrays.pop(key).astype(np.int64, casting="safe").tolist() for key in keys]
            for keys in (HEADER, asdict(Analysis()))
        )
    # What is raised by damage or another file is up to zipfile, zlib and NumPy.
    except Exception as error:
        raise InputError(f"{path} is no vocoder, or damaged; {remedy}") from error
    format_number, bins, channels, ratios, dilations = head
    if format_number != FORMAT:
        raise InputError(f"{path} is a vocoder of format {format_number}, not {FORMAT}; {remedy}")
    try:
        architecture = Architecture(bins, channels, tuple(ratios), tuple(dilations))
        expected = {key: (key, shape) for key, shape in architecture.weight_shapes().items()}
        faults = describe_mismatch(expected, arrays) or (
            "" if min(dilations, default=1) > 0 else f"dilations {dilations}"
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is of no size that a vocoder can be of; {remedy}") from error
    if faults:
        raise InputError(f"{path} is no whole vocoder; {faults}; {remedy}")
    return build(architecture, arrays), Analysis(*rest)


def describe_mismatch(
    expected: Mapping[str, tuple[str, Shape]], stored: Mapping[str, np.ndarray]
) -> str:
    """What of stored weights is not as a generator needs it; empty where they fit.

    Args:
        expected: For the address of each weight, its key in `stored` and its shape there.
        stored: What there is, by key.
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
        elif not np.isfinite(received).all():
            wrong.append(f"{key} holds a value that is not finite")
    unread = sorted(set(stored) - {key for key, _ in expected.values()})
    faults = {"keys unread": unread, "variables unset": unset, "of another kind": wrong}
    return "; ".join(f"{fault}: {join_names(names)}" for fault, names in faults.items() if names)


def build(architecture: Architecture, arrays: Mapping[str, np.ndarray]) -> keras.Model:
    """A generator with these weights.

    Args:
        architecture: What it is built from.
        arrays: All its weights by address, in Keras' layouts.
    """
    model = melgan_generator(**vars(architecture))
    for address, array in arrays.items():
        _find_variable(model, address).assign(array)
    return model


def _find_variable(model: keras.Model, address: str) -> tf.Variable:
    layer, _, kind = address.rpartition("/")
    return getattr(model.get_layer(layer), kind)

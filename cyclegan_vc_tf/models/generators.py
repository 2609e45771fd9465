"""Generators: features of one speaker in, features of another out, as many frames."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.layers import (
    BinsByFrames,
    Convolutions,
    MaskFrames,
    NearestResize,
    PixelShuffle1D,
    PixelShuffle2D,
    gate,
    instance_norm,
    without_autograph,
)

FRAME_MULTIPLE = 4
"""The generators halve the frames twice and double them twice."""

LINEAR_SKIP = "start"
"""The layer of a generator that begins with a linear map of its input."""

LINEAR_SKIP_FRAMES = 5
"""That it sees at once."""

BIN_MULTIPLE = 4
"""The 2-1-2-D generators do so with the bins too."""


def generate(
    generator: keras.Model, features: tf.Tensor, mask: tf.Tensor | None = None, **options: Any
) -> tf.Tensor:
    """What any generator of the family makes of features.

    Args:
        generator: With or without a mask among its inputs.
        features: (batch, frames, bins).
        mask: (batch, frames, 1), 0 where a frame is to be filled in; by default none is.
        options: For the call, such as `training`.

    Returns:
        (batch, frames, bins).
    """
    if len(generator.inputs) == 1:
        return generator(features, **options)
    if mask is None:
        mask = tf.ones_like(features[..., :1])
    return generator([features, mask], **options)


@without_autograph
def vc1_generator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """The 1-D generator of CycleGAN-VC.

    Args:
        name: Of the model; with `seed` it decides the initial weights.
        bins: Values a frame.
        config: Widths, kernels, padding, epsilon.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, frames, bins), frames a multiple of 4.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4.
    """
    make = _Blocks(name, config, seed)
    inputs = keras.Input((None, bins), name="features")
    hidden = make.residuals(make.downwards(inputs))
    for index in (1, 2):
        block = f"up_{index}"
        # The shuffle halves the channels, and a gated linear unit halves them again.
        hidden = make.before_shuffle(hidden, index, 2)
        hidden = PixelShuffle1D(name=f"{block}_shuffle")(hidden)
        hidden = make.up_gate(make.norm(hidden, block), block)
    outputs = make.convolve(hidden, bins, make.kernels[6], (1,), "output_conv")
    if config.vtln_init:
        outputs = _add_linear_skip(inputs, outputs, bins)
    return keras.Model(inputs, outputs, name=name)


@without_autograph
def vc2_generator(
    name: str,
    bins: int,
    config: NetworkConfig,
    seed: int,
    *,
    adaptive: bool = False,
    masked: bool = False,
) -> keras.Model:
    """The 2-1-2-D generator of CycleGAN-VC2, and with its options of the two papers after it.

    Bins that are no multiple of 4 are filled up with zeros behind the last and cut again.

    Args:
        name: Of the model; with `seed` it decides the initial weights.
        bins: Values a frame.
        config: Widths, kernels, padding, epsilon.
        seed: The run's seed.
        adaptive: Whether TFAN stands behind the step from 1-D to 2-D and both pixel shuffles, in
            place of instance normalisation, as in CycleGAN-VC3.
        masked: Whether frames to fill in are told by a mask, as in MaskCycleGAN-VC.

    Returns:
        (batch, frames, bins) → (batch, frames, bins), frames a multiple of 4; a masked one takes
        the mask, (batch, frames, 1), as its second input.

    Raises:
        ValueError: It is to be both.

    Source: Kaneko et al., 2019, arXiv:1904.04631, section 3.2; 2020, arXiv:2010.11672; 2021,
        arXiv:2102.12841. The fold's order and the place of each norm are those of public code.
    """
    if adaptive and masked:
        raise ValueError("TFAN knows no mask; expected `adaptive` or `masked`, or none of them")
    make = _Blocks(name, config, seed)
    features = inputs = keras.Input((None, bins), name="features")
    missing = -bins % BIN_MULTIPLE
    picture = keras.layers.Reshape((-1, bins, 1), name="one_channel")(features)
    if missing:
        picture = keras.layers.ZeroPadding2D(((0, 0), (0, missing)), name="bins_filled_up")(picture)
    if masked:
        # The mask is of whole frames, bins that were filled up included.
        inputs = [features, keras.Input((None, 1), name="mask")]
        filled = keras.layers.Reshape((-1, bins + missing), name="filled")(picture)
        picture = MaskFrames(name="masked")([filled, inputs[1]])
    # TFAN looks at the picture in three places, beside the encoder.
    picture, *tfan_pictures = BinsByFrames(4 if adaptive else 1, name="bins_by_frames")(picture)

    rows, width = (bins + missing) // BIN_MULTIPLE, make.widths[2]
    hidden = make.downwards(picture)
    # Bins become channels, channel-major: channel c of row h is channel c · rows + h.
    hidden = keras.layers.Permute((2, 3, 1), name="fold_order")(hidden)
    hidden = keras.layers.Reshape((-1, width * rows), name="fold")(hidden)
    hidden = make.convolve(hidden, width, (1,), (1,), "fold_conv")
    hidden = make.residuals(make.norm(hidden, "fold"))
    hidden = make.convolve(hidden, width * rows, (1,), (1,), "unfold_conv")
    if adaptive:
        order = keras.layers.Permute((2, 1, 3), name="frames_by_bins")(tfan_pictures[0])
        frames = keras.layers.Reshape((-1, bins + missing), name="frames")(order)
        hidden = make.tfan(hidden, frames, "unfold")
    else:
        hidden = make.norm(hidden, "unfold")
    hidden = keras.layers.Reshape((-1, width, rows), name="unfold")(hidden)
    hidden = keras.layers.Permute((3, 1, 2), name="unfold_order")(hidden)
    for index in (1, 2):
        block = f"up_{index}"
        # The shuffle makes a quarter of the channels, and a gated linear unit halves them.
        hidden = make.before_shuffle(hidden, index, 4)
        hidden = PixelShuffle2D(name=f"{block}_shuffle")(hidden)
        hidden = (
            make.tfan(hidden, tfan_pictures[index], block) if adaptive else make.norm(hidden, block)
        )
        hidden = make.up_gate(hidden, block)
    hidden = make.convolve(hidden, 1, make.kernels[6], (1, 1), "output_conv")
    if missing:
        hidden = keras.layers.Cropping2D(((0, missing), (0, 0)), name="bins_cut")(hidden)
    hidden = keras.layers.Permute((2, 1, 3), name="output_order")(hidden)
    outputs = keras.layers.Reshape((-1, bins), name="output")(hidden)
    if config.vtln_init:
        outputs = _add_linear_skip(features, outputs, bins)
    return keras.Model(inputs, outputs, name=name)


def _add_linear_skip(features: Any, outputs: Any, bins: int) -> Any:
    """What is learned, and what a generator begins with: one filter for all frames."""
    start = keras.layers.Conv1D(
        bins, LINEAR_SKIP_FRAMES, padding="same", use_bias=False, name=LINEAR_SKIP, trainable=False,
        kernel_initializer=_identity_kernel,
    )  # fmt: skip
    # The level is the start's: learned, it comes in bursts.
    kept = [0.0] + [1.0] * (bins - 1)
    learned = keras.layers.Rescaling(kept, name="but_the_level")(outputs)
    return keras.layers.Add(name="start_add")([start(features), learned])


def _identity_kernel(shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
    """A kernel, (frames, bins, bins), that leaves every frame as it is."""
    at_the_middle = tf.one_hot(shape[0] // 2, shape[0], dtype=dtype)
    return at_the_middle[:, tf.newaxis, tf.newaxis] * tf.eye(shape[1], dtype=dtype)


class _Blocks:
    """Makes what the generators have in common."""

    def __init__(self, name: str, config: NetworkConfig, seed: int) -> None:
        self.config = config
        self.convolve = Convolutions(name, seed, config.padding)  # type: ignore[arg-type]
        self.widths = [config.channels * width for width in config.generator_widths]
        self.kernels = config.generator_kernel_sizes

    def epsilon(self, block: str) -> float:
        """Of a block's norm."""
        up = self.config.up_norm_epsilon if block.startswith("up_") else 0.0
        return up or self.config.norm_epsilon

    def norm(self, hidden: Any, block: str) -> Any:
        """Instance normalisation, affine where the settings say so."""
        affine = self.config.norm_affine == "all" or block.startswith("down_")
        return instance_norm(self.epsilon(block), f"{block}_norm", affine)(hidden)

    def gate(self, hidden: Any, block: str) -> Any:
        """A gated linear unit: half of the channels."""
        return gate("glu", f"{block}_gate")(hidden)

    def up_gate(self, hidden: Any, block: str) -> Any:
        """The gate of an up block."""
        return gate(self.config.gate, f"{block}_gate")(hidden)

    def before_shuffle(self, hidden: Any, index: int, positions: int) -> Any:
        """The convolution of an up block, whose channels become `positions` and go through a gate.

        Args:
            hidden: What comes up.
            index: Of the block, from 1.
            positions: How many the shuffle makes of one.
        """
        channels = positions * self.config.gate_channels * self.widths[3 + index]
        kernel = self.kernels[3 + index]
        return self.convolve(hidden, channels, kernel, (1,) * len(kernel), f"up_{index}_conv")

    def downwards(self, hidden: Any) -> Any:
        """The input's convolution and two blocks of stride 2 on every axis."""
        kernel = self.kernels[0]
        ones, twos = (1,) * len(kernel), (2,) * len(kernel)
        hidden = self.convolve(hidden, 2 * self.widths[0], kernel, ones, "input_conv")
        hidden = self.gate(hidden, "input")
        for index in (1, 2):
            block = f"down_{index}"
            hidden = self.convolve(
                hidden, 2 * self.widths[index], self.kernels[index], twos, f"{block}_conv"
            )
            hidden = self.gate(self.norm(hidden, block), block)
        return hidden

    def residuals(self, hidden: Any) -> Any:
        """The 1-D blocks, each added to its input."""
        kernel = self.kernels[3]
        for index in range(1, self.config.residual_blocks + 1):
            block = f"residual_{index}"
            inner = self.convolve(hidden, 2 * self.widths[3], kernel, (1,), f"{block}_conv")
            inner = self.gate(self.norm(inner, block), block)
            inner = self.convolve(inner, self.widths[2], kernel, (1,), f"{block}_out_conv")
            inner = self.norm(inner, f"{block}_out")
            hidden = keras.layers.Add(name=f"{block}_add")([hidden, inner])
        return hidden

    def tfan(self, hidden: Any, spectrogram: Any, block: str) -> Any:
        """Time-frequency adaptive normalisation: gamma(x) · f + beta(x).

        f is `hidden` after instance normalisation without scale and offset; x the spectrogram that
        went into the generator, brought to f's size (nearest); gamma and beta convolutions of what
        separate convolutions, each with a ReLU behind it, make of x. Gamma's bias begins at one.

        Source: Kaneko et al., 2020, arXiv:2010.11672; ReLU and the bias are SPADE's (Park et al.,
            2019, arXiv:1903.07291), which it is made after.
        """
        config = self.config
        axes = len(hidden.shape) - 2
        kernel, ones = (config.tfan_kernel,) * axes, (1,) * axes
        shape = NearestResize(name=f"{block}_tfan_resize")([spectrogram, hidden])
        for index in range(1, config.tfan_layers + 1):
            inner = f"{block}_tfan_hidden_{index}"
            width = config.channels * config.tfan_width
            shape = self.convolve(shape, width, kernel, ones, f"{inner}_conv")
            shape = keras.layers.ReLU(name=f"{inner}_relu")(shape)
        gamma, beta = (
            self.convolve(shape, hidden.shape[-1], kernel, ones, f"{block}_tfan_{name}", bias=bias)
            for name, bias in (("gamma", 1.0), ("beta", 0.0))
        )
        norm = instance_norm(self.epsilon(block), f"{block}_tfan_norm", affine=False)
        hidden = norm(hidden)
        hidden = keras.layers.Multiply(name=f"{block}_tfan_scale")([gamma, hidden])
        return keras.layers.Add(name=f"{block}_tfan_offset")([hidden, beta])


def set_linear_skip(generator: keras.Model, kernel: np.ndarray) -> None:
    """Has a generator begin close to a linear map, a tenth of its own outputs beside it.

    Args:
        generator: One with `vtln_init`, freshly built.
        kernel: (START_FRAMES, bins, bins), of a convolution over frames.
    """
    generator.get_layer(LINEAR_SKIP).set_weights([kernel])
    output = generator.get_layer("output_conv")
    output.set_weights([0.1 * weight for weight in output.get_weights()])


def linear_skip_output(generator: keras.Model, features: tf.Tensor) -> tf.Tensor:
    """What a generator began with: the features, through its linear map where it has one."""
    names = {layer.name for layer in generator.layers}
    return generator.get_layer(LINEAR_SKIP)(features) if LINEAR_SKIP in names else features

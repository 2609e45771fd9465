"""Parts that the generators share: encoder, decoder, residual blocks and norms."""

from collections.abc import Callable
from typing import Any

import keras

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.layers import (
    Convolutions,
    NearestResize,
    PixelShuffle2D,
    gate,
    instance_norm,
)

BIN_MULTIPLE = 4
"""The 2-1-2-D generators halve the bins twice and double them twice."""


class GeneratorBlocks:
    """Builder of the parts of one generator.

    Args:
        name: Name of the network.
        config: Settings of the networks.
        seed: The run's seed.
    """

    def __init__(self, name: str, config: NetworkConfig, seed: int) -> None:
        self.config = config
        self.convolve = Convolutions(name, seed, config.padding)  # type: ignore[arg-type]
        self.widths = [config.channels * width for width in config.generator_widths]
        self.kernels = config.generator_kernel_sizes

    def encode(self, picture: Any) -> Any:
        """Downsample a picture in 2-D, convert it in 1-D, and widen it for the step back to 2-D.

        Args:
            picture: (batch, bins, frames, channels), bins and frames multiples of 4.

        Returns:
            (batch, frames / 4, channels · bins / 4).
        """
        rows, width = picture.shape[1] // BIN_MULTIPLE, self.widths[2]
        hidden = self.downsample(picture)
        # Bins become channels, channel-major: channel c of row h is channel c · rows + h.
        hidden = keras.layers.Permute((2, 3, 1), name="fold_order")(hidden)
        hidden = keras.layers.Reshape((-1, width * rows), name="fold")(hidden)
        hidden = self.convolve(hidden, width, (1,), (1,), "fold_conv")
        hidden = self.residuals(self.norm(hidden, "fold"))
        return self.convolve(hidden, width * rows, (1,), (1,), "unfold_conv")

    def decode(self, hidden: Any, bins: int, normalize: Callable[[Any, str], Any]) -> Any:
        """Step back from 1-D to 2-D and upsample to features.

        Args:
            hidden: Normalised output of `encode`.
            bins: Bins of the features. Padding behind them is cut.
            normalize: Normalises an up block, given its hidden values and its name.

        Returns:
            (batch, frames, bins).
        """
        width = self.widths[2]
        rows = hidden.shape[-1] // width
        hidden = keras.layers.Reshape((-1, width, rows), name="unfold")(hidden)
        hidden = keras.layers.Permute((3, 1, 2), name="unfold_order")(hidden)
        for index in (1, 2):
            block = f"up_{index}"
            # The shuffle makes a quarter of the channels, and a gated linear unit halves them.
            hidden = self.up_conv(hidden, index, 4)
            hidden = PixelShuffle2D(name=f"{block}_shuffle")(hidden)
            hidden = self.up_gate(normalize(hidden, block), block)
        hidden = self.convolve(hidden, 1, self.kernels[6], (1, 1), "output_conv")
        if missing := -bins % BIN_MULTIPLE:
            hidden = keras.layers.Cropping2D(((0, missing), (0, 0)), name="bins_cut")(hidden)
        hidden = keras.layers.Permute((2, 1, 3), name="output_order")(hidden)
        return keras.layers.Reshape((-1, bins), name="output")(hidden)

    def epsilon(self, block: str) -> float:
        """Return the epsilon of a block's norm."""
        up = self.config.up_norm_epsilon if block.startswith("up_") else 0.0
        return up or self.config.norm_epsilon

    def norm(self, hidden: Any, block: str) -> Any:
        """Normalise each example's channels, with a learned scale where the settings ask for it."""
        affine = self.config.norm_affine == "all" or block.startswith("down_")
        return instance_norm(self.epsilon(block), f"{block}_norm", affine)(hidden)

    def gate(self, hidden: Any, block: str) -> Any:
        """Apply a gated linear unit, which halves the channels."""
        return gate("glu", f"{block}_gate")(hidden)

    def up_gate(self, hidden: Any, block: str) -> Any:
        """Apply the gate of an up block."""
        return gate(self.config.gate, f"{block}_gate")(hidden)

    def up_conv(self, hidden: Any, index: int, positions: int) -> Any:
        """Apply the convolution of an up block, in front of its pixel shuffle.

        Args:
            hidden: Input of the block.
            index: Number of the block, from 1.
            positions: Positions that the shuffle makes out of one.
        """
        channels = positions * self.config.gate_channels * self.widths[3 + index]
        kernel = self.kernels[3 + index]
        return self.convolve(hidden, channels, kernel, (1,) * len(kernel), f"up_{index}_conv")

    def downsample(self, hidden: Any) -> Any:
        """Apply the input's convolution and two blocks of stride 2 on every axis."""
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
        """Apply the 1-D residual blocks."""
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
        """Apply time-frequency adaptive normalisation: gamma(x) · f + beta(x).

        f is `hidden` after instance normalisation without scale and offset. x is the generator's
        input spectrogram, resized to the positions of f (nearest). Convolutions, each followed by
        a ReLU, make a shape out of x, and one more convolution each makes gamma and beta out of
        it. The bias of gamma is one initially.

        Args:
            hidden: (batch, positions…, channels).
            spectrogram: (batch, other positions…, channels) with as many axes.
            block: Name of the block.

        Source: Kaneko et al., 2020, arXiv:2010.11672. ReLU and bias follow SPADE (Park et al.,
            2019, arXiv:1903.07291), on which TFAN is modelled.
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

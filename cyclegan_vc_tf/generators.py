"""Generators: features of one speaker in, features of another out, as many frames."""

from typing import Any

import keras

from cyclegan_vc_tf.config import NetworkConfig
from cyclegan_vc_tf.layers import Convolutions, GatedLinearUnit, PixelShuffle1D, instance_norm

FRAME_MULTIPLE = 4
"""The generators halve the frames twice and double them twice."""


def vc1_generator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """The 1-D generator of CycleGAN-VC.

    Args:
        name: Of the model; with `seed` it decides the initial weights.
        bins: Mel-cepstral coefficients a frame.
        config: Widths, kernels, padding, epsilon.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, frames, bins), frames a multiple of 4.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4.
    """
    convolve = Convolutions(name, seed, config.padding)  # type: ignore[arg-type]
    width_in, *widths_down, width_residual = (
        config.channels * width for width in config.generator_widths[:4]
    )
    widths_up = [config.channels * width for width in config.generator_widths[4:]]
    kernel_in, *kernels_down, kernel_residual = config.generator_kernels[:4]
    *kernels_up, kernel_out = config.generator_kernels[4:]

    def norm(hidden: Any, block: str) -> Any:
        return instance_norm(config.norm_epsilon, f"{block}_norm")(hidden)

    def gate(hidden: Any, block: str) -> Any:
        return GatedLinearUnit(name=f"{block}_gate")(hidden)

    inputs = keras.Input((None, bins), name="features")
    hidden = convolve(inputs, 2 * width_in, (kernel_in,), (1,), "input_conv")
    hidden = gate(hidden, "input")
    for index, (width, kernel) in enumerate(zip(widths_down, kernels_down, strict=True), 1):
        block = f"down_{index}"
        hidden = convolve(hidden, 2 * width, (kernel,), (2,), f"{block}_conv")
        hidden = gate(norm(hidden, block), block)
    for index in range(1, config.residual_blocks + 1):
        block = f"residual_{index}"
        inner = convolve(hidden, 2 * width_residual, (kernel_residual,), (1,), f"{block}_conv")
        inner = gate(norm(inner, block), block)
        inner = convolve(inner, widths_down[-1], (kernel_residual,), (1,), f"{block}_out_conv")
        inner = norm(inner, f"{block}_out")
        hidden = keras.layers.Add(name=f"{block}_add")([hidden, inner])
    for index, (width, kernel) in enumerate(zip(widths_up, kernels_up, strict=True), 1):
        block = f"up_{index}"
        # The shuffle halves the channels and the gate halves them again.
        hidden = convolve(hidden, 4 * width, (kernel,), (1,), f"{block}_conv")
        hidden = PixelShuffle1D(name=f"{block}_shuffle")(hidden)
        hidden = gate(norm(hidden, block), block)
    outputs = convolve(hidden, bins, (kernel_out,), (1,), "output_conv")
    return keras.Model(inputs, outputs, name=name)

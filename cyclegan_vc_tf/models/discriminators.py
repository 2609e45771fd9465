"""Discriminators: scores per patch of how real a speaker's features are."""

from typing import Any

import keras

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.layers import Convolutions, gate, instance_norm, without_autograph

VC1_STRIDES = ((1, 2), (2, 2), (2, 2), (1, 2))
"""Strides, bins by frames, of the four blocks of CycleGAN-VC's discriminator."""

VC2_STRIDES = ((1, 1), (2, 2), (2, 2), (2, 2), (1, 1))
"""Strides, bins by frames, of the five blocks of CycleGAN-VC2's discriminator.

The last block can be left out, as in public code.
"""


@without_autograph
def vc1_discriminator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """Build the 2-D discriminator of CycleGAN-VC: a PatchGAN with one score per patch.

    Args:
        name: Name of the model. It decides the initial weights together with `seed`.
        bins: Values per frame.
        config: Widths, kernels, padding, epsilon, and whether the last layer is a sigmoid.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, rows, columns, 1): with 24 bins and 128 frames, 6 x 8.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4. The figure's sigmoid is left
        out by default, because least squares drive it into saturation.
    """
    convolve = Convolutions(name, seed, config.padding)  # type: ignore[arg-type]
    inputs = keras.Input((None, bins), name="features")
    hidden = _blocks(inputs, bins, convolve, config, VC1_STRIDES)
    scores = keras.layers.Dense(
        1,
        activation="sigmoid" if config.discriminator_sigmoid else None,
        kernel_initializer=convolve.initializer("scores"),
        name="scores",
    )(hidden)
    return keras.Model(inputs, scores, name=name)


@without_autograph
def vc2_discriminator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """Build the PatchGAN of CycleGAN-VC2, CycleGAN-VC3 and MaskCycleGAN-VC.

    Its last layer is a convolution.

    Args:
        name: Name of the model. It decides the initial weights together with `seed`.
        bins: Values per frame.
        config: Widths, kernels, padding, epsilon, and whether the last layer is a sigmoid.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, rows, columns, 1), an eighth of bins and frames: with 36
        bins and 128 frames, 5 x 16.

    Source: Kaneko et al., 2019, arXiv:1904.04631, section 3.3. Kaneko et al., 2020,
        arXiv:2010.11672, changes one kernel, which is in the settings.
    """
    convolve = Convolutions(name, seed, config.padding)  # type: ignore[arg-type]
    inputs = keras.Input((None, bins), name="features")
    strides = VC2_STRIDES[: len(config.discriminator_widths)]
    hidden = _blocks(inputs, bins, convolve, config, strides)
    kernel = config.discriminator_kernel_sizes[-1]
    scores = convolve(hidden, 1, kernel, (1, 1), "scores")
    if config.discriminator_sigmoid:
        scores = keras.layers.Activation("sigmoid", name="sigmoid")(scores)
    return keras.Model(inputs, scores, name=name)


def _blocks(
    inputs: Any,
    bins: int,
    convolve: Convolutions,
    config: NetworkConfig,
    strides: tuple[tuple[int, int], ...],
) -> Any:
    """Apply gated convolutions to features as a picture of one channel.

    The first block has no norm.

    Args:
        inputs: (batch, frames, bins).
        bins: Values per frame.
        convolve: Builder of the network's convolutions.
        config: Settings of the networks.
        strides: Strides of the blocks, bins by frames.
    """
    hidden = keras.layers.Permute((2, 1), name="bins_by_frames")(inputs)
    hidden = keras.layers.Reshape((bins, -1, 1), name="one_channel")(hidden)
    for index, (width, stride) in enumerate(
        zip(config.discriminator_widths, strides, strict=True), 1
    ):
        kernel, block = config.discriminator_kernel_sizes[index - 1], f"block_{index}"
        channels = config.gate_channels * config.channels * width
        hidden = convolve(hidden, channels, kernel, stride, f"{block}_conv")
        if index > 1:
            hidden = instance_norm(config.norm_epsilon, f"{block}_norm")(hidden)
        hidden = gate(config.gate, f"{block}_gate")(hidden)
    return hidden

"""Discriminators: patch scores of how much features sound like a speaker's own."""

import keras

from cyclegan_vc_tf.config import NetworkConfig
from cyclegan_vc_tf.layers import Convolutions, GatedLinearUnit, instance_norm

VC1_STRIDES = ((1, 2), (2, 2), (2, 2), (1, 2))
"""Strides, bins by frames, of the four blocks of CycleGAN-VC's discriminator."""


def vc1_discriminator(name: str, bins: int, config: NetworkConfig, seed: int) -> keras.Model:
    """The 2-D discriminator of CycleGAN-VC: a PatchGAN, one score a patch of the picture.

    Args:
        name: Of the model; with `seed` it decides the initial weights.
        bins: Mel-cepstral coefficients a frame.
        config: Widths, kernels, padding, epsilon, whether a sigmoid ends it.
        seed: The run's seed.

    Returns:
        (batch, frames, bins) → (batch, rows, columns, 1): with 24 bins and 128 frames, 6 x 8.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4; without the sigmoid it draws,
        which least squares drive into saturation.
    """
    convolve = Convolutions(name, seed, config.padding)  # type: ignore[arg-type]
    inputs = keras.Input((None, bins), name="features")
    hidden = keras.layers.Permute((2, 1), name="bins_by_frames")(inputs)
    hidden = keras.layers.Reshape((bins, -1, 1), name="one_channel")(hidden)
    blocks = zip(
        config.discriminator_widths, config.discriminator_kernels, VC1_STRIDES, strict=True
    )
    for index, (width, kernel, stride) in enumerate(blocks, 1):
        rows, _, columns = kernel.partition("x")
        hidden = convolve(
            hidden,
            2 * config.channels * width,
            (int(rows), int(columns)),
            stride,
            f"block_{index}_conv",
        )
        if index > 1:
            hidden = instance_norm(config.norm_epsilon, f"block_{index}_norm")(hidden)
        hidden = GatedLinearUnit(name=f"block_{index}_gate")(hidden)
    scores = keras.layers.Dense(
        1,
        activation="sigmoid" if config.discriminator_sigmoid else None,
        kernel_initializer=convolve.initializer("scores"),
        name="scores",
    )(hidden)
    return keras.Model(inputs, scores, name=name)

"""The family of voice converters: one row a variant."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from cyclegan_vc_tf.config import NetworkConfig, RunConfig
from cyclegan_vc_tf.discriminators import vc1_discriminator
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.generators import FRAME_MULTIPLE, vc1_generator

DIRECTIONS = ("A2B", "B2A")
SPEAKERS = ("A", "B")

Builder = Callable[[str, int, NetworkConfig, int], keras.Model]


@dataclass(frozen=True)
class Variant:
    """What separates one paper from another.

    Attributes:
        paper: Where it was published.
        generator: Builds a generator: name, bins, settings, seed.
        discriminator: Builds a discriminator likewise.
    """

    paper: str
    generator: Builder
    discriminator: Builder


FAMILY = {
    "vc1": Variant(
        paper="Kaneko and Kameoka, 2017, arXiv:1711.11293",
        generator=vc1_generator,
        discriminator=vc1_discriminator,
    ),
}


def check(config: RunConfig) -> None:
    """Refuses settings that no network can be built from.

    Raises:
        InputError: A list of widths or kernels has the wrong length or form, or the crop is no
            multiple of 4 frames.
    """
    network, training = config.network, config.training
    for name, wanted in (
        ("generator_widths", 6),
        ("generator_kernels", 7),
        ("discriminator_widths", 4),
        ("discriminator_kernels", 4),
    ):
        given = getattr(network, name)
        if len(given) != wanted:
            raise InputError(f"--{name} has {len(given)} values; expected {wanted}")
    for kernel in network.discriminator_kernels:
        sides = kernel.split("x")
        if len(sides) != 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
            raise InputError(
                f"--discriminator_kernels has {kernel!r}; expected bins x frames, such as 3x3"
            )
    if training.crop_frames % FRAME_MULTIPLE:
        raise InputError(
            f"--crop_frames is {training.crop_frames}; expected a multiple of {FRAME_MULTIPLE}"
        )


def build_generators(config: RunConfig) -> dict[str, keras.Model]:
    """The generators of a run, by direction."""
    return _build(FAMILY[config.network.variant].generator, "generator", DIRECTIONS, config)


def build_discriminators(config: RunConfig) -> dict[str, keras.Model]:
    """The discriminators of a run, by the speaker whose features they know."""
    return _build(FAMILY[config.network.variant].discriminator, "discriminator", SPEAKERS, config)


def _build(
    build: Builder, kind: str, names: tuple[str, ...], config: RunConfig
) -> dict[str, keras.Model]:
    bins, seed = config.features.mel_cepstra, config.training.seed
    return {name: build(f"{kind}_{name}", bins, config.network, seed) for name in names}

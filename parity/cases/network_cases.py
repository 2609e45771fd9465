"""Generators and discriminators, each beside its twin in PyTorch."""

from dataclasses import replace

import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.models import generators, registry
from parity.cases import twins
from parity.cases.case import DTYPES, Case, Shape, single_input
from parity.cases.pairs import Functions, Networks
from parity.companion.train_step import MAKE_GENERATOR
from parity.companion.vc1 import Discriminator
from parity.companion.vc2 import PatchDiscriminator


def generator(config: NetworkConfig, bins: int) -> Networks:
    """Pair the generators of the settings' variant."""
    make = registry.VARIANTS[config.variant].generator
    return Networks(
        lambda: make("generator", bins, config, 0),
        lambda: MAKE_GENERATOR[config.variant](bins, config),
    )


def discriminator(config: NetworkConfig, bins: int) -> Networks:
    """Pair the discriminators of the settings' variant."""
    make = registry.VARIANTS[config.variant].discriminator
    twin = Discriminator if config.variant == "vc1" else PatchDiscriminator
    return Networks(lambda: make("discriminator", bins, config, 0), lambda: twin(bins, config))


def inputs(config: NetworkConfig, *shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Return shapes of a generator's inputs: features, and a mask if the variant has one."""
    masked = registry.VARIANTS[config.variant].masked
    return tuple((shape, (*shape[:-1], 1)) if masked else (shape,) for shape in shapes)


def networks(name: str, config: NetworkConfig, bins: int) -> list[Case]:
    """Return cases of both networks with these settings."""
    one_axis = config.variant == "vc1"
    long = (1, 130 if one_axis else 38, bins)
    row = registry.VARIANTS[config.variant]
    builders = {"generator": row.generator, "discriminator": row.discriminator}
    return [
        Case(
            f"{kind}, {name}",
            (f"{kind}s.{builders[kind].__name__}",),
            make(config, bins),
            shapes,
            network=True,
            zero_gradients=twins.zero_gradients(config),
        )
        for kind, make, shapes in (
            ("generator", generator, inputs(config, (1, 32, bins), (3, 33, bins), long)),
            (
                "discriminator", discriminator,
                tuple((shape,) for shape in ((1, 16, bins), (3, 33, bins), long)),
            ),
        )
    ]  # fmt: skip


def paper_networks(variant: str) -> list[Case]:
    """Return cases of both networks at the paper's width, on one crop.

    On fewer frames the 1-D norms divide by standard deviations of a few values, and float32 has too
    few digits for the gradients, in either framework. CycleGAN-VC3 has two million ReLUs, and
    inputs of some are within a rounding of zero: they pass in one framework and not in the other.
    Its generator is compared in float64 alone.
    """
    paper = PRESETS[variant]
    bins, frames = paper.features.bins, paper.training.crop_frames
    name = "as in the paper" if variant == "vc1" else f"{variant}, as in the paper"
    generator_case, discriminator_case = networks(name, paper.network, bins)
    shape = (1, frames, bins)
    return [
        replace(
            generator_case,
            shapes=inputs(paper.network, shape),
            dtypes=("float64",) if variant == "vc3" else DTYPES,
            slow=True,
        ),
        replace(discriminator_case, shapes=((shape,),), slow=True),
    ]


def linear_skip_generator(name: str, config: NetworkConfig, bins: int) -> Case:
    """Return a case of a generator that adds its filtered input to its output.

    Input and output have to be of equal length.
    """
    return replace(
        networks(name, replace(config, vtln_init=True), bins)[0],
        shapes=inputs(config, (1, 32, bins), (3, 36, bins)),
    )


def linear_skip(bins: int) -> Functions:
    """Pair the linear skip of a generator, set to a fixed kernel, with torch's convolution."""
    size = (generators.LINEAR_SKIP_FRAMES, bins, bins)
    kernel = np.random.default_rng(0).standard_normal(size)
    config = replace(twins.SMALL, vtln_init=True)

    def ours(features: tf.Tensor) -> tf.Tensor:
        generator = generators.vc1_generator("generator", bins, config, 0)
        generators.set_linear_skip(generator, kernel)
        return generators.linear_skip_output(generator, features)

    def twin(features: torch.Tensor) -> torch.Tensor:
        weight = torch.from_numpy(kernel.transpose(2, 1, 0).copy()).to(features.dtype)
        return F.conv1d(features, weight, padding=size[0] // 2)

    return Functions(ours, twin)


VC2, VC3, MASK = (twins.SMALLER[variant] for variant in ("vc2", "vc3", "mask"))

NETWORKS = [
    *networks("small", twins.SMALL, 24),
    *networks("small, 25 bins", twins.SMALL, 25),
    *networks("small, symmetric padding", replace(twins.SMALL, padding="symmetric"), 24),
    *networks(
        "small, other kernels, widths and epsilon",
        replace(
            twins.SMALL,
            generator_kernels=("5", "4", "6", "5", "3", "4", "7"),
            generator_widths=(2, 1, 3, 2, 1, 4),
            discriminator_kernels=("5x4", "4x3", "3x5", "2x2"),
            discriminator_widths=(2, 1, 3, 2),
            norm_epsilon=1e-3,
        ),
        24,
    ),
    *networks("small, as a public PyTorch port", twins.as_public(twins.SMALL), 24),
    linear_skip_generator("small, with a linear skip", twins.SMALL, 24),
    Case(
        "output of a linear skip",
        ("generators.linear_skip_output", "generators.set_linear_skip"),
        linear_skip(5),
        single_input((1, 32, 5), (3, 33, 5), (1, 38, 5)),
    ),
    networks("small, sigmoid", replace(twins.SMALL, discriminator_sigmoid=True), 24)[1],
    *networks("vc2, small, 24 bins", VC2, 24),
    *networks("vc2, small, 34 bins", VC2, 34),
    linear_skip_generator("vc2, small, with a linear skip", VC2, 25),
    *networks("vc2, small, symmetric padding", replace(VC2, padding="symmetric"), 24),
    *networks(
        "vc2, small, other kernels, widths and epsilon",
        replace(
            VC2,
            generator_kernels=("3x5", "4x3", "5x4", "4", "3x4", "2x3", "4x5"),
            generator_widths=(2, 1, 3, 2, 1, 4),
            discriminator_kernels=("5x4", "4x3", "3x5", "2x2", "2x3", "3x2"),
            discriminator_widths=(2, 1, 3, 2, 1),
            norm_epsilon=1e-3,
        ),
        24,
    ),
    *networks("vc2, small, as public code", twins.as_public(VC2), 24),
    *networks("vc1, small, SiLU", replace(twins.SMALL, gate="silu"), 24),
    networks("vc2, small, sigmoid", replace(VC2, discriminator_sigmoid=True), 24)[1],
    *networks("vc3, small, 22 bins", VC3, 22),
    networks(
        "vc3, small, other TFAN",
        replace(VC3, tfan_layers=2, tfan_kernel=4, tfan_width=2, padding="symmetric"),
        24,
    )[0],
    networks("mask, small, 21 bins", MASK, 21)[0],
    *(case for variant in PRESETS for case in paper_networks(variant)),
]  # fmt: skip
"""All networks. MaskCycleGAN-VC's discriminator is that of CycleGAN-VC2."""

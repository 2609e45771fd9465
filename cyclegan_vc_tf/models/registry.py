"""Registry of the variants: one row per paper, and the networks of a run."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.models.discriminators import vc1_discriminator, vc2_discriminator
from cyclegan_vc_tf.models.generators import (
    mask_generator,
    vc1_generator,
    vc2_generator,
    vc3_generator,
)
from cyclegan_vc_tf.system import device
from cyclegan_vc_tf.system.errors import InputError

TWO_STEP_DISCRIMINATORS = ("cycled_A", "cycled_B")
"""Discriminators of the two-step adversarial loss, which score cycled features."""

UNCHECKED_WEIGHTS = 2**30
"""Rough number of weights of a network's widest layers below which all fit into any memory."""

Builder = Callable[[str, int, NetworkConfig, int], keras.Model]
"""Function of name, bins, settings and seed that returns a network."""


@dataclass(frozen=True)
class Variant:
    """Networks and losses of one paper. Its default settings are a row of `presets.PRESETS`.

    Attributes:
        paper: Citation.
        generator: Builds a generator.
        discriminator: Builds a discriminator.
        two_step: Whether the adversarial loss has two steps: cycled features are scored too, by
            discriminators of their own.
        masked: Whether frames are hidden from the generators, which fill them in.
        optional_block: Whether a discriminator's last block can be left out, as in public code.
        own_settings: Names of settings that only some variants have.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> [name for name, variant in vc.VARIANTS.items() if variant.two_step]
        ['vc2', 'vc3', 'mask']
    """

    paper: str
    generator: Builder
    discriminator: Builder
    two_step: bool = False
    masked: bool = False
    optional_block: bool = False
    own_settings: tuple[str, ...] = ()


VARIANTS = {
    "vc1": Variant(
        paper="Kaneko and Kameoka, 2017, arXiv:1711.11293",
        generator=vc1_generator,
        discriminator=vc1_discriminator,
        own_settings=("vtln_init", "inca_iterations"),
    ),
    "vc2": Variant(
        paper="Kaneko, Kameoka, Tanaka and Hojo, 2019, arXiv:1904.04631",
        generator=vc2_generator,
        discriminator=vc2_discriminator,
        two_step=True,
        optional_block=True,
        own_settings=("vtln_init", "inca_iterations"),
    ),
    "vc3": Variant(
        paper="Kaneko, Kameoka, Tanaka and Hojo, 2020, arXiv:2010.11672",
        generator=vc3_generator,
        discriminator=vc2_discriminator,
        two_step=True,
        optional_block=True,
        own_settings=("tfan_layers", "tfan_kernel", "tfan_width"),
    ),
    "mask": Variant(
        paper="Kaneko, Kameoka, Tanaka and Hojo, 2021, arXiv:2102.12841",
        generator=mask_generator,
        discriminator=vc2_discriminator,
        two_step=True,
        masked=True,
        optional_block=True,
        own_settings=("mask_fraction",),
    ),
}
"""Variants by the value of `--variant`."""

FAMILY = VARIANTS
"""Name of `VARIANTS` in the public API: the papers of the CycleGAN-VC family."""


def validate_config(config: RunConfig) -> None:
    """Refuse settings that no run can be trained with.

    Raises:
        InputError: The variant is unknown, a setting belongs to another variant, or
            `RunConfig.validate` refuses the settings.
    """
    _refuse_unknown(name := config.network.variant)
    variant, default = VARIANTS[name], RunConfig()
    values = {**vars(config.network), **vars(config.training)}
    defaults = {**vars(default.network), **vars(default.training)}
    for other, row in VARIANTS.items():
        for setting in row.own_settings:
            if setting not in variant.own_settings and values[setting] != defaults[setting]:
                raise InputError(
                    f"--{setting} is {values[setting]}, and {name} does not have it; leave it out, "
                    f"or choose --variant={other}"
                )
    config.validate(PRESETS[name], variant.optional_block)


def validate_networks(network: NetworkConfig) -> None:
    """Refuse settings that no networks can be built with.

    Raises:
        InputError: The variant is unknown, or a list of widths or kernels does not have its form.
    """
    _refuse_unknown(network.variant)
    variant = VARIANTS[network.variant]
    network.validate(PRESETS[network.variant].network, variant.optional_block)


def _refuse_unknown(variant: str) -> None:
    """Refuse a variant that is not in the table."""
    if variant not in VARIANTS:
        raise InputError(f"--variant is {variant:.100}; expected one of {', '.join(VARIANTS)}")


def network_names(config: RunConfig) -> list[str]:
    """Return the names of all networks of a run: generator_A2B, discriminator_A and so on.

    The discriminators of the second step, which score cycled features, are discriminator_cycled_A
    and discriminator_cycled_B.
    """
    discriminators = (
        (*SPEAKERS, *TWO_STEP_DISCRIMINATORS)
        if VARIANTS[config.network.variant].two_step
        else SPEAKERS
    )
    return [f"generator_{direction}" for direction in Direction] + [
        f"discriminator_{name}" for name in discriminators
    ]


def build_networks(config: RunConfig, names: Sequence[str] | None = None) -> dict[str, keras.Model]:
    """Build networks of a run.

    Args:
        config: Settings of the run.
        names: Names of the networks; by default all.

    Returns:
        Networks by name.

    Raises:
        InputError: The networks have more parameters than fit into the memory.
    """
    if tf.executing_eagerly():
        _refuse_too_large(config)
    # The first variable of a network begins TensorFlow's use of a GPU.
    device.configure_gpu()
    bins, network, seed = config.features.bins, config.network, config.training.seed
    variant = VARIANTS[network.variant]
    builders = {"generator": variant.generator, "discriminator": variant.discriminator}
    return {
        name: builders[name.split("_")[0]](name, bins, network, seed)
        for name in (network_names(config) if names is None else names)
    }


def _refuse_too_large(config: RunConfig) -> None:
    """Refuse networks with more parameters than the machine's memory holds."""
    network = config.network
    widest = network.channels * max(*network.generator_widths, *network.discriminator_widths)
    sizes = network.generator_kernel_sizes + network.discriminator_kernel_sizes
    if widest**2 * max(map(math.prod, sizes)) * (1 + network.residual_blocks) < UNCHECKED_WEIGHTS:
        return
    # Networks without values take no memory.
    with stack.without_values():
        names = ("generator_A2B", "discriminator_A")
        count = sum(model.count_params() for model in build_networks(config, names).values())
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * count > memory_bytes:
        raise InputError(
            f"generator and discriminator have {count:,} parameters of 4 bytes, more than the "
            f"{memory_bytes:,} bytes of memory; choose a smaller --channels, narrower "
            "--generator_widths and --discriminator_widths, or smaller kernels"
        )


def build_generators(config: RunConfig) -> dict[Direction, keras.Model]:
    """Build the generators of a run, by direction."""
    return {Direction(name): model for name, model in _build_all("generator_", config).items()}


def build_discriminators(config: RunConfig) -> dict[str, keras.Model]:
    """Build the discriminators of a run, by the features that they score, such as cycled_A."""
    return _build_all("discriminator_", config)


def _build_all(prefix: str, config: RunConfig) -> dict[str, keras.Model]:
    """Build the networks whose names begin with `prefix`, by the rest of the name."""
    names = [name for name in network_names(config) if name.startswith(prefix)]
    return {
        name.removeprefix(prefix): model for name, model in build_networks(config, names).items()
    }

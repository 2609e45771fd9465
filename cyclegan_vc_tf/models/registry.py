"""The family of voice converters: one row a variant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import keras

from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models.discriminators import vc1_discriminator, vc2_discriminator
from cyclegan_vc_tf.models.generators import FRAME_MULTIPLE, vc1_generator, vc2_generator
from cyclegan_vc_tf.system.errors import InputError

TWO_STEP_DISCRIMINATORS = ("cycled_A", "cycled_B")
"""The discriminators of the two-step adversarial loss, which judge cycled features."""

Builder = Callable[[str, int, NetworkConfig, int], keras.Model]


@dataclass(frozen=True)
class Variant:
    """What separates one paper from another.

    Attributes:
        paper: Where it was published.
        generator: Builds a generator: name, bins, settings, seed.
        discriminator: Builds a discriminator likewise.
        two_step: Whether cycled features are judged too, by discriminators of their own.
        masked: Whether frames are blanked, and filled in by the generators.
        optional_block: Whether a discriminator's last block can be left out, as public code does.
        own: Settings that not every variant has.
    """

    paper: str
    generator: Builder
    discriminator: Builder
    two_step: bool = False
    masked: bool = False
    optional_block: bool = False
    own: tuple[str, ...] = ()


VARIANTS = {
    "vc1": Variant(
        paper="Kaneko and Kameoka, 2017, arXiv:1711.11293",
        generator=vc1_generator,
        discriminator=vc1_discriminator,
        own=("vtln_init", "inca_iterations"),
    ),
    "vc2": Variant(
        paper="Kaneko, Kameoka, Tanaka and Hojo, 2019, arXiv:1904.04631",
        generator=vc2_generator,
        discriminator=vc2_discriminator,
        two_step=True,
        optional_block=True,
        own=("vtln_init", "inca_iterations"),
    ),
    "vc3": Variant(
        paper="Kaneko, Kameoka, Tanaka and Hojo, 2020, arXiv:2010.11672",
        generator=partial(vc2_generator, adaptive=True),
        discriminator=vc2_discriminator,
        two_step=True,
        optional_block=True,
        own=("tfan_layers", "tfan_kernel", "tfan_width"),
    ),
    "mask": Variant(
        paper="Kaneko, Kameoka, Tanaka and Hojo, 2021, arXiv:2102.12841",
        generator=partial(vc2_generator, masked=True),
        discriminator=vc2_discriminator,
        two_step=True,
        optional_block=True,
        masked=True,
        own=("mask_fraction",),
    ),
}
"""Their settings are `presets.PRESETS`."""


def validate_config(config: RunConfig) -> None:
    """Refuses settings that no network can be built from.

    Raises:
        InputError: A list of widths or kernels has another length or form than the paper's, or
            the crop is no multiple of 4 frames, or a setting is another variant's.
    """
    network, training = config.network, config.training
    paper = PRESETS[network.variant].network
    if VARIANTS[network.variant].optional_block and _omits_last_block(network, paper):
        widths, kernels = paper.discriminator_widths, paper.discriminator_kernels
        paper = replace(
            paper,
            discriminator_widths=widths[:-1],
            discriminator_kernels=(*kernels[:-2], kernels[-1]),
        )
    for name in (
        "generator_widths", "generator_kernels", "discriminator_widths", "discriminator_kernels"
    ):  # fmt: skip
        given, wanted = getattr(network, name), getattr(paper, name)
        said = f"of {network.variant}, such as {','.join(map(str, wanted))}"
        if len(given) != len(wanted):
            raise InputError(f"--{name} has {len(given)} values; expected the {len(wanted)} {said}")
        if name.endswith("kernels") and _kernel_axes(given) != _kernel_axes(wanted):
            raise InputError(f"--{name} is {','.join(given)}; expected the form {said}")
    default, given_of = RunConfig(), {**vars(network), **vars(training)}
    defaults = {**vars(default.network), **vars(default.training)}
    known = VARIANTS[network.variant].own
    for other, variant in VARIANTS.items():
        for name in variant.own:
            if name not in known and given_of[name] != defaults[name]:
                raise InputError(
                    f"--{name} is {given_of[name]}, and {network.variant} has none; leave it out, "
                    f"or choose --variant={other}"
                )
    if network.vtln_init and config.features.spectra != "mel_cepstra":
        raise InputError(
            "--vtln_init stretches the envelopes of mel-cepstra, and --spectra is "
            f"{config.features.spectra}; leave one of them out"
        )
    if training.inca_iterations and not network.vtln_init:
        raise InputError(
            f"--inca_iterations is {training.inca_iterations}, and there is no stretch to begin "
            "with; give --vtln_init too, or leave it out"
        )
    if training.crop_frames % FRAME_MULTIPLE:
        raise InputError(
            f"--crop_frames is {training.crop_frames}; expected a multiple of {FRAME_MULTIPLE}"
        )
    if (hidden := config.augmentation.augment_mask_frames) >= training.crop_frames:
        raise InputError(
            f"--augment_mask_frames is {hidden}; expected fewer than the {training.crop_frames} of "
            "a crop"
        )


def _omits_last_block(network: NetworkConfig, paper: NetworkConfig) -> bool:
    return len(network.discriminator_widths) == len(paper.discriminator_widths) - 1


def _kernel_axes(kernels: tuple[str, ...]) -> list[int]:
    """How many sizes each kernel has; -1 for one that is no positive number."""
    return [
        len(sides) if all(side.isdecimal() and int(side) > 0 for side in sides) else -1
        for sides in (kernel.split("x") for kernel in kernels)
    ]


def network_names(config: RunConfig) -> list[str]:
    """Of all networks of a run: generator_A2B, generator_B2A, discriminator_A and so on.

    The discriminators of the second step, who judge cycled features, are discriminator_cycled_A
    and discriminator_cycled_B.
    """
    discriminators = (
        (*SPEAKERS, *TWO_STEP_DISCRIMINATORS)
        if VARIANTS[config.network.variant].two_step
        else SPEAKERS
    )
    return [f"generator_{each}" for each in Direction] + [
        f"discriminator_{name}" for name in discriminators
    ]


def build_networks(config: RunConfig, names: Sequence[str] | None = None) -> dict[str, keras.Model]:
    """Networks of a run by name, by default all."""
    bins, network, seed = config.features.bins, config.network, config.training.seed
    variant = VARIANTS[network.variant]
    builders = {"generator": variant.generator, "discriminator": variant.discriminator}
    return {
        name: builders[name.split("_")[0]](name, bins, network, seed)
        for name in (network_names(config) if names is None else names)
    }


def build_generators(config: RunConfig) -> dict[Direction, keras.Model]:
    """The generators of a run, by direction."""
    return {Direction(name): model for name, model in _build_all("generator_", config).items()}


def build_discriminators(config: RunConfig) -> dict[str, keras.Model]:
    """The discriminators of a run, by the speaker whose features they know."""
    return _build_all("discriminator_", config)


def _build_all(prefix: str, config: RunConfig) -> dict[str, keras.Model]:
    names = [name for name in network_names(config) if name.startswith(prefix)]
    return {
        name.removeprefix(prefix): model for name, model in build_networks(config, names).items()
    }

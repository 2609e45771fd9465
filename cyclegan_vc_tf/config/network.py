"""Settings of the networks; each field is a flag."""

from dataclasses import dataclass, replace

from cyclegan_vc_tf.config.settings import GIVEN_WITH_FLAGS, setting
from cyclegan_vc_tf.system.errors import InputError

FRAME_MULTIPLE = 4
"""Frames of a generator's input are a multiple of it: they are halved twice and doubled twice."""


MAX_KERNEL_SIDE = 999
"""Largest size of a kernel, in frames or bins."""

MAX_CHANNELS = 65_536
"""Largest base number of channels."""

MAX_WIDTH = 1024
"""Largest width as a multiple of the base number of channels."""


@dataclass(frozen=True)
class NetworkConfig:
    """Generators and discriminators. Channels are counted behind the gate.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.preset("mask").network.generator_kernels
        ('5x15', '5x5', '5x5', '3', '5x5', '5x5', '5x15')
    """

    variant: str = setting(
        "vc1",
        "Paper that networks, losses and default settings follow.",
        choices=GIVEN_WITH_FLAGS,
    )
    channels: int = setting(
        128, "Base number of channels; all widths are multiples of it.", minimum=1,
        maximum=MAX_CHANNELS,
    )  # fmt: skip
    generator_widths: tuple[int, ...] = setting(
        (1, 2, 4, 8, 4, 2),
        "Widths of a generator as multiples of --channels: input, two down blocks, inside the "
        "residual blocks, two up blocks.",
        minimum=1,
        maximum=MAX_WIDTH,
    )
    generator_kernels: tuple[str, ...] = setting(
        ("15", "5", "5", "3", "5", "5", "15"),
        "Kernel sizes of a generator, in frames or bins x frames: input, two down blocks, residual "
        "blocks, two up blocks, output.",
    )
    residual_blocks: int = setting(
        6, "Number of residual blocks of a generator.", minimum=0, maximum=1000
    )
    discriminator_widths: tuple[int, ...] = setting(
        (1, 2, 4, 8),
        "Widths of a discriminator's blocks as multiples of --channels.",
        minimum=1,
        maximum=MAX_WIDTH,
    )
    discriminator_kernels: tuple[str, ...] = setting(
        ("3x3", "3x3", "3x3", "6x3"),
        "Kernel sizes of a discriminator's blocks, bins x frames. vc2, vc3 and mask have one more, "
        "for the last convolution.",
    )
    tfan_layers: int = setting(
        3, "Number of hidden convolutions of a TFAN; vc3 alone has TFANs.", minimum=1, maximum=100
    )
    tfan_kernel: int = setting(
        5, "Kernel size of a TFAN's convolutions; vc3 alone has TFANs.", minimum=1,
        maximum=MAX_KERNEL_SIDE,
    )  # fmt: skip
    tfan_width: int = setting(
        1, "Width of a TFAN as a multiple of --channels; vc3 alone has TFANs.", minimum=1,
        maximum=MAX_WIDTH,
    )  # fmt: skip
    padding: str = setting(
        "same",
        "Padding of convolutions: same, as TensorFlow pads, or symmetric, as public PyTorch "
        "implementations pad.",
        choices=("same", "symmetric"),
    )
    norm_epsilon: float = setting(
        1e-6, "Epsilon of instance normalisation.", minimum=0.0, maximum=1.0
    )
    up_norm_epsilon: float = setting(
        0.0,
        "Epsilon of the norms behind pixel shuffles; 0 means --norm_epsilon.",
        minimum=0.0,
        maximum=1.0,
    )
    norm_affine: str = setting(
        "all",
        "Instance norms of a generator that have a learned scale and offset: all, as in "
        "TensorFlow, or down, the down blocks alone, as in one public PyTorch implementation.",
        choices=("all", "down"),
    )
    gate: str = setting(
        "glu",
        "Gate of a generator's up blocks and of the discriminators: glu, where half of the "
        "channels gates the other half, or silu, x · sigmoid(x), as in public PyTorch code.",
        choices=("glu", "silu"),
    )
    vtln_init: bool = setting(
        False,
        "Add the generator's input to its output, with the frequency axis warped by the vocal "
        "tract length ratio and smoothed, so that words are intelligible from the first step; vc1 "
        "and vc2 alone.",
    )
    discriminator_sigmoid: bool = setting(
        False, "End a discriminator with a sigmoid, as drawn in the 2017 paper."
    )

    @property
    def gate_channels(self) -> int:
        """Channels that the gate of an up block or of a discriminator turns into one."""
        return 2 if self.gate == "glu" else 1

    @property
    def generator_kernel_sizes(self) -> list[tuple[int, ...]]:
        """Kernel sizes of a generator as numbers: (frames,) or (bins, frames)."""
        return [_parse_kernel(kernel) for kernel in self.generator_kernels]

    @property
    def discriminator_kernel_sizes(self) -> list[tuple[int, ...]]:
        """Kernel sizes of a discriminator as numbers: (bins, frames)."""
        return [_parse_kernel(kernel) for kernel in self.discriminator_kernels]

    def validate(self, preset: "NetworkConfig", optional_block: bool = False) -> None:
        """Refuse widths and kernels that do not have the form of the variant's preset.

        Args:
            preset: Networks of the variant's paper.
            optional_block: Whether a discriminator's last block can be left out.

        Raises:
            InputError: A list of widths or kernels has another length or form than the preset's.
        """
        blocks = len(preset.discriminator_widths)
        if optional_block and len(self.discriminator_widths) == blocks - 1:
            preset = _omit_last_block(preset)
        for name in (
            "generator_widths", "generator_kernels", "discriminator_widths", "discriminator_kernels"
        ):  # fmt: skip
            received, expected = getattr(self, name), getattr(preset, name)
            example = f"of {self.variant}, such as {','.join(map(str, expected))}"
            if len(received) != len(expected):
                raise InputError(
                    f"--{name} has {len(received)} values; expected the {len(expected)} {example}"
                )
            if name.endswith("kernels") and _count_axes(received) != _count_axes(expected):
                raise InputError(f"--{name} is {','.join(received)}; expected the form {example}")


def _parse_kernel(kernel: str) -> tuple[int, ...]:
    """Return the sizes of a kernel such as `5x15`."""
    return tuple(int(side) for side in kernel.split("x"))


def _omit_last_block(network: NetworkConfig) -> NetworkConfig:
    """Return the settings without a discriminator's last block, as in public code."""
    widths, kernels = network.discriminator_widths, network.discriminator_kernels
    return replace(
        network,
        discriminator_widths=widths[:-1],
        discriminator_kernels=(*kernels[:-2], kernels[-1]),
    )


def _is_kernel_side(side: str) -> bool:
    """Return whether a text is a size of a kernel, in frames or bins."""
    is_number = side.isdecimal() and len(side) <= len(str(MAX_KERNEL_SIDE))
    return is_number and 0 < int(side) <= MAX_KERNEL_SIDE


def _count_axes(kernels: tuple[str, ...]) -> list[int]:
    """Count the axes of each kernel; -1 for one with a side that is not from 1 to the maximum."""
    return [
        len(sides) if all(map(_is_kernel_side, sides)) else -1
        for sides in (kernel.split("x") for kernel in kernels)
    ]

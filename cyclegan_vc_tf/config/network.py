"""Settings of the networks; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.settings import setting


@dataclass(frozen=True)
class NetworkConfig:
    """Generators and discriminators. Channels are counted after the gate."""

    variant: str = setting(
        "vc1",
        "Which paper's networks and losses; settings that are not given are that paper's.",
        choices=("vc1", "vc2", "vc3", "mask"),
    )
    channels: int = setting(128, "Base number of channels; all widths are multiples.", minimum=1)
    generator_widths: tuple[int, ...] = setting(
        (1, 2, 4, 8, 4, 2),
        "Multiples of --channels: input, two down blocks, inside the residual blocks, two up "
        "blocks.",
        minimum=1,
    )
    generator_kernels: tuple[str, ...] = setting(
        ("15", "5", "5", "3", "5", "5", "15"),
        "Kernel sizes, in frames or bins x frames: input, two down blocks, residual blocks, two "
        "up blocks, output.",
    )
    residual_blocks: int = setting(6, "Residual blocks of a generator.", minimum=0)
    discriminator_widths: tuple[int, ...] = setting(
        (1, 2, 4, 8), "Multiples of --channels of the blocks of a discriminator.", minimum=1
    )
    discriminator_kernels: tuple[str, ...] = setting(
        ("3x3", "3x3", "3x3", "6x3"),
        "Kernel sizes of the blocks of a discriminator, bins x frames; of vc2, vc3 and mask also "
        "that of its last convolution.",
    )
    tfan_layers: int = setting(3, "vc3: hidden convolutions of a TFAN.", minimum=1)
    tfan_kernel: int = setting(5, "vc3: kernel of a TFAN's convolutions.", minimum=1)
    tfan_width: int = setting(1, "vc3: multiple of --channels inside a TFAN.", minimum=1)
    padding: str = setting(
        "same",
        "Padding of convolutions: same, as TensorFlow pads, or symmetric, as public PyTorch "
        "implementations do.",
        choices=("same", "symmetric"),
    )
    norm_epsilon: float = setting(1e-6, "Epsilon of instance normalisation.", minimum=0.0)
    up_norm_epsilon: float = setting(
        0.0,
        "That of the norms behind pixel shuffles, where it is another; 0 is the same.",
        minimum=0.0,
    )
    norm_affine: str = setting(
        "all",
        "Which instance norms of a generator have a learned scale and offset: all, as in "
        "TensorFlow, or those of the down blocks alone, as one public PyTorch implementation.",
        choices=("all", "down"),
    )
    gate: str = setting(
        "glu",
        "Of a generator's up blocks and of the discriminators: glu, half of the channels gating "
        "the others, or silu, x · sigmoid(x), as public PyTorch code has it there.",
        choices=("glu", "silu"),
    )
    vtln_init: bool = setting(
        False,
        "vc1, vc2: add to a generator's output its input, stretched on the frequency axis by what "
        "the vocal tracts differ, and smoothed, so that words are there from the first step.",
    )
    discriminator_sigmoid: bool = setting(
        False, "Put a sigmoid behind a discriminator, as the 2017 paper draws it."
    )

    @property
    def gate_channels(self) -> int:
        """How many channels a gate of an up block, or of a discriminator, makes one of."""
        return 2 if self.gate == "glu" else 1

    @property
    def generator_kernel_sizes(self) -> list[tuple[int, ...]]:
        """As numbers: (frames,) or (bins, frames)."""
        return [_numbers(kernel) for kernel in self.generator_kernels]

    @property
    def discriminator_kernel_sizes(self) -> list[tuple[int, ...]]:
        """As numbers: (bins, frames)."""
        return [_numbers(kernel) for kernel in self.discriminator_kernels]


def _numbers(kernel: str) -> tuple[int, ...]:
    return tuple(int(side) for side in kernel.split("x"))

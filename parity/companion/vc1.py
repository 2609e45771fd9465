"""CycleGAN-VC's networks in PyTorch, written from the papers, channels first.

Shapes are (batch, channels, frames) and (batch, channels, bins, frames).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.generators import LINEAR_SKIP_FRAMES


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros that TensorFlow's SAME adds before and after an axis.

    Their sum is max((ceil(size / stride) - 1) · stride + kernel - size, 0). The smaller half is
    before the axis.

    Source: TensorFlow's documentation of `tf.nn.convolution`.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Conv(nn.Module):
    """A convolution over one or two axes, padded as by TensorFlow or by public PyTorch code.

    Args:
        kind: `nn.Conv1d` or `nn.Conv2d`.
        channels: Input and output channels.
        kernel: Size of the kernel per axis.
        stride: Stride per axis.
        padding: "same" for TensorFlow's zeros. "symmetric" for ceil((kernel - stride) / 2) zeros on
            both sides, and a last position removed for an even kernel at stride 1.
    """

    def __init__(
        self,
        kind: type[nn.Conv1d] | type[nn.Conv2d],
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: str,
    ) -> None:
        super().__init__()
        self.symmetric = padding == "symmetric"
        zeros = [max(0, -(-(k - s) // 2)) for k, s in zip(kernel, stride, strict=True)]
        convolution = kind(
            *channels, tuple(kernel), tuple(stride), padding=tuple(zeros) if self.symmetric else 0
        )
        # As this module's own parameters they have names such as `down.0.conv.weight`.
        self.weight, self.bias = convolution.weight, convolution.bias
        self.kernel, self.stride, self.zeros = tuple(kernel), tuple(stride), tuple(zeros)
        self.convolve = F.conv1d if kind is nn.Conv1d else F.conv2d

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (batch, channels, positions…)."""
        if self.symmetric:
            outputs = self.convolve(inputs, self.weight, self.bias, self.stride, self.zeros)
            for axis, (kernel, stride) in enumerate(zip(self.kernel, self.stride, strict=True), 2):
                if stride == 1 and kernel % 2 == 0:
                    outputs = outputs.narrow(axis, 0, outputs.shape[axis] - 1)
            return outputs
        zeros: list[int] = []
        # F.pad counts its axes from the last.
        for size, kernel, stride in zip(inputs.shape[2:], self.kernel, self.stride, strict=True):
            zeros[:0] = same_padding(size, kernel, stride)
        return self.convolve(F.pad(inputs, zeros), self.weight, self.bias, self.stride)


class LinearSkip(nn.Conv1d):
    """A frozen filter over frames beside a generator."""

    def __init__(self, bins: int) -> None:
        super().__init__(bins, bins, LINEAR_SKIP_FRAMES, padding="same", bias=False)

    def add_to(self, learned: Tensor, features: Tensor) -> Tensor:
        """Add filtered features to the generator's output.

        Of the first bin, the level, the filtered features alone are kept.
        """
        learned = torch.cat([torch.zeros_like(learned[:, :1]), learned[:, 1:]], dim=1)
        return learned + self(features)


class PixelShuffle1d(nn.Module):
    """A pixel shuffle to twice the frames, block-major as `tf.nn.depth_to_space`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Shuffle (batch, channels, frames) → (batch, channels / 2, 2 · frames)."""
        batch, channels, frames = inputs.shape
        blocks = inputs.view(batch, 2, channels // 2, frames)
        return blocks.permute(0, 2, 3, 1).reshape(batch, channels // 2, 2 * frames)


def gate(kind: str, inputs: Tensor) -> Tensor:
    """Apply a gated linear unit, which halves the channels, or x · sigmoid(x)."""
    return F.glu(inputs, dim=1) if kind == "glu" else inputs * torch.sigmoid(inputs)


class Gated(nn.Module):
    """Convolution, pixel shuffle if `shuffle`, instance norm, gate."""

    def __init__(
        self, conv: Conv, norm: nn.Module, shuffle: bool = False, kind: str = "glu"
    ) -> None:
        super().__init__()
        self.conv, self.norm, self.kind = conv, norm, kind
        self.shuffle = PixelShuffle1d() if shuffle else nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply all layers. A gated linear unit halves the channels."""
        return gate(self.kind, self.norm(self.shuffle(self.conv(inputs))))


class Residual(nn.Module):
    """A residual block: convolution, norm, GLU, convolution and norm, plus the input."""

    def __init__(self, conv: Conv, norm: nn.Module, out_conv: Conv, out_norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.out_conv, self.out_norm = conv, norm, out_conv, out_norm

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, frames) to an output of equal shape."""
        hidden = F.glu(self.norm(self.conv(inputs)), dim=1)
        return inputs + self.out_norm(self.out_conv(hidden))


class Generator(nn.Module):
    """The 1-D generator: (batch, bins, frames) → (batch, bins, frames), frames a multiple of 4.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4.
    """

    def __init__(self, bins: int, config: NetworkConfig) -> None:
        super().__init__()
        c = [config.channels * width for width in config.generator_widths]
        k = config.generator_kernel_sizes

        def conv(fan_in: int, fan_out: int, kernel: tuple[int, ...], stride: int = 1) -> Conv:
            return Conv(nn.Conv1d, (fan_in, fan_out), kernel, (stride,), config.padding)

        everywhere = config.norm_affine == "all"
        wide = 2 if config.gate == "glu" else 1

        def norm(channels: int, affine: bool = everywhere) -> nn.Module:
            return nn.InstanceNorm1d(channels, eps=config.norm_epsilon, affine=affine)

        def up(fan_in: int, width: int, kernel: tuple[int, ...]) -> Gated:
            epsilon = config.up_norm_epsilon or config.norm_epsilon
            behind = nn.InstanceNorm1d(wide * width, eps=epsilon, affine=everywhere)
            return Gated(conv(fan_in, 2 * wide * width, kernel), behind, True, config.gate)

        self.input_conv = conv(bins, 2 * c[0], k[0])
        self.down = nn.ModuleList(
            [
                Gated(conv(c[0], 2 * c[1], k[1], stride=2), norm(2 * c[1], True)),
                Gated(conv(c[1], 2 * c[2], k[2], stride=2), norm(2 * c[2], True)),
            ]
        )
        self.residual = nn.ModuleList(
            [
                Residual(
                    conv(c[2], 2 * c[3], k[3]), norm(2 * c[3]), conv(c[3], c[2], k[3]), norm(c[2])
                )
                for _ in range(config.residual_blocks)
            ]
        )
        self.up = nn.ModuleList([up(c[2], c[4], k[4]), up(c[4], c[5], k[5])])
        self.output_conv = conv(c[5], bins, k[6])
        self.linear_skip = LinearSkip(bins) if config.vtln_init else None

    def forward(self, features: Tensor) -> Tensor:
        """Convert (batch, bins, frames)."""
        hidden = F.glu(self.input_conv(features), dim=1)
        for block in (*self.down, *self.residual, *self.up):
            hidden = block(hidden)
        outputs = self.output_conv(hidden)
        return outputs if self.linear_skip is None else self.linear_skip.add_to(outputs, features)


class Discriminator(nn.Module):
    """The 2-D PatchGAN: (batch, bins, frames) → (batch, 1, rows, columns) of scores.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, figure 4.
    """

    def __init__(self, bins: int, config: NetworkConfig) -> None:
        super().__init__()
        self.sigmoid = config.discriminator_sigmoid
        strides = [(1, 2), (2, 2), (2, 2), (1, 2)]
        channels = 1
        blocks: list[nn.Module] = []
        for width, kernel, stride in zip(
            config.discriminator_widths, config.discriminator_kernel_sizes, strides, strict=True
        ):
            out = config.channels * width
            wide = 2 * out if config.gate == "glu" else out
            conv = Conv(nn.Conv2d, (channels, wide), kernel, stride, config.padding)
            norm = nn.InstanceNorm2d(wide, eps=config.norm_epsilon, affine=True)
            blocks.append(Gated(conv, norm if blocks else nn.Identity(), kind=config.gate))
            channels = out
        self.block = nn.ModuleList(blocks)
        self.scores = nn.Linear(channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Score every patch."""
        hidden = features.unsqueeze(1)
        for block in self.block:
            hidden = block(hidden)
        scores = self.scores(hidden.movedim(1, -1)).movedim(-1, 1)
        return torch.sigmoid(scores) if self.sigmoid else scores


def initialise_as_keras(module: nn.Module) -> None:
    """Draw weights from Keras' distributions: Glorot uniform kernels, zero biases."""
    for name, layer in module.named_modules():
        if isinstance(layer, Conv | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        # The initial scale of a TFAN is that of the norm that it replaces.
        if name.endswith("tfan.gamma"):
            nn.init.ones_(layer.bias)

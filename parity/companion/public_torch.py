"""Networks and files in the layouts of three public PyTorch projects: oracles for the importer.

Written from a description of each layout alone. No code is shared with the port. Shapes are
channels first: (batch, bins, frames), (batch, channels, bins, frames).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Module

Sizes = tuple[int, ...]


class ConvLayer(Module):
    """A convolution with ceil((kernel - stride) / 2) zeros on both sides of every axis."""

    def __init__(self, channels: tuple[int, int], kernel: Sizes, stride: Sizes = (1,)) -> None:
        super().__init__()
        kind = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
        steps = list(zip(kernel, stride, strict=True))
        self.conv = kind(*channels, kernel, stride, tuple(-(-(k - s) // 2) for k, s in steps))
        # An even kernel at stride 1 gives one position too many, which the 2-D layer alone cuts.
        cuts = [len(kernel) == 2 and k % 2 == 0 and s == 1 for k, s in steps]
        self.kept = (..., *(slice(-1 if cut else None) for cut in cuts))

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (batch, channels, positions…)."""
        return self.conv(inputs)[self.kept]


class Apply(Module):
    """A function as a layer of an nn.Sequential, without keys."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        """Call the function."""
        return self.function(inputs)


def pixel_shuffle_1d(inputs: Tensor) -> Tensor:
    """Shuffle (batch, channels, frames) → (batch, channels / 2, 2 · frames), block-major."""
    batch, channels, frames = inputs.shape
    blocks = inputs.view(batch, 2, channels // 2, frames).permute(0, 2, 3, 1)
    return blocks.reshape(batch, channels // 2, 2 * frames)


def down_block(channels: tuple[int, int], kernel: Sizes, stride: Sizes) -> nn.Sequential:
    """Build conv → affine IN → GLU. `channels` has input channels and channels after the gate."""
    conv = ConvLayer((channels[0], 2 * channels[1]), kernel, stride)
    kind = nn.InstanceNorm1d if len(kernel) == 1 else nn.InstanceNorm2d
    norm = kind(2 * channels[1], eps=1e-6, affine=True)
    return nn.Sequential(OrderedDict(conv=conv, instance_norm=norm, gate=nn.GLU(dim=1)))


class Nested(Module):
    """A sequence of layers under the key `block`. A residual block adds its input."""

    def __init__(self, *layers: Module, residual: bool = False) -> None:
        super().__init__()
        self.block, self.residual = nn.Sequential(*layers), residual

    def forward(self, inputs: Tensor) -> Tensor:
        """Convert or score. Classes document their shapes."""
        return inputs + self.block(inputs) if self.residual else self.block(inputs)


def residual_block(channels: int, hidden: int) -> Nested:
    """Build conv → IN → GLU → conv → IN, not affine, plus the input."""
    conv, out = ConvLayer((channels, 2 * hidden), (3,)), ConvLayer((hidden, channels), (3,))
    norm, out_norm = (nn.InstanceNorm1d(count, eps=1e-6) for count in (2 * hidden, channels))
    return Nested(conv, norm, nn.GLU(dim=1), out, out_norm, residual=True)


def up_block(channels: int) -> Nested:
    """Build conv → pixel shuffle → IN (not affine, PyTorch's epsilon) → GLU."""
    conv, norm = ConvLayer((channels, 2 * channels), (5,)), nn.InstanceNorm1d(channels, eps=1e-5)
    return Nested(conv, Apply(pixel_shuffle_1d), norm, nn.GLU(dim=1))


class KarkirowleGenerator(Nested):
    """The 1-D generator of layout "karkirowle". Frames are rounded up to a multiple of 4."""

    def __init__(
        self, bins: int = 24, channels: int = 128, residual_blocks: int = 6, output_kernel: int = 5
    ) -> None:
        c = channels
        super().__init__(
            ConvLayer((bins, 2 * c), (15,)),
            nn.GLU(dim=1),
            down_block((c, 2 * c), (5,), (2,)),
            down_block((2 * c, 4 * c), (5,), (2,)),
            *(residual_block(4 * c, 8 * c) for _ in range(residual_blocks)),
            up_block(4 * c),
            up_block(2 * c),
            ConvLayer((c, bins), (output_kernel,)),
        )


class KarkirowleDiscriminator(Nested):
    """The discriminator of layout "karkirowle".

    It maps (batch, 1, bins, frames) to logits, (batch, rows, columns, 1).
    """

    def __init__(self, channels: int = 128) -> None:
        c = channels
        super().__init__(
            ConvLayer((1, 2 * c), (3, 3), (1, 2)),
            nn.GLU(dim=1),
            down_block((c, 2 * c), (3, 3), (2, 2)),
            down_block((2 * c, 4 * c), (3, 3), (2, 2)),
            down_block((4 * c, 8 * c), (6, 3), (1, 2)),
            Apply(lambda hidden: hidden.permute(0, 2, 3, 1)),
            nn.Linear(8 * c, 1),
        )


def normed(conv: Module, *rest: Module) -> nn.Sequential:
    """Build a convolution, an affine instance norm with PyTorch's epsilon, and further layers."""
    norm = nn.InstanceNorm1d if isinstance(conv, nn.Conv1d) else nn.InstanceNorm2d
    return nn.Sequential(conv, norm(conv.out_channels, affine=True), *rest)


class GatedDown(Module):
    """Two convolutions of 5 x 5 at stride 2 with norms, of which one gates the other."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.convLayer = normed(nn.Conv2d(fan_in, fan_out, 5, 2, 2))
        self.convLayer_gates = normed(nn.Conv2d(fan_in, fan_out, 5, 2, 2))

    def forward(self, inputs: Tensor) -> Tensor:
        """Halve the rows and columns of (batch, channels, rows, columns)."""
        return self.convLayer(inputs) * torch.sigmoid(self.convLayer_gates(inputs))


class GatedResidual(Module):
    """A residual block: value and gate of `hidden` channels, a convolution, plus the input."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1d_layer = normed(nn.Conv1d(channels, hidden, 3, padding=1))
        self.conv_layer_gates = normed(nn.Conv1d(channels, hidden, 3, padding=1))
        self.conv1d_out_layer = normed(nn.Conv1d(hidden, channels, 3, padding=1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, frames) to an output of equal shape."""
        hidden = self.conv1d_layer(inputs) * torch.sigmoid(self.conv_layer_gates(inputs))
        return inputs + self.conv1d_out_layer(hidden)


def bridge(conv: Module, apart: bool) -> tuple[Module, Module]:
    """Build a convolution and its norm, as two layers if `apart`, or as one and an nn.Identity."""
    both = normed(conv)
    return (both[0], both[1]) if apart else (both, nn.Identity())


class JackadumaGenerator(Module):
    """The 2-1-2-D generator of layouts "jackaduma" and "mask", for a multiple of 4 bins."""

    def __init__(
        self, bins: int = 36, channels: int = 128, residual_blocks: int = 6, masked: bool = False
    ) -> None:
        super().__init__()
        c, flat, planes = channels, 2 * channels * (bins // 4), 2 if masked else 1
        self.conv1 = nn.Conv2d(planes, c, (5, 15), padding=(2, 7))
        self.conv1_gates = nn.Conv2d(planes, c, (5, 15), padding=(2, 7))
        self.downSample1, self.downSample2 = GatedDown(c, 2 * c), GatedDown(2 * c, 2 * c)
        self.conv2dto1dLayer, self.conv2dto1dLayer_tfan = bridge(nn.Conv1d(flat, 2 * c, 1), masked)
        self.residuals = [f"residualLayer{number + 1}" for number in range(residual_blocks)]
        for name in self.residuals:
            self.add_module(name, GatedResidual(2 * c, 4 * c))
        self.conv1dto2dLayer, self.conv1dto2dLayer_tfan = bridge(nn.Conv1d(2 * c, flat, 1), masked)
        self.upSample1, self.upSample2 = self._up(2 * c, 2 * c), self._up(2 * c, c)
        self.lastConvLayer = nn.Conv2d(c, 1, (5, 15), padding=(2, 7))

    def _up(self, fan_in: int, fan_out: int) -> nn.Sequential:
        """Build conv → pixel shuffle → IN → x · sigmoid(x)."""
        conv = nn.Conv2d(fan_in, 4 * fan_out, 5, padding=2)
        norm = nn.InstanceNorm2d(fan_out, affine=True)
        # The public code leaves this attribute behind. A state_dict therefore has the block built
        # last twice, first where the attribute was registered, before upSample1.
        self.convLayer = nn.Sequential(conv, nn.PixelShuffle(2), norm, nn.SiLU())
        return self.convLayer

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convert (batch, bins, frames). A mask has this shape and is 1 where a value is kept."""
        inputs = torch.stack([features] if mask is None else [features * mask, mask], dim=1)
        hidden = self.conv1(inputs) * torch.sigmoid(self.conv1_gates(inputs))
        hidden = self.downSample2(self.downSample1(hidden))
        planes = hidden.shape
        hidden = self.conv2dto1dLayer_tfan(self.conv2dto1dLayer(hidden.flatten(1, 2)))
        for name in self.residuals:
            hidden = getattr(self, name)(hidden)
        hidden = self.conv1dto2dLayer_tfan(self.conv1dto2dLayer(hidden)).view(planes)
        return self.lastConvLayer(self.upSample2(self.upSample1(hidden))).squeeze(1)


class MaskGenerator(JackadumaGenerator):
    """The generator of layout "mask", with a mask, and two norms under separate keys `…_tfan`."""

    def __init__(self, bins: int = 80, channels: int = 128, residual_blocks: int = 6) -> None:
        super().__init__(bins, channels, residual_blocks, masked=True)


class JackadumaDiscriminator(Module):
    """The discriminator of layout "jackaduma".

    It maps (batch, bins, frames) to probabilities, (batch, 1, rows, columns).
    """

    def __init__(self, channels: int = 128, unused_kernel: tuple[int, int] = (1, 5)) -> None:
        super().__init__()
        c = channels
        self.convLayer1 = nn.Sequential(nn.Conv2d(1, c, 3, padding=1), nn.SiLU())
        self.downSample1 = normed(nn.Conv2d(c, 2 * c, 3, 2, 1), nn.SiLU())
        self.downSample2 = normed(nn.Conv2d(2 * c, 4 * c, 3, 2, 1), nn.SiLU())
        self.downSample3 = normed(nn.Conv2d(4 * c, 8 * c, 3, 2, 1), nn.SiLU())
        # Built and never called: every file has its weights, which are untrained.
        self.downSample4 = normed(nn.Conv2d(8 * c, 8 * c, unused_kernel, 1, (0, 2)), nn.SiLU())
        self.outputConvLayer = nn.Sequential(nn.Conv2d(8 * c, 1, (1, 3), padding=(0, 1)))

    def forward(self, features: Tensor) -> Tensor:
        """Score (batch, bins, frames)."""
        hidden = self.downSample2(self.downSample1(self.convLayer1(features.unsqueeze(1))))
        return torch.sigmoid(self.outputConvLayer(self.downSample3(hidden)))


class MaskDiscriminator(JackadumaDiscriminator):
    """The discriminator of layout "mask", which differs in the block that is never called."""

    def __init__(self, channels: int = 128) -> None:
        super().__init__(channels, unused_kernel=(1, 10))


def randomise(module: Module, seed: int) -> None:
    """Draw every parameter: kernels as Glorot, norms' weights around 1, biases around 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        # In double precision, so that networks of both types have equal weights.
        values = torch.empty(parameter.shape, dtype=torch.float64)
        if parameter.dim() > 1:
            nn.init.xavier_normal_(values, generator=generator)
        else:
            nn.init.normal_(values, float(name.endswith("weight")), 0.1, generator=generator)
        parameter.data.copy_(values)


def adam_state(*networks: Module) -> dict[str, Any]:
    """Return the state of an Adam after one step on copies of the networks' parameters."""
    copies = [nn.Parameter(p.detach().clone()) for n in networks for p in n.parameters()]
    optimizer = torch.optim.Adam(copies, lr=2e-4, betas=(0.5, 0.999))
    for copy in copies:
        copy.grad = copy.detach().clone()
    optimizer.step()
    return optimizer.state_dict()


def karkirowle_file(
    generator_a2b: Module, generator_b2a: Module, discriminator_a: Module, discriminator_b: Module
) -> dict[str, Any]:
    """Return the content of a file of the project "karkirowle", with the networks' tensors."""
    return {
        "epoch": 100,
        "generator_A2B_state_dict": generator_a2b.state_dict(),
        "generator_B2A_state_dict": generator_b2a.state_dict(),
        "discriminator_A_state_dict": discriminator_a.state_dict(),
        "discriminator_B_state_dict": discriminator_b.state_dict(),
        "generator_optimizer_state_dict": adam_state(generator_a2b, generator_b2a),
        "discriminator_optimizer_state_dict": adam_state(discriminator_a, discriminator_b),
    }


def jackaduma_file(
    generator_a2b: Module, generator_b2a: Module, discriminator_a: Module, discriminator_b: Module
) -> dict[str, Any]:
    """Return the content of a file of the project "jackaduma", with the networks' tensors."""
    return {
        "epoch": 100,
        "generator_loss_store": [7.5, 6.25],
        "discriminator_loss_store": [0.5, 0.25],
        "model_genA2B_state_dict": generator_a2b.state_dict(),
        "model_genB2A_state_dict": generator_b2a.state_dict(),
        "model_discriminatorA": discriminator_a.state_dict(),
        "model_discriminatorB": discriminator_b.state_dict(),
        "generator_optimizer": adam_state(generator_a2b, generator_b2a),
        "discriminator_optimizer": adam_state(discriminator_a, discriminator_b),
    }


def mask_file(network: Module) -> dict[str, Any]:
    """Return the content of a file of the project "mask", which has one file per network.

    A file has a name such as 00500_generator_A2B.pth.tar.
    """
    return {
        "ckpt_info": {"epoch": 500},
        "model_class": "Generator" if isinstance(network, MaskGenerator) else "Discriminator",
        "model_state": network.state_dict(),
        "optimizer": adam_state(network),
        "lr_scheduler": None,
    }

"""MelGAN's generator in PyTorch, with the parameter names of the public weights.

Written from the paper and from the public layout of keys, so that a public file would load with
`strict=True`. Shapes are (batch, channels, samples).

Source: Kumar et al., 2019, arXiv:1910.06711; keys: github.com/descriptinc/melgan-neurips.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2


class NormedConv(nn.Module):
    """A convolution whose weight is `weight_g` · `weight_v` / ‖`weight_v`‖, and a bias.

    The public weights have the parameter names of torch.nn.utils.weight_norm, which is deprecated.
    Its successor has other names.

    Args:
        kind: `nn.Conv1d` or `nn.ConvTranspose1d`.
        fan_in: Channels in.
        fan_out: Channels out.
        kernel: Size of the kernel.
        options: Options of `kind`.

    Source: Salimans and Kingma, 2016, arXiv:1602.07868, equation 2.
    """

    def __init__(
        self,
        kind: type[nn.Conv1d] | type[nn.ConvTranspose1d],
        fan_in: int,
        fan_out: int,
        kernel: int,
        **options: int,
    ) -> None:
        super().__init__()
        plain = kind(fan_in, fan_out, kernel, **options)
        self.bias = plain.bias
        self.weight_v = plain.weight
        self.weight_g = nn.Parameter(self.lengths().detach())
        self.convolve = F.conv1d if kind is nn.Conv1d else F.conv_transpose1d
        self.options = options

    def lengths(self) -> Tensor:
        """Return ‖`weight_v`‖ over all axes but the first, (first, 1, 1)."""
        return self.weight_v.square().sum(dim=(1, 2), keepdim=True).sqrt()

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (batch, channels, samples)."""
        weight = self.weight_v * (self.weight_g / self.lengths())
        return self.convolve(inputs, weight, self.bias, **self.options)


class Residual(nn.Module):
    """A convolution of kernel 3 with dilation, one of kernel 1, and a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(dilation),
            NormedConv(nn.Conv1d, channels, channels, 3, dilation=dilation),
            nn.LeakyReLU(SLOPE),
            NormedConv(nn.Conv1d, channels, channels, 1),
        )
        self.shortcut = NormedConv(nn.Conv1d, channels, channels, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, samples) to an output of equal shape."""
        return self.block(inputs) + self.shortcut(inputs)


class MelGanGenerator(nn.Module):
    """MelGAN's generator of samples in [-1, 1].

    It maps (batch, bins, frames) to (batch, 1, frames · product of ratios).

    Args:
        bins: Bins of the log-mel spectrum.
        channels: Channels at the sample rate. Each earlier stage has twice as many.
        ratios: Upsampling factor of each stage.
        dilations: Dilations of the residual blocks after each stage.
    """

    def __init__(
        self,
        bins: int = 80,
        channels: int = 32,
        ratios: Sequence[int] = (8, 8, 2, 2),
        dilations: Sequence[int] = (1, 3, 9),
    ) -> None:
        super().__init__()
        width = channels << len(ratios)
        modules: list[nn.Module] = [
            nn.ReflectionPad1d(3), NormedConv(nn.Conv1d, bins, width, 7)
        ]  # fmt: skip
        for ratio in ratios:
            odd = ratio % 2
            up = NormedConv(
                nn.ConvTranspose1d, width, width // 2, 2 * ratio,
                stride=ratio, padding=ratio // 2 + odd, output_padding=odd,
            )  # fmt: skip
            width //= 2
            blocks = (Residual(width, dilation) for dilation in dilations)
            modules += [nn.LeakyReLU(SLOPE), up, *blocks]
        modules += [
            nn.LeakyReLU(SLOPE),
            nn.ReflectionPad1d(3),
            NormedConv(nn.Conv1d, width, 1, 7),
            nn.Tanh(),
        ]
        self.model = nn.Sequential(*modules)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Synthesize samples from (batch, bins, frames)."""
        return self.model(log_mel)


def randomise(module: nn.Module, seed: int) -> None:
    """Draw directions, lengths and biases with which a signal passes all stages.

    The lengths are independent of the directions, so that leaving them out is seen.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=generator)

    with torch.no_grad():
        for conv in module.modules():
            if isinstance(conv, NormedConv):
                conv.weight_v.copy_(draw(conv.weight_v))
                # Two taps of each input channel make a sample of a transposed convolution.
                taps = conv.weight_v.shape[2] if conv.convolve is F.conv_transpose1d else 4
                conv.weight_g.copy_((taps / 4) ** 0.5 * (0.9 + 0.2 * draw(conv.weight_g)))
                conv.bias.copy_(0.1 * draw(conv.bias))

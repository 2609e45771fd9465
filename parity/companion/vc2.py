"""The 2-1-2-D networks of CycleGAN-VC2, VC3 and MaskCycleGAN-VC in PyTorch, channels first.

Shapes are (batch, channels, bins, frames), and (batch, channels, frames) between fold and unfold.
"""

from collections import OrderedDict
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan_vc_tf.config.network import NetworkConfig
from parity.companion.vc1 import Conv, Gated, LinearSkip, Residual, gate


class PixelShuffle2d(nn.Module):
    """A pixel shuffle to twice the bins and frames, block-major as in TensorFlow."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Shuffle (batch, channels, bins, frames) → (batch, channels / 4, 2 · bins, 2 · frames)."""
        batch, channels, bins, frames = inputs.shape
        blocks = inputs.view(batch, 2, 2, channels // 4, bins, frames)
        return blocks.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // 4, 2 * bins, 2 * frames)


class Tfan(nn.Module):
    """Time-frequency adaptive normalisation: the spectrogram determines scale and offset.

    Args:
        convolve: Function that makes a convolution between given numbers of channels.
        spectrogram: Channels of the spectrogram: 1 in 2-D, its bins in 1-D.
        channels: Channels of the normalised features.
        config: Settings of depth, width and epsilon.

    Source: Kaneko et al., 2020, arXiv:2010.11672; Park et al., 2019, arXiv:1903.07291.
    """

    def __init__(
        self, convolve: partial[Conv], spectrogram: int, channels: int, config: NetworkConfig
    ) -> None:
        super().__init__()
        hidden = config.channels * config.tfan_width
        sizes = [spectrogram, *[hidden] * config.tfan_layers]
        self.hidden = nn.Sequential(
            *(
                nn.Sequential(OrderedDict(conv=convolve(channels=pair), relu=nn.ReLU()))
                for pair in pairwise(sizes)
            )
        )
        self.gamma, self.beta = (convolve(channels=(hidden, channels)) for _ in range(2))
        self.epsilon = config.norm_epsilon

    def forward(self, features: Tensor, spectrogram: Tensor) -> Tensor:
        """Normalize features of any size by a spectrogram of any size."""
        resized = F.interpolate(spectrogram, features.shape[2:], mode="nearest-exact")
        style = self.hidden(resized)
        normalised = F.instance_norm(features, eps=self.epsilon)
        return self.gamma(style) * normalised + self.beta(style)


class Up(nn.Module):
    """Convolution, pixel shuffle, instance norm or TFAN, gate."""

    def __init__(self, conv: Conv, norm: nn.Module | None, tfan: Tfan | None, kind: str) -> None:
        super().__init__()
        self.conv, self.shuffle, self.kind = conv, PixelShuffle2d(), kind
        if norm is not None:
            self.norm = norm
        if tfan is not None:
            self.tfan = tfan

    def forward(self, inputs: Tensor, spectrogram: Tensor) -> Tensor:
        """Double bins and frames."""
        hidden = self.shuffle(self.conv(inputs))
        adaptive = hasattr(self, "tfan")
        hidden = self.tfan(hidden, spectrogram) if adaptive else self.norm(hidden)
        return gate(self.kind, hidden)


class Generator2d(nn.Module):
    """The 2-1-2-D generator: (batch, bins, frames) → (batch, bins, frames).

    Args:
        bins: Bins of the features. They are padded with zeros to a multiple of 4.
        config: Settings of widths, kernels, padding and epsilon.
        adaptive: Whether TFAN is used at the unfolding and after both shuffles, as in CycleGAN-VC3.
        masked: Whether a mask tells which frames to fill in, as in MaskCycleGAN-VC.

    Source: Kaneko et al., 2019, arXiv:1904.04631.
    """

    def __init__(
        self, bins: int, config: NetworkConfig, *, adaptive: bool = False, masked: bool = False
    ) -> None:
        super().__init__()
        c = [config.channels * width for width in config.generator_widths]
        k = config.generator_kernel_sizes
        self.masked, self.missing = masked, -bins % 4
        padded = bins + self.missing
        rows = padded // 4
        flat, picture = (
            partial(Conv, kind, padding=config.padding) for kind in (nn.Conv1d, nn.Conv2d)
        )
        norm1d, norm2d = (
            partial(kind, eps=config.norm_epsilon, affine=config.norm_affine == "all")
            for kind in (nn.InstanceNorm1d, nn.InstanceNorm2d)
        )

        def tfan(axes: int, spectrogram: int, channels: int) -> Tfan:
            convolve = partial(
                flat if axes == 1 else picture,
                kernel=(config.tfan_kernel,) * axes,
                stride=(1,) * axes,
            )
            return Tfan(convolve, spectrogram, channels, config)

        def up(fan_in: int, width: int, kernel: tuple[int, ...]) -> Up:
            wide = 2 * width if config.gate == "glu" else width
            conv = picture((fan_in, 4 * wide), kernel, (1, 1))
            if adaptive:
                return Up(conv, None, tfan(2, 1, wide), config.gate)
            norm = norm2d(wide, eps=config.up_norm_epsilon or config.norm_epsilon)
            return Up(conv, norm, None, config.gate)

        self.input_conv = picture((2 if masked else 1, 2 * c[0]), k[0], (1, 1))
        self.down = nn.ModuleList(
            [
                Gated(picture((c[0], 2 * c[1]), k[1], (2, 2)), norm2d(2 * c[1], affine=True)),
                Gated(picture((c[1], 2 * c[2]), k[2], (2, 2)), norm2d(2 * c[2], affine=True)),
            ]
        )
        self.fold_conv = flat((c[2] * rows, c[2]), (1,), (1,))
        self.fold_norm = norm1d(c[2])
        self.residual = nn.ModuleList(
            [
                Residual(
                    flat((c[2], 2 * c[3]), k[3], (1,)),
                    norm1d(2 * c[3]),
                    flat((c[3], c[2]), k[3], (1,)),
                    norm1d(c[2]),
                )
                for _ in range(config.residual_blocks)
            ]
        )
        self.unfold_conv = flat((c[2], c[2] * rows), (1,), (1,))
        if adaptive:
            self.unfold_tfan = tfan(1, padded, c[2] * rows)
        else:
            self.unfold_norm = norm1d(c[2] * rows)
        self.up = nn.ModuleList([up(c[2], c[4], k[4]), up(c[4], c[5], k[5])])
        self.output_conv = picture((c[5], 1), k[6], (1, 1))
        self.linear_skip = LinearSkip(bins) if config.vtln_init else None

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convert (batch, bins, frames) with a mask, (batch, 1, frames), of ones by default."""
        given, bins = features, features.shape[1]
        features = F.pad(features, (0, 0, 0, self.missing))
        if self.masked:
            kept = torch.ones_like(features) if mask is None else mask.expand_as(features)
            picture = torch.stack((features * kept, kept), dim=1)
        else:
            picture = features.unsqueeze(1)

        hidden = F.glu(self.input_conv(picture), dim=1)
        for block in self.down:
            hidden = block(hidden)
        batch, channels, rows, columns = hidden.shape
        hidden = self.fold_norm(self.fold_conv(hidden.reshape(batch, channels * rows, columns)))
        for block in self.residual:
            hidden = block(hidden)
        hidden = self.unfold_conv(hidden)
        if hasattr(self, "unfold_tfan"):
            hidden = self.unfold_tfan(hidden, picture.squeeze(1))
        else:
            hidden = self.unfold_norm(hidden)
        hidden = hidden.reshape(batch, channels, rows, columns)
        for block in self.up:
            hidden = block(hidden, picture)
        outputs = self.output_conv(hidden)[:, 0, :bins]
        return outputs if self.linear_skip is None else self.linear_skip.add_to(outputs, given)


class PatchDiscriminator(nn.Module):
    """CycleGAN-VC2's PatchGAN: (batch, bins, frames) → (batch, 1, rows, columns) of scores.

    Source: Kaneko et al., 2019, arXiv:1904.04631.
    """

    def __init__(self, bins: int, config: NetworkConfig) -> None:
        super().__init__()
        self.sigmoid = config.discriminator_sigmoid
        # Public code has no fifth block.
        strides = [(1, 1), (2, 2), (2, 2), (2, 2), (1, 1)]
        *kernels, last = config.discriminator_kernel_sizes
        channels, blocks = 1, nn.ModuleList()
        for width, kernel, stride in zip(
            config.discriminator_widths, kernels, strides[: len(kernels)], strict=True
        ):
            out = config.channels * width
            wide = 2 * out if config.gate == "glu" else out
            conv = Conv(nn.Conv2d, (channels, wide), kernel, stride, config.padding)
            norm = nn.InstanceNorm2d(wide, eps=config.norm_epsilon, affine=True)
            blocks.append(Gated(conv, norm if len(blocks) else nn.Identity(), kind=config.gate))
            channels = out
        self.block = blocks
        self.scores = Conv(nn.Conv2d, (channels, 1), last, (1, 1), config.padding)

    def forward(self, features: Tensor) -> Tensor:
        """Score every patch."""
        hidden = features.unsqueeze(1)
        for block in self.block:
            hidden = block(hidden)
        scores = self.scores(hidden)
        return torch.sigmoid(scores) if self.sigmoid else scores

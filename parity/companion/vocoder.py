"""The source-filter vocoder, its discriminators and its losses in PyTorch, channels first."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig

KERNEL = 7


def spectrum(waves: Tensor, size: int, hop: int) -> Tensor:
    """Return short-time spectra of (batch, samples): (batch, frames, size // 2 + 1), complex."""
    window = torch.hann_window(size, dtype=waves.dtype)
    return torch.fft.rfft(waves.unfold(-1, size, hop) * window)


def add_frames(frames: Tensor, hop: int) -> Tensor:
    """Add overlapping frames, (batch, frames, size), to (batch, samples)."""
    size = frames.shape[-1]
    samples = (frames.shape[1] - 1) * hop + size
    return F.fold(frames.mT, (1, samples), (1, size), stride=(1, hop))[:, 0, 0]


class CausalDepthwise(nn.Module):
    """A convolution of each channel with its own kernel, over frames up to the present one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, KERNEL))

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (batch, channels, frames)."""
        padded = F.pad(inputs, (KERNEL - 1, 0))
        return F.conv1d(padded, self.weight.unsqueeze(1), groups=len(self.weight))


class FrameNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each frame."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise (batch, channels, frames)."""
        return super().forward(inputs.mT).mT


class Block(nn.Module):
    """A residual block: depthwise convolution, norm, two convolutions of kernel 1 with a GELU."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.depthwise, self.norm = CausalDepthwise(channels), FrameNorm(channels)
        self.conv = nn.Conv1d(channels, expansion * channels, 1)
        self.out_conv = nn.Conv1d(expansion * channels, channels, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, frames) to an output of equal shape."""
        return inputs + self.out_conv(F.gelu(self.conv(self.norm(self.depthwise(inputs)))))


class FrameNetwork(nn.Module):
    """First convolution, residual blocks and last convolution of a network.

    Source: Siuzdak, 2023, arXiv:2306.00814, section 3.2, with causal kernels.
    """

    def __init__(
        self, values: int, channels: int, blocks: int, outputs: int, last: str,
        config: VocoderNetworkConfig,
    ) -> None:  # fmt: skip
        super().__init__()
        self.ahead = config.lookahead_frames
        self.input_conv, self.input_norm = nn.Conv1d(values, channels, KERNEL), FrameNorm(channels)
        self.block = nn.ModuleList(Block(channels, config.expansion) for _ in range(blocks))
        self.output_norm, self.last = FrameNorm(channels), last
        self.add_module(last, nn.Conv1d(channels, outputs, 1))

    def map_frames(self, values: Tensor) -> Tensor:
        """Map (batch, values, frames) to (batch, outputs, frames)."""
        padded = F.pad(values, (KERNEL - 1 - self.ahead, self.ahead))
        hidden = self.input_norm(self.input_conv(padded))
        for block in self.block:
            hidden = block(hidden)
        return self.get_submodule(self.last)(self.output_norm(hidden))


class PitchNetwork(FrameNetwork):
    """Network that estimates F0: (batch, values, frames) → (batch, classes + 1, frames)."""

    def __init__(self, values: int, classes: int, config: VocoderNetworkConfig) -> None:
        super().__init__(
            values, config.pitch_channels, config.pitch_blocks, classes + 1, "scores", config
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return scores of the classes and of voicing."""
        return self.map_frames(values)


class FilterNetwork(FrameNetwork):
    """Network that filters pulses and noise; it returns (batch, 1, frames · hop).

    Args:
        values: Values per frame.
        hop: Samples per frame.
        config: Sizes.
    """

    def __init__(self, values: int, hop: int, config: VocoderNetworkConfig) -> None:
        self.size, self.parts = config.synthesis_fft_samples, config.synthesis_frames
        self.hop, self.bins = hop // self.parts, self.size // 2 + 1
        outputs = 3 * self.bins * self.parts
        super().__init__(values, config.channels, config.blocks, outputs, "filters", config)

    def forward(self, values: Tensor, excitation: Tensor) -> Tensor:
        """Filter an excitation, (batch, 2, frames · hop)."""
        filters = self.map_frames(values).mT
        return source_filter(filters, excitation, self.size, self.hop).unsqueeze(1)


def source_filter(filters: Tensor, excitation: Tensor, size: int, hop: int) -> Tensor:
    """Filter pulses and noise in the short-time Fourier domain.

    Args:
        filters: Log magnitude and phase of the pulses' filter and log magnitude of the noise's,
            (batch, frames, parts · 3 · bins).
        excitation: (batch, 2, samples).
        size: Length of window and transform, in samples.
        hop: Samples between two frames of the synthesis.

    Returns:
        (batch, samples).
    """
    bins, margin = size // 2 + 1, (size - hop) // 2
    periodic, phase, noise = filters.reshape(len(filters), -1, 3, bins).unbind(2)
    padded = F.pad(excitation, (margin, margin))
    pulses, hiss = (spectrum(padded[:, source], size, hop) for source in range(2))
    gains = [each.clamp(max=5.0).exp() for each in (periodic, noise)]
    spectra = torch.polar(gains[0], phase) * pulses + gains[1] * hiss
    window = torch.hann_window(size, dtype=excitation.dtype)
    waves = add_frames(torch.fft.irfft(spectra, size) * window, hop)
    weights = add_frames(window.square().expand(1, spectra.shape[1], size), hop)
    return waves[:, margin:-margin] / weights[:, margin:-margin]


class SpectrumDiscriminator(nn.Module):
    """Discriminator of complex spectra: (batch, 2, frames, bins) → (batch, 1, frames, bins).

    Args:
        channels: Channels.
        layers: Kernel and stride of each convolution but the last.
    """

    def __init__(
        self, channels: int, layers: Sequence[tuple[tuple[int, int], tuple[int, int]]]
    ) -> None:
        super().__init__()
        inputs = [2, *[channels] * (len(layers) - 1)]
        self.block = nn.ModuleList(
            nn.Sequential(OrderedDict(conv=SameConv(fan_in, channels, kernel, stride)))
            for fan_in, (kernel, stride) in zip(inputs, layers, strict=True)
        )
        self.scores = SameConv(channels, 1, (3, 3), (1, 1))

    def forward(self, spectra: Tensor) -> Tensor:
        """Return the patch scores."""
        for block in self.block:
            spectra = F.leaky_relu(block(spectra), 0.2)
        return self.scores(spectra)


class SameConv(nn.Conv2d):
    """A convolution that is padded as TensorFlow's SAME."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Convolve (batch, channels, frames, bins)."""
        zeros: list[int] = []
        for size, kernel, stride in zip(
            inputs.shape[2:], self.kernel_size, self.stride, strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            zeros[:0] = (total // 2, total - total // 2)
        return super().forward(F.pad(inputs, zeros))


def spectrum_input(waves: Tensor, size: int) -> Tensor:
    """Return compressed spectra, (batch, 2, frames, bins), of (batch, samples)."""
    spectra = torch.view_as_real(padded_spectrum(waves, size))
    power = spectra.square().sum(-1, keepdim=True)
    return (spectra * (power + 1e-6) ** -0.35).movedim(-1, 1)


def padded_spectrum(waves: Tensor, size: int, hop: int = 0) -> Tensor:
    """Return short-time spectra with zeros behind; by default the hop is a quarter window."""
    hop = hop or size // 4
    return spectrum(F.pad(waves, (0, -(waves.shape[1] - size) % hop)), size, hop)


def magnitudes(waves: Tensor, size: int, hop: int) -> Tensor:
    """Return magnitudes of at least the root of 1e-9, (batch, frames, bins)."""
    spectra = padded_spectrum(waves, size, hop)
    return (spectra.real.square() + spectra.imag.square()).clamp(min=1e-9).sqrt()


def stft_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return spectral convergence plus distance of log magnitudes, (batch,).

    Source: Yamamoto, Song and Kim, 2020, arXiv:1910.11480, equations 4 to 6.
    """
    convergence = (real - fake).flatten(1).norm(dim=1) / real.flatten(1).norm(dim=1)
    return convergence + (real.log() - fake.log()).abs().mean((1, 2))


def multi_resolution_stft_loss(real: Tensor, fake: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean of `stft_loss` over resolutions, (batch,)."""
    losses = [
        stft_loss(*(magnitudes(waves, size, size // 4) for waves in (real, fake))) for size in sizes
    ]
    return torch.stack(losses).mean(0)


def mel_loss(real: Tensor, fake: Tensor, filters: Tensor, size: int, hop: int) -> Tensor:
    """Return the mean absolute difference of log-mel spectra, (batch,)."""
    one, other = (
        (magnitudes(waves, size, hop) @ filters.T).clamp(min=1e-5).log() for waves in (real, fake)
    )
    return (one - other).abs().mean((1, 2))


def feature_matching_loss(reals: Sequence[Tensor], fakes: Sequence[Tensor]) -> Tensor:
    """Return the relative difference of hidden outputs, (batch,), averaged over layers."""
    losses = [
        (real - fake).abs().mean((1, 2, 3)) / real.abs().mean((1, 2, 3))
        for real, fake in zip(reals, fakes, strict=True)
    ]
    return torch.stack(losses).mean(0)


def pitch_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the cross entropies of classes and of voicing, (batch,); (batch, classes, frames)."""
    classes = -(targets[:, :-1] * scores[:, :-1].log_softmax(1)).sum(1)
    logits, voiced = scores[:, -1], targets[:, -1]
    voicing = voiced * F.softplus(-logits) + (1 - voiced) * F.softplus(logits)
    return (classes + voicing).mean(1)

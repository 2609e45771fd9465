"""The source-filter vocoder's layers, networks and losses, each beside its twin in PyTorch."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
import torch

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.models import frame_layers, stft
from cyclegan_vc_tf.vocoder_training import spectrum_discriminators, waveform_losses
from cyclegan_vc_tf.vocoders import pitch_classes, source_filter
from parity.cases.case import Case, Named, Shape, layer_model, single_input
from parity.cases.pairs import Functions, Networks
from parity.companion import vocoder

SMALL = VocoderNetworkConfig(
    channels=6, blocks=2, expansion=2, pitch_channels=4, pitch_blocks=1, lookahead_frames=2,
    synthesis_fft_samples=32, synthesis_frames=2,
)  # fmt: skip

HOP = 16

MEL_FILTERS = np.abs(np.random.default_rng(0).standard_normal((5, 17)))
"""Made-up mel filters."""

HIDDEN = np.random.default_rng(1).standard_normal((3, 4, 5, 2))
"""Made-up hidden outputs of a discriminator for recordings."""


def filter_pair(config: VocoderNetworkConfig) -> Networks:
    """Pair the networks that filter an excitation, with 5 values per frame."""
    features = FeatureConfig(spectra="log_mel", hop_samples=HOP, fft_samples=64)
    return Networks(
        lambda: source_filter.filter_network(features, 5, config, 0),
        lambda: vocoder.FilterNetwork(5, HOP, config),
    )


def discriminator() -> keras.Model:
    """Build a small discriminator that returns its scores alone."""
    model = spectrum_discriminators.spectrum_discriminator("discriminator", 3, 0)
    return keras.Model(model.inputs, model.outputs[-1])


def draw_positive(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw magnitudes."""
    return 0.1 + np.abs(rng.standard_normal(shape))


def frames_and_excitation(*frames: tuple[int, int]) -> tuple[tuple[Shape, ...], ...]:
    """Return shapes of 5 values per frame and an excitation, by batch and number of frames."""
    return tuple(((batch, count, 5), (batch, count * HOP, 2)) for batch, count in frames)


def pairs_of(*shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Return shapes for a part with two inputs of equal shape."""
    return tuple((shape, shape) for shape in shapes)


VOCODER = [
    Case(
        "channel normalisation",
        ("frame_layers.ChannelNormalization",),
        Networks(
            lambda: layer_model(lambda: frame_layers.ChannelNormalization(name="norm"), 6, 1),
            lambda: Named("norm", vocoder.FrameNorm(6)),
        ),
        single_input((1, 16, 6), (3, 7, 6)),
    ),
    Case(
        "causal depthwise convolution",
        ("frame_layers.CausalDepthwiseConv1D",),
        Networks(
            lambda: layer_model(
                lambda: frame_layers.CausalDepthwiseConv1D(7, "glorot_uniform", name="depthwise"),
                6, 1,
            ),
            lambda: Named("depthwise", vocoder.CausalDepthwise(6)),
        ),
        single_input((1, 16, 6), (3, 7, 6), (1, 2, 6)),
    ),
    Case(
        "overlap-add",
        ("stft.overlap_add",),
        Functions(
            lambda frames: stft.overlap_add(frames, 3),
            lambda frames: vocoder.add_frames(frames.mT, 3),
        ),
        single_input((1, 4, 5), (3, 7, 8)),
    ),
    Case(
        "magnitudes of short-time spectra",
        ("waveform_losses.magnitudes", "stft.stft", "stft.split_frames"),
        Functions(
            lambda waves: waveform_losses.magnitudes(waves, 16, 6),
            lambda waves: vocoder.magnitudes(waves, 16, 6).mT,
        ),
        single_input((1, 70), (3, 64)),
    ),
    Case(
        "vocoder's filter network",
        ("source_filter.filter_network", "source_filter.SourceFilter", "stft.inverse_stft",
         "source_filter.gelu"),
        filter_pair(SMALL),
        frames_and_excitation((1, 12), (3, 7), (1, 1)),
        network=True,
    ),
    Case(
        "vocoder's filter network, other sizes",
        ("source_filter.filter_network",),
        filter_pair(
            replace(SMALL, synthesis_frames=1, synthesis_fft_samples=40, lookahead_frames=0)
        ),
        frames_and_excitation((1, 12), (3, 7)),
        network=True,
    ),
    Case(
        "vocoder's pitch network",
        ("source_filter.pitch_network",),
        Networks(
            lambda: source_filter.pitch_network(5, SMALL, 0),
            lambda: vocoder.PitchNetwork(5, pitch_classes.COUNT, SMALL),
        ),
        single_input((1, 12, 5), (3, 7, 5)),
        network=True,
    ),
    Case(
        "vocoder's discriminator",
        ("spectrum_discriminators.spectrum_discriminator",),
        Networks(
            discriminator,
            lambda: vocoder.SpectrumDiscriminator(3, spectrum_discriminators.LAYERS),
        ),
        single_input((1, 8, 33, 2), (3, 7, 30, 2)),
        network=True,
    ),
    Case(
        "input of a vocoder's discriminator",
        ("spectrum_discriminators.spectrum_input",),
        Functions(
            lambda waves: spectrum_discriminators.spectrum_input(waves, 16),
            lambda waves: vocoder.spectrum_input(waves, 16),
        ),
        single_input((1, 70), (3, 64)),
    ),
    Case(
        "STFT loss",
        ("waveform_losses.stft_loss",),
        Functions(
            lambda real, fake: waveform_losses.stft_loss(real, fake), vocoder.stft_loss
        ),
        pairs_of((1, 6, 9), (3, 5, 7)),
        draw=draw_positive,
    ),
    Case(
        "multi-resolution STFT loss",
        ("waveform_losses.multi_resolution_stft_loss",),
        Functions(
            lambda real, fake: waveform_losses.multi_resolution_stft_loss(
                real, [fake] * 2, (32, 16)
            ),
            lambda real, fake: vocoder.multi_resolution_stft_loss(real, fake, (32, 16)),
        ),
        pairs_of((1, 70), (3, 64)),
        network=True,
    ),
    Case(
        "mel loss",
        ("waveform_losses.mel_loss",),
        Functions(
            lambda real, fake: waveform_losses.mel_loss(real, fake, MEL_FILTERS, 32, 12),
            lambda real, fake: vocoder.mel_loss(
                real, fake, torch.from_numpy(MEL_FILTERS).to(real.dtype), 32, 12
            ),
        ),
        pairs_of((1, 70), (3, 64)),
    ),
    Case(
        "feature-matching loss",
        ("waveform_losses.feature_matching_loss",),
        Functions(
            lambda fake: waveform_losses.feature_matching_loss(
                [tf.constant(HIDDEN, fake.dtype)], [fake]
            ),
            lambda fake: vocoder.feature_matching_loss(
                [torch.from_numpy(HIDDEN).to(fake.dtype).movedim(-1, 1)], [fake]
            ),
        ),
        single_input((3, 4, 5, 2)),
    ),
    Case(
        "pitch loss",
        ("waveform_losses.pitch_loss",),
        Functions(
            lambda scores, targets: waveform_losses.pitch_loss(scores, targets),
            vocoder.pitch_loss,
        ),
        pairs_of((1, 16, 9), (3, 7, 9)),
        draw=lambda rng, shape: rng.uniform(size=shape),
    ),
]  # fmt: skip

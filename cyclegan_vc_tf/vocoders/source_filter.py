"""Source-filter vocoder: a network filters pulses and noise, and an inverse STFT makes samples.

Two networks share one design of residual blocks that look back, after one convolution that looks a
few frames ahead. The pitch network estimates F0 from log-mel spectra. The filter network predicts
log magnitude and phase of a filter of the pulses, and log magnitude of a filter of the noise, for
each frame and bin. Filtered short-time spectra are resynthesized by overlap-add.

Source: Siuzdak, 2023, arXiv:2306.00814 (Vocos): residual blocks at the rate of the frames,
magnitudes and phases, inverse STFT; Kaneko et al., 2022, arXiv:2203.02395 (iSTFTNet). Pulses and
noise as in Engel et al., 2020, arXiv:2001.04643 (DDSP). Vocos and iSTFTNet have to find the phases
of all harmonics by themselves, which takes a much longer training.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig, hop_samples
from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.models.frame_layers import CausalDepthwiseConv1D, ChannelNormalization
from cyclegan_vc_tf.models.layers import Convolutions, without_autograph
from cyclegan_vc_tf.models.matmul_conv import Conv1D
from cyclegan_vc_tf.models.stft import inverse_stft, stft
from cyclegan_vc_tf.vocoders import pitch_classes
from cyclegan_vc_tf.vocoders.source_filter_vocoder import KERNEL

INITIAL_LOG_MAGNITUDE = -4.0
"""Initial natural logarithm of both filters: speech of a usual level is about so loud."""

MAX_LOG_MAGNITUDE = 5.0
"""Upper limit of a filter's log magnitude, so that no training step overflows."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
def gelu(inputs: tf.Tensor) -> tf.Tensor:
    """Compute x · Φ(x) with the normal distribution function Φ.

    `tf.nn.gelu` differs: it rounds the root of 2 to float32 for every type of input.

    Source: Hendrycks and Gimpel, 2016, arXiv:1606.08415.
    """
    root = tf.constant(np.sqrt(2.0), inputs.dtype)
    return 0.5 * inputs * (1.0 + tf.math.erf(inputs / root))


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class SourceFilter(stack.Layer):
    """Filters of a frame, applied to the short-time spectra of pulses and noise.

    S = exp(a) · exp(i · p) · E_pulses + exp(b) · E_noise for each frame and bin, with log
    magnitudes a and b and phase p. Samples are the inverse STFT of S. Filters of 1 give the
    excitation back.

    Args:
        size: Length of window and transform, in samples.
        hop: Samples between two frames of the synthesis.
        frames: Frames of the synthesis per frame of the input.
        options: Options of every Keras layer, such as `name`.

    Input shape: a pair of (batch, frames, `frames` · 3 · bins), with bins = `size` // 2 + 1 and a,
    p, b after each other, and the excitation, (batch, frames · `frames` · `hop`, 2).
    Output shape: (batch, frames · `frames` · `hop`, 1).
    """

    def __init__(self, size: int, hop: int, frames: int, **options: Any) -> None:
        super().__init__(**options)
        self.size, self.hop, self.frames = size, hop, frames

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Filter the second of `inputs` with the first."""
        filters, excitation = inputs
        batch, bins = tf.shape(filters)[0], self.size // 2 + 1
        filters = tf.reshape(filters, (batch, -1, 3 * bins))
        periodic, phase, noise = tf.split(filters, 3, axis=-1)
        periodic, noise = (
            tf.exp(tf.minimum(each, MAX_LOG_MAGNITUDE)) for each in (periodic, noise)
        )
        margin = (self.size - self.hop) // 2
        padded = tf.pad(excitation, ((0, 0), (margin, margin), (0, 0)))
        pulses, hiss = (stft(padded[:, :, source], self.size, self.hop) for source in range(2))
        shaped = tf.complex(periodic * tf.cos(phase), periodic * tf.sin(phase)) * pulses
        spectra = shaped + tf.complex(noise, tf.zeros_like(noise)) * hiss
        waves = inverse_stft(spectra, self.size, self.hop)
        return waves[:, margin:-margin, tf.newaxis]

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return one sample per sample of the excitation."""
        return (*input_shape[1][:-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the layer anew."""
        return {
            **super().get_config(), "size": self.size, "hop": self.hop, "frames": self.frames
        }  # fmt: skip


@without_autograph
def filter_network(
    features: FeatureConfig, channels_in: int, config: VocoderNetworkConfig, seed: int
) -> keras.Model:
    """Build the network that filters the excitation.

    Args:
        features: Settings of the features, which give the hop.
        channels_in: Values per frame.
        config: Sizes.
        seed: Seed of the initial weights.

    Returns:
        Model of normalised features, (batch, frames, `channels_in`), and an excitation, (batch,
        frames · hop, 2), that returns samples, (batch, frames · hop, 1).
    """
    make = Convolutions("vocoder", seed, "same")
    size, parts = config.synthesis_fft_samples, config.synthesis_frames
    bins = size // 2 + 1
    inputs = keras.Input((None, channels_in), name="features")
    excitation = keras.Input((None, 2), name="excitation")
    hidden = _trunk(inputs, config.channels, config.blocks, config, make)
    start = np.tile(np.repeat([INITIAL_LOG_MAGNITUDE, 0.0, INITIAL_LOG_MAGNITUDE], bins), parts)
    filters = Conv1D(
        3 * bins * parts,
        1,
        kernel_initializer=make.initializer("filters"),
        bias_initializer=_Values(start),
        name="filters",
    )(hidden)
    synthesis = SourceFilter(size, hop_samples(features) // parts, parts, name="synthesis")
    return keras.Model([inputs, excitation], synthesis((filters, excitation)), name="vocoder")


@without_autograph
def pitch_network(channels_in: int, config: VocoderNetworkConfig, seed: int) -> keras.Model:
    """Build the network that estimates F0.

    Returns:
        Model of normalised features, (batch, frames, `channels_in`), that returns scores of the
        classes of F0 and, last, of voicing, (batch, frames, pitch_classes.COUNT + 1).
    """
    make = Convolutions("pitch", seed, "same")
    inputs = keras.Input((None, channels_in), name="features")
    hidden = _trunk(inputs, config.pitch_channels, config.pitch_blocks, config, make)
    scores = Conv1D(
        pitch_classes.COUNT + 1, 1, kernel_initializer=make.initializer("scores"), name="scores"
    )(hidden)
    return keras.Model(inputs, scores, name="pitch")


def _trunk(
    inputs: Any, channels: int, blocks: int, config: VocoderNetworkConfig, make: Convolutions
) -> Any:
    """Apply the first convolution and the residual blocks of a network.

    Source: Siuzdak, 2023, arXiv:2306.00814, section 3.2, with causal kernels.
    """

    def convolve(hidden: Any, outputs: int, size: int, name: str) -> Any:
        return Conv1D(outputs, size, kernel_initializer=make.initializer(name), name=name)(hidden)

    ahead = config.lookahead_frames
    shifted = keras.layers.ZeroPadding1D((KERNEL - 1 - ahead, ahead), name="input_padding")(inputs)
    hidden = convolve(shifted, channels, KERNEL, "input_conv")
    hidden = ChannelNormalization(name="input_norm")(hidden)
    for number in range(1, blocks + 1):
        block = f"block_{number}"
        inner = CausalDepthwiseConv1D(
            KERNEL, make.initializer(f"{block}_depthwise"), name=f"{block}_depthwise"
        )(hidden)
        inner = ChannelNormalization(name=f"{block}_norm")(inner)
        inner = convolve(inner, config.expansion * channels, 1, f"{block}_conv")
        inner = keras.layers.Activation(gelu, name=f"{block}_gelu")(inner)
        inner = convolve(inner, channels, 1, f"{block}_out_conv")
        hidden = keras.layers.Add(name=f"{block}_add")([hidden, inner])
    return ChannelNormalization(name="output_norm")(hidden)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class _Values(keras.initializers.Initializer):
    """Initializer with given values.

    Args:
        values: Array of the shape of the weight.
    """

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> tf.Tensor:
        """Return the values."""
        return tf.constant(self.values.reshape(shape), dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the initializer anew."""
        return {"values": self.values.tolist()}

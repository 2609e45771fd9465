"""Faults in the parts of the source-filter vocoder and of its training."""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models import frame_layers, stft
from cyclegan_vc_tf.models.layers import Convolutions
from cyclegan_vc_tf.vocoder_training import waveform_losses
from cyclegan_vc_tf.vocoders import melgan, source_filter
from parity.mutation import faults
from parity.mutation.faults import Fault, layer_call, patch

_NORM, _DEPTHWISE = frame_layers.ChannelNormalization, frame_layers.CausalDepthwiseConv1D
_FILTER = source_filter.SourceFilter
_DEPTHWISE_CALL, _FILTER_CALL = _DEPTHWISE.call, _FILTER.call


def backward_phase(layer: source_filter.SourceFilter, inputs: tuple) -> tf.Tensor:
    """Turn the pulses' phases into the other direction."""
    filters, excitation = inputs
    shape = tf.shape(filters)
    parts = tf.reshape(filters, (shape[0], -1, 3, layer.size // 2 + 1))
    parts *= tf.constant([1.0, -1.0, 1.0], filters.dtype)[:, tf.newaxis]
    return _FILTER_CALL(layer, (tf.reshape(parts, shape), excitation))


def exchanged_sources(layer: source_filter.SourceFilter, inputs: tuple) -> tf.Tensor:
    """Take noise for pulses, and pulses for noise."""
    return _FILTER_CALL(layer, (inputs[0], inputs[1][..., ::-1]))


def norm_over_frames(layer: frame_layers.ChannelNormalization, inputs: tf.Tensor) -> tf.Tensor:
    """Normalise each channel over the frames."""
    mean, variance = tf.nn.moments(inputs, [1], keepdims=True)
    scale, offset = map(tf.convert_to_tensor, (layer.gamma, layer.beta))
    return tf.nn.batch_normalization(inputs, mean, variance, offset, scale, 1e-5)


def norm_without_gradient(layer: frame_layers.ChannelNormalization, inputs: tf.Tensor) -> tf.Tensor:
    """Normalise with statistics that have no gradient."""
    mean, variance = map(tf.stop_gradient, tf.nn.moments(inputs, [-1], keepdims=True))
    scale, offset = map(tf.convert_to_tensor, (layer.gamma, layer.beta))
    return tf.nn.batch_normalization(inputs, mean, variance, offset, scale, 1e-5)


def ahead(layer: frame_layers.CausalDepthwiseConv1D, inputs: tf.Tensor) -> tf.Tensor:
    """Look at later frames instead of earlier ones."""
    return _DEPTHWISE_CALL(layer, inputs[:, ::-1])[:, ::-1]


def half_depthwise_gradient(
    layer: frame_layers.CausalDepthwiseConv1D, inputs: tf.Tensor
) -> tf.Tensor:
    """Halve the gradient."""
    return faults.half_gradient(_DEPTHWISE_CALL, layer, inputs)


def no_lookahead(original: type, padding: tuple[int, int], **options: str) -> object:
    """Move all zeros of the first convolution to the front."""
    return original((sum(padding), 0), **options)


VOCODER_PARTS: dict[str, dict[str, Fault]] = {
    "frame_layers.ChannelNormalization": {
        "statistics over frames": layer_call(_NORM, norm_over_frames),
        "no gradient through the statistics": layer_call(_NORM, norm_without_gradient),
    },
    "frame_layers.CausalDepthwiseConv1D": {
        "ahead instead of back": layer_call(_DEPTHWISE, ahead),
        "half the gradient": layer_call(_DEPTHWISE, half_depthwise_gradient),
    },
    "stft.overlap_add": {
        "frames in the other order": patch(
            stft, "overlap_add", lambda original, frames, hop: original(frames[:, ::-1], hop)
        ),
    },
    "stft.split_frames": {
        "a sample late": patch(
            stft,
            "split_frames",
            lambda original, waves, size, hop: tf.roll(original(waves, size, hop), 1, -1),
        ),
    },
    "stft.stft": {
        "a symmetric window": patch(stft, "hann_window", lambda original, size: np.hanning(size)),
    },
    "stft.inverse_stft": {
        "a symmetric window": patch(stft, "hann_window", lambda original, size: np.hanning(size)),
        "half the level": patch(
            source_filter, "inverse_stft", lambda original, *given: 0.5 * original(*given)
        ),
    },
    "source_filter.gelu": {
        "the approximation by a hyperbolic tangent": patch(
            source_filter, "gelu", lambda original, inputs: tf.nn.gelu(inputs, approximate=True)
        ),
    },
    "source_filter.SourceFilter": {
        "phases backward": layer_call(_FILTER, backward_phase),
        "noise for pulses": layer_call(_FILTER, exchanged_sources),
    },
    "source_filter.filter_network": {
        "seen a frame late": patch(
            keras.layers, "ZeroPadding1D", no_lookahead
        ),
    },
    "source_filter.pitch_network": {
        "seen a frame late": patch(
            keras.layers, "ZeroPadding1D", no_lookahead
        ),
    },
    "spectrum_discriminators.spectrum_discriminator": {
        "another slope": patch(
            melgan, "leaky_relu", lambda original, inputs: tf.maximum(inputs, 0.1 * inputs)
        ),
        "strides that are ignored": patch(
            Convolutions,
            "__call__",
            lambda original, self, inputs, channels, kernel, stride, name: original(
                self, inputs, channels, kernel, (1, 1), name
            ),
        ),
    },
    "spectrum_discriminators.spectrum_input": {
        "not compressed": patch(
            tf, "pow", lambda original, base, exponent: original(base, 0.0)
        ),
    },
    "waveform_losses.magnitudes": {
        "powers": patch(
            waveform_losses, "magnitudes", lambda original, *given: original(*given) ** 2
        ),
    },
    "waveform_losses.stft_loss": {
        "normalised by the fake": patch(
            waveform_losses, "stft_loss", lambda original, real, fake: original(fake, real)
        ),
        "half the gradient": patch(waveform_losses, "stft_loss", faults.half_gradient),
    },
    "waveform_losses.multi_resolution_stft_loss": {
        "the first resolution alone": patch(
            waveform_losses,
            "multi_resolution_stft_loss",
            lambda original, real, fakes, sizes: original(real, fakes[:1], sizes[:1]),
        ),
    },
    "waveform_losses.mel_loss": {
        "common logarithms": patch(
            waveform_losses, "mel_loss", lambda original, *given: original(*given) / np.log(10.0)
        ),
    },
    "waveform_losses.feature_matching_loss": {
        "not relative": patch(
            waveform_losses,
            "feature_matching_loss",
            lambda original, reals, fakes: tf.reduce_mean(
                tf.abs(reals[0] - fakes[0]), (1, 2, 3)
            ),
        ),
    },
    "waveform_losses.pitch_loss": {
        "no voicing": patch(
            waveform_losses,
            "pitch_loss",
            lambda original, scores, targets: original(
                tf.concat([scores[..., :-1], 0.0 * scores[..., -1:]], -1), targets
            ),
        ),
    },
}  # fmt: skip
"""Faults by the public name of a part. Cases that cover the name have to detect them."""

"""Source-filter synthesis for TensorFlow Lite, which has no inverse Fourier transform."""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.interop.transform_kernels import analysis_kernel, synthesis_kernel
from cyclegan_vc_tf.models.layers import without_autograph
from cyclegan_vc_tf.models.stft import hann_window
from cyclegan_vc_tf.vocoders import source_filter
from cyclegan_vc_tf.vocoders.source_filter import SourceFilter


class ConvolvedSourceFilter(SourceFilter):
    """`SourceFilter` for one example, whose transforms are convolutions.

    It computes what `SourceFilter` does, up to rounding.
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Filter the second of `inputs` with the first."""
        filters, excitation = inputs
        filters = tf.reshape(filters, (1, -1, 3 * (self.size // 2 + 1)))
        periodic, phase, noise = tf.split(filters, 3, axis=-1)
        periodic, noise = (
            tf.exp(tf.minimum(each, source_filter.MAX_LOG_MAGNITUDE)) for each in (periodic, noise)
        )
        margin = (self.size - self.hop) // 2
        padded = tf.pad(excitation, ((0, 0), (margin, margin), (0, 0)))
        analysis = _to_keras(analysis_kernel(self.size), excitation.dtype)
        pulses, hiss = (
            tf.split(tf.nn.conv1d(each, analysis, self.hop, "VALID"), 2, axis=-1)
            for each in tf.split(padded, 2, axis=-1)
        )
        real, imaginary = periodic * tf.cos(phase), periodic * tf.sin(phase)
        spectra = tf.concat(
            [
                real * pulses[0] - imaginary * pulses[1] + noise * hiss[0],
                real * pulses[1] + imaginary * pulses[0] + noise * hiss[1],
            ],
            axis=-1,
        )
        power = hann_window(self.size)[np.newaxis, np.newaxis] ** 2
        waves = self._overlap_add(spectra, synthesis_kernel(self.size))
        weights = self._overlap_add(tf.ones_like(spectra[..., :1]), power)
        return waves[:, margin:-margin] / weights[:, margin:-margin]

    def _overlap_add(self, frames: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
        """Multiply frames with a kernel, (channels, 1, size), and add where they overlap."""
        length = (tf.shape(frames)[1] - 1) * self.hop + self.size
        shape = tf.stack([1, length, 1])
        weights = _to_keras(kernel, frames.dtype)
        return tf.nn.conv1d_transpose(frames, weights, shape, self.hop, "VALID")


@without_autograph
def with_convolutions(network: keras.Model) -> keras.Model:
    """Return a filter network with the same weights, whose transforms are convolutions."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, SourceFilter):
            return ConvolvedSourceFilter.from_config(layer.get_config())
        return layer

    return keras.models.clone_model(network, clone_function=clone)


def _to_keras(kernel: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    """Return a kernel of ONNX, (channels, 1, size), as (size, 1, channels)."""
    return tf.constant(kernel.transpose(2, 1, 0), dtype)

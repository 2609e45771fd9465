"""Layers of networks that process one frame after another and look ahead by a few frames."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.models import stack

NORM_EPSILON = 1e-5
"""Epsilon of `ChannelNormalization`."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class ChannelNormalization(stack.Layer):
    """Layer normalisation over the channels of each frame, with a gradient that adds in one order.

    y = gamma · x̂ + beta, x̂ = (x - mean) / sqrt(variance + 1e-5). With means over the channels of a
    frame, and upstream gradient g:

        dx = (g · gamma - mean(g · gamma) - x̂ · mean(g · gamma · x̂)) / sqrt(variance + 1e-5)

    Input shape: (batch, frames, channels).
    Output shape: as the input.

    Source: Ba, Kiros and Hinton, 2016, arXiv:1607.06450, equation 4.
    """

    def build(self, input_shape: Any) -> None:
        """Make scale and offset."""
        channels = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=channels, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=channels, initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise `inputs`."""

        @tf.custom_gradient
        def normalize(
            inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
        ) -> tuple[tf.Tensor, Callable]:
            centred = inputs - tf.reduce_mean(inputs, -1, keepdims=True)
            variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
            inverse = tf.math.rsqrt(variance + NORM_EPSILON)
            normalized = centred * inverse

            def gradients(upstream: tf.Tensor) -> list[tf.Tensor]:
                scaled = upstream * gamma
                mean = tf.reduce_mean(scaled, -1, keepdims=True)
                product = tf.reduce_mean(scaled * normalized, -1, keepdims=True)
                return [
                    (scaled - mean - normalized * product) * inverse,
                    tf.reduce_sum(upstream * normalized, (0, 1)),
                    tf.reduce_sum(upstream, (0, 1)),
                ]

            return normalized * gamma + beta, gradients

        return normalize(inputs, *map(tf.convert_to_tensor, (self.gamma, self.beta)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class CausalDepthwiseConv1D(stack.Layer):
    """Convolution of each channel with its own kernel, over a frame and the frames before it.

    y[t] = Σ_i kernel[i] · x[t - size + 1 + i], with zeros before the first frame, and no bias.

    Args:
        size: Kernel size, in frames.
        kernel_initializer: Initializer of the kernel, (size, channels).
        options: Options of every Keras layer, such as `name`.

    Input shape: (batch, frames, channels).
    Output shape: as the input.
    """

    def __init__(self, size: int, kernel_initializer: Any = "zeros", **options: Any) -> None:
        super().__init__(**options)
        self.size = size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        """Make the kernel."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.size, input_shape[-1]),
            initializer=self.kernel_initializer,
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve `inputs`."""
        last = self.size - 1

        @tf.custom_gradient
        def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            windows = _shift(tf.pad(inputs, ((0, 0), (last, 0), (0, 0))), self.size)
            weights = kernel[:, tf.newaxis, tf.newaxis]

            def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                later = _shift(tf.pad(upstream, ((0, 0), (0, last), (0, 0))), self.size)
                return (
                    tf.reduce_sum(later * weights[::-1], 0),
                    tf.reduce_sum(windows * upstream, (1, 2)),
                )

            # A reduction over a stack adds in one order; see `ordered_sum`.
            return tf.reduce_sum(windows * weights, 0), gradients

        return convolve(inputs, tf.convert_to_tensor(self.kernel))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the layer anew."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "size": self.size, "kernel_initializer": initializer}


def _shift(padded: tf.Tensor, size: int) -> tf.Tensor:
    """Stack shifted copies, (size, batch, frames, channels), of (batch, frames + size - 1, …)."""
    frames = tf.shape(padded)[1] - (size - 1)
    return tf.stack([padded[:, place : place + frames] for place in range(size)])

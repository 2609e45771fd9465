"""The layers that the networks are put together from. Channels are last, everywhere."""

import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models.matmul_conv import Conv1D, Conv2D
from cyclegan_vc_tf.models.ordered_sum import fan_out

with warnings.catch_warnings():
    # Addons announces its end of life at import; `instance_norm` says what takes its place.
    warnings.filterwarnings("ignore", "(?s).*TensorFlow Addons .TFA. has ended", UserWarning)
    import tensorflow_addons as tfa

Padding = Literal["same", "symmetric"]

without_autograph = tf.autograph.experimental.do_not_convert
"""For what puts layers together: none has control flow for AutoGraph to find, which would read the
source of each."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class GatedLinearUnit(keras.layers.Layer):
    """Half of the channels gates the other half: value · sigmoid(gate), the value first.

    Input shape: (batch, …, channels), an even number of channels.
    Output shape: (batch, …, channels // 2).

    Source: Dauphin et al., 2017, arXiv:1612.08083, equation 1, its two convolutions being one.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Gates `inputs`."""
        value, gate = tf.split(inputs, 2, axis=-1)
        return value * tf.sigmoid(gate)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Half the channels."""
        return (*input_shape[:-1], input_shape[-1] // 2)


def gate(kind: str, name: str) -> keras.layers.Layer:
    """A gated linear unit, "glu", or what public PyTorch code has in its place, "silu".

    SiLU is x · sigmoid(x): every channel gates itself, and all of them come out.

    Source: Elfwing et al., 2017, arXiv:1702.03118, equation 5.
    """
    if kind == "silu":
        return keras.layers.Activation("swish", name=name)
    return GatedLinearUnit(name=name)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class PixelShuffle1D(keras.layers.Layer):
    """Trades channels for frames: two frames out of each one.

    Channel `j * channels // 2 + k` of frame `w` becomes channel `k` of frame `2 * w + j`:
    block-major, the order of `tf.nn.depth_to_space`, which does the work on an axis of width 1,
    and of `tf.reshape` in channels-last.

    Input shape: (batch, frames, channels), channels a multiple of 4.
    Output shape: (batch, 2 * frames, channels // 2).

    Source: Shi et al., 2016, arXiv:1609.05158, in one dimension.
    """

    def build(self, input_shape: Any) -> None:
        """Checks the number of channels.

        Raises:
            ValueError: It is no multiple of 4.
        """
        if input_shape[-1] % 4:
            raise ValueError(
                f"PixelShuffle1D needs a multiple of 4 channels. Received: {input_shape[-1]}"
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Shuffles `inputs`."""
        channels = inputs.shape[-1]
        squares = tf.nn.depth_to_space(tf.expand_dims(inputs, axis=2), block_size=2)
        batch, frames = tf.shape(squares)[0], tf.shape(squares)[1]
        return tf.reshape(squares, (batch, frames, channels // 2))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Twice the frames, half the channels."""
        batch, frames, channels = input_shape
        return (batch, None if frames is None else 2 * frames, channels // 2)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class PixelShuffle2D(keras.layers.Layer):
    """Trades channels for bins and frames: a square of four positions out of each one.

    `tf.nn.depth_to_space`: channel `(2 * i + j) * channels // 4 + k` of bin h and frame w becomes
    channel `k` of bin `2 * h + i` and frame `2 * w + j`, block-major.

    Input shape: (batch, bins, frames, channels), channels a multiple of 4.
    Output shape: (batch, 2 * bins, 2 * frames, channels // 4).

    Source: Shi et al., 2016, arXiv:1609.05158.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Shuffles `inputs`."""
        return tf.nn.depth_to_space(inputs, block_size=2)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class NearestResize(keras.layers.Layer):
    """Brings the first input to the positions of the second, each from its nearest.

    Half-pixel centres, as `tf.image.resize` samples: of 64 frames, 16 are 2, 6, 10, …

    Input shape: a pair of (batch, positions…, channels) of one or two axes of positions.
    Output shape: (batch, positions… of the second, channels of the first).
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Resizes the first of `inputs`."""
        picture, like = inputs
        if len(like.shape) == 3:
            column = tf.expand_dims(picture, axis=2)
            size = (tf.shape(like)[1], 1)
            return tf.squeeze(tf.image.resize(column, size, method="nearest"), axis=2)
        return tf.image.resize(picture, tf.shape(like)[1:3], method="nearest")

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Positions of the second, channels of the first."""
        picture, like = input_shape
        return (*like[:-1], picture[-1])


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class BinsByFrames(keras.layers.Layer):
    """Swap bins and frames, once per layer that takes the result.

    Where three or more layers take the output, gradients of separate outputs are added in one
    order; see `ordered_sum`.

    Args:
        uses: Number of layers that take the output.
        options: Options of every Keras layer, such as `name`.

    Input shape: (batch, frames, bins, channels).
    Output shape: a list of `uses` times (batch, bins, frames, channels).
    """

    def __init__(self, uses: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.uses = uses

    def call(self, inputs: tf.Tensor) -> list[tf.Tensor]:
        """Swap the two axes of `inputs`."""
        return list(fan_out(tf.transpose(inputs, (0, 2, 1, 3)), self.uses))

    def compute_output_shape(self, input_shape: Any) -> list[tuple]:
        """Swap bins and frames, once per use."""
        batch, frames, bins, channels = input_shape
        return [(batch, bins, frames, channels)] * self.uses

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the layer anew."""
        return {**super().get_config(), "uses": self.uses}


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class MaskFrames(keras.layers.Layer):
    """Blanks frames and tells which: (x · m, m) as two channels.

    Input shape: a pair of features x, (batch, frames, bins), and a mask m, (batch, frames, 1), 0
    where a frame is to be filled in and 1 elsewhere.
    Output shape: (batch, frames, bins, 2).

    Source: Kaneko et al., 2021, arXiv:2102.12841: filling in frames.
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Masks the first of `inputs` with the second."""
        features, mask = inputs
        return tf.stack([features * mask, tf.broadcast_to(mask, tf.shape(features))], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Two channels."""
        return (*input_shape[0], 2)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class InstanceNormalization(tfa.layers.InstanceNormalization):
    """Instance normalisation of addons with a gradient of its own.

    Forward it computes what addons computes. The gradient that TensorFlow derives from the moments
    adds three terms for each input, in an order that depends on thread timing. This one adds in
    one order, and reads the inputs fewer times.

    With x̂ = (x - mean) / sqrt(variance + epsilon), means over the positions of one example's
    channel, and upstream gradient g:

        dx = gamma / sqrt(variance + epsilon) · (g - mean(g) - x̂ · mean(g · x̂))
        dgamma = Σ g · x̂, dbeta = Σ g, over examples and positions

    Input shape: (batch, positions…, channels).
    Output shape: as the input.

    Source: Ioffe and Szegedy, 2015, arXiv:1502.03167, section 3, with the statistics of one
        example.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise `inputs`."""
        weights = [each for each in (self.gamma, self.beta) if each is not None]
        positions = list(range(1, len(inputs.shape) - 1))

        @tf.custom_gradient
        def normalize(inputs: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            gamma, beta = self._split_weights(weights)
            mean, variance = tf.nn.moments(inputs, positions, keepdims=True)
            outputs = tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, self.epsilon)

            def gradients(upstream: tf.Tensor) -> list[tf.Tensor]:
                inverse = tf.math.rsqrt(variance + self.epsilon)
                normalized = (inputs - mean) * inverse
                sums = tf.reduce_sum(upstream, positions, keepdims=True)
                products = tf.reduce_sum(upstream * normalized, positions, keepdims=True)
                count = tf.cast(tf.reduce_prod(tf.shape(inputs)[1:-1]), inputs.dtype)
                centred = upstream - sums / count - normalized * (products / count)
                scale = inverse if gamma is None else inverse * gamma
                found = [scale * centred]
                channels = (-1,)
                if gamma is not None:
                    found.append(tf.reshape(tf.reduce_sum(products, 0), channels))
                if beta is not None:
                    found.append(tf.reshape(tf.reduce_sum(sums, 0), channels))
                return found

            return outputs, gradients

        return normalize(inputs, *map(tf.convert_to_tensor, weights))

    def _split_weights(
        self, weights: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """Return scale and offset, each None where the layer has none."""
        remaining = iter(weights)
        return (
            next(remaining) if self.gamma is not None else None,
            next(remaining) if self.beta is not None else None,
        )


def instance_norm(epsilon: float, name: str, affine: bool = True) -> keras.layers.Layer:
    """Instance normalisation, by default with a learned scale and offset a channel.

    y = gamma · (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the biased variance
    of one example's channel over all positions. Never in less than float32.
    `keras.layers.GroupNormalization(groups=-1)` is the same function.

    Source: Ulyanov et al., 2016, arXiv:1607.08022.
    """
    dtype = "float64" if keras.mixed_precision.global_policy().name == "float64" else "float32"
    return InstanceNormalization(
        epsilon=epsilon, center=affine, scale=affine, name=name, dtype=dtype
    )


def symmetric_padding(kernel: int, stride: int) -> tuple[int, int]:
    """Zeros in front of and behind an axis, as public PyTorch implementations pad it.

    ceil((kernel - stride) / 2) on both sides; at stride 1 an even kernel then gives one position
    too many and the last is cut, which is one zero less behind.
    """
    each = -(-(kernel - stride) // 2)
    behind = each - 1 if stride == 1 and kernel % 2 == 0 else each
    return max(each, 0), max(behind, 0)


class Convolutions:
    """Makes the convolutions of one network: their padding, and their seeds from its name.

    Kernels are drawn from Glorot's uniform distribution, each by a seed of its own, a function of
    the run's seed and of the names of network and layer. Biases start at zero, if not said
    otherwise.

    Args:
        network: The network's name.
        seed: The run's seed.
        padding: "same", TensorFlow's, or "symmetric", as public PyTorch implementations pad.
    """

    def __init__(self, network: str, seed: int, padding: Padding) -> None:
        self.network, self.seed, self.padding = network, seed, padding

    def __call__(
        self,
        inputs: Any,
        channels: int,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        name: str,
        *,
        bias: float = 0.0,
    ) -> Any:
        """Convolves `inputs`, (batch, positions…, channels), over as many axes as `kernel` has."""
        padding = "same"
        if self.padding == "symmetric":
            padding = "valid"
            zeros = tuple(symmetric_padding(*each) for each in zip(kernel, stride, strict=True))
            if len(kernel) == 1:
                inputs = keras.layers.ZeroPadding1D(zeros[0], name=f"{name}_padding")(inputs)
            else:
                inputs = keras.layers.ZeroPadding2D(zeros, name=f"{name}_padding")(inputs)
        layer: Any = {1: Conv1D, 2: Conv2D}[len(kernel)]
        return layer(
            channels,
            kernel,
            strides=stride,
            padding=padding,
            kernel_initializer=self.initializer(name),
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
        )(inputs)

    def initializer(self, name: str) -> keras.initializers.Initializer:
        """Glorot's uniform distribution, seeded for the layer `name` of this network."""
        key = zlib.crc32(f"{self.network}/{name}".encode())
        seed = np.random.SeedSequence((self.seed, key)).generate_state(1)[0]
        return keras.initializers.GlorotUniform(seed=int(seed) % 2**31)

"""Layers of the networks. Channels are the last axis everywhere."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models import short_sums, stack
from cyclegan_vc_tf.models.matmul_conv import Conv1D, Conv2D
from cyclegan_vc_tf.models.ordered_sum import fan_out

Padding = Literal["same", "symmetric"]

without_autograph = tf.autograph.experimental.do_not_convert
"""Decorator of functions that build networks, which have no control flow for AutoGraph."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class GatedLinearUnit(stack.Layer):
    """Gated linear unit: value · sigmoid(gate), where the value is the first half of the channels.

    Input shape: (batch, …, channels), an even number of channels.
    Output shape: (batch, …, channels // 2).

    Source: Dauphin et al., 2017, arXiv:1612.08083, equation 1, with its two convolutions as one.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Gate the first half of the channels with the second."""
        value, gate = tf.split(inputs, 2, axis=-1)
        return value * tf.sigmoid(gate)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with half the channels."""
        return (*input_shape[:-1], input_shape[-1] // 2)


def gate(kind: str, name: str) -> keras.layers.Layer:
    """Return a gated linear unit, "glu", or SiLU, "silu", which public PyTorch code uses instead.

    SiLU is x · sigmoid(x): every channel gates itself, and the number of channels stays.

    Source: Elfwing et al., 2017, arXiv:1702.03118, equation 5.
    """
    if kind == "silu":
        return keras.layers.Activation("swish", name=name)
    return GatedLinearUnit(name=name)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class PixelShuffle1D(stack.Layer):
    """Pixel shuffle in one dimension: channels become frames, two per input frame.

    Channel `j * channels // 2 + k` of frame `w` becomes channel `k` of frame `2 * w + j`:
    block-major, the order of `tf.nn.depth_to_space`, which does the work on an axis of width 1,
    and of `tf.reshape` in channels-last.

    Input shape: (batch, frames, channels), channels a multiple of 4.
    Output shape: (batch, 2 * frames, channels // 2).

    Source: Shi et al., 2016, arXiv:1609.05158, in one dimension.
    """

    def build(self, input_shape: Any) -> None:
        """Check the number of channels.

        Raises:
            ValueError: The number of channels is not a multiple of 4.
        """
        if input_shape[-1] % 4:
            raise ValueError(
                f"PixelShuffle1D needs a multiple of 4 channels. Received: {input_shape[-1]}"
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Move channels to frames."""
        channels = inputs.shape[-1]
        squares = tf.nn.depth_to_space(tf.expand_dims(inputs, axis=2), block_size=2)
        batch, frames = squares.shape[:2]
        if batch is None or frames is None:
            batch, frames = tf.shape(squares)[0], tf.shape(squares)[1]
        return tf.reshape(squares, (batch, frames, channels // 2))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with twice the frames and half the channels."""
        batch, frames, channels = input_shape
        return (batch, None if frames is None else 2 * frames, channels // 2)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class PixelShuffle2D(stack.Layer):
    """Pixel shuffle in two dimensions: channels become bins and frames, four per position.

    `tf.nn.depth_to_space`: channel `(2 * i + j) * channels // 4 + k` of bin h and frame w becomes
    channel `k` of bin `2 * h + i` and frame `2 * w + j`, block-major.

    Input shape: (batch, bins, frames, channels), channels a multiple of 4.
    Output shape: (batch, 2 * bins, 2 * frames, channels // 4).

    Source: Shi et al., 2016, arXiv:1609.05158.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Move channels to bins and frames."""
        return tf.nn.depth_to_space(inputs, block_size=2)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with twice the bins and frames and a quarter of the channels."""
        batch, *sizes, channels = input_shape
        return (batch, *(None if each is None else 2 * each for each in sizes), channels // 4)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class NearestResize(stack.Layer):
    """Nearest-neighbour resize of the first input to the positions of the second.

    Centres lie at half pixels, as in `tf.image.resize`: 16 of 64 frames are 2, 6, 10, …

    A resize to a known fraction of the positions, 1 / n, is a slice. The gradient of
    `tf.image.resize` has no deterministic form on a GPU.

    Input shape: a pair of (batch, positions…, channels) with one or two axes of positions.
    Output shape: (batch, positions… of the second, channels of the first).
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Resize the first of `inputs`."""
        picture, like = inputs
        sizes = list(zip(picture.shape[1:-1], like.shape[1:-1], strict=True))
        if all(old and new and old % new == 0 for old, new in sizes):
            steps = [old // new for old, new in sizes]
            slices = (slice(None), *(slice(step // 2, None, step) for step in steps))
            return picture[slices]
        if len(like.shape) == 3:
            column = tf.expand_dims(picture, axis=2)
            size = (tf.shape(like)[1], 1)
            return tf.squeeze(tf.image.resize(column, size, method="nearest"), axis=2)
        return tf.image.resize(picture, tf.shape(like)[1:3], method="nearest")

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with the second input's positions and the first input's channels."""
        picture, like = input_shape
        return (*like[:-1], picture[-1])


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class BinsByFrames(stack.Layer):
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
class MaskFrames(stack.Layer):
    """Mask of frames: returns (x · m, m) as two channels.

    Input shape: a pair of features x, (batch, frames, bins), and a mask m, (batch, frames, 1). The
    mask is 0 where a frame is to be filled in and 1 elsewhere.
    Output shape: (batch, frames, bins, 2).

    Source: Kaneko et al., 2021, arXiv:2102.12841, filling in frames.
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Mask the first of `inputs` with the second."""
        features, mask = inputs
        return tf.stack([features * mask, tf.broadcast_to(mask, tf.shape(features))], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with two channels."""
        return (*input_shape[0], 2)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class InstanceNormalization(stack.InstanceNormalization):
    """Instance normalisation with a gradient of its own.

    Forward it computes what Addons computes, on both stacks. The gradient that TensorFlow derives
    from the moments adds three terms for each input, in an order that depends on thread timing.
    This one adds in one order, and reads the inputs fewer times.

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
            mean, variance = short_sums.moments(inputs, positions)
            inverse = tf.math.rsqrt(variance + self.epsilon)
            scale = inverse if gamma is None else inverse * gamma
            offset = -mean * scale if beta is None else beta - mean * scale

            def gradients(upstream: tf.Tensor) -> list[tf.Tensor]:
                normalized = (inputs - mean) * inverse
                sums = tf.reduce_sum(upstream, positions, keepdims=True)
                products = tf.reduce_sum(upstream * normalized, positions, keepdims=True)
                sizes = inputs.shape[1:-1]
                if sizes.is_fully_defined():
                    count = tf.constant(sizes.num_elements(), inputs.dtype)
                else:
                    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[1:-1]), inputs.dtype)
                centred = upstream - sums / count - normalized * (products / count)
                found = [scale * centred]
                # Only the batch is left to add: the positions are one.
                rest = [0, *positions]
                if gamma is not None:
                    found.append(tf.reduce_sum(products, rest))
                if beta is not None:
                    found.append(tf.reduce_sum(sums, rest))
                return found

            return inputs * scale + offset, gradients

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
    """Return instance normalisation, by default with a learned scale and offset per channel.

    y = gamma · (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the biased variance
    of one example's channel over all positions. It is never computed in less than float32.
    `keras.layers.GroupNormalization(groups=-1)` is the same function.

    Source: Ulyanov et al., 2016, arXiv:1607.08022.
    """
    policy = keras.mixed_precision.global_policy().name
    dtype = "float64" if policy == "float64" else "float32"
    return InstanceNormalization(
        epsilon=epsilon, center=affine, scale=affine, name=name, dtype=dtype
    )


def symmetric_padding(kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros in front of and behind an axis, as public PyTorch implementations pad.

    Both sides get ceil((kernel - stride) / 2) zeros. At stride 1 an even kernel would give one
    position too many, which the implementations cut; this is one zero less behind.
    """
    front = -(-(kernel - stride) // 2)
    behind = front - 1 if stride == 1 and kernel % 2 == 0 else front
    return max(front, 0), max(behind, 0)


class Convolutions:
    """Builder of the convolutions of one network, with one padding and one seed per layer.

    Kernels are drawn from Glorot's uniform distribution. Each has a seed of its own, a function of
    the run's seed and of the names of network and layer. Biases are zero initially, unless another
    value is given.

    Args:
        network: The network's name.
        seed: The run's seed.
        padding: "same", as TensorFlow pads, or "symmetric", as public PyTorch implementations pad.
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
        """Convolve `inputs` over as many axes as `kernel` has.

        Args:
            inputs: (batch, positions…, channels).
            channels: Output channels.
            kernel: Kernel size per axis.
            stride: Stride per axis.
            name: Name of the layer.
            bias: Initial value of the bias.

        Returns:
            (batch, positions…, output channels).
        """
        padding = "same"
        if self.padding == "symmetric":
            padding = "valid"
            zeros = tuple(symmetric_padding(*sizes) for sizes in zip(kernel, stride, strict=True))
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
        """Return Glorot's uniform distribution, seeded for the layer `name` of this network."""
        key = zlib.crc32(f"{self.network}/{name}".encode())
        seed = np.random.SeedSequence((self.seed, key)).generate_state(1)[0]
        return keras.initializers.GlorotUniform(seed=int(seed) % 2**31)

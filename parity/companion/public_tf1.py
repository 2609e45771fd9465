"""The TensorFlow 1 project "leimao" as a graph: an oracle for the importer of its checkpoints.

Written from a description of the checkpoint alone: names of the variables, kernels, strides and
the order of the layers. It shares no code with the port. Inside the networks channels are last:
(batch, frames, channels), (batch, bins, frames, channels). A separate graph and session keep it
apart from eager code in the process.
"""

from collections.abc import Sequence
from types import TracebackType

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

tf1 = tf.compat.v1

DIRECTIONS = {"A2B": "generator_A2B", "B2A": "generator_B2A"}
SPEAKERS = {"A": "discriminator_A", "B": "discriminator_B"}


def instance_norm(inputs: tf.Tensor) -> tf.Tensor:
    """Apply affine instance norm over all positions, with `tf.contrib.layers`' variable names."""
    with tf1.variable_scope(None, default_name="InstanceNorm"):
        channels, dtype = inputs.shape[-1:], inputs.dtype
        beta = tf1.get_variable("beta", channels, dtype, tf1.zeros_initializer())
        gamma = tf1.get_variable("gamma", channels, dtype, tf1.ones_initializer())
    axes = list(range(1, inputs.shape.rank - 1))
    mean, variance = tf1.nn.moments(inputs, axes, keep_dims=True)
    return (inputs - mean) * tf1.rsqrt(variance + 1e-6) * gamma + beta


def conv(
    inputs: tf.Tensor, name: str, filters: int, kernel: int | list[int], stride: int | list[int] = 1
) -> tf.Tensor:
    """Convolve over one or two axes, with SAME padding."""
    axes = inputs.shape.rank - 2
    sizes, strides = ([each] * axes if isinstance(each, int) else each for each in (kernel, stride))
    with tf1.variable_scope(name):
        weights, bias = kernel_and_bias(inputs, filters, sizes)
    return tf1.nn.convolution(inputs, weights, "SAME", strides) + bias


def kernel_and_bias(
    inputs: tf.Tensor, filters: int, sizes: Sequence[int] = ()
) -> tuple[tf.Variable, tf.Variable]:
    """Create the variables of a layer, under the names that `tf.layers` gave them."""
    kernel = tf1.get_variable("kernel", [*sizes, inputs.shape[-1], filters], inputs.dtype)
    return kernel, tf1.get_variable("bias", [filters], inputs.dtype, tf1.zeros_initializer())


def pixel_shuffle(inputs: tf.Tensor) -> tf.Tensor:
    """Reshape (batch, frames, channels) → (batch, 2 · frames, channels / 2)."""
    batch, frames, channels = tf1.unstack(tf1.shape(inputs))
    outputs = tf1.reshape(inputs, [batch, 2 * frames, channels // 2])
    # The static number of channels is lost in the reshape, and the next layer needs it.
    outputs.set_shape([None, None, inputs.shape[-1] // 2])
    return outputs


def gated_input(
    inputs: tf.Tensor, filters: int, kernel: int | list[int], stride: int | list[int] = 1
) -> tf.Tensor:
    """Apply the first layer of either network: value · sigmoid(gate), without norm."""
    value = conv(inputs, "h1_conv", filters, kernel, stride)
    return value * tf1.sigmoid(conv(inputs, "h1_conv_gates", filters, kernel, stride))


def gated_block(
    inputs: tf.Tensor,
    prefix: str,
    filters: int,
    kernel: int | list[int],
    stride: int | list[int] = 1,
    shuffle: bool = False,
) -> tf.Tensor:
    """Apply two convolutions, a shuffle if `shuffle`, and norms. One result gates the other."""
    value = conv(inputs, f"{prefix}_h1_conv", filters, kernel, stride)
    value = instance_norm(pixel_shuffle(value) if shuffle else value)
    gate = conv(inputs, f"{prefix}_h1_gates", filters, kernel, stride)
    gate = instance_norm(pixel_shuffle(gate) if shuffle else gate)
    return value * tf1.sigmoid(gate)


def generator(features: tf.Tensor, scope: str, channels: int, residual_blocks: int) -> tf.Tensor:
    """Convert (batch, bins, frames) → (batch, bins, frames rounded up to a multiple of 4)."""
    c, bins = channels, features.shape[1]
    with tf1.variable_scope(scope):
        hidden = gated_input(tf1.transpose(features, [0, 2, 1]), c, 15)
        hidden = gated_block(hidden, "downsample1d_block1", 2 * c, 5, 2)
        hidden = gated_block(hidden, "downsample1d_block2", 4 * c, 5, 2)
        for number in range(1, residual_blocks + 1):
            prefix = f"residual1d_block{number}"
            inner = gated_block(hidden, prefix, 8 * c, 3)
            hidden += instance_norm(conv(inner, f"{prefix}_h2_conv", 4 * c, 3))
        hidden = gated_block(hidden, "upsample1d_block1", 8 * c, 5, shuffle=True)
        hidden = gated_block(hidden, "upsample1d_block2", 4 * c, 5, shuffle=True)
        return tf1.transpose(conv(hidden, "o1_conv", bins, 15), [0, 2, 1])


def discriminator(features: tf.Tensor, scope: str, channels: int) -> tf.Tensor:
    """Score (batch, bins, frames) → probabilities (batch, rows, columns, 1)."""
    c = channels
    with tf1.variable_scope(scope):
        hidden = gated_input(tf1.expand_dims(features, -1), c, [3, 3], [1, 2])
        hidden = gated_block(hidden, "downsample2d_block1", 2 * c, [3, 3], [2, 2])
        hidden = gated_block(hidden, "downsample2d_block2", 4 * c, [3, 3], [2, 2])
        hidden = gated_block(hidden, "downsample2d_block3", 8 * c, [6, 3], [1, 2])
        with tf1.variable_scope("dense"):
            kernel, bias = kernel_and_bias(hidden, 1)
        return tf1.sigmoid(tf1.tensordot(hidden, kernel, 1) + bias)


class LeimaoModel:
    """The whole training graph with random weights, in a separate session.

    Every variable of a checkpoint is random, Adam's moments included, so that reading from a wrong
    name is seen. Only the powers of the betas keep their initial values.

    Args:
        bins: Bins of the features.
        channels: Channels of the narrowest layer.
        residual_blocks: Residual blocks of a generator.
        dtype: Type of weights and features.
        seed: Seed of the random values, which are drawn in double precision.
    """

    def __init__(
        self,
        bins: int = 24,
        channels: int = 128,
        residual_blocks: int = 6,
        dtype: tf.DType = tf.float32,
        seed: int = 0,
    ) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            self._build(bins, channels, residual_blocks, dtype)
            self.saver = tf1.train.Saver()
            # In float32 with oneDNN, Grappler's remapper mistakes this instance norm for a pattern
            # with constants in the place of the variables, and aborts the process.
            options = tf1.ConfigProto()
            options.graph_options.rewrite_options.remapping = RewriterConfig.OFF
            self.session = tf1.Session(graph=self.graph, config=options)
            self.session.run(tf1.global_variables_initializer())
            self._randomise(seed)

    def _build(self, bins: int, channels: int, residual_blocks: int, dtype: tf.DType) -> None:
        """Build placeholders of both speakers' features, networks and optimisers."""
        self.features = {
            speaker: tf1.placeholder(dtype, [None, bins, None]) for speaker in SPEAKERS
        }
        self.converted = {
            direction: generator(self.features[direction[0]], scope, channels, residual_blocks)
            for direction, scope in DIRECTIONS.items()
        }
        self.scores = {
            speaker: discriminator(self.features[speaker], scope, channels)
            for speaker, scope in SPEAKERS.items()
        }
        # Discriminators first: the betas' powers are numbered in this order. Gradients of losses
        # would give equal variables, and need a graph that takes many seconds.
        for kind in ("discriminator", "generator"):
            trained = [v for v in tf1.trainable_variables() if v.op.name.startswith(kind)]
            optimizer = tf1.train.AdamOptimizer(2e-4, beta1=0.5)
            optimizer.apply_gradients([(tf1.ones_like(weight), weight) for weight in trained])

    def _randomise(self, seed: int) -> None:
        """Draw kernels as Glorot, gammas around 1, biases and betas around 0, small moments."""
        random, fed, assigned = np.random.default_rng(seed), {}, []
        for variable in tf1.global_variables():
            shape, kind = variable.shape.as_list(), variable.op.name.rsplit("/", 1)[-1]
            if not shape:
                continue
            values = random.normal(size=shape)
            if kind == "kernel":
                receptive = int(np.prod(shape[:-2]))
                values *= np.sqrt(2 / (receptive * (shape[-2] + shape[-1])))
            elif kind == "gamma":
                values = 1 + 0.1 * values
            else:
                # Adam_1 holds squares.
                values = 0.1 * (np.abs(values) if kind == "Adam_1" else values)
            # As constants in the graph they would reach protobuf's limit of two gigabytes.
            place = tf1.placeholder(variable.dtype.base_dtype, shape)
            fed[place] = values
            assigned.append(tf1.assign(variable, place).op)
        # In one call: the session prunes the whole graph for every new set of operations.
        self.session.run(assigned, fed)

    def variables(self) -> dict[str, np.ndarray]:
        """Return every variable by its name in the checkpoint."""
        with self.graph.as_default():
            return self.session.run({v.op.name: v for v in tf1.global_variables()})

    def save(self, prefix: str) -> None:
        """Write `prefix`.index, `prefix`.data-…, `prefix`.meta and a file `checkpoint`."""
        # Outside its graph, in eager code, a saver would be built again.
        with self.graph.as_default():
            self.saver.save(self.session, prefix)

    def convert(self, direction: str, features: np.ndarray) -> np.ndarray:
        """Convert (batch, bins, frames) in the direction "A2B" or "B2A"."""
        place = self.features[direction[0]]
        return self.session.run(self.converted[direction], {place: features})

    def score(self, speaker: str, features: np.ndarray) -> np.ndarray:
        """Score (batch, bins, frames) as speaker "A" or "B" → (batch, rows, columns, 1)."""
        return self.session.run(self.scores[speaker], {self.features[speaker]: features})

    def close(self) -> None:
        """Free the session's memory."""
        self.session.close()

    def __enter__(self) -> "LeimaoModel":
        """Return the model. The with statement closes its session."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()

"""Instance normalisation for streams: with statistics that do not need a whole utterance."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models.layers import InstanceNormalization

Moments = dict[str, tuple[np.ndarray, np.ndarray]]
"""Mean and variance of the input of each norm, (channels,) each, by the name of the layer."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class StreamingNormalization(keras.layers.Layer):
    """Instance normalisation with given statistics, or with statistics that run along.

    Running statistics are a mean over the windows so far, in which the newest window has at least
    the weight `share`. The first window is normalised with its own statistics.

    Args:
        norm: Layer to replace, whose scale and offset are used.
        moments: Fixed mean and variance, (channels,) each; None lets them run along.
        share: Lowest weight of the newest window in running statistics.
        options: Options of every Keras layer, such as `name`.

    Input shape: (1, positions…, channels).
    Output shape: as the input.
    """

    def __init__(
        self,
        norm: InstanceNormalization,
        moments: tuple[np.ndarray, np.ndarray] | None,
        share: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.norm, self.share, self.is_fixed = norm, share, moments is not None
        if moments is not None:
            self.mean, self.variance = (tf.constant(each, tf.float32) for each in moments)

    def build(self, input_shape: Any) -> None:
        """Make the variables of running statistics."""
        if not self.is_fixed:
            channels = (input_shape[-1],)
            self.mean = tf.Variable(tf.zeros(channels), trainable=False)
            self.variance = tf.Variable(tf.ones(channels), trainable=False)
            self.windows = tf.Variable(0.0, trainable=False)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise `inputs`, and update running statistics."""
        mean, variance = self.mean, self.variance
        if not self.is_fixed:
            count = self.windows.assign_add(1.0)
            weight = tf.maximum(1.0 / count, self.share)
            means, variances = tf.nn.moments(inputs, list(range(len(inputs.shape) - 1)))
            mean = self.mean.assign_add(weight * (means - self.mean))
            variance = self.variance.assign_add(weight * (variances - self.variance))
        return tf.nn.batch_normalization(
            inputs, mean, variance, self.norm.beta, self.norm.gamma, self.norm.epsilon
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape


def find_norms(generator: keras.Model) -> list[InstanceNormalization]:
    """Return the instance norms of a generator, in order."""
    return [layer for layer in generator.layers if isinstance(layer, InstanceNormalization)]


def replace_norms(
    generator: keras.Model, moments: Mapping[str, tuple[np.ndarray, np.ndarray]], share: float = 0.0
) -> keras.Model:
    """Return a generator with the same weights, and norms for streams.

    Args:
        generator: Generator of any variant.
        moments: Fixed statistics of all norms; empty lets them run along.
        share: Lowest weight of the newest window in running statistics.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(layer, InstanceNormalization):
            return layer
        fixed = moments[layer.name] if moments else None
        return StreamingNormalization(layer, fixed, share, name=layer.name)

    return keras.models.clone_model(generator, clone_function=clone)


def measure_moments(generator: keras.Model, utterances: Sequence[np.ndarray]) -> Moments:
    """Measure the statistics of all norms over whole utterances, and average over utterances.

    Args:
        generator: Generator of any variant.
        utterances: Normalised spectra, (frames, bins) float32 each, frames a multiple of four.
    """
    norms = find_norms(generator)
    probe = keras.Model(generator.inputs, [norm.input for norm in norms])
    sums: dict[str, list[np.ndarray]] = {}
    for spectra in utterances:
        inputs = [tf.constant(spectra[np.newaxis])]
        if len(generator.inputs) > 1:
            inputs.append(tf.ones((1, len(spectra), 1)))
        outputs = tf.nest.flatten(probe(inputs if len(inputs) > 1 else inputs[0], training=False))
        for norm, output in zip(norms, outputs, strict=True):
            found = np.stack(tf.nn.moments(output, list(range(len(output.shape) - 1))))
            sums.setdefault(norm.name, []).append(found.astype(np.float64))
    means = {name: np.mean(found, axis=0).astype(np.float32) for name, found in sums.items()}
    return {name: (mean, variance) for name, (mean, variance) in means.items()}

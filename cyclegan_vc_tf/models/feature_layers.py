"""Layers around a generator that takes and returns features in the units of the analysis."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.network import FRAME_MULTIPLE
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models.layers import without_autograph


class _StatisticsLayer(keras.layers.Layer):
    """Layer with means and divisors of a speaker's features.

    Args:
        mean: Mean of each bin.
        scale: Divisor of each bin.
        options: Options of every Keras layer, such as `name`.
    """

    def __init__(self, mean: Sequence[float], scale: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.mean, self.scale = list(mean), list(scale)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the layer anew."""
        return {**super().get_config(), "mean": self.mean, "scale": self.scale}

    def _constant(self, values: Any) -> tf.Tensor:
        return tf.constant(values, self.compute_dtype)


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class NormalizeFeatures(_StatisticsLayer):
    """Normalise features, and append copies of the last frame up to a multiple of four frames.

    The mean is subtracted in two parts, so that the difference has the precision of float64.

    Input shape: (batch, frames, bins).
    Output shape: (batch, filled frames, bins).
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise `inputs`."""
        mean = np.array(self.mean)
        rounded = mean.astype(np.float32)
        centred = inputs - self._constant(rounded) - self._constant(mean - rounded)
        normalized = centred / self._constant(self.scale)
        frames = tf.shape(inputs)[1]
        filled = (frames + FRAME_MULTIPLE - 1) // FRAME_MULTIPLE * FRAME_MULTIPLE
        return tf.gather(normalized, tf.minimum(tf.range(filled), frames - 1), axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with any number of frames."""
        return (input_shape[0], None, input_shape[2])


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class DenormalizeFeatures(_StatisticsLayer):
    """Undo the normalisation with another speaker's statistics, and drop appended frames.

    Input shape: a pair of generated features, (batch, filled frames, bins), and of the features
    that they were generated from, (batch, frames, bins).
    Output shape: (batch, frames, bins).
    """

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """Denormalise the first of `inputs`."""
        generated, features = inputs
        outputs = generated * self._constant(self.scale) + self._constant(self.mean)
        return outputs[:, : tf.shape(features)[1]]

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape of the second input."""
        return tuple(input_shape[1])


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class FullMask(keras.layers.Layer):
    """Mask that hides no frame.

    Input shape: (batch, frames, bins).
    Output shape: (batch, frames, 1), all ones.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Return the mask of `inputs`."""
        return tf.ones_like(inputs[..., :1])

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """Return the shape with one bin."""
        return (*input_shape[:-1], 1)


@without_autograph
def with_statistics(
    generator: keras.Model, source: Statistics, target: Statistics, output: str
) -> keras.Model:
    """Return a model around a generator, with normalisation inside and any number of frames.

    Args:
        generator: Generator of any variant.
        source: Statistics of the source speaker.
        target: Statistics of the target speaker.
        output: Name of the last layer.

    Returns:
        Model from and to (batch, frames, bins), in the units of the analysis. It shares the
        generator's variables.
    """
    bins = generator.inputs[0].shape[-1]
    features = keras.Input((None, bins), name="features")
    hidden = NormalizeFeatures(source.mean.tolist(), source.scale.tolist(), name="normalize")(
        features
    )
    if len(generator.inputs) > 1:
        hidden = [hidden, FullMask(name="full_mask")(hidden)]
    denormalize = DenormalizeFeatures(target.mean.tolist(), target.scale.tolist(), name=output)
    return keras.Model(features, denormalize([generator(hidden), features]), name="converter")

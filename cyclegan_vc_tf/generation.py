"""What is done with generators beside training them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.generators import FRAME_MULTIPLE, START, generate


def traced(generator: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """A function of normalised spectra of any number of frames.

    The generator wants a multiple of four frames: copies of the last are added and cut again.

    Args:
        generator: Of the family.

    Returns:
        (frames, bins) → (frames, bins).
    """
    dtype = generator.compute_dtype
    # One trace serves every length. No layer has control flow for AutoGraph to find, which would
    # read the source of each.
    graph = tf.function(
        lambda inputs: generate(generator, inputs, training=False),
        input_signature=[tf.TensorSpec((1, None, generator.inputs[0].shape[2]), dtype)],
        autograph=False,
    )

    def call(normalized: np.ndarray) -> np.ndarray:
        frames = len(normalized)
        padded = np.pad(normalized, ((0, -frames % FRAME_MULTIPLE), (0, 0)), mode="edge")
        return graph(tf.constant(padded[np.newaxis], dtype)).numpy()[0, :frames]

    return call


def begin_with(generator: keras.Model, kernel: np.ndarray) -> None:
    """Has a generator begin close to a linear map, a tenth of its own outputs beside it.

    Args:
        generator: One with `frequency_warp`, freshly built.
        kernel: (START_FRAMES, bins, bins), of a convolution over frames.
    """
    generator.get_layer(START).set_weights([kernel])
    output = generator.get_layer("output_conv")
    output.set_weights([0.1 * weight for weight in output.get_weights()])


def start_of(generator: keras.Model, features: tf.Tensor) -> tf.Tensor:
    """What a generator began with: the features, through its linear map where it has one."""
    names = {layer.name for layer in generator.layers}
    return generator.get_layer(START)(features) if START in names else features

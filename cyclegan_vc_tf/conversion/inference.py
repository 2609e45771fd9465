"""Inference with a generator: NumPy in, NumPy out."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models.generators import FRAME_MULTIPLE, generate


def inference_function(generator: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that runs a generator on spectra of any number of frames.

    The generator needs a multiple of four frames. Copies of the last frame are appended, and
    their outputs are removed.

    Args:
        generator: Generator of any variant.

    Returns:
        Function from normalised spectra, (frames, bins), to generated spectra, (frames, bins).
    """
    dtype = generator.compute_dtype
    # One trace serves every length. No layer has control flow, so AutoGraph need not read the
    # layers' sources.
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

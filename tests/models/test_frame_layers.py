"""Layers of frames against Keras' own layers and numeric gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.models.frame_layers import CausalDepthwiseConv1D, ChannelNormalization


def frames(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, 9, 5))


def set_random(layer: keras.layers.Layer) -> None:
    rng = np.random.default_rng(7)
    layer.set_weights([rng.standard_normal(weight.shape) for weight in layer.get_weights()])


def test_the_norm_is_keras_layer_normalization() -> None:
    ours = ChannelNormalization(dtype="float64")
    theirs = keras.layers.LayerNormalization(epsilon=1e-5, dtype="float64")
    given = tf.constant(frames())
    ours(given), theirs(given)
    set_random(ours)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(given), theirs(given), atol=1e-12)


def test_the_convolution_is_keras_causal_one_per_channel() -> None:
    ours = CausalDepthwiseConv1D(4, dtype="float64")
    given = frames()
    ours(tf.constant(given))
    set_random(ours)
    (kernel,) = ours.get_weights()
    padded = np.pad(given, ((0, 0), (3, 0), (0, 0)))
    expected = sum(padded[:, place : place + 9] * kernel[place] for place in range(4))
    np.testing.assert_allclose(ours(tf.constant(given)), expected, atol=1e-12)


def test_the_convolution_does_not_look_ahead() -> None:
    layer = CausalDepthwiseConv1D(3, kernel_initializer="ones")
    given = np.zeros((1, 6, 1), np.float32)
    given[0, 3] = 1
    np.testing.assert_array_equal(layer(given)[0, :, 0], [0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("layer", [ChannelNormalization, lambda **o: CausalDepthwiseConv1D(3, **o)])
def test_gradients_are_the_numeric_ones(layer: type) -> None:
    made = layer(dtype="float64")
    given = tf.constant(frames(3))
    made(given)
    set_random(made)
    weights = [tf.constant(weight) for weight in made.get_weights()]

    def apply(inputs: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
        made.set_weights([value.numpy() for value in values])
        return made(inputs)

    theoretical, numeric = tf.test.compute_gradient(lambda x: apply(x, *weights), [given])
    np.testing.assert_allclose(theoretical[0], numeric[0], atol=1e-6)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(made(given)))
    found = tape.gradient(total, made.trainable_variables)
    for number, (gradient, weight) in enumerate(zip(found, weights, strict=True)):
        index = (0,) * len(weight.shape)
        sums = []
        for change in (1e-5, -1e-5):
            moved = [each.numpy().copy() for each in weights]
            moved[number][index] += change
            made.set_weights(moved)
            sums.append(float(tf.reduce_sum(tf.square(made(given)))))
        made.set_weights(weights)
        assert gradient.numpy()[index] == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-5)

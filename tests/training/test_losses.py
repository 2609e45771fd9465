"""Losses against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.training import losses


def scores(*values: float) -> tf.Tensor:
    """Return a batch of two maps of scores, the second one the double of the first."""
    one = np.reshape(values, (1, 2, -1, 1))
    return tf.constant(np.concatenate([one, 2 * one]), tf.float64)


def test_least_squares_by_hand() -> None:
    # (1 + 0 + 4 + 1) / 4 = 1.5 to the target 1; doubled: (1 + 1 + 25 + 1) / 4 = 7.
    found = losses.least_squares_loss(scores(0.0, 1.0, 3.0, 0.0), 1.0)
    np.testing.assert_allclose(found, [1.5, 7.0])
    # To the target 0: (0 + 1 + 9 + 0) / 4 = 2.5; doubled: 10.
    found = losses.least_squares_loss(scores(0.0, 1.0, 3.0, 0.0), 0.0)
    np.testing.assert_allclose(found, [2.5, 10.0])


def test_a_discriminators_loss_by_hand() -> None:
    # Real: (0.25 + 0 + 0 + 1) / 4 = 0.3125; fake: (0.25 + 0 + 0 + 1) / 4 = 0.3125; half of both.
    real, fake = scores(0.5, 1.0, 1.0, 2.0), scores(0.5, 0.0, 0.0, 1.0)
    assert losses.discriminator_loss(real, fake)[0].numpy() == pytest.approx(0.3125)
    assert losses.discriminator_loss(scores(1, 1, 1, 1), scores(0, 0, 0, 0))[0] == 0.0
    # Swapped scores are worse.
    assert losses.discriminator_loss(fake, real)[0] > 0.3125


def test_l1_by_hand() -> None:
    expected = tf.constant([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    actual = tf.constant([[[1.0, 0.0], [6.0, 3.0]], [[0.5, -0.5], [1.0, -2.0]]])
    # (0 + 2 + 3 + 1) / 4 and (0.5 + 0.5 + 1 + 2) / 4.
    np.testing.assert_allclose(losses.l1_loss(expected, actual), [1.5, 1.0])


def test_losses_have_one_value_per_example() -> None:
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((3, 6, 8, 1))
    assert losses.least_squares_loss(maps, 1.0).shape == (3,)
    assert losses.discriminator_loss(maps, maps).shape == (3,)
    features = rng.standard_normal((3, 16, 24))
    assert losses.l1_loss(features, features).shape == (3,)

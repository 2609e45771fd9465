"""Loss functions: pure, with one value per example. The trainer averages and weights them."""

import tensorflow as tf


def least_squares_loss(scores: tf.Tensor, target: float) -> tf.Tensor:
    """Return the mean squared distance of a discriminator's patch scores from `target`.

    Args:
        scores: Raw scores, (batch, rows, columns, 1).
        target: Desired score: 1.0 for real features, 0.0 for fake ones.

    Returns:
        One loss per example, (batch,).

    Source: Mao et al., 2016, arXiv:1611.04076, with 0-1 coding.
    """
    return tf.reduce_mean(tf.square(scores - target), axis=(1, 2, 3))


def discriminator_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """Return the mean of a discriminator's least-squares losses on real and on fake features.

    Args:
        real_scores: Raw scores of real features, (batch, rows, columns, 1).
        fake_scores: Raw scores of fake features, (batch, rows, columns, 1).

    Returns:
        One loss per example, (batch,).

    Source: Mao et al., 2016, arXiv:1611.04076, equation 2 with a = 0, b = 1.
    """
    real = least_squares_loss(real_scores, 1.0)
    return 0.5 * (real + least_squares_loss(fake_scores, 0.0))


def self_regularization_loss(initial: tf.Tensor, converted: tf.Tensor) -> tf.Tensor:
    """Return the mean squared difference between converted features and their initial form.

    The gradient is zero where both are equal. An absolute difference would hold the generator
    back there.

    Args:
        initial: Features after the generator's linear skip, (batch, frames, bins).
        converted: Output of the generator, (batch, frames, bins).

    Returns:
        One loss per example, (batch,).

    Source: Shrivastava et al., 2017, arXiv:1612.07828, section 2.1, squared.
    """
    return tf.reduce_mean(tf.square(converted - initial), axis=(1, 2))


def l1_loss(expected: tf.Tensor, actual: tf.Tensor) -> tf.Tensor:
    """Return the mean absolute difference, for the cycle-consistency and identity-mapping losses.

    Args:
        expected: Real features, (batch, frames, bins).
        actual: Generated features, (batch, frames, bins).

    Returns:
        One loss per example, (batch,).

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, equations 2 and 4.
    """
    return tf.reduce_mean(tf.abs(expected - actual), axis=(1, 2))

"""The loss terms: pure functions, one value an example. Whoever trains averages and weighs."""

import tensorflow as tf


def least_squares_loss(scores: tf.Tensor, target: float) -> tf.Tensor:
    """Mean squared distance of a discriminator's patch scores from `target`.

    Args:
        scores: Raw scores, (batch, rows, columns, 1).
        target: What they should be: 1.0 for real, 0.0 for fake.

    Returns:
        (batch,).

    Source: Mao et al., 2016, arXiv:1611.04076, with 0-1 coding.
    """
    return tf.reduce_mean(tf.square(scores - target), axis=(1, 2, 3))


def discriminator_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """Half of what a discriminator misses on real features, and half on fake ones.

    Args:
        real_scores: (batch, rows, columns, 1).
        fake_scores: Likewise.

    Returns:
        (batch,).

    Source: Mao et al., 2016, arXiv:1611.04076, equation 2 with a = 0, b = 1.
    """
    real = least_squares_loss(real_scores, 1.0)
    return 0.5 * (real + least_squares_loss(fake_scores, 0.0))


def self_regularization_loss(start: tf.Tensor, converted: tf.Tensor) -> tf.Tensor:
    """Mean squared distance of what was made from what was begun with.

    Unlike an absolute difference it is flat at zero, so that it holds nothing back there.

    Args:
        start: (batch, frames, bins).
        converted: Likewise.

    Returns:
        (batch,).

    Source: Shrivastava et al., 2017, arXiv:1612.07828, section 2.1, squared.
    """
    return tf.reduce_mean(tf.square(converted - start), axis=(1, 2))


def l1_loss(expected: tf.Tensor, actual: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference, of the cycle-consistency and the identity-mapping loss.

    Args:
        expected: (batch, frames, bins).
        actual: Likewise.

    Returns:
        (batch,).

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, equations 2 and 4.
    """
    return tf.reduce_mean(tf.abs(expected - actual), axis=(1, 2))

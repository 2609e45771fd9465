"""Divided sums: what TensorFlow computes without them, to the rounding of float64."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.models import short_sums


def convolution(rank: int, stride: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Convolution over `rank` axes, padded as "same"."""
    return lambda inputs, kernel: tf.nn.convolution(
        inputs, kernel, strides=[stride] * rank, padding="SAME"
    )


@pytest.mark.parametrize(
    ("window", "channels", "convolutions"),
    # 3 · 400 products are 3 groups, 5 · 5 · 100 are 5, a window of 600 is one group per channel.
    [((3,), 400, 3), ((5, 5), 100, 5), ((600,), 3, 3), ((3,), 170, 1), ((1,), 1025, 3)],
)
def test_groups_of_channels_add_up(
    window: tuple[int, ...], channels: int, convolutions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, rank = np.random.default_rng(1), len(window)
    inputs = tf.constant(rng.standard_normal((1, *[12] * rank, channels)))
    kernel = tf.constant(rng.standard_normal((*window, channels, 4)))
    for stride in (1, 2):
        calls = []
        plain = convolution(rank, stride)

        def count(*arguments: tf.Tensor, plain: Callable = plain, calls: list = calls) -> tf.Tensor:
            calls.append(int(np.prod(arguments[1].shape[:-1])))
            return plain(*arguments)

        with short_sums.short_sums():
            divided = short_sums.convolve(count, inputs, kernel)
        assert len(calls) == convolutions and max(calls) <= max(short_sums.MAX_TERMS, window[0])
        np.testing.assert_allclose(divided, plain(inputs, kernel), rtol=0, atol=1e-11)


def test_nothing_is_divided_elsewhere() -> None:
    inputs, kernel = tf.ones((1, 4, 2000)), tf.ones((3, 2000, 1))
    calls = []
    plain = convolution(1, 1)
    for arguments in ({}, {"convolutions": False}):
        with short_sums.short_sums(**arguments) if arguments else tf.name_scope("no"):
            short_sums.convolve(lambda *each: calls.append(1) or plain(*each), inputs, kernel)
    assert len(calls) == 2


def test_means_of_axes_are_means_of_all() -> None:
    values = tf.constant(np.random.default_rng(2).standard_normal((2, 5, 7, 3)) + 100.0)
    with short_sums.short_sums():
        divided = short_sums.moments(values, [1, 2])
    for one, other in zip(divided, short_sums.moments(values, [1, 2]), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-11)
        assert one.shape == (2, 1, 1, 3)

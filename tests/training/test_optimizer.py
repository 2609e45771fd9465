"""Adam against NumPy in float64, and the schedule against numbers worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.training.optimizer import Adam, linear_decay


def numpy_adam(
    weights: np.ndarray, gradients: np.ndarray, rate: float, beta1: float, beta2: float, eps: float
) -> np.ndarray:
    """Return the weights after updates by the formula in the docstring of `Adam`."""
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for time, gradient in enumerate(gradients, 1):
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        corrected = rate * np.sqrt(1 - beta2**time) / (1 - beta1**time)
        weights = weights - corrected * first / (np.sqrt(second) + eps)
    return weights


@pytest.mark.parametrize("scale", [1.0, 1e-5])
@pytest.mark.parametrize(("beta1", "beta2", "eps"), [(0.5, 0.999, 1e-8), (0.9, 0.99, 1e-3)])
def test_a_thousand_steps_in_float64(scale: float, beta1: float, beta2: float, eps: float) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((3, 2)), scale * rng.standard_normal((1000, 3, 2))
    variable = tf.Variable(start)
    adam = Adam([variable], beta1, beta2, eps)

    @tf.function
    def step(gradient: tf.Tensor) -> None:
        adam.apply([gradient], [variable], tf.constant(2e-4, tf.float64))

    for gradient in gradients:
        step(tf.constant(gradient))
    expected = numpy_adam(start, gradients, 2e-4, beta1, beta2, eps)
    assert np.min(np.abs(expected - start)) > 1e-7
    np.testing.assert_allclose(variable, expected, rtol=1e-13)
    assert int(adam.iterations) == 1000


def test_the_learning_rate_of_every_step_counts() -> None:
    variable = tf.Variable([1.0, 1.0], dtype=tf.float64)
    adam = Adam([variable], 0.5, 0.999, 0.0)
    # Without epsilon the first step is the rate itself, against the gradient's sign.
    adam.apply([tf.constant([3.0, -7.0], tf.float64)], [variable], tf.constant(0.25))
    np.testing.assert_allclose(variable, [0.75, 1.25], rtol=1e-12)
    adam.apply([tf.constant([3.0, -7.0], tf.float64)], [variable], tf.constant(0.0))
    np.testing.assert_allclose(variable, [0.75, 1.25], rtol=1e-12)


def test_a_variable_without_a_gradient_is_an_error() -> None:
    variable = tf.Variable([1.0], name="forgotten")
    adam = Adam([variable], 0.5, 0.999, 1e-8)
    with pytest.raises(ValueError, match="forgotten"):
        adam.apply([None], [variable], tf.constant(0.1))


def test_the_moments_are_part_of_a_checkpoint(tmp_path: object) -> None:
    variables = [tf.Variable([1.0, 2.0])]
    adam = Adam(variables, 0.5, 0.999, 1e-8)
    adam.apply([tf.constant([0.5, 0.5])], variables, tf.constant(0.1))
    prefix = tf.train.Checkpoint(adam=adam).write(f"{tmp_path}/adam")
    names = [name for name, _ in tf.train.list_variables(prefix)]
    assert [sum(part in name for name in names) for part in ("first", "second", "iter")] == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 2e-4),
        (200_000, 2e-4),
        (250_000, 1.5e-4),
        (300_000, 1e-4),
        (399_999, 1e-9),
        (400_000, 0.0),
        (10**6, 0.0),
    ],
)
def test_the_papers_schedule(step: int, expected: float) -> None:
    rate = linear_decay(tf.constant(step, tf.int64), 2e-4, 200_000, 200_000)
    assert float(rate) == pytest.approx(expected, rel=1e-9, abs=1e-18)


def test_a_traced_schedule_follows_the_step() -> None:
    step = tf.Variable(0, dtype=tf.int64)
    traced = tf.function(lambda: linear_decay(step, 1.0, 2, 4))
    rates = []
    for _ in range(7):
        rates.append(float(traced()))
        step.assign_add(1)
    np.testing.assert_allclose(rates, [1, 1, 1, 0.75, 0.5, 0.25, 0])

"""Every Adam there is, on the same gradients."""

from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf
import torch

from cyclegan_vc_tf.optimizer import Adam
from parity import torch_step
from parity.precision import precision

RATE, BETA1, BETA2 = 2e-4, 0.5, 0.999

Weights = np.ndarray
"""After each step, (steps, weights)."""


def ours(start: np.ndarray, gradients: np.ndarray, epsilon: float) -> Weights:
    """This project's, on TensorFlow's fused kernel."""
    variable = tf.Variable(start)
    adam = Adam([variable], BETA1, BETA2, epsilon)
    rate = tf.constant(RATE, tf.float64)

    @tf.function
    def step(gradient: tf.Tensor) -> None:
        adam.apply([gradient], [variable], rate)

    return _followed(step, map(tf.constant, gradients), lambda: variable.numpy())


def companion(start: np.ndarray, gradients: np.ndarray, epsilon: float) -> Weights:
    """The companion's, in torch."""
    return _torch(torch_step.Adam, start, gradients, epsilon)


def torchs(start: np.ndarray, gradients: np.ndarray, epsilon: float) -> Weights:
    """`torch.optim.Adam`."""
    return _torch(torch.optim.Adam, start, gradients, epsilon)


def keras_adam(
    start: np.ndarray, gradients: np.ndarray, epsilon: float, *, floatx: str, legacy: bool = False
) -> Weights:
    """`keras.optimizers.Adam`, or its legacy form, with Keras' default type being `floatx`."""
    with precision(floatx):
        kind = keras.optimizers.legacy.Adam if legacy else keras.optimizers.Adam
        adam = kind(learning_rate=RATE, beta_1=BETA1, beta_2=BETA2, epsilon=epsilon)
        variable = tf.Variable(start)
        if not legacy:
            adam.build([variable])

        @tf.function
        def step(gradient: tf.Tensor) -> None:
            adam.apply_gradients([(gradient, variable)])

        return _followed(step, map(tf.constant, gradients), lambda: variable.numpy())


def textbook(
    start: np.ndarray,
    gradients: np.ndarray,
    epsilon: float,
    *,
    inside: bool,
    rate: float = RATE,
    beta2: float = BETA2,
    power_beta2: float = BETA2,
) -> Weights:
    """NumPy's, with epsilon beside the corrected root (`inside`, algorithm 1) or outside of it.

    `beta2` decays the second moment, `power_beta2` corrects its bias; in exact arithmetic they are
    the same.

    Source: Kingma and Ba, 2014, arXiv:1412.6980: algorithm 1, and the end of its section 2.
    """
    weights, first, second, rows = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for time, gradient in enumerate(gradients, 1):
        first = BETA1 * first + (1 - BETA1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        root = np.sqrt(1 - power_beta2**time)
        denominator = np.sqrt(second) + (epsilon * root if inside else epsilon)
        weights = weights - rate * root / (1 - BETA1**time) * first / denominator
        rows.append(weights)
    return np.stack(rows)


def drift(start: np.ndarray, one: Weights, other: Weights) -> float:
    """How far two Adams are apart after the last step, over the way that the second went."""
    return float(np.linalg.norm(one[-1] - other[-1]) / np.linalg.norm(other[-1] - start))


def _torch(
    kind: Callable[..., torch.optim.Optimizer],
    start: np.ndarray,
    gradients: np.ndarray,
    epsilon: float,
) -> Weights:
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    adam = kind([parameter], lr=RATE, betas=(BETA1, BETA2), eps=epsilon)

    def step(gradient: torch.Tensor) -> None:
        parameter.grad = gradient
        adam.step()

    return _followed(step, map(torch.from_numpy, gradients), lambda: parameter.detach().numpy())


def _followed(
    step: Callable[..., None], gradients: Iterable[object], weights: Callable[[], np.ndarray]
) -> Weights:
    rows = []
    for gradient in gradients:
        step(gradient)
        rows.append(weights().copy())
    return np.stack(rows)

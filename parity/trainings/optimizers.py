"""Every Adam there is, on the same gradients."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import torch

from cyclegan_vc_tf.training.optimizer import Adam
from parity.companion import train_step
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
    return _torch(train_step.Adam, start, gradients, epsilon)


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


STEPS, WEIGHTS, EPSILON = 1000, 16, 1e-8

PER_STEP = 1e-15
"""How far an Adam may be from one with the same formula, a step: weights of about 1 are rounded to
1.1e-16 at every step."""


@dataclass(frozen=True)
class Followed:
    """An Adam beside this project's, after 1,000 steps in float64.

    Attributes:
        name: Which.
        scale: Of the gradients.
        first: Drift after the first step: distance over the way gone.
        last: Drift after the last.
        formula: What it computes.
        unexplained: Largest distance from that formula at any step, over the number of the step.
    """

    name: str
    scale: float
    first: float
    last: float
    formula: str
    unexplained: float

    @property
    def passed(self) -> bool:
        """Whether the formula accounts for it."""
        return self.unexplained <= PER_STEP


def follow(scale: float) -> list[Followed]:
    """All Adams on the same 1,000 gradients, of a deviation of `scale`."""
    rng = np.random.default_rng(0)
    start, gradients = (
        rng.standard_normal(WEIGHTS), scale * rng.standard_normal((STEPS, WEIGHTS))
    )  # fmt: skip
    rate, beta2 = (float(np.float32(each)) for each in (RATE, BETA2))

    def formula_weights(*, inside: bool = False, **rounded: float) -> np.ndarray:
        return textbook(start, gradients, EPSILON, inside=inside, **rounded)

    project = ours(start, gradients, EPSILON)
    found = []
    for name, theirs, formula, expected in (
        (
            "the companion's",
            companion(start, gradients, EPSILON),
            "this project's",
            project,
        ),
        (
            "torch.optim.Adam",
            torchs(start, gradients, EPSILON),
            "epsilon times sqrt(1 - beta2^t)",
            formula_weights(inside=True),
        ),
        (
            "keras.optimizers.Adam, floatx float64",
            keras_adam(start, gradients, EPSILON, floatx="float64"),
            "bias corrected with beta2 rounded to float32",
            formula_weights(power_beta2=beta2),
        ),
        (
            "keras.optimizers.Adam, floatx float32",
            keras_adam(start, gradients, EPSILON, floatx="float32"),
            "the same, and the rate rounded to float32",
            formula_weights(power_beta2=beta2, rate=rate),
        ),
        (
            "keras.optimizers.legacy.Adam",
            keras_adam(start, gradients, EPSILON, floatx="float64", legacy=True),
            "rate and beta2 rounded to float32 throughout",
            formula_weights(power_beta2=beta2, beta2=beta2, rate=rate),
        ),
    ):
        numbers = np.arange(1, STEPS + 1)[:, np.newaxis]
        found.append(
            Followed(
                name,
                scale,
                drift(start, theirs[:1], project[:1]),
                drift(start, theirs, project),
                formula,
                float(np.max(np.abs(theirs - expected) / numbers)),
            )
        )
    return found

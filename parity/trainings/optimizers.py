"""Implementations of Adam on given gradients: their weights, drift and formulas, in float64.

Each implementation takes initial weights, (weights,), gradients, (steps, weights), and epsilon. It
returns the weights after each step, (steps, weights).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import torch

from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.training.optimizer import Adam
from parity.companion import train_step
from parity.precision import precision
from parity.tolerances import UNIT_ROUNDOFF

RATE, BETA1, BETA2 = 2e-4, 0.5, 0.999

LEGACY_FORMS = (False, True) if stack.HAS_LEGACY_OPTIMIZERS else (False,)
"""Values of `legacy` that this stack's Keras has an Adam for."""

STEPS, WEIGHTS, EPSILON = 1000, 16, 1e-8

MAX_UNEXPLAINED = 8 * UNIT_ROUNDOFF["float64"]
"""Largest distance of an Adam from its formula, per step. Weights are smaller than 4, and a step
rounds them by at most 2 unit roundoffs on each side; the rounding of an update of 2e-4 adds next to
nothing. The factor 2 is room."""

MAX_DRIFT = 1e-11
"""Largest drift between two Adams of one formula. Weights are 5,000 times as long as their path of
one step, 220 times after 500 steps and 160 times after 1,000. `count_roundings` gives 16, 358 and
506 roundings of them, which is at most 9e-12 of the path."""


def project_adam(initial: np.ndarray, gradients: np.ndarray, epsilon: float) -> np.ndarray:
    """Run this project's Adam, on TensorFlow's fused kernel."""
    variable = tf.Variable(initial)
    adam = Adam([variable], BETA1, BETA2, epsilon)
    rate = tf.constant(RATE, tf.float64)

    @tf.function
    def step(gradient: tf.Tensor) -> None:
        adam.apply([gradient], [variable], rate)

    return _run(step, map(tf.constant, gradients), lambda: variable.numpy())


def companion_adam(initial: np.ndarray, gradients: np.ndarray, epsilon: float) -> np.ndarray:
    """Run the companion's Adam, in PyTorch."""
    return _run_torch(train_step.Adam, initial, gradients, epsilon)


def torch_adam(initial: np.ndarray, gradients: np.ndarray, epsilon: float) -> np.ndarray:
    """Run `torch.optim.Adam`."""
    return _run_torch(torch.optim.Adam, initial, gradients, epsilon)


def keras_adam(
    initial: np.ndarray,
    gradients: np.ndarray,
    epsilon: float,
    *,
    floatx: str,
    legacy: bool = False,
) -> np.ndarray:
    """Run `keras.optimizers.Adam` or its legacy form, with `floatx` as Keras' default type."""
    with precision(floatx):
        kind = keras.optimizers.legacy.Adam if legacy else keras.optimizers.Adam
        adam = kind(learning_rate=RATE, beta_1=BETA1, beta_2=BETA2, epsilon=epsilon)
        variable = tf.Variable(initial)
        if not legacy:
            adam.build([variable])

        @tf.function
        def step(gradient: tf.Tensor) -> None:
            adam.apply_gradients([(gradient, variable)])

        return _run(step, map(tf.constant, gradients), lambda: variable.numpy())


def textbook_adam(
    initial: np.ndarray,
    gradients: np.ndarray,
    epsilon: float,
    *,
    inside: bool,
    rate: float = RATE,
    beta2: float = BETA2,
    power_beta2: float = BETA2,
) -> np.ndarray:
    """Compute Adam with NumPy.

    Args:
        initial: Initial weights, (weights,).
        gradients: Gradients, (steps, weights).
        epsilon: Epsilon.
        inside: Whether epsilon is added to the bias-corrected root, as in algorithm 1. Otherwise it
            is added to the root without correction.
        rate: Learning rate.
        beta2: Decay of the second moment.
        power_beta2: The beta2 that corrects the second moment's bias; equal to `beta2` in exact
            arithmetic.

    Source: Kingma and Ba, 2014, arXiv:1412.6980: algorithm 1, and the end of its section 2.
    """
    weights = initial.copy()
    first, second, rows = np.zeros_like(initial), np.zeros_like(initial), []
    for time, gradient in enumerate(gradients, 1):
        first = BETA1 * first + (1 - BETA1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        root = np.sqrt(1 - power_beta2**time)
        denominator = np.sqrt(second) + (epsilon * root if inside else epsilon)
        weights = weights - rate * root / (1 - BETA1**time) * first / denominator
        rows.append(weights)
    return np.stack(rows)


def drift(initial: np.ndarray, weights: np.ndarray, reference: np.ndarray) -> float:
    """Return the distance of two Adams after the last step, relative to the reference's path."""
    path = np.linalg.norm(reference[-1] - initial)
    return float(np.linalg.norm(weights[-1] - reference[-1]) / path)


@dataclass(frozen=True)
class Drift:
    """Drift of an Adam from this project's, over 1,000 steps in float64, and its formula.

    Attributes:
        name: Name of the Adam.
        scale: Standard deviation of the gradients.
        first: Drift after the first step: distance over the path.
        last: Drift after the last step.
        formula: Formula that the Adam computes.
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
        """Whether the formula explains the weights."""
        return self.unexplained <= MAX_UNEXPLAINED

    def failure(self) -> str:
        """Return the sentence for a report in which this drift fails."""
        return (
            f"optimiser {self.name}, gradients {self.scale:.0e}: absolute difference "
            f"{self.unexplained:.2g} per step from the formula ({self.formula}), expected at most "
            f"{MAX_UNEXPLAINED:.2g}"
        )


def measure_drifts(scale: float) -> list[Drift]:
    """Run every Adam on the gradients of one random draw, with a standard deviation of `scale`."""
    rng = np.random.default_rng(0)
    initial = rng.standard_normal(WEIGHTS)
    gradients = scale * rng.standard_normal((STEPS, WEIGHTS))
    given = (initial, gradients, EPSILON)
    rate, beta2 = (float(np.float32(value)) for value in (RATE, BETA2))
    project = project_adam(*given)
    runs = [
        (
            "the companion's",
            companion_adam(*given),
            "this project's",
            project,
        ),
        (
            "torch.optim.Adam",
            torch_adam(*given),
            "epsilon times sqrt(1 - beta2^t)",
            textbook_adam(*given, inside=True),
        ),
        (
            "keras.optimizers.Adam, floatx float64",
            keras_adam(*given, floatx="float64"),
            "bias corrected with beta2 rounded to float32",
            textbook_adam(*given, inside=False, power_beta2=beta2),
        ),
        (
            "keras.optimizers.Adam, floatx float32",
            keras_adam(*given, floatx="float32"),
            "bias corrected with beta2, and rate, rounded to float32",
            textbook_adam(*given, inside=False, power_beta2=beta2, rate=rate),
        ),
    ]
    if stack.HAS_LEGACY_OPTIMIZERS:
        runs.append((
            "keras.optimizers.legacy.Adam",
            keras_adam(*given, floatx="float64", legacy=True),
            "rate and beta2 rounded to float32 throughout",
            textbook_adam(*given, inside=False, power_beta2=beta2, beta2=beta2, rate=rate),
        ))  # fmt: skip
    step_numbers = np.arange(1, STEPS + 1)[:, np.newaxis]
    return [
        Drift(
            name,
            scale,
            drift(initial, weights[:1], project[:1]),
            drift(initial, weights, project),
            formula,
            float(np.max(np.abs(weights - expected) / step_numbers)),
        )
        for name, weights, formula, expected in runs
    ]


def _run_torch(
    kind: Callable[..., torch.optim.Optimizer],
    initial: np.ndarray,
    gradients: np.ndarray,
    epsilon: float,
) -> np.ndarray:
    parameter = torch.nn.Parameter(torch.from_numpy(initial.copy()))
    adam = kind([parameter], lr=RATE, betas=(BETA1, BETA2), eps=epsilon)

    def step(gradient: torch.Tensor) -> None:
        parameter.grad = gradient
        adam.step()

    return _run(step, map(torch.from_numpy, gradients), lambda: parameter.detach().numpy())


def _run(
    step: Callable[..., None], gradients: Iterable[object], weights: Callable[[], np.ndarray]
) -> np.ndarray:
    """Make all steps, and return the weights after each, (steps, weights)."""
    rows = []
    for gradient in gradients:
        step(gradient)
        rows.append(weights().copy())
    return np.stack(rows)

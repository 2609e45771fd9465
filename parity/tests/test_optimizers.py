"""Implementations of Adam: drift, formulas, and gradients that are None, zero or sparse."""

import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.training.optimizer import Adam
from cyclegan_vc_tf.training.trainer import Trainer, trainable_variables
from parity.demo import Demo
from parity.tolerances import UNIT_ROUNDOFF, count_roundings
from parity.trainings.optimizers import (
    LEGACY_FORMS,
    MAX_DRIFT,
    MAX_UNEXPLAINED,
    Drift,
    measure_drifts,
    project_adam,
)

ONES, ZEROS = np.ones((4, 2)), np.zeros((4, 2))


@pytest.fixture(scope="module", params=[1.0, 1e-5], ids=["gradients of 1", "gradients of 1e-5"])
def drifts(request: pytest.FixtureRequest) -> dict[str, Drift]:
    return {drift.name: drift for drift in measure_drifts(request.param)}


def test_the_companion_differs_by_a_rounding_per_step(drifts: dict[str, Drift]) -> None:
    companion = drifts["the companion's"]
    assert companion.unexplained <= MAX_UNEXPLAINED
    assert companion.last <= MAX_DRIFT


@pytest.mark.parametrize(("steps", "scale"), [(1, 1.0), (500, 1e-5), (1000, 1.0), (1000, 1e-5)])
def test_the_largest_drift_is_what_rounding_explains(steps: int, scale: float) -> None:
    """Roundings of the weights over the path of the weights, for all uses of `MAX_DRIFT`."""
    rng = np.random.default_rng(0)
    initial, gradients = rng.standard_normal(16), scale * rng.standard_normal((steps, 16))
    path = np.linalg.norm(project_adam(initial, gradients, 1e-8)[-1] - initial)
    rounding = count_roundings(steps) * UNIT_ROUNDOFF["float64"] * np.linalg.norm(initial)
    assert MAX_DRIFT / 3 < rounding / path < MAX_DRIFT
    assert np.abs(initial).max() < 4 - 0.2


def test_every_drift_is_explained(drifts: dict[str, Drift]) -> None:
    for drift in drifts.values():
        assert drift.passed, drift


def test_how_far_they_drift(drifts: dict[str, Drift]) -> None:
    """At small gradients the place of epsilon costs 0.4 %, 11 % at first; Keras' rounding 5e-6."""
    small = drifts["torch.optim.Adam"].scale < 1.0
    assert drifts["torch.optim.Adam"].last == pytest.approx(3.8e-3 if small else 4.5e-8, rel=0.2)
    if small:
        assert drifts["torch.optim.Adam"].first == pytest.approx(0.11, abs=0.01)
    for floatx in ("float64", "float32"):
        drift = drifts[f"keras.optimizers.Adam, floatx {floatx}"]
        assert drift.first == pytest.approx(6.4e-6, rel=0.05)
        assert drift.last == pytest.approx(5.1e-6, rel=0.05)
    if True in LEGACY_FORMS:
        assert drifts["keras.optimizers.legacy.Adam"].last == pytest.approx(5e-8, rel=0.1)


def project_weight(second: object) -> np.ndarray:
    """Return a weight after a gradient of ones and then `second`, by this project's Adam."""
    variable = tf.Variable(ONES)
    adam = Adam([variable], 0.5, 0.999, 1e-8)
    for gradient in (tf.constant(ONES), second):
        adam.apply([gradient], [variable], tf.constant(0.1, tf.float64))
    return variable.numpy()


def keras_weight(second: object, *, legacy: bool) -> np.ndarray:
    kind = keras.optimizers.legacy.Adam if legacy else keras.optimizers.Adam
    variable, another = tf.Variable(ONES), tf.Variable(ONES)
    adam = kind(0.1, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
    for gradient in (tf.constant(ONES), second):
        adam.apply_gradients([(gradient, variable), (tf.constant(ONES), another)])
    return variable.numpy()


def torch_weight(second: object, kind: type[torch.optim.Optimizer]) -> np.ndarray:
    parameter = torch.nn.Parameter(torch.from_numpy(ONES.copy()))
    adam = kind([parameter], lr=0.1, betas=(0.5, 0.999), eps=1e-8)
    first = torch.from_numpy(ONES)
    for gradient in (first.to_sparse(1) if kind is torch.optim.SparseAdam else first, second):
        parameter.grad = gradient
        adam.step()
    return parameter.detach().numpy()


def slices() -> tf.IndexedSlices:
    """Make a gradient of ones for row 1 alone."""
    return tf.IndexedSlices(tf.ones((1, 2), tf.float64), tf.constant([1]), dense_shape=(4, 2))


MOVED_BY_MOMENTUM = 0.8528478
"""Weight after a gradient of one and a gradient of zero, up to epsilon: 1 - 0.1, less
0.1 · sqrt(1 - 0.999²) / (1 - 0.5²) · 0.25 / sqrt(0.001 · 0.999)."""


def test_what_is_expected_of_a_zero_gradient() -> None:
    second = 0.1 * np.sqrt(1 - 0.999**2) / (1 - 0.5**2) * 0.25 / np.sqrt(0.001 * 0.999)
    assert pytest.approx(0.9 - second, abs=1e-6) == MOVED_BY_MOMENTUM


def test_none(caplog: pytest.LogCaptureFixture) -> None:
    """None is an error here. Keras warns, PyTorch is silent, and the weight does not change."""
    with pytest.raises(ValueError, match="has no gradient"):
        project_weight(None)
    stays = 0.9
    for legacy in LEGACY_FORMS:
        caplog.clear()
        # Keras 2 logs it, and Keras 3 warns.
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            np.testing.assert_allclose(keras_weight(None, legacy=legacy), stays, rtol=1e-5)
        texts = [caplog.text, *(str(warning.message) for warning in warned)]
        assert "Gradients do not exist for variables" in "\n".join(texts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(torch_weight(None, torch.optim.Adam), stays, rtol=1e-6)


def test_zero() -> None:
    """A gradient of zero moves the weight by its momentum, in every implementation."""
    moved = [
        project_weight(tf.constant(ZEROS)),
        *(keras_weight(tf.constant(ZEROS), legacy=legacy) for legacy in LEGACY_FORMS),
        torch_weight(torch.from_numpy(ZEROS), torch.optim.Adam),
    ]
    for each in moved:
        np.testing.assert_allclose(each, MOVED_BY_MOMENTUM, rtol=1e-5)


def test_sparse() -> None:
    """TensorFlow takes missing rows for zero, and PyTorch's Adam refuses sparse gradients.

    PyTorch's SparseAdam does not change missing rows, whatever their momentum.
    """
    others = [0, 2, 3]
    for each in (
        project_weight(slices()),
        *(keras_weight(slices(), legacy=legacy) for legacy in LEGACY_FORMS),
    ):
        np.testing.assert_allclose(each[others], MOVED_BY_MOMENTUM, rtol=1e-5)
        np.testing.assert_allclose(each[1], 0.8, rtol=1e-5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*[Ss]parse invariant", UserWarning)
        sparse = torch.sparse_coo_tensor([[1]], torch.ones(1, 2, dtype=torch.float64), (4, 2))
        with pytest.raises(RuntimeError, match="does not support sparse gradients"):
            torch_weight(sparse, torch.optim.Adam)
        lazy = torch_weight(sparse, torch.optim.SparseAdam)
    np.testing.assert_allclose(lazy[others], 0.9, rtol=1e-5)
    np.testing.assert_allclose(lazy[1], 0.8, rtol=1e-5)


def test_no_gradient_here_is_sparse_or_missing_and_few_numbers_are_zero(
    corpus: Demo,
) -> None:
    """None of the three differences can explain a port that converges more slowly."""
    trainer = Trainer(RunConfig(network=NetworkConfig(channels=8)))
    (batch,) = corpus.batches(1)
    with tf.GradientTape(persistent=True) as tape:
        terms, discriminator_terms, _ = trainer.loss_terms(*map(tf.constant, batch))
        totals = (
            tf.add_n(list(terms.values())), tf.add_n(list(discriminator_terms.values())),
        )  # fmt: skip
    both: tuple[Any, ...] = (trainer.generators, trainer.discriminators)
    for total, networks in zip(totals, both, strict=True):
        variables = trainable_variables(networks)
        gradients = tape.gradient(total, variables)
        assert all(isinstance(each, tf.Tensor) for each in gradients)
        exactly_zero = sum(int(tf.reduce_sum(tf.cast(each == 0, tf.int32))) for each in gradients)
        assert exactly_zero / sum(int(tf.size(each)) for each in gradients) < 1e-4

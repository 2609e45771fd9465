"""Tolerances: counted from the networks themselves, and exceeded by no order of summation."""

import math

import keras
import numpy as np
import pytest

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.models.stack import layers_before
from parity import tolerances
from parity.cases.compare import NUDGES, nudge_tolerances
from parity.cases.network_cases import discriminator, generator
from parity.tolerances import CONFIDENCE, UNIT_ROUNDOFF, count_roundings, tolerance


def longest_path(model: keras.Model) -> int:
    """Convolutions, dense layers and norms on the longest path through a model."""
    lengths: dict[str, int] = {}

    def length(layer: keras.layers.Layer) -> int:
        if layer.name not in lengths:
            before = [length(other) for other in layers_before(layer)]
            rounds = hasattr(layer, "kernel") or "norm" in layer.name
            lengths[layer.name] = max(before, default=0) + rounds
        return lengths[layer.name]

    return max(length(layer) for layer in model.layers)


def test_the_networks_of_the_papers_have_so_many_layers_and_terms() -> None:
    forward, backward, paths = [], [], []
    for paper in PRESETS.values():
        for make in (generator, discriminator):
            model = make(paper.network, paper.features.bins).ours()
            paths.append(longest_path(model))
            for shape in (layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel")):
                forward.append(math.prod(shape[:-1]))
                backward.append(math.prod(shape) // shape[-2])
    assert max(forward) == tolerances.TERMS_FORWARD
    assert max(backward) == tolerances.TERMS_BACKWARD
    assert max(paths) == tolerances.LAYERS


def test_tolerances_by_hand() -> None:
    """16 roots of the chain's length: 32; sqrt(47 · 10240), sqrt(47 · 61440)."""
    assert count_roundings(1024) == 512
    assert tolerance("float64") == 512 * 2.0**-53 == tolerance("int64")
    assert tolerance("float32", network=True) == pytest.approx(11_100 / 2**24, rel=1e-4)
    gradient = tolerance("float64", network=True, kind="gradient")
    assert gradient == pytest.approx(27_189 / 2**53, rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("terms", [16, 1024, 10_240])
def test_orders_of_summation_differ_by_less(dtype: str, terms: int) -> None:
    """Sums one by one, backwards, pairwise and in 8 lanes, beside the exact sum.

    The bound holds relative to the sum of absolute values, and is not much too wide: one by one
    the sum is more than a hundredth of it away.
    """
    rng = np.random.default_rng(terms)
    values = rng.uniform(0.0, 1.0, (50, terms)).astype(dtype)
    exact = np.array([math.fsum(row) for row in values])
    lanes = np.cumsum(values.reshape(50, -1, 8), axis=1)[:, -1]
    orders = {
        "one by one": np.cumsum(values, axis=1)[:, -1],
        "backwards": np.cumsum(values[:, ::-1], axis=1)[:, -1],
        "pairwise": np.sum(values, axis=1),
        "lanes": np.cumsum(lanes, axis=1)[:, -1],
    }
    bound = CONFIDENCE * math.sqrt(terms) * UNIT_ROUNDOFF[dtype]
    errors = {
        name: np.max(np.abs(found.astype(np.longdouble) - exact) / exact)
        for name, found in orders.items()
    }
    assert max(errors.values()) <= bound, errors
    assert errors["one by one"] > bound / 100


def test_a_trainings_tolerance_is_the_largest_effect_of_a_nudge_times_the_roundings() -> None:
    values = {"output a": 2.0, "output b": 1.0, "gradient of c": 4.0}
    plain = {name: np.array([value, 0.0]) for name, value in values.items()}
    nudged = [
        {"output a": np.array([2.0, 2e-15]), "output b": np.array([1.0, 3e-15]),
         "gradient of c": np.array([4.0, 0.0])},
        {"output a": np.array([2.0, 8e-15]), "output b": np.array([1.0, 1e-15]),
         "gradient of c": np.array([4.0, 4e-14])},
    ]  # fmt: skip
    found = nudge_tolerances(plain, nudged, terms=704)
    # 16 sqrt(704) = 424.53.
    assert found == pytest.approx({"output": 424.53 * 4e-15, "gradient": 424.53 * 1e-14}, rel=1e-4)
    assert NUDGES >= 2

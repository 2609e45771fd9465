"""Table of the generators' losses against the papers' terms and weights."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.training import loss_terms, losses
from cyclegan_vc_tf.training.loss_terms import StepTensors

FIRST_PAPER = [
    "adversarial_A2B", "adversarial_B2A", "cycle_A", "cycle_B", "identity_A", "identity_B"
]  # fmt: skip
TWO_STEP = [*FIRST_PAPER[:2], "adversarial_A2B2A", "adversarial_B2A2B", *FIRST_PAPER[2:]]
REGULARIZATION = ["regularization_A2B", "regularization_B2A"]


def change(config: RunConfig, **changes: float) -> RunConfig:
    training = dataclasses.replace(config.training, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(config, training=training)


@pytest.mark.parametrize("variant", PRESETS)
def test_terms_are_those_of_the_papers_in_the_order_of_their_sum(variant: str) -> None:
    config = PRESETS[variant]
    terms = FIRST_PAPER if variant == "vc1" else TWO_STEP
    assert list(loss_terms.term_groups(config)) == terms
    regularized = change(config, self_regularization_weight=1.0)
    assert list(loss_terms.term_groups(regularized)) == terms + REGULARIZATION
    without = change(config, identity_weight=0.0)
    assert list(loss_terms.term_groups(without)) == terms[:-2]


def test_weights_are_those_of_the_paper_and_the_identity_loss_ends() -> None:
    """Kaneko and Kameoka, 2017, section 4.1: 10 and 5, the latter for 10,000 iterations."""
    for step, identity in ((0, 5.0), (9_999, 5.0), (10_000, 0.0)):
        weights = loss_terms.compute_weights(PRESETS["vc1"], tf.constant(step, tf.int64))
        assert {name: float(weight) for name, weight in weights.items()} == {
            "adversarial": 1.0, "cycle": 10.0, "identity": identity
        }  # fmt: skip
        assert {weight.dtype for weight in weights.values()} == {tf.float64}


def test_only_the_weight_of_an_unused_identity_loss_is_shown() -> None:
    unused = change(PRESETS["vc1"], identity_weight=0.0, self_regularization_weight=0.0)
    weights = loss_terms.compute_weights(unused, tf.constant(0, tf.int64))
    assert list(weights) == ["adversarial", "cycle", "identity"]
    used = change(unused, self_regularization_weight=2.0)
    weights = loss_terms.compute_weights(used, tf.constant(0, tf.int64))
    assert float(weights["regularization"]) == 2.0


def tensors() -> StepTensors:
    """Constant features, so that every difference is known."""

    def features(value: float) -> tf.Tensor:
        return tf.fill((2, 4, 3), value)

    def scores(value: float) -> tf.Tensor:
        return tf.fill((2, 5, 6, 1), value)

    return StepTensors(
        real={"A": features(0.0), "B": features(10.0)},
        fake={"A": features(1.0), "B": features(12.0)},
        cycled={"A": features(3.0), "B": features(14.0)},
        identity={"A": features(5.0), "B": features(16.0)},
        linear={"A2B": features(5.0), "B2A": features(9.0)},
        taught={"A2B": features(15.0), "B2A": features(0.5)},
        real_scores={},
        fake_scores={
            "A": scores(0.5), "B": scores(0.0), "cycled_A": scores(2.0), "cycled_B": scores(-1.0)
        },
    )  # fmt: skip


def test_each_term_compares_its_own_features() -> None:
    config = change(PRESETS["vc2"], self_regularization_weight=1.0, teacher_run="/a/run")
    terms = loss_terms.compute_terms(config, tensors())
    assert {name: tuple(loss.numpy()) for name, loss in terms.items()} == {
        # Squared distances of scores from 1: A2B makes fakes of B, scored 0.
        "adversarial_A2B": (1.0, 1.0), "adversarial_B2A": (0.25, 0.25),
        "adversarial_A2B2A": (1.0, 1.0), "adversarial_B2A2B": (4.0, 4.0),
        "cycle_A": (3.0, 3.0), "cycle_B": (4.0, 4.0),
        "identity_A": (5.0, 5.0), "identity_B": (6.0, 6.0),
        # Squared: fakes of B, 12, from 5; fakes of A, 1, from 9.
        "regularization_A2B": (49.0, 49.0), "regularization_B2A": (64.0, 64.0),
        # Fakes of B, 12, from 15; fakes of A, 1, from 0.5.
        "teacher_A2B": (3.0, 3.0), "teacher_B2A": (0.5, 0.5),
    }  # fmt: skip


def test_a_loss_function_that_is_replaced_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parity suite breaks losses on purpose, and the training step has to notice."""
    monkeypatch.setattr(losses, "l1_loss", lambda expected, actual: tf.constant([7.0]))
    terms = loss_terms.compute_terms(PRESETS["vc1"], tensors())
    np.testing.assert_array_equal(terms["cycle_A"], [7.0])

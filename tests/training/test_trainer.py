"""Training step against gradients, updates and sums computed independently."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import SMALL_NETWORK

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.models import generators, matmul_conv
from cyclegan_vc_tf.system import processor
from cyclegan_vc_tf.training import losses
from cyclegan_vc_tf.training.optimizer import Adam
from cyclegan_vc_tf.training.trainer import Trainer, trainable_variables


def run(**changes: object) -> RunConfig:
    training = TrainingConfig(crop_frames=16, **changes)  # type: ignore[arg-type]
    return RunConfig(network=SMALL_NETWORK, training=training)


@functools.cache
def make_trainer(config: RunConfig) -> tuple[Trainer, list[np.ndarray]]:
    """Make a trainer; return it with the initial values of its variables."""
    trainer = Trainer(config)
    return trainer, [variable.numpy() for variable in trainer.variables]


def untrained(config: RunConfig) -> Trainer:
    """Return a trainer in its initial state, with the graph of the last test of these settings."""
    trainer, initial = make_trainer(config)
    for variable, value in zip(trainer.variables, initial, strict=True):
        variable.assign(value)
    return trainer


def batch(size: int = 1, seed: int = 0, dtype: str = "float32") -> tuple[tf.Tensor, tf.Tensor]:
    rng = np.random.default_rng(seed)
    return tuple(tf.constant(rng.standard_normal((size, 16, 24)), dtype) for _ in range(2))


def weights_of(networks: dict[str, keras.Model]) -> dict[str, list[np.ndarray]]:
    return {name: model.get_weights() for name, model in networks.items()}


def moved(before: dict[str, list[np.ndarray]], after: dict[str, list[np.ndarray]]) -> float:
    return max(
        float(np.max(np.abs(x - y)))
        for name in before
        for x, y in zip(before[name], after[name], strict=True)
    )


def test_the_step_is_the_textbook_step() -> None:
    """Two tapes, with fakes detached by hand and generators first, give equal weights."""
    keras.mixed_precision.set_global_policy("float64")
    keras.backend.set_floatx("float64")
    try:
        config = run(generator_learning_rate=1e-3, discriminator_learning_rate=5e-4)
        ours, theirs = Trainer(config), Trainer(config)
        a, b = batch(2, dtype="float64")
        report, finite = ours.train_step(a, b)
        a2b, b2a = theirs.generators["A2B"], theirs.generators["B2A"]
        d_a, d_b = theirs.discriminators["A"], theirs.discriminators["B"]
        with tf.GradientTape() as tape:
            fake_a, fake_b = b2a(b), a2b(a)
            total = tf.reduce_mean(
                losses.least_squares_loss(d_b(fake_b), 1.0)
                + losses.least_squares_loss(d_a(fake_a), 1.0)
                + 10 * (losses.l1_loss(a, b2a(fake_b)) + losses.l1_loss(b, a2b(fake_a)))
                + 5 * (losses.l1_loss(a, b2a(a)) + losses.l1_loss(b, a2b(b)))
            )
        variables = trainable_variables(theirs.generators)
        gradients = tape.gradient(total, variables)
        fake_a, fake_b = tf.constant(fake_a.numpy()), tf.constant(fake_b.numpy())
        Adam(variables, 0.5, 0.999, 1e-8).apply(gradients, variables, tf.constant(1e-3, tf.float64))
        with tf.GradientTape() as tape:
            discriminator_total = tf.reduce_mean(
                losses.discriminator_loss(d_a(a), d_a(fake_a))
                + losses.discriminator_loss(d_b(b), d_b(fake_b))
            )
        variables = trainable_variables(theirs.discriminators)
        gradients = tape.gradient(discriminator_total, variables)
        Adam(variables, 0.5, 0.999, 1e-8).apply(gradients, variables, tf.constant(5e-4, tf.float64))
        assert float(report["loss/generator"]) == pytest.approx(float(total), rel=1e-13)
        assert float(report["loss/discriminator"]) == pytest.approx(
            float(discriminator_total), rel=1e-13
        )
        assert finite
        for ours_of, theirs_of in (
            (ours.generators, theirs.generators),
            (ours.discriminators, theirs.discriminators),
        ):
            for mine, other in zip(
                trainable_variables(ours_of), trainable_variables(theirs_of), strict=True
            ):
                # Biases in front of a norm have gradients of rounding noise alone, of which Adam
                # makes full steps: they cannot be compared.
                if "bias" not in mine.name:
                    np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    finally:
        keras.backend.set_floatx("float32")
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.usefixtures("without_graph")
def test_generators_and_discriminators_have_their_own_learning_rates() -> None:
    for generator, discriminator in ((1e-3, 0.0), (0.0, 1e-3)):
        trainer = Trainer(
            run(generator_learning_rate=generator, discriminator_learning_rate=discriminator)
        )
        before = weights_of(trainer.generators), weights_of(trainer.discriminators)
        trainer.train_step(*batch())
        after = weights_of(trainer.generators), weights_of(trainer.discriminators)
        # Adam's first step moves every weight by the learning rate, once.
        assert moved(before[0], after[0]) == pytest.approx(generator, rel=1e-3)
        assert moved(before[1], after[1]) == pytest.approx(discriminator, rel=1e-3)


def test_both_rates_decay_and_reach_zero() -> None:
    trainer = Trainer(run(decay_start=1, decay_steps=2))
    rates = []
    for _ in range(4):
        before = weights_of(trainer.generators), weights_of(trainer.discriminators)
        report, _ = trainer.train_step(*batch())
        rates.append([float(report[f"learning_rate/{x}"]) for x in ("generator", "discriminator")])
    np.testing.assert_allclose(rates, [[2e-4, 1e-4], [2e-4, 1e-4], [1e-4, 5e-5], [0, 0]])
    assert moved(before[0], weights_of(trainer.generators)) == 0
    assert moved(before[1], weights_of(trainer.discriminators)) == 0


def test_the_optimisers_step_once_a_step() -> None:
    trainer = untrained(run())
    for _ in range(3):
        trainer.train_step(*batch())
    assert int(trainer.step) == 3
    assert int(trainer.generator_optimizer.iterations) == 3
    assert int(trainer.discriminator_optimizer.iterations) == 3


def test_a_checkpoint_holds_everything_once(tmp_path: object) -> None:
    """Every weight with its two moments, the iterations of two optimisers, and the step."""
    trainer = untrained(run())
    trainer.train_step(*batch())
    prefix = trainer.checkpoint.write(f"{tmp_path}/all")
    names = [name for name, _ in tf.train.list_variables(prefix) if not name.startswith("_")]
    weights = len(trainable_variables(trainer.generators)) + len(
        trainable_variables(trainer.discriminators)
    )
    assert len(names) == 3 * weights + 2 + 1
    for kind, networks in (
        ("generator", trainer.generators),
        ("discriminator", trainer.discriminators),
    ):
        found = [name for name in names if name.startswith(f"{kind}_optimizer/")]
        assert len(found) == 2 * len(trainable_variables(networks)) + 1


def test_adams_settings_are_passed_on() -> None:
    trainer = Trainer(run(adam_beta1=0.3, adam_beta2=0.7, adam_epsilon=0.25))
    for adam in (trainer.generator_optimizer, trainer.discriminator_optimizer):
        assert (adam.beta1, adam.beta2, adam.epsilon) == (0.3, 0.7, 0.25)


def test_the_identity_loss_stops_counting_when_its_steps_are_over_and_only_then() -> None:
    """The weight falls at exactly that step, also while the learning rates decay."""
    trainer = Trainer(run(identity_steps=2, decay_start=0, decay_steps=3))
    weights, totals = [], []
    for _ in range(4):
        report, _ = trainer.train_step(*batch())
        weights.append(float(report["weight/identity"]))
        terms = {
            name: sum(
                float(value) for key, value in report.items() if key.startswith(f"loss/{name}")
            )
            for name in ("adversarial", "cycle", "identity")
        }
        expected = terms["adversarial"] + 10 * terms["cycle"] + weights[-1] * terms["identity"]
        totals.append(float(report["loss/generator"]) / expected)
    assert weights == [5.0, 5.0, 0.0, 0.0]
    np.testing.assert_allclose(totals, 1.0, rtol=1e-5)


@pytest.mark.usefixtures("without_graph")
def test_self_regularization_is_the_squared_distance_from_the_linear_skip() -> None:
    """Without own output the loss is 0; outputs moved by 0.5 make it 0.25.

    Of 24 coefficients all move except the first, the level.
    """
    config = run(identity_weight=0.0, self_regularization_weight=2.0)
    config = dataclasses.replace(
        config, network=dataclasses.replace(config.network, vtln_init=True)
    )
    trainer = Trainer(config)
    kernel = np.random.default_rng(1).standard_normal((5, 24, 24)).astype(np.float32)
    a, b = batch(2)
    for generator in trainer.generators.values():
        generators.set_linear_skip(generator, kernel)
        output = generator.get_layer("output_conv")
        output.set_weights([0 * weight for weight in output.get_weights()])
    around = np.pad(a.numpy(), ((0, 0), (2, 2), (0, 0)))
    filtered = sum(around[:, lag : lag + a.shape[1]] @ kernel[lag] for lag in range(5))
    np.testing.assert_allclose(trainer.generators["A2B"](a).numpy(), filtered, rtol=1e-3, atol=1e-3)
    terms, _, _ = trainer.loss_terms(a, b)
    assert float(terms["regularization_A2B"]) == pytest.approx(0, abs=1e-9)
    for generator in trainer.generators.values():
        output = generator.get_layer("output_conv")
        weights, bias = output.get_weights()
        output.set_weights([weights, bias + 0.5])
    report, _ = trainer.train_step(a, b)
    for direction in ("A2B", "B2A"):
        assert float(report[f"loss/regularization_{direction}"]) == pytest.approx(
            0.25 * 23 / 24, rel=1e-5
        )
    others = sum(
        float(value) * (10 if "cycle" in name else 1)
        for name, value in report.items()
        if name.startswith(("loss/adversarial", "loss/cycle"))
    )
    assert float(report["loss/generator"]) == pytest.approx(others + 2 * 0.5 * 23 / 24, rel=1e-5)
    assert "loss/identity_A" not in report
    start = trainer.generators["A2B"].get_layer("linear_skip").get_weights()[0]
    np.testing.assert_array_equal(start, kernel)


def test_a_batch_is_the_mean_of_its_examples() -> None:
    trainer = untrained(run())
    a, b = batch(3)
    whole = trainer.loss_terms(a, b)
    examples = [trainer.loss_terms(a[i : i + 1], b[i : i + 1]) for i in range(3)]
    for kind, terms in enumerate(whole):
        for name, value in terms.items():
            mean = np.mean([float(example[kind][name]) for example in examples])
            assert float(value) == pytest.approx(mean, rel=1e-4, abs=1e-6), name


def test_everything_is_reported_under_its_own_name() -> None:
    trainer = untrained(run())
    a, b = batch()
    fake_b, fake_a = trainer.generators["A2B"](a), trainer.generators["B2A"](b)
    scores = {
        "real_A": trainer.discriminators["A"](a),
        "real_B": trainer.discriminators["B"](b),
        "fake_A": trainer.discriminators["A"](fake_a),
        "fake_B": trainer.discriminators["B"](fake_b),
    }
    cycled_a, identity_b = trainer.generators["B2A"](fake_b), trainer.generators["A2B"](b)
    # Losses belong to the weights before the step.
    report, _ = trainer.train_step(a, b)
    for name, value in scores.items():
        assert float(report[f"score/{name}"]) == pytest.approx(np.mean(value), abs=1e-5)
    # The direction A2B makes fakes of B, which the discriminator of B scores.
    expected = np.mean(np.square(scores["fake_B"] - 1))
    assert float(report["loss/adversarial_A2B"]) == pytest.approx(expected, rel=1e-4)
    expected = np.mean(np.abs(a - cycled_a))
    assert float(report["loss/cycle_A"]) == pytest.approx(expected, rel=1e-4)
    expected = np.mean(np.abs(b - identity_b))
    assert float(report["loss/identity_B"]) == pytest.approx(expected, rel=1e-4)
    assert {name.split("/")[0] for name in report} == {
        "loss", "score", "gradient_norm", "learning_rate", "weight",
    }  # fmt: skip


def test_norms_are_those_of_the_gradients_and_0_where_they_are_not_measured() -> None:
    """Adam's first moment is (1 - beta1) times the first gradient; measuring changes nothing."""
    trainer = untrained(run())
    report, _ = trainer.train_step(*batch(), norms=tf.constant(True))
    for name, adam in (
        ("generator", trainer.generator_optimizer),
        ("discriminator", trainer.discriminator_optimizer),
    ):
        gradients = [moment.numpy() / 0.5 for moment in adam.first_moments]
        expected = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients))
        assert float(report[f"gradient_norm/{name}"]) == pytest.approx(expected, rel=1e-4)
    measured = [variable.numpy() for variable in trainer.variables]
    other, finite = untrained(run()).train_step(*batch(), norms=tf.constant(False))
    assert finite
    assert [float(other[f"gradient_norm/{x}"]) for x in ("generator", "discriminator")] == [0, 0]
    for mine, theirs in zip(trainer.variables, measured, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)


def test_gradients_of_the_discriminators_are_traced_from_the_fakes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the mark, the graph has gradients of the generators twice."""

    def operations() -> list[tf.Operation]:
        trainer = Trainer(run())
        step = trainer.train_step.get_concrete_function(*batch(), norms=tf.constant(False))
        return step.graph.get_operations()

    marked = operations()
    # To read the Python stack for each of them would take a sixth of the trace.
    names = {frame.name for each in marked for frame in each.traceback}
    assert "_train_replica" not in names and "loss_terms" not in names and "inner" in names
    monkeypatch.setattr(matmul_conv, "mark", lambda: None)
    assert len(marked) < 0.95 * len(operations())


@functools.cache
def cycle_losses(config: RunConfig, native: bool = False) -> list[float]:
    """Train 60 steps on one pair of crops; return the cycle loss of A of every step."""
    trainer = Trainer(config)
    reports = [trainer.train_step(*batch())[0] for _ in range(60)]
    dtypes = {variable.dtype for variable in trainable_variables(trainer.generators)}
    assert dtypes == {tf.float32}
    return [float(report["loss/cycle_A"]) for report in reports]


def learning(small_config: RunConfig, precision: str) -> RunConfig:
    """Return settings that learn fast."""
    changes = {"generator_learning_rate": 2e-3, "precision": precision}
    training = dataclasses.replace(small_config.training, **changes)
    return dataclasses.replace(small_config, training=training)


@pytest.mark.parametrize("native", [False, True])
def test_mixed_bfloat16_learns_what_float32_learns(
    native: bool, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first loss agrees within bfloat16's 8 bits, the last one halves, weights are float32."""
    exact = cycle_losses(learning(small_config, "float32"))
    monkeypatch.setattr(processor, "has_bfloat16", lambda: native)
    rounded = cycle_losses(learning(small_config, "mixed_bfloat16"), native)
    assert rounded[0] != exact[0]
    assert rounded[0] == pytest.approx(exact[0], rel=0.01)
    assert rounded[-1] < 0.5 * rounded[0]


def test_a_loss_that_is_not_finite_is_reported() -> None:
    trainer = untrained(run())
    a, b = batch()
    assert trainer.train_step(a, b)[1]
    report, finite = trainer.train_step(a, b * np.nan)
    assert not finite
    assert np.isnan(float(report["loss/cycle_B"]))


def test_a_network_with_a_weight_that_is_not_finite_is_named() -> None:
    trainer = untrained(run())
    assert trainer.find_nonfinite() == ""
    weight = trainer.discriminators["B"].trainable_variables[3]
    weight.assign(tf.where(tf.range(tf.size(weight)) == 0, np.inf, tf.reshape(weight, [-1])))
    assert trainer.find_nonfinite() == "discriminator_B's weights"


def test_the_seed_decides_the_initial_weights() -> None:
    first, again = Trainer(run(seed=3)), Trainer(run(seed=3))
    other = Trainer(run(seed=4))
    assert moved(weights_of(first.generators), weights_of(again.generators)) == 0
    assert moved(weights_of(first.generators), weights_of(other.generators)) > 0.01
    two = [model.get_weights()[0] for model in first.generators.values()]
    assert not np.array_equal(*two)


def test_a_small_training_learns(small_config: RunConfig) -> None:
    """On one pair of crops the cycle loss halves within 60 steps."""
    losses = cycle_losses(learning(small_config, "float32"))
    assert losses[-1] < 0.5 * losses[0]

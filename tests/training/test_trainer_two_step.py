"""Two-step adversarial loss and filled-in frames against a step computed independently."""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.training.optimizer import Adam
from cyclegan_vc_tf.training.trainer import Trainer, trainable_variables

RATES = {"generator_learning_rate": 1e-3, "discriminator_learning_rate": 5e-4}


def run(variant: str) -> RunConfig:
    paper = PRESETS[variant]
    return RunConfig(
        features=dataclasses.replace(paper.features, mel_cepstra=10, mel_bins=10),
        network=dataclasses.replace(paper.network, channels=2, residual_blocks=1),
        training=TrainingConfig(crop_frames=16, **RATES),  # type: ignore[arg-type]
    )


@pytest.fixture
def in_float64() -> Iterator[None]:
    keras.mixed_precision.set_global_policy("float64")
    keras.backend.set_floatx("float64")
    yield
    keras.backend.set_floatx("float32")
    keras.mixed_precision.set_global_policy("float32")


def batch(dtype: str = "float64") -> tuple[tf.Tensor, ...]:
    """Return features of A and B, and masks that hide different frames."""
    rng = np.random.default_rng(0)
    masks = np.ones((2, 2, 16, 1))
    masks[0, :, 2:7], masks[1, 0, 9:], masks[1, 1, :3] = 0, 0, 0
    return tuple(
        tf.constant(array, dtype) for array in (*rng.standard_normal((2, 2, 16, 10)), *masks)
    )


def loss_to(scores: tf.Tensor, target: float) -> tf.Tensor:
    return tf.reduce_mean(tf.square(scores - target))


@pytest.mark.parametrize("variant", ["vc2", "mask"])
def test_the_step_is_the_papers_step(variant: str, in_float64: None) -> None:
    """Two tapes, with fakes and cycled features detached by hand, give equal weights."""
    ours, theirs = Trainer(run(variant)), Trainer(run(variant))
    a, b, mask_a, mask_b = batch()
    masked = variant == "mask"
    report, finite = ours.train_step(a, b, *((mask_a, mask_b) if masked else ()))
    ones = tf.ones_like(mask_a)

    def convert(direction: str, features: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        model = theirs.generators[direction]
        return model([features, mask]) if masked else model(features)

    discriminators = theirs.discriminators
    assert list(discriminators) == ["A", "B", "cycled_A", "cycled_B"]
    with tf.GradientTape() as tape:
        fake_b, fake_a = convert("A2B", a, mask_a), convert("B2A", b, mask_b)
        # Nothing is hidden in the second conversion and in the identity mapping.
        cycled_a, cycled_b = convert("B2A", fake_b, ones), convert("A2B", fake_a, ones)
        first = loss_to(discriminators["B"](fake_b), 1.0) + loss_to(
            discriminators["A"](fake_a), 1.0
        )
        second = loss_to(discriminators["cycled_A"](cycled_a), 1.0) + loss_to(
            discriminators["cycled_B"](cycled_b), 1.0
        )
        cycle = tf.reduce_mean(tf.abs(a - cycled_a)) + tf.reduce_mean(tf.abs(b - cycled_b))
        identity = tf.reduce_mean(tf.abs(a - convert("B2A", a, ones))) + tf.reduce_mean(
            tf.abs(b - convert("A2B", b, ones))
        )
        total = first + second + 10 * cycle + 5 * identity
    variables = trainable_variables(theirs.generators)
    gradients = tape.gradient(total, variables)
    fakes = {"A": fake_a, "B": fake_b, "cycled_A": cycled_a, "cycled_B": cycled_b}
    fakes = {name: tf.constant(fake.numpy()) for name, fake in fakes.items()}
    Adam(variables, 0.5, 0.999, 1e-8).apply(gradients, variables, tf.constant(1e-3, tf.float64))
    with tf.GradientTape() as tape:
        discriminator_total = sum(
            0.5 * loss_to(discriminator(a if "A" in name else b), 1.0)
            + 0.5 * loss_to(discriminator(fakes[name]), 0.0)
            for name, discriminator in discriminators.items()
        )
    variables = trainable_variables(discriminators)
    gradients = tape.gradient(discriminator_total, variables)
    Adam(variables, 0.5, 0.999, 1e-8).apply(gradients, variables, tf.constant(5e-4, tf.float64))
    assert finite
    assert float(report["loss/generator"]) == pytest.approx(float(total), rel=1e-12)
    assert float(report["loss/discriminator"]) == pytest.approx(
        float(discriminator_total), rel=1e-12
    )
    for ours_of, theirs_of in (
        (ours.generators, theirs.generators),
        (ours.discriminators, theirs.discriminators),
    ):
        for mine, other in zip(
            trainable_variables(ours_of), trainable_variables(theirs_of), strict=True
        ):
            # Constants in front of a norm have gradients of rounding noise alone, of which Adam
            # makes full steps: they cannot be compared.
            if "bias" not in mine.name and "beta" not in mine.name:
                np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-11, err_msg=mine.name)


@pytest.mark.usefixtures("without_graph")
def test_everything_is_reported_under_its_own_name() -> None:
    still = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.0}
    config = run("mask")
    trainer = Trainer(
        dataclasses.replace(config, training=dataclasses.replace(config.training, **still))
    )
    a, b, mask_a, mask_b = batch("float32")
    report, _ = trainer.train_step(a, b, mask_a, mask_b)
    a2b, b2a = trainer.generators["A2B"], trainer.generators["B2A"]
    cycled_a = b2a([a2b([a, mask_a]), tf.ones_like(mask_a)])
    cycled_b = a2b([b2a([b, mask_b]), tf.ones_like(mask_b)])
    for name, real, cycled, way in (("A", a, cycled_a, "A2B2A"), ("B", b, cycled_b, "B2A2B")):
        discriminator = trainer.discriminators[f"cycled_{name}"]
        scores = discriminator(real).numpy(), discriminator(cycled).numpy()
        for kind, score in zip(("real", "fake"), scores, strict=True):
            assert float(report[f"score/{kind}_cycled_{name}"]) == pytest.approx(
                score.mean(), abs=1e-5
            )
        expected = np.mean((scores[1] - 1) ** 2)
        assert float(report[f"loss/adversarial_{way}"]) == pytest.approx(expected, rel=1e-4)
        expected = 0.5 * (np.mean((scores[0] - 1) ** 2) + np.mean(scores[1] ** 2))
        assert float(report[f"loss/discriminator_cycled_{name}"]) == pytest.approx(
            expected, rel=1e-4
        )


@pytest.mark.usefixtures("without_graph")
def test_every_discriminator_learns_and_is_in_the_checkpoint(tmp_path: object) -> None:
    trainer = Trainer(run("vc2"))
    before = {name: model.get_weights() for name, model in trainer.discriminators.items()}
    a, b, *_ = batch("float32")
    trainer.train_step(a, b)
    for name, model in trainer.discriminators.items():
        moved = [
            np.max(np.abs(x - y)) for x, y in zip(before[name], model.get_weights(), strict=True)
        ]
        assert min(moved) > 0, name
    prefix = trainer.checkpoint.write(f"{tmp_path}/all")
    names = {name.split("/")[0] for name, _ in tf.train.list_variables(prefix)}
    assert {f"discriminator_{name}" for name in before} <= names
    assert "discriminator_cycled_A" in names


def test_discriminators_of_the_first_step_do_not_depend_on_a_second_step() -> None:
    """The initial weights of a network depend on the seed and its name alone."""
    one, two = Trainer(run("vc2")), Trainer(run("mask"))
    for speaker in "AB":
        for x, y in zip(
            one.discriminators[speaker].get_weights(),
            two.discriminators[speaker].get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(x, y)
    first, second = (one.discriminators[name].get_weights()[0] for name in ("A", "cycled_A"))
    assert not np.array_equal(first, second)

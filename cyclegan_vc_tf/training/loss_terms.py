"""Table of the generators' loss terms: names, weights, loss functions and compared features.

`GENERATOR_LOSSES` holds one row per group of terms. The trainer walks the table. A new loss is a
function in `losses` and a row here; docs/develop/add_a_loss.md shows an example.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models.registry import TWO_STEP_DISCRIMINATORS, VARIANTS
from cyclegan_vc_tf.training import losses


@dataclass(frozen=True)
class StepTensors:
    """Features of a training step, and the discriminators' scores of them.

    Features have the shape (batch, frames, bins), scores (batch, rows, columns, 1).

    Attributes:
        real: Real features, by speaker.
        fake: Features converted to a speaker from the other one, by that speaker.
        cycled: Real features after both conversions, there and back, by speaker.
        identity: Real features of a speaker through the generator to that speaker, by speaker.
            Empty without an identity loss.
        linear: Real features through the linear skip of a generator, by direction. Empty without
            self-regularisation.
        taught: Real features after the teacher's conversion, by direction. Empty without a teacher.
        real_scores: Scores of real features, by discriminator.
        fake_scores: Scores of fake or cycled features, by discriminator.
    """

    real: Mapping[str, tf.Tensor]
    fake: Mapping[str, tf.Tensor]
    cycled: Mapping[str, tf.Tensor]
    identity: Mapping[str, tf.Tensor]
    linear: Mapping[str, tf.Tensor]
    taught: Mapping[str, tf.Tensor]
    real_scores: Mapping[str, tf.Tensor]
    fake_scores: Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class LossGroup:
    """Row of the table: terms that share a loss function and a weight.

    `compute` looks its loss function up in `losses` when it is called. A function that a test
    replaces there is then replaced in the trainer too.

    Attributes:
        name: Name of the group. TensorBoard shows its weight as `weight/NAME`.
        members: Speakers, directions or paths, one per term. TensorBoard shows the term of member
            M as `loss/NAME_M`.
        weight: Function of the settings and the step, an int64 scalar. Returns a float64 scalar.
        compute: Function of a step's tensors and a member. Returns one loss per example, (batch,).
        is_used: Function of the settings. Returns whether the terms are computed at all.
        shows_unused_weight: Whether TensorBoard shows the weight of terms that are not computed.
    """

    name: str
    members: tuple[str, ...]
    weight: Callable[[RunConfig, tf.Tensor], tf.Tensor]
    compute: Callable[[StepTensors, str], tf.Tensor]
    is_used: Callable[[RunConfig], bool] = lambda config: True
    shows_unused_weight: bool = False


def constant_weight(weight: float) -> tf.Tensor:
    """Return a weight that is the same at every step, as a float64 scalar."""
    return tf.constant(weight, tf.float64)


def identity_weight(config: RunConfig, step: tf.Tensor) -> tf.Tensor:
    """Return the weight of the identity-mapping loss, which is 0 after `identity_steps`.

    Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, section 4.1.
    """
    weight = tf.constant(config.training.identity_weight, tf.float64)
    return tf.where(step < config.training.identity_steps, weight, tf.constant(0.0, tf.float64))


PATH_DISCRIMINATORS = {
    "A2B": "B",
    "B2A": "A",
    **dict(zip(("A2B2A", "B2A2B"), TWO_STEP_DISCRIMINATORS, strict=True)),
}
"""Discriminator of the features at the end of a path of conversions."""

GENERATOR_LOSSES = (
    # Kaneko and Kameoka, 2017, arXiv:1711.11293, equation 1.
    LossGroup(
        "adversarial",
        ("A2B", "B2A"),
        weight=lambda config, step: constant_weight(1.0),
        compute=lambda tensors, path: losses.least_squares_loss(
            tensors.fake_scores[PATH_DISCRIMINATORS[path]], 1.0
        ),
    ),
    # The second adversarial step: Kaneko et al., 2019, arXiv:1904.04631, section 3.1.
    LossGroup(
        "adversarial",
        ("A2B2A", "B2A2B"),
        weight=lambda config, step: constant_weight(1.0),
        compute=lambda tensors, path: losses.least_squares_loss(
            tensors.fake_scores[PATH_DISCRIMINATORS[path]], 1.0
        ),
        is_used=lambda config: VARIANTS[config.network.variant].two_step,
    ),
    # Kaneko and Kameoka, 2017, equation 2.
    LossGroup(
        "cycle",
        SPEAKERS,
        weight=lambda config, step: constant_weight(config.training.cycle_weight),
        compute=lambda tensors, speaker: losses.l1_loss(
            tensors.real[speaker], tensors.cycled[speaker]
        ),
    ),
    # Kaneko and Kameoka, 2017, equation 4.
    LossGroup(
        "identity",
        SPEAKERS,
        weight=identity_weight,
        compute=lambda tensors, speaker: losses.l1_loss(
            tensors.real[speaker], tensors.identity[speaker]
        ),
        is_used=lambda config: config.training.identity_weight > 0,
        shows_unused_weight=True,
    ),
    # Shrivastava et al., 2017, arXiv:1612.07828, section 2.1.
    LossGroup(
        "regularization",
        tuple(Direction),
        weight=lambda config, step: constant_weight(config.training.self_regularization_weight),
        compute=lambda tensors, direction: losses.self_regularization_loss(
            tensors.linear[direction], tensors.fake[Direction(direction).target]
        ),
        is_used=lambda config: config.training.self_regularization_weight > 0,
    ),
    # Not in the papers: examples from another run.
    LossGroup(
        "teacher",
        tuple(Direction),
        weight=lambda config, step: constant_weight(config.training.teacher_weight),
        compute=lambda tensors, direction: losses.l1_loss(
            tensors.taught[direction], tensors.fake[Direction(direction).target]
        ),
        is_used=lambda config: config.training.has_teacher,
    ),
)
"""All losses of the generators, in the order in which they are summed."""


def is_group_used(name: str, config: RunConfig) -> bool:
    """Return whether a run computes any term of a group."""
    return any(row.is_used(config) for row in GENERATOR_LOSSES if row.name == name)


def term_groups(config: RunConfig) -> dict[str, str]:
    """Return the group of every generator loss term of a run, by term: cycle_A is of cycle."""
    return {
        f"{row.name}_{member}": row.name
        for row in GENERATOR_LOSSES
        if row.is_used(config)
        for member in row.members
    }


def compute_terms(config: RunConfig, tensors: StepTensors) -> dict[str, tf.Tensor]:
    """Return the generators' unweighted losses by term, one value per example, (batch,)."""
    return {
        f"{row.name}_{member}": row.compute(tensors, member)
        for row in GENERATOR_LOSSES
        if row.is_used(config)
        for member in row.members
    }


def compute_weights(config: RunConfig, step: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the weights of the generators' losses at a step, by group, as float64 scalars."""
    return {
        row.name: row.weight(config, step)
        for row in GENERATOR_LOSSES
        if row.is_used(config) or row.shows_unused_weight
    }

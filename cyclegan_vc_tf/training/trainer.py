"""The two-optimiser training step and the state it changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.generators import generate, linear_skip_output
from cyclegan_vc_tf.models.matmul_conv import MatmulContext
from cyclegan_vc_tf.models.ordered_sum import fan_out, sum_in_order
from cyclegan_vc_tf.training import losses
from cyclegan_vc_tf.training.optimizer import Adam, linear_decay

Tensors = dict[str, tf.Tensor]


class Trainer:
    """Networks, optimisers and step of a run: the sole owner of what changes.

    Args:
        config: The run's settings.

    Attributes:
        step: Steps done, an int64 variable.
        generators: By direction, A2B and B2A.
        discriminators: By speaker, A and B, and of a second step cycled_A and cycled_B.
        checkpoint: All of the state.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config.training
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.generators = registry.build_generators(config)
        self.discriminators = registry.build_discriminators(config)
        self.generator_optimizer = self._optimizer(self.generators)
        self.discriminator_optimizer = self._optimizer(self.discriminators)
        self.checkpoint = tf.train.Checkpoint(
            step=self.step,
            generator_optimizer=self.generator_optimizer,
            discriminator_optimizer=self.discriminator_optimizer,
            **self.networks,
        )

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks by name: generator_A2B, discriminator_A and so on."""
        return {
            **{f"generator_{name}": model for name, model in self.generators.items()},
            **{f"discriminator_{name}": model for name, model in self.discriminators.items()},
        }

    @tf.function(autograph=False)  # No step has control flow for it to find.
    def train_step(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        mask_a: tf.Tensor | None = None,
        mask_b: tf.Tensor | None = None,
        *,
        norms: tf.Tensor | bool = True,
    ) -> tuple[Tensors, tf.Tensor]:
        """One iteration: the generators, and the discriminators on the fakes just made.

        Args:
            real_a: Normalised features of A, (batch, frames, bins).
            real_b: Of B, drawn independently.
            mask_a: Of A's frames, (batch, frames, 1), 0 where the generator has to fill one in on
                the way forth; for a masked variant alone.
            mask_b: Of B's.
            norms: Whether to measure the norms of the gradients, which reads them all once more;
                they are reported as 0 where not.

        Returns:
            Scalars by their names in TensorBoard, losses averaged over the batch, and whether all
            of them are finite.

        Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, section 3; the discriminators train on
            fakes of the generators before their update, as in the TensorFlow 1 port.
        """
        rates, weights = self.learning_rates(), self.loss_weights()
        of_generators = trainable_variables(self.generators)
        of_discriminators = trainable_variables(self.discriminators)
        products = MatmulContext(self.config.precision)
        with products.in_use():
            terms, critics, scores = self.loss_terms(real_a, real_b, mask_a, mask_b)
            generator_loss = sum_in_order(
                [
                    tf.cast(weights[loss_group(name)], loss.dtype) * loss
                    for name, loss in terms.items()
                ]
            )
            discriminator_loss = sum_in_order(list(critics.values()))
        # Fakes do not depend on the discriminators' variables: with respect to those, one forward
        # pass serves both losses, as if the fakes were detached for the second.
        generator_gradients = products.gradients(generator_loss, of_generators)
        discriminator_gradients = products.gradients(discriminator_loss, of_discriminators)
        self.generator_optimizer.apply(generator_gradients, of_generators, rates["generator"])
        self.discriminator_optimizer.apply(
            discriminator_gradients, of_discriminators, rates["discriminator"]
        )
        self.step.assign_add(1)
        report = {
            **add_prefix("loss", {**terms, **critics}),
            "loss/generator": generator_loss,
            "loss/discriminator": discriminator_loss,
            "gradient_norm/generator": global_norm_if(norms, generator_gradients),
            "gradient_norm/discriminator": global_norm_if(norms, discriminator_gradients),
            **add_prefix("score", scores),
            **add_prefix("learning_rate", rates),
            **add_prefix("weight", weights),
        }
        finite = tf.reduce_all([tf.math.is_finite(value) for value in report.values()])
        return report, finite

    def not_finite(self) -> str:
        """The name of a network that has a weight that is NaN or infinite; empty if none has."""
        for networks in (self.generators, self.discriminators):
            for model in networks.values():
                finite = [tf.reduce_all(tf.math.is_finite(each)) for each in model.weights]
                if not tf.reduce_all(finite):
                    return f"{model.name}'s weights"
        return ""

    def loss_terms(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        mask_a: tf.Tensor | None = None,
        mask_b: tf.Tensor | None = None,
    ) -> tuple[Tensors, Tensors, Tensors]:
        """The generators' loss terms, the discriminators' losses and their mean scores.

        Args:
            real_a: (batch, frames, bins).
            real_b: Likewise.
            mask_a: (batch, frames, 1), or none.
            mask_b: Likewise.

        Returns:
            Three dictionaries of scalars, unweighted and averaged over the batch.

        Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, equations 1 to 4; the second step,
            Kaneko et al., 2019, arXiv:1904.04631, section 3.1.
        """
        identities = {}
        if self.config.identity_weight:
            fake_b, identities["B"] = self._forth(Direction.A2B, real_a, mask_a, real_b)
            fake_a, identities["A"] = self._forth(Direction.B2A, real_b, mask_b, real_a)
        else:
            fake_b = generate(self.generators[Direction.A2B], real_a, mask_a, training=True)
            fake_a = generate(self.generators[Direction.B2A], real_b, mask_b, training=True)
        # A fake is cycled and scored, and may be compared with its source. Its gradients are added
        # in that order.
        uses = 3 if self.config.self_regularization_weight else 2
        forward_b, fake_b, *compared_b = fan_out(fake_b, uses)
        forward_a, fake_a, *compared_a = fan_out(fake_a, uses)
        cycled_a = generate(self.generators[Direction.B2A], forward_b, training=True)
        cycled_b = generate(self.generators[Direction.A2B], forward_a, training=True)
        reals = {"A": real_a, "B": real_b, "cycled_A": real_a, "cycled_B": real_b}
        fakes = {"A": fake_a, "B": fake_b, "cycled_A": cycled_a, "cycled_B": cycled_b}
        real_scores, fake_scores = {}, {}
        for name, judge in self.discriminators.items():
            scores_of_both = judge(tf.concat([reals[name], fakes[name]], 0), training=True)
            real_scores[name], fake_scores[name] = tf.split(scores_of_both, 2)
        judged = {"A2B": "B", "B2A": "A", "A2B2A": "cycled_A", "B2A2B": "cycled_B"}
        generator_terms = (
            {
                f"adversarial_{way}": losses.least_squares_loss(fake_scores[name], 1.0)
                for way, name in judged.items()
                if name in fake_scores
            }
            | {
                "cycle_A": losses.l1_loss(real_a, cycled_a),
                "cycle_B": losses.l1_loss(real_b, cycled_b),
            }
            | {
                f"identity_{name}": losses.l1_loss(reals[name], same)
                for name, same in sorted(identities.items())
            }
        )
        if self.config.self_regularization_weight:
            for direction, real, fake in (
                (Direction.A2B, real_a, compared_b[0]),
                (Direction.B2A, real_b, compared_a[0]),
            ):
                start = linear_skip_output(self.generators[direction], real)
                distance = losses.self_regularization_loss(start, fake)
                generator_terms[f"regularization_{direction}"] = distance
        critics = {
            f"discriminator_{name}": losses.discriminator_loss(real_scores[name], fake_scores[name])
            for name in self.discriminators
        }
        scores = {f"real_{name}": score for name, score in real_scores.items()} | {
            f"fake_{name}": score for name, score in fake_scores.items()
        }
        return (
            average_over_batch(generator_terms),
            average_over_batch(critics),
            average_over_batch(scores),
        )

    def _forth(
        self, direction: Direction, real: tf.Tensor, mask: tf.Tensor | None, target: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What is to be converted, masked, and what is to stay as it is, in one batch."""
        both = tf.concat([real, target], 0)
        masks = None if mask is None else tf.concat([mask, tf.ones_like(mask)], 0)
        return tf.split(generate(self.generators[direction], both, masks, training=True), 2)

    def learning_rates(self) -> Tensors:
        """Learning rates at this step, by optimiser, float64 scalars."""
        config = self.config
        return {
            name: linear_decay(self.step, initial, config.decay_start, config.decay_steps)
            for name, initial in (
                ("generator", config.generator_learning_rate),
                ("discriminator", config.discriminator_learning_rate),
            )
        }

    def loss_weights(self) -> Tensors:
        """Weights of the kinds of generator loss at this step, float64 scalars."""
        config = self.config
        adversarial, cycle, identity, regularization, nothing = (
            tf.constant(weight, tf.float64)
            for weight in (
                1.0,
                config.cycle_weight,
                config.identity_weight,
                config.self_regularization_weight,
                0.0,
            )
        )
        return {
            "adversarial": adversarial,
            "cycle": cycle,
            "identity": tf.where(self.step < config.identity_steps, identity, nothing),
        } | ({"regularization": regularization} if config.self_regularization_weight else {})

    def _optimizer(self, networks: Mapping[Any, keras.Model]) -> Adam:
        config = self.config
        return Adam(
            trainable_variables(networks), config.adam_beta1, config.adam_beta2, config.adam_epsilon
        )


def trainable_variables(networks: Mapping[Any, keras.Model]) -> list[tf.Variable]:
    """Trainable variables of several networks, in one order."""
    return [variable for model in networks.values() for variable in model.trainable_variables]


def global_norm_if(asked: tf.Tensor | bool, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """The norm of all gradients together, where it is asked for, and 0 where not."""
    zero = tf.zeros((), gradients[0].dtype)
    return tf.cond(
        tf.convert_to_tensor(asked), lambda: tf.linalg.global_norm(gradients), lambda: zero
    )


def average_over_batch(per_example: Tensors) -> Tensors:
    """The mean over the global batch of each loss, or of each map of scores."""
    return {name: tf.reduce_mean(value) for name, value in per_example.items()}


def loss_group(term: str) -> str:
    """The kind of a loss term, which its weight goes by: cycle_A is of the kind cycle."""
    return term.split("_")[0]


def add_prefix(group: str, scalars: Tensors) -> Tensors:
    """Names as TensorBoard groups them: group/name."""
    return {f"{group}/{name}": value for name, value in scalars.items()}

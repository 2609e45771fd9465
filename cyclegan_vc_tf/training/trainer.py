"""Trainer: networks, optimisers, the two-optimiser training step and the state it changes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import matmul_conv, registry
from cyclegan_vc_tf.models.generators import generate, linear_skip_output
from cyclegan_vc_tf.models.matmul_conv import MatmulContext
from cyclegan_vc_tf.models.ordered_sum import fan_out, sum_in_order
from cyclegan_vc_tf.models.stack import make_checkpoint, plain
from cyclegan_vc_tf.training import loss_terms, losses
from cyclegan_vc_tf.training.distribution import ONE_DEVICE, Distribution
from cyclegan_vc_tf.training.loss_terms import StepTensors
from cyclegan_vc_tf.training.optimizer import Adam, linear_decay
from cyclegan_vc_tf.training.tracing import without_tracebacks

Tensors = dict[str, tf.Tensor]


class Trainer:
    """Networks, optimisers and training step of a run: the only owner of state that changes.

    Args:
        config: Settings of the run.
        distribution: Replicas that share every batch; by default one device.

    Attributes:
        step: Number of steps done, an int64 variable.
        generators: Generators by direction, A2B and B2A.
        discriminators: Discriminators by speaker, A and B. With a second adversarial step also
            cycled_A and cycled_B.
        checkpoint: All of the state.
    """

    def __init__(self, config: RunConfig, distribution: Distribution = ONE_DEVICE) -> None:
        self.config, self.distribution = config, distribution
        with distribution.scope():
            self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
            self.generators = registry.build_generators(config)
            self.discriminators = registry.build_discriminators(config)
            self.generator_optimizer = self._make_optimizer(self.generators)
            self.discriminator_optimizer = self._make_optimizer(self.discriminators)
        self.checkpoint = make_checkpoint(
            self.networks,
            step=self.step,
            generator_optimizer=self.generator_optimizer,
            discriminator_optimizer=self.discriminator_optimizer,
        )

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks by name: generator_A2B, discriminator_A and so on."""
        return {
            **{f"generator_{name}": model for name, model in self.generators.items()},
            **{f"discriminator_{name}": model for name, model in self.discriminators.items()},
        }

    @property
    def variables(self) -> list[tf.Variable]:
        """All state, in one order: weights, moments and counters."""
        return [
            *(plain(weight) for network in self.networks.values() for weight in network.weights),
            *self.generator_optimizer.variables,
            *self.discriminator_optimizer.variables,
            self.step,
        ]

    @tf.function(autograph=False)  # Autograph would search the step for control flow; it has none.
    def train_step(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        mask_a: tf.Tensor | None = None,
        mask_b: tf.Tensor | None = None,
        taught_a: tf.Tensor | None = None,
        taught_b: tf.Tensor | None = None,
        *,
        norms: tf.Tensor | bool = True,
    ) -> tuple[Tensors, tf.Tensor]:
        """Train one step: the generators, and the discriminators on the fakes just made.

        Args:
            real_a: Normalised features of A, (batch, frames, bins). With several workers, each
                gets its own rows of the batch.
            real_b: Normalised features of B, drawn independently, (batch, frames, bins).
            mask_a: Mask of A's frames, (batch, frames, 1). It is 0 where the generator has to
                fill in a frame in the first conversion. Only masked variants take masks.
            mask_b: Mask of B's frames, (batch, frames, 1).
            taught_a: A's features after the teacher's conversion to B, (batch, frames, bins), if
                the run has a teacher.
            taught_b: B's features after the teacher's conversion to A.
            norms: Whether to measure the norms of the gradients. This reads all gradients once
                more. Norms that are not measured are reported as 0.

        Returns:
            Scalars by their names in TensorBoard, with losses averaged over the batch of all
            replicas, and whether all of them are finite.

        Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, section 3; the discriminators train on
            fakes of the generators before their update, as in the TensorFlow 1 port.
        """
        return self.distribution.run(
            lambda *inputs: self._train_replica(*inputs, norms=norms),
            (real_a, real_b, mask_a, mask_b, taught_a, taught_b),
        )

    @without_tracebacks()
    def _train_replica(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        mask_a: tf.Tensor | None = None,
        mask_b: tf.Tensor | None = None,
        taught_a: tf.Tensor | None = None,
        taught_b: tf.Tensor | None = None,
        *,
        norms: tf.Tensor | bool,
    ) -> tuple[Tensors, tf.Tensor]:
        """Train one step with a replica's rows of the batch; see `train_step`."""
        rates, weights = self.learning_rates(), self.loss_weights()
        groups = loss_terms.term_groups(self.config)
        generator_variables = trainable_variables(self.generators)
        discriminator_variables = trainable_variables(self.discriminators)
        products = MatmulContext(self.config.training.precision)
        with products.in_use():
            terms, discriminator_losses, scores = self.loss_terms(
                real_a, real_b, mask_a, mask_b, taught_a, taught_b
            )
            generator_loss = sum_in_order(
                [tf.cast(weights[groups[name]], loss.dtype) * loss for name, loss in terms.items()]
            )
            discriminator_loss = sum_in_order(list(discriminator_losses.values()))
        # Fakes do not depend on the discriminators' variables: with respect to these, one forward
        # pass serves both losses, as if the fakes were detached for the second.
        generator_gradients = products.gradients(generator_loss, generator_variables)
        discriminator_gradients = products.gradients(
            discriminator_loss, discriminator_variables, since_mark=True
        )
        averages = {
            **add_prefix("loss", {**terms, **discriminator_losses}),
            "loss/generator": generator_loss,
            "loss/discriminator": discriminator_loss,
            **add_prefix("score", scores),
        }
        # Everything that replicas exchange, in one call: shares of averages and of gradients.
        shares: Any = [averages, generator_gradients, discriminator_gradients]
        averages, generator_gradients, discriminator_gradients = self.distribution.add(shares)
        self.generator_optimizer.apply(generator_gradients, generator_variables, rates["generator"])
        self.discriminator_optimizer.apply(
            discriminator_gradients, discriminator_variables, rates["discriminator"]
        )
        self.step.assign_add(1)
        gradients = {
            "gradient_norm/generator": generator_gradients,
            "gradient_norm/discriminator": discriminator_gradients,
        }
        report = {
            **averages,
            **global_norms_if(norms, gradients),
            **add_prefix("learning_rate", rates),
            **add_prefix("weight", weights),
        }
        finite = tf.reduce_all([tf.math.is_finite(value) for value in report.values()])
        return report, finite

    def find_nonfinite(self) -> str:
        """Return the name of a network with a NaN or infinite weight; empty if there is none."""
        return find_nonfinite([*self.generators.values(), *self.discriminators.values()])

    def loss_terms(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        mask_a: tf.Tensor | None = None,
        mask_b: tf.Tensor | None = None,
        taught_a: tf.Tensor | None = None,
        taught_b: tf.Tensor | None = None,
    ) -> tuple[Tensors, Tensors, Tensors]:
        """Compute the generators' loss terms, the discriminators' losses and their mean scores.

        Args:
            real_a: Normalised features of A, (batch, frames, bins).
            real_b: Normalised features of B, (batch, frames, bins).
            mask_a: Mask of A's frames, (batch, frames, 1), or none.
            mask_b: Mask of B's frames, (batch, frames, 1), or none.
            taught_a: A's features after the teacher's conversion, (batch, frames, bins), or none.
            taught_b: B's features after the teacher's conversion, (batch, frames, bins), or none.

        Returns:
            Three dictionaries of scalars, unweighted and averaged over the batch. In the step of a
            replica they are its shares of the averages, whose sum over all replicas is the average.

        Source: Kaneko and Kameoka, 2017, arXiv:1711.11293, equations 1 to 4; the second step,
            Kaneko et al., 2019, arXiv:1904.04631, section 3.1.
        """
        tensors = self.forward(real_a, real_b, mask_a, mask_b, taught_a, taught_b)
        discriminator_losses = {
            f"discriminator_{name}": losses.discriminator_loss(
                tensors.real_scores[name], tensors.fake_scores[name]
            )
            for name in self.discriminators
        }
        scores = {f"real_{name}": score for name, score in tensors.real_scores.items()} | {
            f"fake_{name}": score for name, score in tensors.fake_scores.items()
        }
        terms = loss_terms.compute_terms(self.config, tensors)
        replicas = self.distribution.replicas
        return (
            average_over_batch(terms, replicas),
            average_over_batch(discriminator_losses, replicas),
            average_over_batch(scores, replicas),
        )

    def forward(
        self,
        real_a: tf.Tensor,
        real_b: tf.Tensor,
        mask_a: tf.Tensor | None = None,
        mask_b: tf.Tensor | None = None,
        taught_a: tf.Tensor | None = None,
        taught_b: tf.Tensor | None = None,
    ) -> StepTensors:
        """Compute all generated features of a step, and the discriminators' scores.

        Args:
            real_a: Normalised features of A, (batch, frames, bins).
            real_b: Normalised features of B, (batch, frames, bins).
            mask_a: Mask of A's frames, (batch, frames, 1), or none.
            mask_b: Mask of B's frames, (batch, frames, 1), or none.
            taught_a: A's features after the teacher's conversion, (batch, frames, bins), or none.
            taught_b: B's features after the teacher's conversion, (batch, frames, bins), or none.
        """
        identities: Tensors = {}
        if loss_terms.is_group_used("identity", self.config):
            fake_b, identities["B"] = self._convert_and_keep(Direction.A2B, real_a, mask_a, real_b)
            fake_a, identities["A"] = self._convert_and_keep(Direction.B2A, real_b, mask_b, real_a)
        else:
            fake_b = generate(self.generators[Direction.A2B], real_a, mask_a, training=True)
            fake_a = generate(self.generators[Direction.B2A], real_b, mask_b, training=True)
        # Generators, discriminators and losses take the fakes and what is made of them. Each gets
        # tensors of its own, so that their gradients are added in one order.
        forward_b, scored_b, fake_b = fan_out(fake_b, 3)
        forward_a, scored_a, fake_a = fan_out(fake_a, 3)
        cycled_a = generate(self.generators[Direction.B2A], forward_b, training=True)
        cycled_b = generate(self.generators[Direction.A2B], forward_a, training=True)
        scored_cycled_a, cycled_a = fan_out(cycled_a, 2)
        scored_cycled_b, cycled_b = fan_out(cycled_b, 2)
        reals = {"A": real_a, "B": real_b, "cycled_A": real_a, "cycled_B": real_b}
        scored = {
            "A": scored_a,
            "B": scored_b,
            "cycled_A": scored_cycled_a,
            "cycled_B": scored_cycled_b,
        }
        real_scores: Tensors = {}
        fake_scores: Tensors = {}
        # The discriminators' gradients go no further back.
        matmul_conv.mark()
        for name, discriminator in self.discriminators.items():
            both = discriminator(tf.concat([reals[name], scored[name]], 0), training=True)
            real_scores[name], fake_scores[name] = tf.split(both, 2)
        linear: Tensors = {}
        if loss_terms.is_group_used("regularization", self.config):
            for direction in Direction:
                generator = self.generators[direction]
                linear[direction] = linear_skip_output(generator, reals[direction.source])
        taught: Tensors = {}
        if taught_a is not None and taught_b is not None:
            taught = {Direction.A2B: taught_a, Direction.B2A: taught_b}
        return StepTensors(
            real={"A": real_a, "B": real_b},
            fake={"A": fake_a, "B": fake_b},
            cycled={"A": cycled_a, "B": cycled_b},
            identity=identities,
            linear=linear,
            taught=taught,
            real_scores=real_scores,
            fake_scores=fake_scores,
        )

    def _convert_and_keep(
        self, direction: Direction, real: tf.Tensor, mask: tf.Tensor | None, target: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Convert source features, masked, and pass target features through, in one batch."""
        both = tf.concat([real, target], 0)
        masks = None if mask is None else tf.concat([mask, tf.ones_like(mask)], 0)
        return tf.split(generate(self.generators[direction], both, masks, training=True), 2)

    def learning_rates(self) -> Tensors:
        """Return the learning rates at this step, by optimiser, as float64 scalars."""
        config = self.config.training
        return {
            name: linear_decay(self.step, initial, config.decay_start, config.decay_steps)
            for name, initial in (
                ("generator", config.generator_learning_rate),
                ("discriminator", config.discriminator_learning_rate),
            )
        }

    def loss_weights(self) -> Tensors:
        """Return the weights of the generators' losses at this step, as float64 scalars."""
        return loss_terms.compute_weights(self.config, self.step)

    def _make_optimizer(self, networks: Mapping[Any, keras.Model]) -> Adam:
        config = self.config.training
        return Adam(
            trainable_variables(networks), config.adam_beta1, config.adam_beta2, config.adam_epsilon
        )


def trainable_variables(networks: Mapping[Any, keras.Model]) -> list[tf.Variable]:
    """Return the trainable variables of several networks, always in one order."""
    return [
        plain(variable) for model in networks.values() for variable in model.trainable_variables
    ]


def find_nonfinite(models: Iterable[keras.Model]) -> str:
    """Return the name of a network with a NaN or infinite weight; empty if there is none."""
    for model in models:
        finite = [tf.reduce_all(tf.math.is_finite(weight)) for weight in model.weights]
        if not tf.reduce_all(finite):
            return f"{model.name}'s weights"
    return ""


def global_norms_if(
    measured: tf.Tensor | bool, gradients: Mapping[str, Sequence[tf.Tensor]]
) -> Tensors:
    """Return the norm of each group of gradients, or 0 where it is not to be measured."""
    return tf.cond(
        tf.convert_to_tensor(measured),
        lambda: {name: tf.linalg.global_norm(group) for name, group in gradients.items()},
        lambda: {name: tf.zeros((), group[0].dtype) for name, group in gradients.items()},
    )


def average_over_batch(per_example: Tensors, replicas: int = 1) -> Tensors:
    """Return a replica's share of the mean over the whole batch, of every loss or map of scores.

    Args:
        per_example: Losses or scores of the replica's examples, batch first.
        replicas: Number of replicas, which have equal numbers of examples.
    """
    means = {name: tf.reduce_mean(value) for name, value in per_example.items()}
    return means if replicas == 1 else {name: mean / replicas for name, mean in means.items()}


def add_prefix(group: str, scalars: Tensors) -> Tensors:
    """Return scalars under TensorBoard's grouped names: group/name."""
    return {f"{group}/{name}": value for name, value in scalars.items()}

"""A training in either framework, with a common interface."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models.torch_weights import to_state
from cyclegan_vc_tf.system import device, processor
from cyclegan_vc_tf.training import losses
from cyclegan_vc_tf.training.trainer import Trainer
from parity.companion import train_step
from parity.companion.vc1 import initialise_as_keras
from parity.demo import Batch

Losses = dict[str, float]

LOSSES = (
    "adversarial_A2B", "adversarial_B2A", "cycle_A", "cycle_B", "identity_A", "identity_B",
    "discriminator_A", "discriminator_B", "generator", "discriminator",
)  # fmt: skip
"""Losses that a step of CycleGAN-VC reports, in order. Later variants have more."""


class TensorFlowRun:
    """A training by this project's own trainer."""

    def __init__(self, config: RunConfig) -> None:
        if device.current().gpu is None:
            # As a training does.
            processor.choose_graph_optimizers()
        self.trainer = Trainer(config)

    def step(self, batch: Batch) -> Losses:
        """Train on a pair of (batch, frames, bins), and their masks if the variant has any."""
        report, _ = self.trainer.train_step(*map(tf.constant, batch))
        return {
            name.removeprefix("loss/"): float(value)
            for name, value in report.items()
            if name.startswith("loss/")
        }

    def evaluate(self, batch: Batch) -> Losses:
        """Compute the generators' loss terms, without training."""
        terms, _, _ = self.trainer.loss_terms(*map(tf.constant, batch))
        return {name: float(value) for name, value in terms.items()}

    def networks(self) -> Mapping[Any, keras.Model]:
        """Return all networks by name."""
        return {**self.trainer.generators, **self.trainer.discriminators}

    def state(self) -> list[np.ndarray]:
        """Return everything that training changes."""
        return [variable.numpy() for variable in self._variables()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Restore a state, without tracing the step again."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list[tf.Variable]:
        trainer = self.trainer
        optimizers = (trainer.generator_optimizer, trainer.discriminator_optimizer)
        weights = [weight for model in self.networks().values() for weight in model.weights]
        moments = [moment for adam in optimizers for moment in adam.variables]
        return [trainer.step, *weights, *moments]

    def adversarial_gradient(self, batch: Batch) -> float:
        """Return the norm of the discriminators' gradient at the fakes, mean over both."""
        norms = []
        for direction, speaker, real in (
            (Direction.A2B, "B", batch[0]),
            (Direction.B2A, "A", batch[1]),
        ):
            fake = self.trainer.generators[direction](tf.constant(real))
            with tf.GradientTape() as tape:
                tape.watch(fake)
                scores = self.trainer.discriminators[speaker](fake)
                loss = tf.reduce_mean(losses.least_squares_loss(scores, 1.0))
            norms.append(float(tf.norm(tape.gradient(loss, fake))))
        return float(np.mean(norms))


class TorchRun:
    """A training by the companion.

    Args:
        config: Settings of the run.
        dtype: Type of weights and features.
        optimizer: The companion's Adam, or torch's.
        keras_initialiser: Whether initial weights have Keras' distributions, not torch's.
    """

    def __init__(
        self,
        config: RunConfig,
        dtype: torch.dtype = torch.float32,
        optimizer: train_step.MakeOptimizer = train_step.Adam,
        keras_initialiser: bool = True,
    ) -> None:
        torch.manual_seed(config.training.seed)
        self.companion = train_step.Step(config, optimizer)
        for networks in (self.companion.generators, self.companion.discriminators):
            networks.to(dtype)
            if keras_initialiser:
                initialise_as_keras(networks)

    def step(self, batch: Batch) -> Losses:
        """Train on a pair of (batch, frames, bins), and their masks if the variant has any."""
        return self.companion(*map(channels_first, batch))

    def evaluate(self, batch: Batch) -> Losses:
        """Compute the generators' loss terms, without training."""
        with torch.no_grad():
            groups, _ = self.companion.generator_losses(*map(channels_first, batch))
        return {name: loss.item() for name, loss in train_step.name_terms(groups).items()}

    def networks(self) -> Mapping[str, nn.Module]:
        """Return all networks by name."""
        return {**dict(self.companion.generators), **dict(self.companion.discriminators)}


def channels_first(array: np.ndarray) -> torch.Tensor:
    """Convert (batch, …, channels) to a tensor, (batch, channels, …)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1)))


def channels_last(tensor: torch.Tensor) -> np.ndarray:
    """Convert (batch, channels, …) to an array, (batch, …, channels)."""
    array = tensor.detach().numpy()
    return np.moveaxis(array, 1, -1) if array.ndim > 1 else array


def match(twin: nn.Module, model: keras.Model) -> None:
    """Copy the weights of a Keras model to its torch twin. Every key has to match."""
    state = {key: torch.from_numpy(value) for key, value in to_state(model).items()}
    twin.load_state_dict(state, strict=True)


def match_runs(twin: TorchRun, run: TensorFlowRun) -> None:
    """Copy the weights of all networks of a run to its torch twin."""
    theirs = twin.networks()
    for name, model in run.networks().items():
        match(theirs[name], model)


def nudge(run: TensorFlowRun, seed: int) -> None:
    """Move every weight of all networks by one unit in the last place, up or down."""
    rng = np.random.default_rng(seed)
    for network in run.networks().values():
        for variable in network.weights:
            value = variable.numpy()
            direction = np.where(rng.uniform(size=value.shape) < 0.5, -np.inf, np.inf)
            variable.assign(np.nextafter(value, direction.astype(value.dtype)))


def train(run: TensorFlowRun | TorchRun, batches: Iterable[Batch]) -> np.ndarray:
    """Train on all batches.

    Returns:
        (steps, losses), in the order of `LOSSES`.
    """
    rows = [[report[name] for name in LOSSES] for report in map(run.step, batches)]
    return np.array(rows)

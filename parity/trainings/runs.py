"""One training in either framework, behind the same three methods."""

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
"""What a step of CycleGAN-VC reports, in this order; later papers have more."""


class TensorFlowRun:
    """A training by this project's own trainer."""

    def __init__(self, config: RunConfig) -> None:
        self.trainer = Trainer(config)

    def step(self, batch: Batch) -> Losses:
        """Trains on a pair of (batch, frames, bins), and their masks where it has them."""
        report, _ = self.trainer.train_step(*map(tf.constant, batch))
        return {
            name.removeprefix("loss/"): float(value)
            for name, value in report.items()
            if name.startswith("loss/")
        }

    def evaluate(self, batch: Batch) -> Losses:
        """The generators' terms, without training."""
        terms, _, _ = self.trainer.loss_terms(*map(tf.constant, batch))
        return {name: float(value) for name, value in terms.items()}

    def networks(self) -> Mapping[Any, keras.Model]:
        """All four by name."""
        return {**self.trainer.generators, **self.trainer.discriminators}

    def state(self) -> list[np.ndarray]:
        """All that training changes."""
        return [variable.numpy() for variable in self._variables()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Goes back to a state, without tracing the step again."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list[tf.Variable]:
        trainer = self.trainer
        optimizers = (trainer.generator_optimizer, trainer.discriminator_optimizer)
        weights = [each for model in self.networks().values() for each in model.weights]
        return [trainer.step, *weights, *(each for adam in optimizers for each in adam.variables)]

    def adversarial_gradient(self, batch: Batch) -> float:
        """Length of the gradient that the discriminators send to the fakes, mean over both."""
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
        config: The same settings.
        dtype: Of weights and features.
        optimizer: The companion's Adam, or torch's.
        keras_initialiser: Weights from Keras' distributions, or as torch draws them.
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
        """Trains on a pair of (batch, frames, bins), and their masks where it has them."""
        return self.companion(*map(channels_first, batch))

    def evaluate(self, batch: Batch) -> Losses:
        """The generators' terms, without training."""
        with torch.no_grad():
            groups, _ = self.companion.generator_losses(*map(channels_first, batch))
        return {name: loss.item() for name, loss in train_step.name_terms(groups).items()}

    def networks(self) -> Mapping[str, nn.Module]:
        """All four by name."""
        return {**dict(self.companion.generators), **dict(self.companion.discriminators)}


def channels_first(array: np.ndarray) -> torch.Tensor:
    """(batch, …, channels) as torch has it: (batch, channels, …)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1)))


def channels_last(tensor: torch.Tensor) -> np.ndarray:
    """(batch, channels, …) as TensorFlow has it: (batch, …, channels)."""
    array = tensor.detach().numpy()
    return np.moveaxis(array, 1, -1) if array.ndim > 1 else array


def match(twin: nn.Module, model: keras.Model) -> None:
    """Gives a torch module the weights of its Keras twin; every key has to match."""
    state = {key: torch.from_numpy(value) for key, value in to_state(model).items()}
    twin.load_state_dict(state, strict=True)


def match_runs(twin: TorchRun, run: TensorFlowRun) -> None:
    """Gives all four networks the weights of theirs."""
    theirs = twin.networks()
    for name, model in run.networks().items():
        match(theirs[name], model)


def nudge(run: TensorFlowRun, seed: int) -> None:
    """Moves every weight of all networks by one unit in the last place, up or down."""
    rng = np.random.default_rng(seed)
    for network in run.networks().values():
        for variable in network.weights:
            value = variable.numpy()
            towards = np.where(rng.uniform(size=value.shape) < 0.5, -np.inf, np.inf)
            variable.assign(np.nextafter(value, towards.astype(value.dtype)))


def train(run: TensorFlowRun | TorchRun, batches: Iterable[Batch]) -> np.ndarray:
    """Trains on all batches.

    Returns:
        (steps, losses), in the order of `LOSSES`.
    """
    rows = [[report[name] for name in LOSSES] for report in map(run.step, batches)]
    return np.array(rows)

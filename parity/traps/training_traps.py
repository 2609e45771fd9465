"""Traps in what moves weights: optimisers, means, order of updates, tracing, caching, restoring."""

import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.data.dataset import Crops
from cyclegan_vc_tf.data.utterances import Utterance
from cyclegan_vc_tf.models.generators import vc1_generator
from cyclegan_vc_tf.training import losses, optimizer
from parity.cases.compare import difference
from parity.companion import train_step
from parity.precision import precision
from parity.trainings import optimizers
from parity.trainings.runs import TensorFlowRun, TorchRun, channels_first, match_runs
from parity.traps.trap import Distances, Trap

TINY = RunConfig(
    network=NetworkConfig(channels=4, residual_blocks=1),
    training=TrainingConfig(crop_frames=16, generator_learning_rate=2e-3),
)


def adam_epsilon(epsilon: float) -> Distances:
    """500 steps at gradients of about 1e-5: drift of torch's Adam with the same epsilon."""
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(16), 1e-5 * rng.standard_normal((500, 16))
    ours = optimizers.ours(start, gradients, epsilon)
    return (
        optimizers.drift(start, optimizers.companion(start, gradients, epsilon), ours),
        optimizers.drift(start, optimizers.torchs(start, gradients, epsilon), ours),
    )


def keras_adam() -> Distances:
    """On float64 weights, Keras' Adam corrects its bias with betas rounded to float32."""
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(16), rng.standard_normal((1, 16))
    ours = optimizers.ours(start, gradients, 1e-8)
    return (
        optimizers.drift(start, optimizers.companion(start, gradients, 1e-8), ours),
        optimizers.drift(
            start, optimizers.keras_adam(start, gradients, 1e-8, floatx="float64"), ours
        ),
    )


def no_gradient() -> Distances:
    """A parameter whose gradient is zero still moves by its momentum; torch skips one of None."""
    first, zero = np.ones((1, 3)), np.zeros((1, 3))
    ours = optimizers.ours(np.zeros(3), np.concatenate([first, zero]), 1e-8)[-1]
    found = []
    for gradient in (torch.zeros(3, dtype=torch.float64), None):
        parameter = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        adam = train_step.Adam(
            [parameter], lr=optimizers.RATE, betas=(optimizers.BETA1, optimizers.BETA2), eps=1e-8
        )
        for each in (torch.ones(3, dtype=torch.float64), gradient):
            parameter.grad = each
            adam.step()
        found.append(difference(parameter.detach().numpy(), ours)[1])
    return found[0], found[1]


def mean_of_a_loss() -> Distances:
    """A Keras loss reduces the last axis only, and `compute_average_loss` sums what is left."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 2, 16, 24))
    ours = np.asarray(tf.reduce_mean(losses.l1_loss(a, b)))
    right = nn.functional.l1_loss(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    each = keras.losses.MeanAbsoluteError(reduction="none")(a, b)
    wrong = tf.nn.compute_average_loss(each, global_batch_size=len(a)).numpy()
    return difference(right, ours)[1], difference(wrong, ours)[1]


def update_order() -> Distances:
    """The discriminators see the fakes made before the generators' update, not after it."""
    # With their rate at zero, the discriminators are after the step what they were before.
    config = replace(TINY, training=replace(TINY.training, discriminator_learning_rate=0.0))
    with precision("float64"):
        batch = tuple(np.random.default_rng(0).standard_normal((2, 1, 16, 24)))
        ours, twin = TensorFlowRun(config), TorchRun(config, torch.float64)
        match_runs(twin, ours)
        expected = np.array(ours.step(batch)["discriminator"])
        right = np.array(twin.step(batch)["discriminator"])
    real_a, real_b = map(channels_first, batch)
    networks = twin.networks()
    wrong = train_step.discriminator_loss(
        networks["A"](real_a), networks["A"](networks["B2A"](real_b))
    ) + train_step.discriminator_loss(networks["B"](real_b), networks["B"](networks["A2B"](real_a)))
    return difference(right, expected)[1], difference(wrong.detach().numpy()[0], expected)[1]


def frozen_schedule() -> Distances:
    """A Python number that `tf.function` captured stays what it was when it was traced."""
    counter = tf.Variable(0, dtype=tf.int64)
    plain = [0]
    follows = tf.function(lambda: optimizer.linear_decay(counter, 1.0, 2, 8))
    frozen = tf.function(lambda: optimizer.linear_decay(tf.constant(plain[0]), 1.0, 2, 8))
    rates = []
    for step in range(10):
        counter.assign(step)
        plain[0] = step
        rates.append([float(follows()), float(frozen()), train_step.linear_decay(step, 1.0, 2, 8)])
    follow, freeze, expected = np.array(rates).T
    return difference(follow, expected)[1], difference(freeze, expected)[1]


def cached_crops() -> Distances:
    """Crop, then `.cache()`: each epoch sees the crops of the first.

    Right and wrong: the share of the second epoch's crops that the first had.
    """
    count, frames, crop = 20, 400, 128
    utterances = [
        Utterance(Path(f"{index}.wav"), "", index * frames, frames)  # type: ignore[arg-type]
        for index in range(count)
    ]
    crops = Crops(None, utterances, None, crop, 0, 0)  # type: ignore[arg-type]
    ours = [tuple(map(int, crops.place(tf.constant(v, tf.int64)))) for v in range(2 * count)]
    places = tf.data.Dataset.range(count).map(
        lambda index: (index, tf.random.uniform((), 0, frames - crop + 1, tf.int64))
    )
    cached = [tuple(map(int, each)) for each in places.cache().repeat(2)]
    again = [len({*seen[:count]} & {*seen[count:]}) / count for seen in (ours, cached)]
    return again[0], again[1]


def unasserted_restore() -> Distances:
    """Where names differ, `restore` changes nothing and says nothing."""
    first = vc1_generator("generator", 24, TINY.network, 0)
    expected = first.get_weights()[0]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        prefix = tf.train.Checkpoint(generator=first).write(str(Path(folder) / "checkpoint"))
        for name in ("generator", "renamed"):
            twin = vc1_generator("generator", 24, TINY.network, 1)
            tf.train.Checkpoint(**{name: twin}).read(prefix).expect_partial()
            found.append(difference(twin.get_weights()[0], expected)[1])
    return found[0], found[1]


def replicas() -> Distances:
    """Gradients of two replicas' means are averaged over the global batch, not summed."""
    rng = np.random.default_rng(0)
    inputs, weight = rng.standard_normal((4, 3)), tf.Variable(rng.standard_normal((3, 1)))
    halves = []
    for half in np.split(inputs, 2):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(half, weight)))
        halves.append(tape.gradient(loss, weight).numpy())
    parameter = torch.from_numpy(weight.numpy()).requires_grad_()
    (torch.from_numpy(inputs) @ parameter).square().mean().backward()
    expected = parameter.grad.numpy()
    return (
        difference((halves[0] + halves[1]) / 2, expected)[1],
        difference(halves[0] + halves[1], expected)[1],
    )


TRAPS = (
    Trap("Adam, epsilon 1e-8", "torch.optim.Adam", lambda: adam_epsilon(1e-8), 1e-12, 3e-3),
    Trap("Adam, epsilon 1e-7", "torch.optim.Adam", lambda: adam_epsilon(1e-7), 1e-12, 2e-2),
    Trap("Adam in float64", "keras.optimizers.Adam", keras_adam, 1e-12, 1e-6),
    Trap("gradient of zero", "None, after zero_grad()", no_gradient, 1e-12, 0.1),
    Trap("mean of a loss", "Keras' mean, then compute_average_loss", mean_of_a_loss, 1e-12, 10.0),
    Trap("order of updates", "fakes made anew after the update", update_order, 1e-12, 1e-3),
    Trap("schedule in tf.function", "a captured Python number", frozen_schedule, 1e-12, 0.3),
    Trap("new crops in every epoch", "crop, then .cache()", cached_crops, 0.1, 1.0),
    Trap("restoring a checkpoint", "other names, not asserted", unasserted_restore, 0.0, 0.3),
    Trap("gradients of replicas", "summed", replicas, 1e-12, 0.9),
)

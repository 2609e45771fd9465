"""Traps in training: optimisers, means, order of updates, tracing, caching, restoring."""

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
from parity.tolerances import tolerance
from parity.trainings import optimizers
from parity.trainings.optimizers import MAX_DRIFT
from parity.trainings.runs import TensorFlowRun, TorchRun, channels_first, match_runs
from parity.traps.trap import EXACT, ROUNDED, Distances, Trap

TINY = RunConfig(
    network=NetworkConfig(channels=4, residual_blocks=1),
    training=TrainingConfig(crop_frames=16, generator_learning_rate=2e-3),
)


def adam_epsilon(epsilon: float) -> Distances:
    """Measure the drift of torch's Adam at this epsilon, over 500 steps at gradients of 1e-5."""
    rng = np.random.default_rng(0)
    initial, gradients = rng.standard_normal(16), 1e-5 * rng.standard_normal((500, 16))
    ours = optimizers.project_adam(initial, gradients, epsilon)
    return (
        optimizers.drift(initial, optimizers.companion_adam(initial, gradients, epsilon), ours),
        optimizers.drift(initial, optimizers.torch_adam(initial, gradients, epsilon), ours),
    )


def keras_adam() -> Distances:
    """Measure Keras' Adam on float64 weights: it corrects its bias with float32 betas."""
    rng = np.random.default_rng(0)
    initial, gradients = rng.standard_normal(16), rng.standard_normal((1, 16))
    ours = optimizers.project_adam(initial, gradients, 1e-8)
    keras_weights = optimizers.keras_adam(initial, gradients, 1e-8, floatx="float64")
    return (
        optimizers.drift(initial, optimizers.companion_adam(initial, gradients, 1e-8), ours),
        optimizers.drift(initial, keras_weights, ours),
    )


def no_gradient() -> Distances:
    """Compare a gradient of zero with None.

    At zero a parameter still moves by its momentum. At None torch skips the parameter.
    """
    first, zero = np.ones((1, 3)), np.zeros((1, 3))
    ours = optimizers.project_adam(np.zeros(3), np.concatenate([first, zero]), 1e-8)[-1]
    found = []
    for gradient in (torch.zeros(3, dtype=torch.float64), None):
        parameter = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        adam = train_step.Adam(
            [parameter], lr=optimizers.RATE, betas=(optimizers.BETA1, optimizers.BETA2), eps=1e-8
        )
        for step_gradient in (torch.ones(3, dtype=torch.float64), gradient):
            parameter.grad = step_gradient
            adam.step()
        found.append(difference(parameter.detach().numpy(), ours)[1])
    return found[0], found[1]


def mean_of_a_loss() -> Distances:
    """Compare means of a loss over a batch.

    A Keras loss reduces the last axis alone, and `compute_average_loss` sums the other axes.
    """
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 2, 16, 24))
    ours = np.asarray(tf.reduce_mean(losses.l1_loss(a, b)))
    right = nn.functional.l1_loss(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    per_frame = keras.losses.MeanAbsoluteError(reduction="none")(a, b)
    wrong = tf.nn.compute_average_loss(per_frame, global_batch_size=len(a)).numpy()
    return difference(right, ours)[1], difference(wrong, ours)[1]


def update_order() -> Distances:
    """Compare discriminator losses on fakes made before and after the generators' update."""
    # A rate of zero keeps the discriminators as they were before the step.
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
    """Compare a schedule of a variable with one of a Python number, which tracing freezes."""
    counter = tf.Variable(0, dtype=tf.int64)
    plain = [0]
    follows = tf.function(lambda: optimizer.linear_decay(counter, 1.0, 2, 8))
    frozen = tf.function(lambda: optimizer.linear_decay(tf.constant(plain[0]), 1.0, 2, 8))
    rates = []
    for step in range(10):
        counter.assign(step)
        plain[0] = step
        rates.append([float(follows()), float(frozen()), train_step.linear_decay(step, 1.0, 2, 8)])
    of_variable, of_number, expected = np.array(rates).T
    return difference(of_variable, expected)[1], difference(of_number, expected)[1]


def cached_crops() -> Distances:
    """Measure the share of the second epoch's crops that the first epoch had.

    With `.cache()` after the crop, every epoch repeats the crops of the first.
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
    cached = [tuple(map(int, place)) for place in places.cache().repeat(2)]
    again = [len({*seen[:count]} & {*seen[count:]}) / count for seen in (ours, cached)]
    return again[0], again[1]


def unasserted_restore() -> Distances:
    """Restore a checkpoint under its own name and under another, which changes nothing silently."""
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
    """Compare the mean and the sum of two replicas' gradients with that of the global batch."""
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
    Trap("Adam, epsilon 1e-8", "torch.optim.Adam", lambda: adam_epsilon(1e-8), MAX_DRIFT, 3e-3),
    Trap("Adam, epsilon 1e-7", "torch.optim.Adam", lambda: adam_epsilon(1e-7), MAX_DRIFT, 2e-2),
    Trap("Adam in float64", "keras.optimizers.Adam", keras_adam, MAX_DRIFT, 1e-6),
    Trap("gradient of zero", "None, after zero_grad()", no_gradient, ROUNDED, 0.1),
    Trap("mean of a loss", "Keras' mean, then compute_average_loss", mean_of_a_loss, ROUNDED, 10.0),
    Trap(
        "order of updates", "fakes made anew after the update",
        update_order, tolerance("float64", network=True), 1e-3,
    ),
    Trap("schedule in tf.function", "a captured Python number", frozen_schedule, ROUNDED, 0.3),
    # 20 crops at 273 places: one of them, 0.05, comes again by chance.
    Trap("new crops in every epoch", "crop, then .cache()", cached_crops, 0.1, 1.0),
    Trap("restoring a checkpoint", "other names, not asserted", unasserted_restore, EXACT, 0.3),
    Trap("gradients of replicas", "summed", replicas, ROUNDED, 0.9),
)  # fmt: skip

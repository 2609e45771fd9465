"""What the mathematics of a training step needs, worked out from the layers.

TensorFlow's profiler counts a graph as it was traced, with parts that never run.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from benchmarks.harness.work import ADAM_PASSES, WEIGHT_BYTES, Work


@dataclass(frozen=True)
class Forward:
    """Floating-point operations of one example's way through a network, forward.

    A gradient with respect to inputs or to kernels takes as many.

    Attributes:
        flops: Of all layers, a multiplication and an addition being two.
        first_flops: Of those layers that see the network's inputs and no weight before.
    """

    flops: int
    first_flops: int


def forward(model: keras.Model, frames: int) -> Forward:
    """Counts a network's products for one example.

    2 · positions that come out · size of the kernel, for each layer with a kernel: kernel sizes
    times channels in times channels out. Zeros of a padding count as what they stand for.

    Args:
        model: Of features, (batch, frames, bins), and whatever else.
        frames: In the example.

    Raises:
        ValueError: A layer has a matrix of weights that is no kernel; what it takes is not known.
    """
    layers = [layer for layer in model.layers if _matrices(layer)]
    for layer in layers:
        if len(_matrices(layer)) > 1 or not hasattr(layer, "kernel"):
            raise ValueError(f"{layer.name} has weights of a kind that is not counted")
    inside = keras.Model(model.inputs, [layer.output for layer in layers])
    example = [tf.zeros((1, frames, *each.shape[2:])) for each in model.inputs]
    outputs = tf.nest.flatten(inside(example if len(example) > 1 else example[0]))
    flops = {
        layer.name: 2 * math.prod(output.shape[1:-1]) * math.prod(layer.kernel.shape)
        for layer, output in zip(layers, outputs, strict=True)
    }
    first = sum(flops[layer.name] for layer in layers if not _behind_weights(layer))
    return Forward(sum(flops.values()), first)


def step_flops(generators: Iterable[Forward], discriminators: Iterable[Forward], batch: int) -> int:
    """Floating-point operations of one iteration, forward and backward.

    A generator makes three examples: of a real, of a fake, and of a real that is to stay as it is.
    Each goes forward, and back to kernels and inputs, but not to real inputs. A discriminator
    judges a real and a fake: forward, back to kernels and to all inputs but those of its first
    layer, and the fake once more back to its inputs, for the loss of the generators.
    """
    of_generators = sum(9 * each.flops - 2 * each.first_flops for each in generators)
    of_discriminators = sum(7 * each.flops - 2 * each.first_flops for each in discriminators)
    return batch * (of_generators + of_discriminators)


def step_work(
    generators: Sequence[keras.Model],
    discriminators: Sequence[keras.Model],
    batch: int,
    frames: int,
) -> Work:
    """What an iteration of these networks has to do.

    Args:
        generators: Both.
        discriminators: All.
        batch: Crops of each speaker.
        frames: In a crop.
    """
    flops = step_flops(
        [forward(model, frames) for model in generators],
        [forward(model, frames) for model in discriminators],
        batch,
    )
    weights = sum(
        math.prod(weight.shape)
        for model in (*generators, *discriminators)
        for weight in model.trainable_weights
    )
    return Work(flops, ADAM_PASSES * WEIGHT_BYTES * weights)


def _matrices(layer: keras.layers.Layer) -> list[tf.Variable]:
    """Trainable weights of more than one axis; scales, offsets and biases have one."""
    return [weight for weight in layer.trainable_weights if len(weight.shape) > 1]


def _behind_weights(layer: keras.layers.Layer) -> bool:
    """Whether what goes into a layer depends on weights of another."""
    return any(
        before.trainable_weights or _behind_weights(before)
        for node in layer.inbound_nodes
        for before in tf.nest.flatten(node.inbound_layers)
    )

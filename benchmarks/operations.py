"""Count the floating-point operations of a training step from the layers of its networks.

TensorFlow's profiler counts a traced graph, including parts that never run.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from benchmarks.harness.work import ADAM_PASSES, WEIGHT_BYTES, Work
from cyclegan_vc_tf.models.stack import layers_before


@dataclass(frozen=True)
class Forward:
    """Floating-point operations of a network's forward pass for one example.

    The gradient with respect to inputs takes as many, and so does the gradient with respect to
    kernels.

    Attributes:
        flops: Operations of all layers. A multiplication and an addition are two.
        first_flops: Operations of layers with no weights between them and the network's inputs.
    """

    flops: int
    first_flops: int


def forward(model: keras.Model, frames: int) -> Forward:
    """Count a network's operations for one example.

    A layer with a kernel has 2 · output positions · kernel elements operations. Kernel elements are
    kernel sizes times input channels times output channels. Padding is counted as data.

    Args:
        model: Network whose inputs are features, (batch, frames, bins), and possibly others.
        frames: Frames of the example.

    Raises:
        ValueError: A layer has a matrix of weights that is not a kernel.
    """
    layers = [layer for layer in model.layers if _matrices(layer)]
    for layer in layers:
        if len(_matrices(layer)) > 1 or not hasattr(layer, "kernel"):
            raise ValueError(
                f"layer {layer.name} has {len(_matrices(layer))} weight matrices; expected one, "
                "named kernel; add the operations of this kind of layer"
            )
    inside = keras.Model(model.inputs, [layer.output for layer in layers])
    example = [tf.zeros((1, frames, *given.shape[2:])) for given in model.inputs]
    outputs = tf.nest.flatten(inside(example if len(example) > 1 else example[0]))
    flops = {
        layer.name: 2 * math.prod(output.shape[1:-1]) * math.prod(layer.kernel.shape)
        for layer, output in zip(layers, outputs, strict=True)
    }
    first = sum(flops[layer.name] for layer in layers if not _has_weights_before(layer))
    return Forward(sum(flops.values()), first)


def step_flops(generators: Iterable[Forward], discriminators: Iterable[Forward], batch: int) -> int:
    """Count the floating-point operations of one iteration, forward and backward.

    A generator converts three examples: a real one, a fake, and a real one for the identity loss.
    Each has a forward pass, and gradients of kernels and inputs; real inputs have none. A
    discriminator scores a real example and a fake. Both have a forward pass, and gradients of
    kernels and of inputs, except in the first layer. The generators' loss adds a gradient of the
    fake.
    """
    generator_flops = sum(9 * count.flops - 2 * count.first_flops for count in generators)
    discriminator_flops = sum(7 * count.flops - 2 * count.first_flops for count in discriminators)
    return batch * (generator_flops + discriminator_flops)


def step_work(
    generators: Sequence[keras.Model],
    discriminators: Sequence[keras.Model],
    batch: int,
    frames: int,
) -> Work:
    """Count the work of an iteration of these networks.

    Args:
        generators: Both generators.
        discriminators: All discriminators.
        batch: Crops of each speaker.
        frames: Frames of a crop.
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
    """Return trainable weights with more than one axis. Scales, offsets and biases have one."""
    return [weight for weight in layer.trainable_weights if len(weight.shape) > 1]


def _has_weights_before(layer: keras.layers.Layer) -> bool:
    """Return whether the inputs of a layer depend on weights of another."""
    return any(
        before.trainable_weights or _has_weights_before(before) for before in layers_before(layer)
    )

"""Faults, which are in this project as long as their context lasts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.models import discriminators, generator_blocks, layers, torch_weights

Fault = Callable[[], AbstractContextManager]


def patch(owner: object, attribute: str, value: Callable) -> Fault:
    """Replace a function by `value`, which gets the original and the call's arguments."""
    original = getattr(owner, attribute)

    def faulty(*args: Any, **kwargs: Any) -> Any:
        return value(original, *args, **kwargs)

    return lambda: mock.patch.object(owner, attribute, faulty)


def layer_call(kind: type, value: Callable) -> Fault:
    """Replace the call of a kind of layer. Keras reads the signature of `value`."""
    return lambda: mock.patch.object(kind, "call", value)


def in_norms(value: Callable[[keras.layers.Layer, Callable, tf.Tensor], tf.Tensor]) -> Fault:
    """Replace the call of every instance norm. `value` gets the layer, its call and the inputs."""

    def faulty(
        original: Callable, epsilon: float, name: str, affine: bool = True
    ) -> keras.layers.Layer:
        layer = original(epsilon, name, affine)
        if not affine:
            return layer
        plain = layer.call
        layer.call = lambda inputs: value(layer, plain, inputs)
        return layer

    # The builders have references to the function.
    modules = (layers, generator_blocks, discriminators)
    return together(*(patch(module, "instance_norm", faulty) for module in modules))


def in_layouts(key: tuple[str, int], **changes: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """Replace `to_torch` or `to_keras` in the layout of a kind of weight."""
    layout = replace(torch_weights.LAYOUTS[key], **changes)  # type: ignore[arg-type]
    return lambda: mock.patch.dict(torch_weights.LAYOUTS, {key: layout})


def in_adam(argument: str, change: Callable[[Any], Any]) -> Fault:
    """Change an argument of the fused kernel."""
    return patch(
        tf.raw_ops,
        "ResourceApplyAdam",
        lambda original, **given: original(**{**given, argument: change(given[argument])}),
    )


def together(*faults: Fault) -> Fault:
    """Combine several faults."""

    @contextmanager
    def all_faults() -> Iterator[None]:
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault())
            yield

    return all_faults


def swapped_gate(layer: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Take the first half as the gate."""
    gate, value = tf.split(inputs, 2, axis=-1)
    return value * tf.sigmoid(gate)


def silu(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Gate the value with itself."""
    value, _ = tf.split(inputs, 2, axis=-1)
    return value * tf.sigmoid(value)


def gate_without_gradient(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Stop the gradient of the gate."""
    value, gate = tf.split(inputs, 2, axis=-1)
    return value * tf.stop_gradient(tf.sigmoid(gate))


def channel_major(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Shuffle in the order of `nn.PixelShuffle`."""
    batch, frames, channels = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
    apart = tf.reshape(inputs, (batch, frames, channels // 2, 2))
    return tf.reshape(tf.transpose(apart, (0, 1, 3, 2)), (batch, 2 * frames, channels // 2))


def view(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """View the values in another shape, without a shuffle."""
    batch, frames, channels = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
    viewed = tf.reshape(tf.transpose(inputs, (0, 2, 1)), (batch, channels // 2, 2 * frames))
    return tf.transpose(viewed, (0, 2, 1))


def channel_major_2d(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Shuffle in the order of `nn.PixelShuffle`, in two dimensions."""
    channels = inputs.shape[-1]
    apart = tf.reshape(inputs, (*tf.unstack(tf.shape(inputs))[:3], channels // 4, 4))
    return tf.nn.depth_to_space(tf.reshape(tf.einsum("bhwcs->bhwsc", apart), tf.shape(inputs)), 2)


def corners(self: keras.layers.Layer, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Positions rounded down, as torch's "nearest" samples."""
    picture, like = inputs
    for axis in range(1, len(like.shape) - 1):
        size, wanted = picture.shape[axis], like.shape[axis]
        picture = tf.gather(picture, tf.range(wanted) * size // wanted, axis=axis)
    return picture


def not_blanked(self: keras.layers.Layer, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Pass the mask on, and hide no frame."""
    features, mask = inputs
    return tf.stack([features, tf.broadcast_to(mask, tf.shape(features))], axis=-1)


def mask_first(self: keras.layers.Layer, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Exchange the channels of features and mask."""
    features, mask = inputs
    return tf.stack([tf.broadcast_to(mask, tf.shape(features)), features * mask], axis=-1)


def mask_without_gradient(
    self: keras.layers.Layer, inputs: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Hide frames forward, and pass their gradient backward."""
    features, mask = inputs
    hidden = features + tf.stop_gradient(features * mask - features)
    return tf.stack([hidden, tf.broadcast_to(mask, tf.shape(features))], axis=-1)


def no_affine(layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor) -> tf.Tensor:
    """Remove scale and offset."""
    return (plain(inputs) - layer.beta) / layer.gamma


def no_offset(layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor) -> tf.Tensor:
    """Remove the offset."""
    return plain(inputs) - layer.beta


def over_the_batch(layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor) -> tf.Tensor:
    """Take statistics over the batch."""
    axes = list(range(len(inputs.shape) - 1))
    mean, variance = tf.nn.moments(inputs, axes, keepdims=True)
    return layer.gamma * (inputs - mean) / tf.sqrt(variance + layer.epsilon) + layer.beta


def moments_without_gradient(
    layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor
) -> tf.Tensor:
    """Stop the gradient of mean and variance."""
    axes = list(range(1, len(inputs.shape) - 1))
    mean, variance = map(tf.stop_gradient, tf.nn.moments(inputs, axes, keepdims=True))
    return layer.gamma * (inputs - mean) / tf.sqrt(variance + layer.epsilon) + layer.beta


def other_padding(original: Callable, self: layers.Convolutions, *args: Any, **kwargs: Any) -> Any:
    """Exchange same and symmetric padding."""
    other = {"same": "symmetric", "symmetric": "same"}[self.padding]
    with mock.patch.object(self, "padding", other):
        return original(self, *args, **kwargs)


def shifted_padding(original: Callable, kernel: int, stride: int) -> tuple[int, int]:
    """Move one zero from the end to the beginning."""
    front, behind = original(kernel, stride)
    return front + 1, behind - 1


def half_gradient(original: Callable, *args: Any) -> tf.Tensor:
    """Halve the gradient."""
    value = original(*args)
    return 0.5 * value + 0.5 * tf.stop_gradient(value)


def shifted(inputs: tf.Tensor) -> tf.Tensor:
    """Add a frame of zeros at the beginning, and remove the last frame."""
    zeros = tf.zeros_like(inputs[..., :1, :])
    return tf.concat([zeros, inputs[..., :-1, :]], axis=-2)


def unchanged_call(layer: keras.layers.Layer) -> Callable[[Any], tf.Tensor]:
    """Return the layer's own call, to be put in like a fault."""
    plain = layer.call
    return lambda inputs: plain(inputs)


def use_without_gradient(layer: keras.layers.Layer, inputs: tf.Tensor) -> list[tf.Tensor]:
    """Swap bins and frames, with a gradient through all outputs but the first."""
    swapped = tf.transpose(inputs, (0, 2, 1, 3))
    return [tf.stop_gradient(swapped), *[swapped] * (layer.uses - 1)]


def broken_call(layer: keras.layers.Layer) -> Callable[[Any], tf.Tensor]:
    """Return a broken call of a layer of a network, by its kind."""
    plain = layer.call
    if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D):
        return lambda inputs: plain(shifted(inputs))
    if isinstance(layer, layers.GatedLinearUnit):
        return lambda inputs: swapped_gate(layer, inputs)
    if isinstance(layer, layers.PixelShuffle1D):
        return lambda inputs: channel_major(layer, inputs)
    if isinstance(layer, layers.PixelShuffle2D):
        return lambda inputs: channel_major_2d(layer, inputs)
    if isinstance(layer, layers.MaskFrames):
        return lambda inputs: not_blanked(layer, inputs)
    if isinstance(layer, keras.layers.Add | keras.layers.Multiply):
        return lambda inputs: inputs[1]
    if isinstance(layer, keras.layers.Dense):
        return lambda inputs: plain(inputs) - layer.bias
    if getattr(layer, "gamma", 0) is None:
        return lambda inputs: inputs
    if hasattr(layer, "gamma"):
        return lambda inputs: no_affine(layer, plain, inputs)
    # Layers that only move values.
    return lambda inputs: tf.nest.map_structure(
        lambda output: tf.reverse(output, axis=[1]), plain(inputs)
    )

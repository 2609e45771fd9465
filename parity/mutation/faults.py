"""Ways to be wrong, each put into this project for as long as a context lasts."""

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
    """A fault in one function: `value` is given the original and the call's arguments."""
    original = getattr(owner, attribute)

    def faulty(*args: Any, **kwargs: Any) -> Any:
        return value(original, *args, **kwargs)

    return lambda: mock.patch.object(owner, attribute, faulty)


def layer_call(kind: type, value: Callable) -> Fault:
    """A fault in what a kind of layer does; Keras looks at the signature of `value`."""
    return lambda: mock.patch.object(kind, "call", value)


def in_norms(value: Callable[[keras.layers.Layer, Callable, tf.Tensor], tf.Tensor]) -> Fault:
    """A fault in every instance norm: `value` is given the layer, its call and the inputs."""

    def faulty(
        original: Callable, epsilon: float, name: str, affine: bool = True
    ) -> keras.layers.Layer:
        layer = original(epsilon, name, affine)
        if not affine:
            return layer
        plain = layer.call
        layer.call = lambda inputs: value(layer, plain, inputs)
        return layer

    # The builders have their own references to the function.
    modules = (layers, generator_blocks, discriminators)
    return together(*(patch(module, "instance_norm", faulty) for module in modules))


def in_layouts(key: tuple[str, int], **changes: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """Another layout of a kind of weight, `to_torch` or `to_keras`."""
    layout = replace(torch_weights.LAYOUTS[key], **changes)  # type: ignore[arg-type]
    return lambda: mock.patch.dict(torch_weights.LAYOUTS, {key: layout})


def in_adam(argument: str, change: Callable[[Any], Any]) -> Fault:
    """Another argument of the fused kernel."""
    return patch(
        tf.raw_ops,
        "ResourceApplyAdam",
        lambda original, **given: original(**{**given, argument: change(given[argument])}),
    )


def together(*faults: Fault) -> Fault:
    """Several faults at once."""

    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault())
            yield

    return all_of_them


def swapped_gate(layer: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """The gate first."""
    gate, value = tf.split(inputs, 2, axis=-1)
    return value * tf.sigmoid(gate)


def silu(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """The value gates itself."""
    value, _ = tf.split(inputs, 2, axis=-1)
    return value * tf.sigmoid(value)


def gate_without_gradient(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """Right forward, wrong backward."""
    value, gate = tf.split(inputs, 2, axis=-1)
    return value * tf.stop_gradient(tf.sigmoid(gate))


def channel_major(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """The order of `nn.PixelShuffle`."""
    batch, frames, channels = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
    apart = tf.reshape(inputs, (batch, frames, channels // 2, 2))
    return tf.reshape(tf.transpose(apart, (0, 1, 3, 2)), (batch, 2 * frames, channels // 2))


def view(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """No shuffle at all."""
    batch, frames, channels = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
    viewed = tf.reshape(tf.transpose(inputs, (0, 2, 1)), (batch, channels // 2, 2 * frames))
    return tf.transpose(viewed, (0, 2, 1))


def channel_major_2d(self: keras.layers.Layer, inputs: tf.Tensor) -> tf.Tensor:
    """The order of `nn.PixelShuffle`, in two dimensions."""
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
    """The mask is told, and nothing is hidden."""
    features, mask = inputs
    return tf.stack([features, tf.broadcast_to(mask, tf.shape(features))], axis=-1)


def mask_first(self: keras.layers.Layer, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """The channels the other way round."""
    features, mask = inputs
    return tf.stack([tf.broadcast_to(mask, tf.shape(features)), features * mask], axis=-1)


def mask_without_gradient(
    self: keras.layers.Layer, inputs: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Right forward; backward, hidden frames are not hidden."""
    features, mask = inputs
    hidden = features + tf.stop_gradient(features * mask - features)
    return tf.stack([hidden, tf.broadcast_to(mask, tf.shape(features))], axis=-1)


def no_affine(layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor) -> tf.Tensor:
    """Neither scale nor offset."""
    return (plain(inputs) - layer.beta) / layer.gamma


def no_offset(layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor) -> tf.Tensor:
    """Scale alone."""
    return plain(inputs) - layer.beta


def over_the_batch(layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor) -> tf.Tensor:
    """Batch norm's statistics."""
    axes = list(range(len(inputs.shape) - 1))
    mean, variance = tf.nn.moments(inputs, axes, keepdims=True)
    return layer.gamma * (inputs - mean) / tf.sqrt(variance + layer.epsilon) + layer.beta


def moments_without_gradient(
    layer: keras.layers.Layer, plain: Callable, inputs: tf.Tensor
) -> tf.Tensor:
    """Right forward; mean and variance are taken for constants backward."""
    axes = list(range(1, len(inputs.shape) - 1))
    mean, variance = map(tf.stop_gradient, tf.nn.moments(inputs, axes, keepdims=True))
    return layer.gamma * (inputs - mean) / tf.sqrt(variance + layer.epsilon) + layer.beta


def other_padding(original: Callable, self: layers.Convolutions, *args: Any, **kwargs: Any) -> Any:
    """Symmetric for same, same for symmetric."""
    other = {"same": "symmetric", "symmetric": "same"}[self.padding]
    with mock.patch.object(self, "padding", other):
        return original(self, *args, **kwargs)


def shifted_padding(original: Callable, kernel: int, stride: int) -> tuple[int, int]:
    """One zero too many in front, one too few behind."""
    front, behind = original(kernel, stride)
    return front + 1, behind - 1


def half_gradient(original: Callable, *args: Any) -> tf.Tensor:
    """Right forward, half backward."""
    value = original(*args)
    return 0.5 * value + 0.5 * tf.stop_gradient(value)


def shifted(inputs: tf.Tensor) -> tf.Tensor:
    """One frame of zeros too many in front, the last frame lost."""
    zeros = tf.zeros_like(inputs[..., :1, :])
    return tf.concat([zeros, inputs[..., :-1, :]], axis=-2)


def unbroken(layer: keras.layers.Layer) -> Callable[[Any], tf.Tensor]:
    """What a layer does anyway, put in as a fault is."""
    plain = layer.call
    return lambda inputs: plain(inputs)


def broken(layer: keras.layers.Layer) -> Callable[[Any], tf.Tensor]:
    """What a layer of a network does when it is broken, by its kind."""
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
    # What only moves numbers about.
    return lambda inputs: tf.reverse(plain(inputs), axis=[1])

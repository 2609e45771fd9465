"""Faults put into this project on purpose: a suite that lets one pass proves nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf import layers, losses, normalization, optimizer, torch_weights
from cyclegan_vc_tf.trainer import Trainer
from parity.cases import CASES, SMALL, Case, discriminator, generator
from parity.compare import compare
from parity.pairs import Networks


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        name: What it does.
        cases: Which cases have to see it.
        fault: Puts it in, for as long as the context lasts.
    """

    name: str
    cases: tuple[Case, ...]
    fault: Callable[[], AbstractContextManager]


def survives(mutant: Mutant) -> bool:
    """Whether all comparisons pass with the fault in place."""
    with mutant.fault():
        for case in mutant.cases:
            dtype = case.dtypes[0]
            # Layers that were built before the fault would not have it.
            keras.backend.clear_session()
            if not all(row.passed for row in compare(case, dtype)):
                return False
    return True


def covering(name: str) -> tuple[Case, ...]:
    """Quick cases of a public name."""
    return tuple(case for case in CASES if name in case.covers and not case.slow)


def patch(owner: object, attribute: str, value: Callable) -> Callable[[], AbstractContextManager]:
    """A fault in one function: `value` is given the original and the call's arguments."""
    original = getattr(owner, attribute)

    def faulty(*args: Any, **kwargs: Any) -> Any:
        return value(original, *args, **kwargs)

    return lambda: mock.patch.object(owner, attribute, faulty)


def call(kind: type, value: Callable) -> Callable[[], AbstractContextManager]:
    """A fault in what a kind of layer does; Keras looks at the signature."""
    return lambda: mock.patch.object(kind, "call", value)


def _swapped_gate(self: Any, inputs: tf.Tensor) -> tf.Tensor:
    gate, value = tf.split(inputs, 2, axis=-1)
    return value * tf.sigmoid(gate)


def _silu(self: Any, inputs: tf.Tensor) -> tf.Tensor:
    value, _ = tf.split(inputs, 2, axis=-1)
    return value * tf.sigmoid(value)


def _gate_without_gradient(self: Any, inputs: tf.Tensor) -> tf.Tensor:
    value, gate = tf.split(inputs, 2, axis=-1)
    return value * tf.stop_gradient(tf.sigmoid(gate))


def _channel_major(self: Any, inputs: tf.Tensor) -> tf.Tensor:
    batch, frames, channels = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
    apart = tf.reshape(inputs, (batch, frames, channels // 2, 2))
    return tf.reshape(tf.transpose(apart, (0, 1, 3, 2)), (batch, 2 * frames, channels // 2))


def _view(self: Any, inputs: tf.Tensor) -> tf.Tensor:
    batch, frames, channels = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
    viewed = tf.reshape(tf.transpose(inputs, (0, 2, 1)), (batch, channels // 2, 2 * frames))
    return tf.transpose(viewed, (0, 2, 1))


def _another_epsilon(original: Callable, epsilon: float, name: str) -> Any:
    return original(1.1 * epsilon, name)


def _no_affine(original: Callable, epsilon: float, name: str) -> Any:
    layer = original(epsilon, name)
    plain = layer.call
    layer.call = lambda inputs: (plain(inputs) - layer.beta) / layer.gamma
    return layer


def _no_offset(original: Callable, epsilon: float, name: str) -> Any:
    layer = original(epsilon, name)
    plain = layer.call
    layer.call = lambda inputs: plain(inputs) - layer.beta
    return layer


def _norm_over_the_batch(original: Callable, epsilon: float, name: str) -> Any:
    layer = original(epsilon, name)

    def call(inputs: tf.Tensor) -> tf.Tensor:
        mean, variance = tf.nn.moments(inputs, [0, 1], keepdims=True)
        return layer.gamma * (inputs - mean) / tf.sqrt(variance + epsilon) + layer.beta

    layer.call = call
    return layer


def _other_padding(original: Callable, self: Any, *args: Any, **kwargs: Any) -> Any:
    other = {"same": "symmetric", "symmetric": "same"}[self.padding]
    with mock.patch.object(self, "padding", other):
        return original(self, *args, **kwargs)


def _shifted_padding(original: Callable, kernel: int, stride: int) -> tuple[int, int]:
    front, behind = original(kernel, stride)
    return front + 1, behind - 1


def _half_gradient(original: Callable, *args: Any) -> tf.Tensor:
    value = original(*args)
    return 0.5 * value + 0.5 * tf.stop_gradient(value)


def _reversed_kernel(original: Callable, kernel: np.ndarray) -> np.ndarray:
    return original(kernel[::-1])


def _relabelled_layout(key: tuple[str, int], to_torch: Callable) -> Callable[[], Any]:
    layout = replace(torch_weights.LAYOUTS[key], to_torch=to_torch)
    return lambda: mock.patch.dict(torch_weights.LAYOUTS, {key: layout})


def _several(*faults: Callable[[], AbstractContextManager]) -> Callable[[], Any]:
    @contextmanager
    def together() -> Iterator[None]:
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault())
            yield

    return together


def _instance_norm(value: Callable) -> Callable[[], AbstractContextManager]:
    """The builders have their own reference to the function."""
    from cyclegan_vc_tf import discriminators, generators

    return _several(
        *(patch(module, "instance_norm", value) for module in (layers, generators, discriminators))
    )


def _scaled(factor: float) -> Callable:
    return lambda original, *args: factor * original(*args)


def _adam_argument(name: str, change: Callable[[Any], Any]) -> Callable[[], Any]:
    def faulty(original: Callable, **arguments: Any) -> Any:
        return original(**{**arguments, name: change(arguments[name])})

    return patch(tf.raw_ops, "ResourceApplyAdam", faulty)


PARTS = [
    ("layers.GatedLinearUnit", "gate halves swapped", call(layers.GatedLinearUnit, _swapped_gate)),
    ("layers.GatedLinearUnit", "SiLU for a gate", call(layers.GatedLinearUnit, _silu)),
    ("layers.GatedLinearUnit", "no gradient through the gate", call(layers.GatedLinearUnit, _gate_without_gradient)),
    ("layers.PixelShuffle1D", "shuffle channel-major", call(layers.PixelShuffle1D, _channel_major)),
    ("layers.PixelShuffle1D", "view for a shuffle", call(layers.PixelShuffle1D, _view)),
    ("layers.instance_norm", "epsilon a tenth larger", _instance_norm(_another_epsilon)),
    ("layers.instance_norm", "affine dropped", _instance_norm(_no_affine)),
    ("layers.instance_norm", "offset dropped", _instance_norm(_no_offset)),
    ("layers.instance_norm", "statistics over the batch", _instance_norm(_norm_over_the_batch)),
    ("layers.Convolutions", "the other padding", patch(layers.Convolutions, "__call__", _other_padding)),
    ("layers.symmetric_padding", "pad shifted by one", patch(layers, "symmetric_padding", _shifted_padding)),
    ("losses.least_squares_loss", "target ignored", patch(losses, "least_squares_loss", lambda f, s, t: f(s, 1.0 - t))),
    ("losses.least_squares_loss", "half the gradient", patch(losses, "least_squares_loss", _half_gradient)),
    ("losses.least_squares_loss", "summed", patch(losses, "least_squares_loss", _scaled(48.0))),
    ("losses.discriminator_loss", "not halved", patch(losses, "discriminator_loss", _scaled(2.0))),
    ("losses.discriminator_loss", "real and fake swapped", patch(losses, "discriminator_loss", lambda f, r, x: f(x, r))),
    ("losses.l1_loss", "squared", patch(losses, "l1_loss", lambda f, a, b: tf.reduce_mean(tf.square(a - b), (1, 2)))),
    ("losses.l1_loss", "half the gradient", patch(losses, "l1_loss", _half_gradient)),
    ("normalization.apply", "variance for deviation", patch(normalization, "apply", lambda f, x, s: f(x, replace(s, deviation=s.deviation**2)))),
    ("normalization.undo", "mean left out", patch(normalization, "undo", lambda f, x, s: f(x, replace(s, mean=0 * s.mean)))),
    ("normalization.moments", "unbiased", patch(normalization, "moments", lambda f, c: (f(c)[0], 1.01 * f(c)[1]))),
    ("normalization.convert_f0", "speakers swapped", patch(normalization, "convert_f0", lambda f, x, s, t: f(x, t, s))),
    ("optimizer.Adam", "epsilon ten times larger", _adam_argument("epsilon", lambda e: 10 * e)),
    ("optimizer.Adam", "no bias correction", _adam_argument("beta2_power", lambda p: 0 * p)),
    ("optimizer.Adam", "beta1 0.9", _adam_argument("beta1", lambda b: b + 0.4)),
    ("optimizer.Adam", "the gradient's sign", _adam_argument("grad", lambda g: -g)),
    ("optimizer.linear_decay", "decay a step late", patch(optimizer, "linear_decay", lambda f, step, *rest: f(step - 1, *rest))),
    ("trainer.Trainer", "cycle weight doubled", patch(Trainer, "loss_weights", lambda f, self: {**f(self), "cycle": 2 * f(self)["cycle"]})),
    ("trainer.Trainer", "identity loss without end", patch(Trainer, "loss_weights", lambda f, self: {**f(self), "identity": tf.constant(5.0, tf.float64)})),
    ("trainer.Trainer", "rates swapped", patch(Trainer, "learning_rates", lambda f, self: dict(zip(("discriminator", "generator"), f(self).values(), strict=True)))),
    ("trainer.Trainer", "speakers swapped", patch(Trainer, "loss_terms", lambda f, self, a, b: f(self, b, a))),
    ("trainer.Trainer", "no gradient through the cycle", patch(losses, "l1_loss", lambda f, a, b: tf.stop_gradient(f(a, b)) + 0.0 * f(a, b))),
    ("layers.Convolutions", "1-D kernel reversed", _relabelled_layout(("kernel", 3), partial(_reversed_kernel, torch_weights.conv1d_kernel_to_torch))),
    ("layers.Convolutions", "2-D kernel reversed", _relabelled_layout(("kernel", 4), partial(_reversed_kernel, torch_weights.conv2d_kernel_to_torch))),
]  # fmt: skip
"""Faults in the parts, by the public name that has to be seen failing."""


def _broken(layer: keras.layers.Layer) -> Callable[..., tf.Tensor]:
    """What a layer of a network does when it is broken, by its kind."""
    plain = layer.call
    if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D):
        # One position too many in front, one too few behind.
        return lambda inputs: plain(tf.roll(inputs, 1, axis=-2))
    if isinstance(layer, layers.GatedLinearUnit):
        return lambda inputs: _swapped_gate(layer, inputs)
    if isinstance(layer, layers.PixelShuffle1D):
        return lambda inputs: _channel_major(layer, inputs)
    if isinstance(layer, keras.layers.Add):
        return lambda inputs: inputs[1]
    if isinstance(layer, keras.layers.Dense):
        return lambda inputs: plain(inputs) - layer.bias
    if hasattr(layer, "gamma"):
        return lambda inputs: (plain(inputs) - layer.beta) / layer.gamma
    # What only moves numbers about.
    return lambda inputs: tf.reverse(plain(inputs), axis=[1])


def _with_a_broken_layer(pair: Networks, name: str) -> Networks:
    def ours() -> keras.Model:
        model = pair.ours()
        layer = model.get_layer(name)
        layer.call = _broken(layer)
        return model

    return replace(pair, ours=ours)


def layers_of(pair: Networks) -> Sequence[str]:
    """Names of all layers of a network that do something."""
    return [
        layer.name for layer in pair.ours().layers if not isinstance(layer, keras.layers.InputLayer)
    ]


def in_networks() -> list[Mutant]:
    """Each layer of both networks broken in turn."""
    found = []
    for kind, make in (("generator", generator), ("discriminator", discriminator)):
        pair = make(replace(SMALL, residual_blocks=1), 24)
        for name in layers_of(pair):
            case = Case(
                f"{kind} with a broken {name}",
                (),
                _with_a_broken_layer(pair, name),
                (((1, 32, 24),),),
                network=True,
                dtypes=("float64",),
            )
            # The fault is in the case itself.
            found.append(Mutant(f"{kind}: {name}", (case,), ExitStack))
    return found


def in_parts() -> list[Mutant]:
    """Each part broken in several ways."""
    return [Mutant(f"{name}: {what}", covering(name), fault) for name, what, fault in PARTS]

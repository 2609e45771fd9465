"""Pairs of a part of this project and its twin, and the quantities compared of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.models.generators import LINEAR_SKIP
from cyclegan_vc_tf.models.torch_weights import addresses, torch_key
from parity.trainings.runs import channels_first, channels_last, match


@dataclass(frozen=True)
class Quantity:
    """A tensor as both frameworks compute it.

    Attributes:
        name: Name, such as "output" or "gradient of down.0.conv.weight".
        ours: Values from this project.
        twin: Values from the companion, in this project's layout.
    """

    name: str
    ours: np.ndarray
    twin: np.ndarray


@dataclass(frozen=True)
class Networks:
    """A Keras model and its torch module, compared forward and in every gradient.

    Attributes:
        ours: Function that builds the model.
        twin: Function that builds the module.
    """

    ours: Callable[[], keras.Model]
    twin: Callable[[], nn.Module]

    def quantities(
        self, inputs: Sequence[np.ndarray], rng: np.random.Generator
    ) -> Iterator[Quantity]:
        """Yield the output, and gradients with respect to the inputs and to every weight.

        Args:
            inputs: Arrays, (batch, …, channels).
            rng: Generator for the gradient of the output, and for weights whose initial value is a
                constant.
        """
        model, twin = self.ours(), self.twin().to(channels_first(inputs[0]).dtype)
        for address, variable in addresses(model).items():
            noise = 0.3 * rng.standard_normal(variable.shape)
            if address.endswith("/gamma"):
                variable.assign(1.0 + noise)
            elif not address.endswith("/kernel") or address.startswith(f"{LINEAR_SKIP}/"):
                variable.assign(noise)
        match(twin, model)
        variables = addresses(model)
        with tf.GradientTape() as tape:
            ours_in = [tf.constant(values) for values in inputs]
            tape.watch(ours_in)
            ours_out = model(ours_in if len(ours_in) > 1 else ours_in[0], training=True)
            cotangent = rng.standard_normal(ours_out.shape).astype(inputs[0].dtype)
            product = tf.reduce_sum(ours_out * cotangent)
        ours_gradients = tape.gradient(product, [*ours_in, *variables.values()])
        twin_in = [channels_first(values).requires_grad_() for values in inputs]
        twin_out = twin(*twin_in)
        output = Quantity("output", ours_out.numpy(), channels_last(twin_out))
        yield output
        if output.ours.shape != output.twin.shape:
            return
        parameters = dict(twin.named_parameters())
        (twin_out * channels_first(cotangent)).sum().backward()
        for number, (ours, theirs) in enumerate(zip(ours_in, twin_in, strict=True), 1):
            yield Quantity(
                f"gradient of input {number}",
                _or_nan(ours_gradients[number - 1], ours),
                channels_last(theirs.grad),
            )
        for (address, variable), gradient in zip(
            variables.items(), ours_gradients[len(ours_in) :], strict=True
        ):
            key, layout = torch_key(address, len(variable.shape))
            yield Quantity(
                f"gradient of {key}",
                layout.to_torch(_or_nan(gradient, variable)),
                parameters.pop(key).grad.numpy(),
            )
        if parameters:
            raise ValueError(
                f"the companion has the parameters {sorted(parameters)}, and this project has not; "
                "expected equal names on both sides"
            )


@dataclass(frozen=True)
class Functions:
    """A function of tensors in both frameworks, compared forward and in the inputs' gradients.

    Attributes:
        ours: Function of TensorFlow tensors, channels last.
        twin: Function of torch tensors, channels first.
    """

    ours: Callable[..., tf.Tensor]
    twin: Callable[..., torch.Tensor]

    def quantities(
        self, inputs: Sequence[np.ndarray], rng: np.random.Generator
    ) -> Iterator[Quantity]:
        """Yield the output, and the gradient with respect to each input."""
        ours_in = [tf.constant(values) for values in inputs]
        twin_in = [channels_first(values).requires_grad_() for values in inputs]
        with tf.GradientTape() as tape:
            tape.watch(ours_in)
            ours_out = self.ours(*ours_in)
            cotangent = rng.standard_normal(ours_out.shape).astype(inputs[0].dtype)
            product = tf.reduce_sum(ours_out * cotangent)
        twin_out = self.twin(*twin_in)
        output = Quantity("output", ours_out.numpy(), channels_last(twin_out))
        yield output
        if output.ours.shape != output.twin.shape:
            return
        weights = torch.from_numpy(cotangent) if cotangent.ndim == 1 else channels_first(cotangent)
        (twin_out * weights).sum().backward()
        gradients = tape.gradient(product, ours_in)
        for number, (gradient, ours, twin) in enumerate(
            zip(gradients, ours_in, twin_in, strict=True), 1
        ):
            yield Quantity(
                f"gradient of input {number}", _or_nan(gradient, ours), channels_last(twin.grad)
            )


@dataclass(frozen=True)
class Values:
    """A function without gradients, compared in its values.

    Attributes:
        ours: Function of arrays that returns an array, or several by the names of the quantities.
        twin: Function of torch tensors with these shapes that returns as many tensors.
    """

    ours: Callable[..., np.ndarray | Mapping[str, np.ndarray]]
    twin: Callable[..., torch.Tensor | Mapping[str, torch.Tensor]]

    def quantities(
        self, inputs: Sequence[np.ndarray], rng: np.random.Generator
    ) -> Iterator[Quantity]:
        """Yield the output, or all named quantities."""
        ours, twin = self.ours(*inputs), self.twin(*map(torch.from_numpy, inputs))
        if not isinstance(ours, Mapping) or not isinstance(twin, Mapping):
            ours, twin = {"output": ours}, {"output": twin}  # type: ignore[dict-item]
        if ours.keys() != twin.keys():
            raise ValueError(
                f"only one side has the quantities {sorted(ours.keys() ^ twin.keys())}; expected "
                "equal names on both sides"
            )
        for name, value in ours.items():
            yield Quantity(name, np.asarray(value), twin[name].detach().numpy())


def _or_nan(gradient: tf.Tensor | None, like: tf.Tensor | tf.Variable) -> np.ndarray:
    """Return a gradient; where there is none, NaN, which fails every comparison."""
    return np.full(like.shape, np.nan) if gradient is None else gradient.numpy()


Pair = Networks | Functions | Values

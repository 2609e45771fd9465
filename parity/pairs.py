"""One thing in both frameworks: what to evaluate it on, and what to compare."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.torch_weights import addresses, torch_key
from parity.runs import channels_first, channels_last, match


@dataclass(frozen=True)
class Quantity:
    """A number of numbers, as both frameworks say.

    Attributes:
        name: Such as "output" or "gradient of down.0.conv.weight".
        ours: From this project.
        twin: From the companion, in the same layout.
    """

    name: str
    ours: np.ndarray
    twin: np.ndarray


@dataclass(frozen=True)
class Networks:
    """A Keras model and its torch module, compared forward and in every gradient.

    Attributes:
        ours: Builds the model.
        twin: Builds the module.
    """

    ours: Callable[[], keras.Model]
    twin: Callable[[], nn.Module]

    def quantities(
        self, inputs: Sequence[np.ndarray], rng: np.random.Generator
    ) -> Iterator[Quantity]:
        """Output, and gradients with respect to the input and to every weight.

        Args:
            inputs: One array, (batch, …, channels).
            rng: Draws the weights that start as a constant, and the gradient of the output.
        """
        model, twin = self.ours(), self.twin().to(channels_first(inputs[0]).dtype)
        for address, variable in addresses(model).items():
            noise = 0.3 * rng.standard_normal(variable.shape)
            if address.endswith("/gamma"):
                variable.assign(1.0 + noise)
            elif not address.endswith("/kernel"):
                variable.assign(noise)
        match(twin, model)
        variables = addresses(model)
        with tf.GradientTape() as tape:
            ours_in = tf.constant(inputs[0])
            tape.watch(ours_in)
            ours_out = model(ours_in, training=True)
            cotangent = rng.standard_normal(ours_out.shape).astype(inputs[0].dtype)
            product = tf.reduce_sum(ours_out * cotangent)
        ours_gradients = tape.gradient(product, [ours_in, *variables.values()])
        twin_in = channels_first(inputs[0]).requires_grad_()
        twin_out = twin(twin_in)
        yield Quantity("output", ours_out.numpy(), channels_last(twin_out))
        parameters = dict(twin.named_parameters())
        (twin_out * channels_first(cotangent)).sum().backward()
        yield Quantity(
            "gradient of the input", ours_gradients[0].numpy(), channels_last(twin_in.grad)
        )
        for (address, variable), gradient in zip(
            variables.items(), ours_gradients[1:], strict=True
        ):
            key, layout = torch_key(address, len(variable.shape))
            yield Quantity(
                f"gradient of {key}",
                layout.to_torch(gradient.numpy()),
                parameters.pop(key).grad.numpy(),
            )
        if parameters:
            raise ValueError(f"nothing was compared with the companion's {sorted(parameters)}")


@dataclass(frozen=True)
class Functions:
    """A function of tensors in both frameworks, compared forward and in the inputs' gradients.

    Attributes:
        ours: Of TensorFlow tensors, channels last.
        twin: Of torch tensors, channels first.
    """

    ours: Callable[..., tf.Tensor]
    twin: Callable[..., torch.Tensor]

    def quantities(
        self, inputs: Sequence[np.ndarray], rng: np.random.Generator
    ) -> Iterator[Quantity]:
        """Output, and the gradient with respect to each input."""
        ours_in = [tf.constant(each) for each in inputs]
        twin_in = [channels_first(each).requires_grad_() for each in inputs]
        with tf.GradientTape() as tape:
            tape.watch(ours_in)
            ours_out = self.ours(*ours_in)
            cotangent = rng.standard_normal(ours_out.shape).astype(inputs[0].dtype)
            product = tf.reduce_sum(ours_out * cotangent)
        twin_out = self.twin(*twin_in)
        yield Quantity("output", ours_out.numpy(), channels_last(twin_out))
        (twin_out * torch.from_numpy(cotangent)).sum().backward()
        for number, (ours, twin) in enumerate(
            zip(tape.gradient(product, ours_in), twin_in, strict=True), 1
        ):
            yield Quantity(f"gradient of input {number}", ours.numpy(), channels_last(twin.grad))


@dataclass(frozen=True)
class Values:
    """A function that nothing is learned through, compared in its values.

    Attributes:
        ours: Of arrays.
        twin: Of torch tensors of the same shapes.
    """

    ours: Callable[..., np.ndarray]
    twin: Callable[..., torch.Tensor]

    def quantities(
        self, inputs: Sequence[np.ndarray], rng: np.random.Generator
    ) -> Iterator[Quantity]:
        """The output."""
        twin = self.twin(*map(torch.from_numpy, inputs))
        yield Quantity("output", np.asarray(self.ours(*inputs)), twin.detach().numpy())


Pair = Networks | Functions | Values

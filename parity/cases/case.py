"""What a case of the parity suite is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np
from torch import Tensor, nn

from parity.cases.pairs import Pair

Shape = tuple[int, ...]

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Case:
    """A part of this project and its twin.

    Functions that this project's side calls are looked up when they are called, so that a fault put
    into a module is seen.

    Attributes:
        name: In reports.
        covers: Which public names it holds to account, as module.name.
        pair: Both sides.
        shapes: Of the inputs, channels last; the case is run on each.
        network: Whether rounding of many layers adds up in it.
        dtypes: Types it exists in.
        zero_gradients: Pattern of weights whose gradient is zero in truth: a constant in front of
            a norm that takes it away again. What is computed is rounding, compared absolutely.
        draw: Makes one input of a shape.
        slow: Left out of a quick run.
        nudged: This project's side again, from weights that are one rounding away: what that
            changes is what the tolerances are made of, where many steps magnify every rounding.
    """

    name: str
    covers: tuple[str, ...]
    pair: Pair
    shapes: tuple[tuple[Shape, ...], ...]
    network: bool = False
    dtypes: tuple[str, ...] = DTYPES
    zero_gradients: str = ""
    draw: Callable[[np.random.Generator, Shape], np.ndarray] = lambda rng, shape: (
        rng.standard_normal(shape)
    )
    slow: bool = False
    nudged: Callable[..., Mapping[str, np.ndarray]] | None = None


def one(*shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Shapes for a part with one input."""
    return tuple((shape,) for shape in shapes)


def alone(make: Callable[[], keras.layers.Layer], channels: int, axes: int) -> keras.Model:
    """A model of a single layer on (batch, positions…, channels)."""
    inputs = keras.Input((*[None] * axes, channels))
    return keras.Model(inputs, make()(inputs))


class Named(nn.Module):
    """A torch module under the name that its Keras twin has."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.add_module(name, module)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the module does."""
        (module,) = self.children()
        return module(inputs)

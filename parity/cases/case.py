"""A case of the parity suite."""

from collections.abc import Callable, Mapping, Sequence
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

    Functions that this project's side calls are looked up at the call, so that a fault put into a
    module is seen.

    Attributes:
        name: Name in reports.
        covers: Public names that the case tests, as module.name.
        pair: Both sides.
        shapes: Shapes of the inputs, channels last. The case runs on each.
        network: Whether a whole network is compared, in which roundings of many layers add up.
        dtypes: Types that the case exists in.
        zero_gradients: Pattern of weights whose exact gradient is zero: a norm removes the constant
            that they add. The computed gradient is rounding alone.
        draw: Function that makes an input of a given shape.
        slow: Whether a quick run leaves the case out.
        nudged: Function of the inputs and of seeds. It returns results of this project's side, then
            for each seed those from weights that are one rounding away. Tolerances of a training
            are derived from their difference: many steps magnify every rounding.
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
    nudged: Callable[..., Sequence[Mapping[str, np.ndarray]]] | None = None


def single_input(*shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Return shapes for a part with one input."""
    return tuple((shape,) for shape in shapes)


def layer_model(make: Callable[[], keras.layers.Layer], channels: int, axes: int) -> keras.Model:
    """Build a model of a single layer on (batch, positions…, channels)."""
    inputs = keras.Input((*[None] * axes, channels))
    return keras.Model(inputs, make()(inputs))


class Named(nn.Module):
    """A torch module under the name that its Keras twin has."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.add_module(name, module)

    def forward(self, inputs: Tensor) -> Tensor:
        """Call the module."""
        (module,) = self.children()
        return module(inputs)

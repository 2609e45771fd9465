"""Weights between Keras models and torch state dictionaries of arrays; torch itself is not needed.

A model's weights are addressed by layer and weight, `down_1_conv/kernel`; a state's by key,
`down.0.conv.weight`. Each kind of weight has its layout, a pair of named functions.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


def conv1d_kernel_to_torch(kernel: np.ndarray) -> np.ndarray:
    """(frames, in, out) → (out, in, frames)."""
    return kernel.transpose(2, 1, 0)


def conv1d_kernel_to_keras(weight: np.ndarray) -> np.ndarray:
    """(out, in, frames) → (frames, in, out)."""
    return weight.transpose(2, 1, 0)


def conv2d_kernel_to_torch(kernel: np.ndarray) -> np.ndarray:
    """(rows, columns, in, out) → (out, in, rows, columns)."""
    return kernel.transpose(3, 2, 0, 1)


def conv2d_kernel_to_keras(weight: np.ndarray) -> np.ndarray:
    """(out, in, rows, columns) → (rows, columns, in, out)."""
    return weight.transpose(2, 3, 1, 0)


def dense_kernel_to_torch(kernel: np.ndarray) -> np.ndarray:
    """(in, out) → (out, in)."""
    return kernel.transpose(1, 0)


def dense_kernel_to_keras(weight: np.ndarray) -> np.ndarray:
    """(out, in) → (in, out)."""
    return weight.transpose(1, 0)


def unchanged(weight: np.ndarray) -> np.ndarray:
    """One value a channel needs no other layout."""
    return weight


@dataclass(frozen=True)
class Layout:
    """How one kind of weight is named in torch and laid out in each framework.

    Attributes:
        parameter: Its name in a torch module.
        to_torch: From the Keras layout to torch's.
        to_keras: And back.
    """

    parameter: str
    to_torch: Callable[[np.ndarray], np.ndarray]
    to_keras: Callable[[np.ndarray], np.ndarray]


LAYOUTS = {
    ("kernel", 3): Layout("weight", conv1d_kernel_to_torch, conv1d_kernel_to_keras),
    ("kernel", 4): Layout("weight", conv2d_kernel_to_torch, conv2d_kernel_to_keras),
    ("kernel", 2): Layout("weight", dense_kernel_to_torch, dense_kernel_to_keras),
    ("bias", 1): Layout("bias", unchanged, unchanged),
    ("gamma", 1): Layout("weight", unchanged, unchanged),
    ("beta", 1): Layout("bias", unchanged, unchanged),
}
"""By a Keras weight's name and number of axes."""


def companion_module(layer: str) -> str:
    """Where the companion keeps a layer: `down_1_conv` is `down.0.conv`, `scores` is `scores`.

    `up_1_tfan_hidden_2_conv` is `up.0.tfan.hidden.1.conv`.
    """
    numbered = re.sub(r"([a-z]+)_(\d+)_", lambda m: f"{m[1]}.{int(m[2]) - 1}.", layer)
    return numbered.replace("tfan_", "tfan.")


def addresses(model: keras.Model) -> dict[str, Any]:
    """A model's variables by layer and weight, such as `down_1_conv/kernel`.

    Raises:
        ValueError: Two variables have one address: there is a model among the layers.
    """
    found: dict[str, Any] = {}
    for layer in model.layers:
        for variable in layer.weights:
            address = f"{layer.name}/{variable.name.split('/')[-1].split(':')[0]}"
            if address in found:
                raise ValueError(f"{model.name} has two variables {address}; expected flat layers")
            found[address] = variable
    return found


def torch_key(address: str, axes: int) -> tuple[str, Layout]:
    """The companion's key for a Keras weight, and its layout.

    Args:
        address: Layer and weight, `down_1_conv/kernel`.
        axes: How many axes the weight has.

    Raises:
        ValueError: No layout is known for it.
    """
    layer, _, weight = address.rpartition("/")
    layout = LAYOUTS.get((weight, axes))
    if layout is None:
        raise ValueError(f"no torch layout is known for {address} with {axes} axes")
    return f"{companion_module(layer)}.{layout.parameter}", layout


def to_state(model: keras.Model) -> dict[str, np.ndarray]:
    """A model's weights as the companion's state dictionary.

    Returns:
        Contiguous copies by key, in torch's layouts.
    """
    state = {}
    for address, variable in addresses(model).items():
        key, layout = torch_key(address, len(variable.shape))
        state[key] = np.ascontiguousarray(layout.to_torch(variable.numpy()))
    return state


def load_state(model: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Sets all of a model's weights from a companion's state dictionary, or none.

    Args:
        model: A network of this package.
        state: Arrays by key, in torch's layouts.

    Raises:
        ValueError: A key has no variable, a variable has no key, or a shape or a type differs.
    """
    unread, unset, values, wrong = set(state), [], [], []
    for address, variable in addresses(model).items():
        key, layout = torch_key(address, len(variable.shape))
        if key not in state:
            unset.append(f"{address} ({key})")
            continue
        unread.discard(key)
        received = state[key]
        expected = layout.to_torch(np.empty(variable.shape, variable.dtype.as_numpy_dtype))
        if received.shape != expected.shape or received.dtype != expected.dtype:
            wrong.append(
                f"{key} is {received.dtype}{list(received.shape)}, "
                f"expected {expected.dtype}{list(expected.shape)}"
            )
            continue
        values.append((variable, layout.to_keras(received)))
    faults = {
        "keys unread": sorted(unread), "variables unset": unset, "of another kind": wrong
    }  # fmt: skip
    said = [f"{fault}: {', '.join(names)}" for fault, names in faults.items() if names]
    if said:
        raise ValueError(f"the state does not fit {model.name}; {'; '.join(said)}")
    for variable, value in values:
        variable.assign(value)

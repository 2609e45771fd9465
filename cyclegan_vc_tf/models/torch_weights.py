"""Weights of Keras models as torch state dictionaries of arrays, and back, without torch.

A model's weights are addressed by layer and weight, `down_1_conv/kernel`; a state's by key,
`down.0.conv.weight`. Each kind of weight has its layout, a pair of named functions.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from cyclegan_vc_tf.models.stack import plain, weight_name


def conv1d_kernel_to_torch(kernel: np.ndarray) -> np.ndarray:
    """Convert (frames, in, out) to (out, in, frames)."""
    return kernel.transpose(2, 1, 0)


def conv1d_kernel_to_keras(weight: np.ndarray) -> np.ndarray:
    """Convert (out, in, frames) to (frames, in, out)."""
    return weight.transpose(2, 1, 0)


def conv2d_kernel_to_torch(kernel: np.ndarray) -> np.ndarray:
    """Convert (rows, columns, in, out) to (out, in, rows, columns)."""
    return kernel.transpose(3, 2, 0, 1)


def conv2d_kernel_to_keras(weight: np.ndarray) -> np.ndarray:
    """Convert (out, in, rows, columns) to (rows, columns, in, out)."""
    return weight.transpose(2, 3, 1, 0)


def dense_kernel_to_torch(kernel: np.ndarray) -> np.ndarray:
    """Convert (in, out) to (out, in)."""
    return kernel.transpose(1, 0)


def dense_kernel_to_keras(weight: np.ndarray) -> np.ndarray:
    """Convert (out, in) to (in, out)."""
    return weight.transpose(1, 0)


def unchanged(weight: np.ndarray) -> np.ndarray:
    """Return a weight with one value per channel as it is."""
    return weight


@dataclass(frozen=True)
class Layout:
    """Name and layout of one kind of weight in torch.

    Attributes:
        parameter: Name in a torch module.
        to_torch: Converts the Keras layout to torch's.
        to_keras: Converts torch's layout to the Keras one.
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
"""Layouts by the name and the number of axes of a Keras weight."""


def companion_module(layer: str) -> str:
    """Return the module of a layer in the torch companion.

    `down_1_conv` becomes `down.0.conv`, `scores` stays `scores`, and `up_1_tfan_hidden_2_conv`
    becomes `up.0.tfan.hidden.1.conv`.
    """
    numbered = re.sub(r"([a-z]+)_(\d+)_", lambda m: f"{m[1]}.{int(m[2]) - 1}.", layer)
    return numbered.replace("tfan_", "tfan.")


def addresses(model: keras.Model) -> dict[str, Any]:
    """Return a model's variables by layer and weight, such as `down_1_conv/kernel`.

    Raises:
        ValueError: Two variables have one address, because a layer is itself a model.
    """
    found: dict[str, Any] = {}
    for layer in model.layers:
        for variable in layer.weights:
            address = f"{layer.name}/{weight_name(variable)}"
            if address in found:
                raise ValueError(f"{model.name} has two variables {address}; expected flat layers")
            found[address] = plain(variable)
    return found


def torch_key(address: str, axes: int) -> tuple[str, Layout]:
    """Return the companion's key for a Keras weight, and the layout of the weight.

    Args:
        address: Layer and weight, `down_1_conv/kernel`.
        axes: Number of axes of the weight.

    Raises:
        ValueError: No layout is known for the weight.
    """
    layer, _, weight = address.rpartition("/")
    layout = LAYOUTS.get((weight, axes))
    if layout is None:
        raise ValueError(f"no torch layout is known for {address} with {axes} axes")
    return f"{companion_module(layer)}.{layout.parameter}", layout


def to_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Return a model's weights as a state dictionary of the companion.

    Returns:
        Contiguous copies by key, in torch's layouts.
    """
    state = {}
    for address, variable in addresses(model).items():
        key, layout = torch_key(address, len(variable.shape))
        state[key] = np.ascontiguousarray(layout.to_torch(variable.numpy()))
    return state


def load_state(model: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Set all weights of a model from a state dictionary of the companion, or none.

    Args:
        model: Network of this package.
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
        "keys unread": sorted(unread), "variables unset": unset, "of another shape or type": wrong
    }  # fmt: skip
    texts = [f"{fault}: {', '.join(names)}" for fault, names in faults.items() if names]
    if texts:
        raise ValueError(f"the state does not fit {model.name}; {'; '.join(texts)}")
    for variable, value in values:
        variable.assign(value)

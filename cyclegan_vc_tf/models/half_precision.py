"""Weights of networks in half precision: small files for conversion alone."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.system import array_archives, files
from cyclegan_vc_tf.system.errors import InputError

LAYER_ALIASES = {"linear_skip": "start"}
"""Old name by current name of a layer. Files that were published under the old name are read."""


def write(path: Path, networks: Mapping[str, keras.Model]) -> None:
    """Write the weights of networks as 16-bit floating-point numbers.

    Args:
        path: A .npz file.
        networks: Networks by name.

    Raises:
        InputError: A weight is larger than half precision can hold, 65504.
    """
    arrays = {}
    for name, network in networks.items():
        for address, variable in addresses(network).items():
            with np.errstate(over="ignore"):
                half = variable.numpy().astype(np.float16)
            if not np.isfinite(half).all():
                raise InputError(f"{name}/{address} has a weight that half precision cannot hold")
            arrays[f"{name}/{address}"] = half
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read(path: Path, networks: Mapping[str, keras.Model]) -> None:
    """Set the weights of networks to those in a file.

    Args:
        path: A .npz file that `write` made.
        networks: Networks by name.

    Raises:
        InputError: The file is damaged, or has other weights.
    """
    try:
        with array_archives.open_arrays(path) as arrays:
            for name, network in networks.items():
                for address, variable in addresses(network).items():
                    variable.assign(find_weight(arrays, name, address, tuple(variable.shape)))
    except (LookupError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); get it anew") from error


def find_weight(
    arrays: Mapping[str, np.ndarray], network: str, address: str, shape: tuple[int, ...]
) -> np.ndarray:
    """Return a weight of a file, which may have the layer's old name, as float32.

    Args:
        arrays: Arrays of the file by key.
        network: Name of the network, such as `generator_A2B`.
        address: Layer and weight, such as `linear_skip/kernel`.
        shape: Shape that the network expects.

    Raises:
        KeyError: The file has no such weight.
        ValueError: The weight has another shape, or values that are not finite numbers.
    """
    key = f"{network}/{address}"
    layer, _, weight = address.partition("/")
    old_key = f"{network}/{LAYER_ALIASES.get(layer, layer)}/{weight}"
    array = arrays[old_key if key not in arrays and old_key in arrays else key]
    if array.shape != shape:
        raise ValueError(f"{key} has shape {array.shape}; expected {shape}")
    if not array_archives.fits_float32(array):
        raise ValueError(f"{key} has values that are not finite numbers")
    return array.astype(np.float32)

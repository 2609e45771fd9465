"""Weights of networks in half precision: small files for conversion alone."""

from collections.abc import Container, Mapping
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
                    key = find_key(arrays, name, address)
                    variable.assign(arrays[key].astype(np.float32))
    except (LookupError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); get it anew") from error


def find_key(keys: Container[str], network: str, address: str) -> str:
    """Return the key of a weight in a file, which may have the layer's old name.

    Args:
        keys: Keys of the file.
        network: Name of the network, such as `generator_A2B`.
        address: Layer and weight, such as `linear_skip/kernel`.
    """
    key = f"{network}/{address}"
    layer, _, weight = address.partition("/")
    old_key = f"{network}/{LAYER_ALIASES.get(layer, layer)}/{weight}"
    return old_key if key not in keys and old_key in keys else key

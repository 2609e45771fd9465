"""Networks' weights in half precision: small files, for converting alone."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError


def write(path: Path, networks: Mapping[str, keras.Model]) -> None:
    """Writes networks' weights as 16-bit floating-point numbers.

    Args:
        path: A .npz file.
        networks: By name.

    Raises:
        InputError: A weight is beyond what half precision can hold, 65504.
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
    """Sets networks' weights to what the file has.

    Raises:
        InputError: The file is damaged, or has other weights.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            for name, network in networks.items():
                for address, variable in addresses(network).items():
                    variable.assign(arrays[f"{name}/{address}"].astype(np.float32))
    except (EOFError, LookupError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}); get it anew") from error

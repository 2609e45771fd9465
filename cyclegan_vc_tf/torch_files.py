"""Files of weights that PyTorch wrote: the one place of the package that imports it, when called.

Files are read by torch's restricted reader, which builds tensors and plain containers and runs
nothing that a file brings along.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.errors import InputError, listed


def read(path: Path, key: str = "") -> dict[str, np.ndarray]:
    """The tensors of a state dictionary in a file of `torch.save`, of either of its formats.

    Args:
        path: The file.
        key: Under which the file's dictionary holds the state dictionary; empty where the file
            holds nothing else.

    Returns:
        Arrays by name, copies of their own; half precision and smaller becomes float32.

    Raises:
        InputError: PyTorch is not installed; the file is not there, is damaged, is another file, or
            holds more than weights; or there is no state dictionary of tensors where `key` says.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} is a file of PyTorch, which is not installed; pip install -e '.[import]'"
        ) from error
    if not path.is_file():
        raise InputError(f"{path} is not there or no file; expected weights that PyTorch saved")
    try:
        with warnings.catch_warnings():
            # Of a pickle that torch did not write; whether it can be read is seen right after.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            stored = torch.load(path, map_location="cpu", weights_only=True)
    # What is raised by damage or another file is up to torch: half a dozen types.
    except Exception as error:
        raise InputError(_refusal(path, str(error))) from error
    return {name: _array(path, name, tensor) for name, tensor in _state(path, stored, key).items()}


def _refusal(path: Path, reason: str) -> str:
    """Why a file was not read, out of what torch says of it."""
    more = re.search(r"GLOBAL (\S+)|(TorchScript)|legacy \.tar", reason)
    if more:
        what = more[1] or more[2] or "an archive of an old kind"
        return (
            f"{path} holds more than weights ({what}), and is not opened; expected tensors alone: "
            "where the file comes from, save the model's state_dict()"
        )
    return f"{path} is no file of PyTorch, or damaged; expected what torch.save(state_dict) writes"


def _state(path: Path, stored: Any, key: str) -> Mapping[str, Any]:
    import torch

    inside = stored.get(key) if key and isinstance(stored, Mapping) else stored
    if isinstance(inside, Mapping) and inside:
        others = [name for name, value in inside.items() if not isinstance(value, torch.Tensor)]
        if not others and all(isinstance(name, str) for name in inside):
            return inside
        if len(others) < len(inside):
            raise InputError(
                f"{path} holds tensors and others ({listed(others)}); expected tensors by name: "
                "save the model's state_dict() alone"
            )
    there = f" under {key!r}" if key else ""
    holds = f"; it holds {listed(list(stored))}" if isinstance(stored, Mapping) and stored else ""
    raise InputError(
        f"{path} holds no tensors{there}{holds}; expected a state_dict: name the key that it is "
        "under, or none where the file holds nothing else"
    )


def _array(path: Path, name: str, tensor: Any) -> np.ndarray:
    """A copy: what torch reads may share memory, or stretch a little memory to a large shape."""
    import torch

    try:
        if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
            tensor = tensor.float()
        return np.array(tensor.detach().numpy())
    # Sparse and quantised tensors, and such without data: each says so by another type.
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"{path}: {name} is no plain tensor ({tensor.dtype}, {tensor.layout}); expected "
            "numbers in full"
        ) from error

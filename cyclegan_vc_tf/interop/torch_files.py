"""Files of weights in PyTorch's format: the one place of the package that imports it, when called.

Files are read by torch's restricted reader, which builds tensors and plain containers and runs
nothing that a file brings along.
"""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names

MAX_EXPANSION = 8
"""How many times its size a file may take in memory: half precision becomes single, and a tensor
may be there under several names."""

MIN_LIMIT_BYTES = 1 << 20
"""What any file may take."""


def read(path: Path, key: str = "") -> dict[str, np.ndarray]:
    """The tensors of a state dictionary in a file of `torch.save`, of either of its formats.

    Args:
        path: The file.
        key: Under which the file's dictionary holds the state dictionary; empty where the file
            holds nothing else.

    Returns:
        Arrays by name, copies of their own; half precision and smaller becomes float32.

    Raises:
        InputError: PyTorch is not installed; the file is not there, is damaged, is another file,
            holds more than weights, or far more of them than it is long; or there is no state
            dictionary of tensors where `key` says.
    """
    stored = load(path)
    inside = stored.get(key) if key and isinstance(stored, Mapping) else stored
    if isinstance(inside, Mapping) and has_tensors(inside):
        return arrays(path, inside)
    there = f" under {key!r}" if key else ""
    holds = (
        f"; it holds {join_names(list(stored))}" if isinstance(stored, Mapping) and stored else ""
    )
    raise InputError(
        f"{path} holds no tensors{there}{holds}; expected a state_dict: name the key that it is "
        "under, or none where the file holds nothing else"
    )


def load(path: Path) -> Any:
    """What a file of `torch.save` holds: tensors and plain containers.

    Raises:
        InputError: As `read` says.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there or no file; expected weights that PyTorch saved")
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} is read as PyTorch's, which is not installed; pip install -e '.[import]'"
        ) from error
    _refuse_bomb(path)
    try:
        with warnings.catch_warnings():
            # Of a pickle that torch did not write; whether it can be read is seen right after.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    # What is raised by damage or another file is up to torch: half a dozen types.
    except Exception as error:
        raise InputError(_refusal_message(path, str(error))) from error


def has_tensors(value: Any) -> bool:
    """Whether it is a state dictionary, or is one but for some of its entries."""
    import torch

    entries = value.values() if isinstance(value, Mapping) else ()
    return any(isinstance(entry, torch.Tensor) for entry in entries)


def arrays(path: Path, state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The tensors of a state dictionary that was in a file, as `read` gives them.

    Raises:
        InputError: They are no tensors, or far more numbers than the file is long.
    """
    import torch

    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others or not all(isinstance(name, str) for name in state):
        raise InputError(
            f"{path} holds tensors and others ({join_names(others or list(state))}); expected "
            "tensors by name: save the model's state_dict() alone"
        )
    _refuse_size(path, sum(each.numel() * each.element_size() for each in state.values()))
    return {name: _array(path, name, tensor) for name, tensor in state.items()}


def write(path: Path, states: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Writes state dictionaries by name with `torch.save`, whole or not at all.

    Raises:
        InputError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "PyTorch, which writes such files, is not installed; pip install -e '.[import]'"
        ) from error
    tensors = {
        name: {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in state.items()}
        for name, state in states.items()
    }
    try:
        with files.replacing(path) as partial:
            torch.save(tensors, partial)
    # torch's writer has no other type for a full disk or a folder that is not there.
    except RuntimeError as error:
        raise InputError(f"{path} cannot be written to; is the disk full?") from error


def _refuse_bomb(path: Path) -> None:
    """Refuses an archive that unfolds to far more than its size; torch compresses nothing."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise InputError(_refusal_message(path, "")) from error
    _refuse_size(path, size)


def _refuse_size(path: Path, size: int) -> None:
    if size > MAX_EXPANSION * path.stat().st_size + MIN_LIMIT_BYTES:
        raise InputError(
            f"{path} would unfold to {size:,} bytes, {MAX_EXPANSION} times its size and more; "
            "expected what torch.save(state_dict) writes"
        )


def _refusal_message(path: Path, reason: str) -> str:
    """Why a file was not read, out of what torch says of it."""
    more = re.search(r"GLOBAL (\S+)|(TorchScript)|legacy \.tar", reason)
    if more:
        what = more[1] or more[2] or "an archive of an old kind"
        return (
            f"{path} holds more than weights ({what}), and is not opened; expected tensors alone: "
            "where the file comes from, save the model's state_dict()"
        )
    return f"{path} is no file of PyTorch, or damaged; expected what torch.save(state_dict) writes"


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

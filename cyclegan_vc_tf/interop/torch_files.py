"""Files of weights in PyTorch's format.

Only this module of the package imports torch, and only when it is called. Files are read by torch's
restricted reader, which builds tensors and plain containers and runs no code from a file.
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
"""Largest size in memory as a multiple of the file size.

Half precision becomes single precision, and a tensor may have several names.
"""

MIN_LIMIT_BYTES = 1 << 20
"""Size in memory that any file may take, in bytes."""


def read(path: Path, key: str = "") -> dict[str, np.ndarray]:
    """Read the tensors of a state dictionary from a file that `torch.save` wrote in any format.

    Args:
        path: File to read.
        key: Key of the state dictionary in the file's dictionary; empty if the file holds only a
            state dictionary.

    Returns:
        Copies of the tensors as arrays by name. Half precision and smaller types become float32.

    Raises:
        InputError: PyTorch is not installed. Or the file is missing, is damaged, is not PyTorch's,
            holds more than weights, or expands far beyond its size. Or `key` leads to no state
            dictionary of tensors.
    """
    stored = load(path)
    state = stored.get(key) if key and isinstance(stored, Mapping) else stored
    if isinstance(state, Mapping) and has_tensors(state):
        return arrays(path, state)
    place = f" under {key!r}" if key else ""
    contents = (
        f"; it holds {join_names(list(stored))}" if isinstance(stored, Mapping) and stored else ""
    )
    raise InputError(
        f"{path} holds no tensors{place}{contents}; expected a state_dict: give its key, or no key "
        "if the file holds nothing else"
    )


def load(path: Path) -> Any:
    """Load the contents of a file that `torch.save` wrote: tensors and plain containers.

    Raises:
        InputError: The file cannot be loaded, as `read` says.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there or no file; expected weights that PyTorch saved")
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path} is read with PyTorch, which is not installed; pip install -e '.[import]'"
        ) from error
    _refuse_bomb(path)
    try:
        with warnings.catch_warnings():
            # This warning names a foreign pickle, which the next line refuses anyway.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    # For damaged and foreign files, torch raises half a dozen types.
    except Exception as error:
        raise InputError(_refusal_message(path, str(error))) from error


def has_tensors(value: Any) -> bool:
    """Return whether a value is a mapping with at least one tensor."""
    import torch

    entries = value.values() if isinstance(value, Mapping) else ()
    return any(isinstance(entry, torch.Tensor) for entry in entries)


def arrays(path: Path, state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Convert a state dictionary from a file to arrays, as `read` returns them.

    Args:
        path: The file, for messages and for its size.
        state: The state dictionary.

    Raises:
        InputError: An entry is not a tensor, or the tensors expand far beyond the file's size.
    """
    import torch

    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others or not all(isinstance(name, str) for name in state):
        raise InputError(
            f"{path} holds tensors and others ({join_names(others or list(state))}); expected "
            "tensors by name: save the model's state_dict() alone"
        )
    _refuse_size(path, sum(tensor.numel() * tensor.element_size() for tensor in state.values()))
    return {name: _to_array(path, name, tensor) for name, tensor in state.items()}


def write(path: Path, states: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Write state dictionaries by name with `torch.save`, completely or not at all.

    Raises:
        InputError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise InputError(
            "PyTorch, which writes these files, is not installed; pip install -e '.[import]'"
        ) from error
    tensors = {
        name: {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in state.items()}
        for name, state in states.items()
    }
    try:
        with files.replacing(path) as partial:
            torch.save(tensors, partial)
    # torch raises this type for a full disk and for a missing folder.
    except RuntimeError as error:
        raise InputError(f"{path} cannot be written to; is the disk full?") from error


def _refuse_bomb(path: Path) -> None:
    """Refuse an archive that expands far beyond its size; torch itself never compresses."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise InputError(_refusal_message(path, "")) from error
    _refuse_size(path, size)


def _refuse_size(path: Path, size: int) -> None:
    """Refuse a file that takes `size` bytes in memory, if that is far beyond its own size."""
    if size > MAX_EXPANSION * path.stat().st_size + MIN_LIMIT_BYTES:
        raise InputError(
            f"{path} would unfold to {size:,} bytes, more than {MAX_EXPANSION} times its size; "
            "expected a file from torch.save(state_dict)"
        )


def _refusal_message(path: Path, reason: str) -> str:
    """Return why a file was not read, from the message of torch's error."""
    match = re.search(r"GLOBAL (\S+)|(TorchScript)|legacy \.tar", reason)
    if match:
        what = match[1] or match[2] or "an archive in an old format"
        return (
            f"{path} holds more than weights ({what}), and is not opened; expected tensors only: "
            "save the model's state_dict() where the file was made"
        )
    return f"{path} is no file of PyTorch, or damaged; expected a file from torch.save(state_dict)"


def _to_array(path: Path, name: str, tensor: Any) -> np.ndarray:
    """Copy a tensor to an array; torch's tensors may share memory, or repeat it by strides."""
    import torch

    try:
        if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
            tensor = tensor.float()
        return np.array(tensor.detach().numpy())
    # Sparse tensors, quantised tensors and tensors without data raise different types.
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"{path}: {name} is no plain tensor ({tensor.dtype}, {tensor.layout}); expected "
            "a dense tensor of numbers"
        ) from error

"""Files of a public checkpoint, and the networks in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.interop import torch_files
from cyclegan_vc_tf.runs import checkpoints
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names

NETWORKS = {
    "generator_A2B": ("generator_A2B_state_dict", "model_genA2B_state_dict", "generator_A2B"),
    "generator_B2A": ("generator_B2A_state_dict", "model_genB2A_state_dict", "generator_B2A"),
    "discriminator_A": ("discriminator_A_state_dict", "model_discriminatorA", "discriminator_A"),
    "discriminator_B": ("discriminator_B_state_dict", "model_discriminatorB", "discriminator_B"),
    "discriminator_cycled_A": ("discriminator_A2",),
    "discriminator_cycled_B": ("discriminator_B2",),
}
"""Names of the networks: keys in files of several networks, and parts of names of other files."""

SINGLE_NETWORK_KEY = "model_state"
"""Key of the network in a file that holds one network and other data."""

ADAM_SLOTS = re.compile(r".*/Adam(_1)?")
"""Variables of TensorFlow 1's Adam; they are not imported, and moments restart at zero."""

MULTI_DEVICE_PREFIX = "module."
"""Prefix of all keys of a network that was trained on several devices."""

REMEDY = "generator_A2B=FILE says which network a file holds"


@dataclass(frozen=True)
class PublicNetwork:
    """A network in a public checkpoint.

    Attributes:
        file: File of the network.
        state: Weights by the project's keys.
    """

    file: Path
    state: dict[str, np.ndarray]


def read(paths: Sequence[str]) -> dict[str, PublicNetwork]:
    """Read the networks of a public checkpoint, by this package's names.

    Args:
        paths: Files of PyTorch: one with several networks, or one per network. A file of one
            network has the network's name in its own name, or is given as `generator_A2B=FILE`.
            Or a TensorFlow 1 checkpoint by its prefix, its index or its data.

    Raises:
        InputError: A file is missing, damaged or of another kind. Or it holds no known network, or
            a network that another file holds too.
    """
    found: dict[str, PublicNetwork] = {}
    prefixes = set()
    for given in paths:
        name, path = _split_name(given)
        prefix = tensorflow_prefix(path)
        if prefix and (prefix, name) in prefixes:
            # The path is another file of a checkpoint that was read already.
            continue
        prefixes.add((prefix, name))
        states = _tensorflow_states(prefix) if prefix else _torch_states(path, name)
        if name and name not in states:
            raise InputError(f"{path} holds {join_names(list(states))} and no {name}")
        for network in [name] if name else states:
            if network in found:
                raise InputError(f"{found[network].file} and {path} both hold {network}; {REMEDY}")
            found[network] = PublicNetwork(path, states[network])
    return {network: found[network] for network in NETWORKS if network in found}


def tensorflow_prefix(path: Path) -> str:
    """Return the prefix of the TensorFlow checkpoint that a path belongs to; empty without any."""
    prefix = re.sub(r"\.(index|data-\d+-of-\d+|meta)$", "", str(path))
    return prefix if Path(f"{prefix}.index").is_file() else ""


def _split_name(given: str) -> tuple[str, Path]:
    """Split NETWORK=FILE into network and file; the network is empty where none is given."""
    name, _, rest = given.partition("=")
    if rest and name in NETWORKS and not Path(given).exists():
        return name, Path(rest)
    return "", Path(given)


def _torch_states(path: Path, name: str) -> dict[str, dict[str, np.ndarray]]:
    """Read the networks of a PyTorch file, by this package's names.

    Args:
        path: File to read.
        name: Network in a file of one network; empty if the file's name says it.
    """
    if not path.is_file():
        prefixes = sorted(file.stem for file in path.glob("*.index")) if path.is_dir() else []
        raise InputError(
            f"--checkpoint {path} is not there or no file; expected a PyTorch file, or a "
            "TensorFlow checkpoint by its prefix"
            + (f": {join_names(prefixes)}" if prefixes else "")
        )
    stored = torch_files.load(path)
    if isinstance(stored, Mapping):
        several = [
            (network, key)
            for network, keys in NETWORKS.items()
            for key in keys
            if torch_files.has_tensors(stored.get(key))
        ]
        if len(several) > len(dict(several)):
            raise InputError(
                f"{path} holds a network twice: {join_names([key for _, key in several])}"
            )
        if several:
            return {network: _to_arrays(path, stored[key]) for network, key in several}
        state = stored.get(SINGLE_NETWORK_KEY, stored)
        if torch_files.has_tensors(state):
            return {name or _name_from_path(path): _to_arrays(path, state)}
    raise InputError(
        f"{path} holds no network that is known; expected a state_dict of one network, or of "
        f"several under names such as {join_names([keys[0] for keys in NETWORKS.values()])}"
    )


def _to_arrays(path: Path, state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Convert a state dictionary to arrays, without the prefix of several devices."""
    arrays = torch_files.arrays(path, state)
    prefix = (
        MULTI_DEVICE_PREFIX if all(key.startswith(MULTI_DEVICE_PREFIX) for key in arrays) else ""
    )
    return {key.removeprefix(prefix): array for key, array in arrays.items()}


def _name_from_path(path: Path) -> str:
    """Return the network that a file's name contains."""
    matches = {
        network
        for network, words in NETWORKS.items()
        for word in words
        if re.search(rf"{word}(?![0-9])", path.name, re.IGNORECASE)
    }
    if len(matches) != 1:
        names = " and ".join(sorted(matches)) or "none"
        raise InputError(f"{path} holds one network, and its name tells {names}; {REMEDY}")
    return matches.pop()


def _tensorflow_states(prefix: str) -> dict[str, dict[str, np.ndarray]]:
    """Read the variables of a TensorFlow checkpoint by network, which is their scope."""
    if fault := files.find_tensorflow_fault(prefix):
        raise InputError(f"--checkpoint {prefix} {fault}; copy it to another path")
    try:
        checkpoints.refuse_forged(Path(prefix))
        reader = tf.train.load_checkpoint(prefix)
        states: dict[str, dict[str, np.ndarray]] = {}
        for name in reader.get_variable_to_shape_map():
            scope, _, key = name.partition("/")
            if scope in NETWORKS and not ADAM_SLOTS.fullmatch(key):
                states.setdefault(scope, {})[key] = np.asarray(reader.get_tensor(name))
    except checkpoints.DAMAGE_ERRORS as error:
        raise InputError(
            f"{prefix} is not a TensorFlow checkpoint, or is damaged; expected {prefix}.index and "
            "its .data files"
        ) from error
    if not states:
        raise InputError(
            f"{prefix} holds no network that is known; expected variables in scopes such as "
            f"{join_names(list(NETWORKS))}"
        )
    return states

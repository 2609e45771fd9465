"""Which networks are in the files of a public checkpoint."""

import glob
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.interop import torch_files
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
"""What the networks are called in files that hold several, and in the names of files of one."""

SINGLE_NETWORK_KEY = "model_state"
"""Where a file of one network keeps it, if it keeps more."""

ADAM_SLOTS = re.compile(r".*/Adam(_1)?")
"""Variables of TensorFlow 1's Adam beside those that it trains: its moments begin anew."""

MULTI_DEVICE_PREFIX = "module."
"""In front of all keys of a network that was trained on several devices."""

REMEDY = "generator_A2B=FILE says which network a file holds"


@dataclass(frozen=True)
class PublicNetwork:
    """A network as a file has it.

    Attributes:
        file: Where it was.
        state: Its weights, by their keys.
    """

    file: Path
    state: dict[str, np.ndarray]


def read(paths: Sequence[str]) -> dict[str, PublicNetwork]:
    """The networks of a public checkpoint, by our names.

    Args:
        paths: Of PyTorch: one with several networks, or one a network, whose name it has in its
            own or is given as `generator_A2B=FILE`. Of TensorFlow 1: a checkpoint by its prefix,
            its index or its data.

    Raises:
        InputError: One is not there, is damaged or another file, holds no network that is known,
            or one that another holds too.
    """
    found: dict[str, PublicNetwork] = {}
    prefixes = set()
    for given in paths:
        name, path = _split_name(given)
        prefix = tensorflow_prefix(path)
        if prefix and (prefix, name) in prefixes:
            # Index, data and graph of one checkpoint.
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
    """The prefix of the TensorFlow checkpoint that a path is part of; empty if it is of none."""
    prefix = re.sub(r"\.(index|data-\d+-of-\d+|meta)$", "", str(path))
    return prefix if Path(f"{prefix}.index").is_file() else ""


def _split_name(given: str) -> tuple[str, Path]:
    """A file, and the network that it was said to hold, if any."""
    name, _, rest = given.partition("=")
    if rest and name in NETWORKS and not Path(given).exists():
        return name, Path(rest)
    return "", Path(given)


def _torch_states(path: Path, name: str) -> dict[str, dict[str, np.ndarray]]:
    if not path.is_file():
        inside = sorted(each.stem for each in path.glob("*.index")) if path.is_dir() else []
        raise InputError(
            f"--checkpoint {path} is not there or no file; expected a file of PyTorch's, or a "
            "TensorFlow checkpoint by its prefix" + (f": {join_names(inside)}" if inside else "")
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
            return {network: _arrays(path, stored[key]) for network, key in several}
        one = stored.get(SINGLE_NETWORK_KEY, stored)
        if torch_files.has_tensors(one):
            return {name or _name_from_path(path): _arrays(path, one)}
    raise InputError(
        f"{path} holds no network that is known; expected a state_dict of one, or of several under "
        f"such names as {join_names([keys[0] for keys in NETWORKS.values()])}"
    )


def _arrays(path: Path, state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    arrays = torch_files.arrays(path, state)
    prefix = (
        MULTI_DEVICE_PREFIX if all(key.startswith(MULTI_DEVICE_PREFIX) for key in arrays) else ""
    )
    return {key.removeprefix(prefix): array for key, array in arrays.items()}


def _name_from_path(path: Path) -> str:
    """The network that a file's own name tells."""
    told = {
        network
        for network, words in NETWORKS.items()
        for word in words
        if re.search(rf"{word}(?![0-9])", path.name, re.IGNORECASE)
    }
    if len(told) != 1:
        names = " and ".join(sorted(told)) or "none"
        raise InputError(f"{path} holds one network, and its name tells {names}; {REMEDY}")
    return told.pop()


def _tensorflow_states(prefix: str) -> dict[str, dict[str, np.ndarray]]:
    """The variables of a TensorFlow checkpoint, by the scope they are in."""
    if files.has_wildcards(prefix):
        raise InputError(
            f"--checkpoint {prefix} has one of * ? [ ] \\ in it, which TensorFlow takes for a "
            "pattern; copy it to another place"
        )
    data = f"{glob.escape(Path(prefix).name)}.data-"
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes, kinds = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
        # What an index promises has to be in the data: nothing larger is set up to be read.
        promised = sum(math.prod(shapes[name]) * kinds[name].size for name in shapes)
        stored = sum(each.stat().st_size for each in Path(prefix).parent.glob(f"{data}*"))
        if promised > stored:
            raise ValueError(f"{promised} bytes are promised, {stored} are there")
        states: dict[str, dict[str, np.ndarray]] = {}
        for name in shapes:
            scope, _, key = name.partition("/")
            if scope in NETWORKS and not ADAM_SLOTS.fullmatch(key):
                states.setdefault(scope, {})[key] = np.asarray(reader.get_tensor(name))
    # By the damage, TensorFlow raises one or another.
    except (tf.errors.OpError, RuntimeError, ValueError, TypeError, LookupError) as error:
        raise InputError(
            f"{prefix} is no checkpoint of TensorFlow, or damaged; expected {prefix}.index and its "
            ".data files"
        ) from error
    if not states:
        raise InputError(
            f"{prefix} holds no network that is known; expected variables in scopes such as "
            f"{join_names(list(NETWORKS))}"
        )
    return states

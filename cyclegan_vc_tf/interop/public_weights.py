"""From the weights of a public network to those of ours: by a layout's lines, nothing left over."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS, LayerMapping, PublicLayout
from cyclegan_vc_tf.models.torch_weights import LAYOUTS as TORCH
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.system.errors import InputError, join_names

MAX_LISTED_KEYS = 20
"""How many keys of a kind an error lists."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class NetworkWeights:
    """The weights of one public network, for ours.

    Attributes:
        name: Of the network, such as "generator_A2B".
        values: In the Keras layout, by layer and weight, such as "down_1_conv/kernel".
        keys: Which keys of theirs each was made of.
        dropped: Keys that nothing was made of, by why.
    """

    name: str
    values: dict[str, np.ndarray]
    keys: dict[str, str]
    dropped: dict[str, list[str]]


def detect_layout(keys: Iterable[str]) -> str:
    """The layout whose generator has such keys; empty if none has."""
    known = list(keys)
    for name, layout in LAYOUTS.items():
        if any(re.fullmatch(layout.mark, key) for key in known):
            return name
    return ""


def translate(layout: PublicLayout, name: str, state: Arrays) -> NetworkWeights:
    """The weights of one network by our names and layouts.

    Args:
        layout: The project's.
        name: Of the network, such as "generator_A2B".
        state: Theirs, by key.

    Raises:
        InputError: A key is left over, or one is missing, or a weight is not what it has to be; the
            message lists all of them.
    """
    unread = dict.fromkeys(state)
    values: dict[str, np.ndarray] = {}
    keys: dict[str, str] = {}
    unset: list[str] = []
    wrong: list[str] = []
    for line in layout.lines(name, layout.blocks_in(state)):
        for weight in weight_names(line):
            address = f"{line.layer}/{weight}"
            theirs = [public_key(layout, module, weight) for module in line.modules]
            keys[address] = " and ".join(theirs)
            for key in theirs:
                unread.pop(key, None)
            missing = [key for key in theirs if key not in state]
            faults = [_find_fault(key, address, state[key]) for key in theirs if key in state]
            if missing:
                unset.append(f"{address} ({', '.join(missing)})")
            elif any(faults):
                wrong += filter(None, faults)
            else:
                try:
                    arrays = [_to_keras(layout, weight, state[key]) for key in theirs]
                    values[address] = line.change(arrays)
                except ValueError:
                    shapes = " and ".join(str(list(state[key].shape)) for key in theirs)
                    wrong.append(f"{keys[address]}, {shapes}, do not go together")
    dropped: dict[str, list[str]] = {}
    for key in list(unread):
        if why := layout.why_dropped(key):
            dropped.setdefault(why, []).append(key)
            del unread[key]
    _refuse(name, {"keys unread": list(unread), "variables unset": unset, "not usable": wrong})
    return NetworkWeights(name, values, keys, dropped)


def with_sizes(network: NetworkConfig, all_weights: Iterable[NetworkWeights]) -> NetworkConfig:
    """The settings, with the sizes that weights have: widths, kernels, number of blocks.

    Args:
        network: What the networks compute.
        all_weights: Of some of them, a generator being among them.

    Raises:
        InputError: They do not go together.
    """
    first: dict[str, NetworkWeights] = {}
    for each in all_weights:
        first.setdefault(each.name.split("_")[0], each)
    widths, kernels, blocks = _generator_sizes(network, first["generator"].values)
    judging_widths: list[float] = []
    judging_kernels: list[str] = []
    if "discriminator" in first:
        judging_widths, judging_kernels = _discriminator_sizes(
            network, first["discriminator"].values
        )
    for kind, found in (("generator", widths), ("discriminator", judging_widths)):
        if not all(float(width).is_integer() for width in found):
            told = ", ".join(f"{width:g}" for width in found)
            raise InputError(
                f"--checkpoint: {first[kind].name} has widths of {told} channels; expected whole "
                "numbers"
            )
    channels = math.gcd(*map(int, (*widths, *judging_widths)))
    if not judging_widths:
        judging_widths = [channels * each for each in network.discriminator_widths]
        judging_kernels = list(network.discriminator_kernels)
    return replace(
        network,
        channels=channels,
        residual_blocks=blocks,
        generator_widths=tuple(int(width) // channels for width in widths),
        generator_kernels=tuple(kernels),
        discriminator_widths=tuple(int(width) // channels for width in judging_widths),
        discriminator_kernels=tuple(judging_kernels),
    )


def count_bins(generator: NetworkWeights) -> int:
    """How many values a frame has that a generator makes."""
    values = generator.values
    if "unfold_conv/bias" in values:
        return 4 * values["unfold_conv/bias"].size // values["fold_conv/bias"].size
    return values["output_conv/bias"].size


def check_shapes(model: keras.Model, weights: NetworkWeights) -> None:
    """Refuses weights that are not those of a model.

    Raises:
        InputError: A variable has no weight, or one of another shape; the message lists all.
    """
    variables = addresses(model)
    unset = [address for address in variables if address not in weights.values]
    unread = [weights.keys[address] for address in weights.values if address not in variables]
    wrong = [
        f"{address} ({weights.keys[address]}) is {list(value.shape)}, "
        f"expected {list(variables[address].shape)}"
        for address, value in weights.values.items()
        if address in variables and tuple(variables[address].shape) != value.shape
    ]
    faults = {"keys unread": unread, "variables unset": unset, "of another shape": wrong}
    _refuse(weights.name, faults)


def assign(model: keras.Model, weights: NetworkWeights) -> None:
    """Sets all of a model's variables, in the model's own precision."""
    for address, variable in addresses(model).items():
        variable.assign(weights.values[address].astype(variable.dtype.as_numpy_dtype))


def count_residual_blocks(addresses: Iterable[str]) -> int:
    """How many residual blocks our own weights tell."""
    return sum(address.endswith("_out_conv/kernel") for address in addresses)


def weight_names(line: LayerMapping) -> tuple[str, str]:
    """Names of the weights of a line's layer."""
    return ("gamma", "beta") if line.layer.endswith("_norm") else ("kernel", "bias")


def public_key(layout: PublicLayout, module: str, weight: str) -> str:
    """Their key for a weight of ours in a module of theirs."""
    if not layout.is_torch:
        return f"{module}/{weight}"
    return f"{module}.{'weight' if weight in ('kernel', 'gamma') else 'bias'}"


def _to_keras(layout: PublicLayout, weight: str, value: np.ndarray) -> np.ndarray:
    return TORCH[weight, value.ndim].to_keras(value) if layout.is_torch else value


def _find_fault(key: str, address: str, value: np.ndarray) -> str:
    """What makes a value unusable for a weight of ours; empty if nothing does."""
    layer, _, weight = address.rpartition("/")
    convolves = weight == "kernel" and layer.endswith("_conv")
    if value.dtype.kind != "f":
        return f"{key} is of {value.dtype}, expected floating-point numbers"
    if (weight, value.ndim) not in TORCH or not value.size or (convolves and value.ndim < 3):
        return f"{key} is of shape {list(value.shape)}"
    with np.errstate(over="ignore"):
        finite = np.isfinite(value.astype(np.float32)).all()
    return "" if finite else f"{key} has NaN or infinite values"


def _refuse(name: str, faults: Mapping[str, list[str]]) -> None:
    said = [
        f"{fault}: {join_names(names, MAX_LISTED_KEYS)}" for fault, names in faults.items() if names
    ]
    if said:
        raise InputError(f"{name} does not fit the layout; {'; '.join(said)}")


def _kernel_size(kernel: np.ndarray) -> str:
    return "x".join(map(str, kernel.shape[:-2]))


def _generator_sizes(network: NetworkConfig, values: Arrays) -> tuple[list[float], list[str], int]:
    """Widths, kernels and number of residual blocks."""
    axes = values["input_conv/kernel"].ndim - 2
    shuffled = 2**axes * network.gate_channels
    blocks = count_residual_blocks(values)
    residual = values.get("residual_1_conv/kernel")
    parts = ("input_conv", "down_1_conv", "down_2_conv")
    widths = [values[f"{part}/kernel"].shape[-1] / 2 for part in parts]
    inner = widths[2] if residual is None else residual.shape[-1] / 2
    widths += [inner, *(values[f"up_{n}_conv/kernel"].shape[-1] / shuffled for n in (1, 2))]
    kernels = [_kernel_size(values[f"{part}/kernel"]) for part in parts]
    kernels.append(network.generator_kernels[3] if residual is None else _kernel_size(residual))
    kernels += [
        _kernel_size(values[f"{part}/kernel"]) for part in ("up_1_conv", "up_2_conv", "output_conv")
    ]
    return widths, kernels, blocks


def _discriminator_sizes(network: NetworkConfig, values: Arrays) -> tuple[list[float], list[str]]:
    """Widths and kernels."""
    blocks = [
        values[f"block_{n}_conv/kernel"] for n in range(1, len(network.discriminator_widths) + 1)
    ]
    widths = [kernel.shape[-1] / network.gate_channels for kernel in blocks]
    last = [values["scores/kernel"]] if values["scores/kernel"].ndim == 4 else []
    return widths, [_kernel_size(kernel) for kernel in (*blocks, *last)]

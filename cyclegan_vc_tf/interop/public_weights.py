"""Conversion of a public network's weights; every key must be used, and every variable set."""

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
from cyclegan_vc_tf.system import array_archives
from cyclegan_vc_tf.system.errors import InputError, join_names

MAX_LISTED_KEYS = 20
"""Keys of a kind that an error lists."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class NetworkWeights:
    """Weights of a public network, converted for this package.

    Attributes:
        name: Name of the network, such as "generator_A2B".
        values: Weights in the Keras layout by address, such as "down_1_conv/kernel".
        keys: Keys in the public checkpoint by address.
        dropped: Keys that were not imported, by reason.
    """

    name: str
    values: dict[str, np.ndarray]
    keys: dict[str, str]
    dropped: dict[str, list[str]]


def detect_layout(keys: Iterable[str]) -> str:
    """Return the layout of a generator with these keys; empty if no layout fits."""
    known = list(keys)
    for name, layout in LAYOUTS.items():
        if any(re.fullmatch(layout.signature, key) for key in known):
            return name
    return ""


def translate(layout: PublicLayout, name: str, state: Arrays) -> NetworkWeights:
    """Convert the weights of a network to this package's addresses and layouts.

    Args:
        layout: Layout of the project.
        name: Name of the network, such as "generator_A2B".
        state: Weights of the public network by key.

    Raises:
        InputError: A key is left over or missing, or a weight cannot be used. The message lists all
            such keys.
    """
    unread = dict.fromkeys(state)
    values: dict[str, np.ndarray] = {}
    keys: dict[str, str] = {}
    unset: list[str] = []
    wrong: list[str] = []
    for mapping in layout.layer_mappings(name, layout.count_residual_blocks(state)):
        for weight in weight_names(mapping):
            address = f"{mapping.layer}/{weight}"
            public_keys = [public_key(layout, module, weight) for module in mapping.modules]
            keys[address] = " and ".join(public_keys)
            for key in public_keys:
                unread.pop(key, None)
            missing = [key for key in public_keys if key not in state]
            faults = [_find_fault(key, address, state[key]) for key in public_keys if key in state]
            if missing:
                unset.append(f"{address} ({', '.join(missing)})")
            elif any(faults):
                wrong += filter(None, faults)
            else:
                try:
                    arrays = [_to_keras(layout, weight, state[key]) for key in public_keys]
                    values[address] = mapping.transform(arrays)
                except ValueError:
                    shapes = " and ".join(str(list(state[key].shape)) for key in public_keys)
                    wrong.append(f"{keys[address]}, {shapes}, do not go together")
    dropped: dict[str, list[str]] = {}
    for key in list(unread):
        if reason := layout.drop_reason(key):
            dropped.setdefault(reason, []).append(key)
            del unread[key]
    _refuse(name, {"keys unread": list(unread), "variables unset": unset, "not usable": wrong})
    return NetworkWeights(name, values, keys, dropped)


def with_sizes(network: NetworkConfig, all_weights: Iterable[NetworkWeights]) -> NetworkConfig:
    """Return network settings with the weights' sizes: widths, kernels, number of residual blocks.

    Args:
        network: Settings to start from.
        all_weights: Weights of some networks, with at least one generator.

    Raises:
        InputError: The sizes do not fit together.
    """
    first: dict[str, NetworkWeights] = {}
    for weights in all_weights:
        first.setdefault(weights.name.split("_")[0], weights)
    widths, kernels, blocks = _generator_sizes(network, first["generator"].values)
    discriminator_widths: list[float] = []
    discriminator_kernels: list[str] = []
    if "discriminator" in first:
        discriminator_widths, discriminator_kernels = _discriminator_sizes(
            network, first["discriminator"].values
        )
    for kind, found in (("generator", widths), ("discriminator", discriminator_widths)):
        if not all(float(width).is_integer() for width in found):
            received = ", ".join(f"{width:g}" for width in found)
            raise InputError(
                f"--checkpoint: {first[kind].name} has widths of {received} channels; expected "
                "whole numbers"
            )
    channels = math.gcd(*map(int, (*widths, *discriminator_widths)))
    if not discriminator_widths:
        discriminator_widths = [channels * width for width in network.discriminator_widths]
        discriminator_kernels = list(network.discriminator_kernels)
    return replace(
        network,
        channels=channels,
        residual_blocks=blocks,
        generator_widths=tuple(int(width) // channels for width in widths),
        generator_kernels=tuple(kernels),
        discriminator_widths=tuple(int(width) // channels for width in discriminator_widths),
        discriminator_kernels=tuple(discriminator_kernels),
    )


def count_bins(generator: NetworkWeights) -> int:
    """Return the number of values per frame of a generator's output."""
    values = generator.values
    if "unfold_conv/bias" in values:
        return 4 * values["unfold_conv/bias"].size // values["fold_conv/bias"].size
    return values["output_conv/bias"].size


def check_shapes(model: keras.Model, weights: NetworkWeights) -> None:
    """Refuse weights that do not fit a model.

    Raises:
        InputError: A variable has no weight, or a weight of another shape. The message lists all
            such variables.
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
    """Set all variables of a model, in the model's precision."""
    for address, variable in addresses(model).items():
        variable.assign(weights.values[address].astype(variable.dtype.as_numpy_dtype))


def count_residual_blocks(addresses: Iterable[str]) -> int:
    """Count the residual blocks in this package's addresses."""
    return sum(address.endswith("_out_conv/kernel") for address in addresses)


def weight_names(mapping: LayerMapping) -> tuple[str, str]:
    """Return the names of a layer's weights."""
    return ("gamma", "beta") if mapping.layer.endswith("_norm") else ("kernel", "bias")


def public_key(layout: PublicLayout, module: str, weight: str) -> str:
    """Return the public key of a weight.

    Args:
        layout: Layout of the project.
        module: Module of the public network.
        weight: This package's name of the weight, such as "kernel".
    """
    if not layout.is_torch:
        return f"{module}/{weight}"
    return f"{module}.{'weight' if weight in ('kernel', 'gamma') else 'bias'}"


def _to_keras(layout: PublicLayout, weight: str, value: np.ndarray) -> np.ndarray:
    return TORCH[weight, value.ndim].to_keras(value) if layout.is_torch else value


def _find_fault(key: str, address: str, value: np.ndarray) -> str:
    """Return why a public weight cannot be used; empty if it can."""
    layer, _, weight = address.rpartition("/")
    is_kernel = weight == "kernel" and layer.endswith("_conv")
    if value.dtype.kind != "f":
        return f"{key} is of {value.dtype}, expected floating-point numbers"
    if (weight, value.ndim) not in TORCH or not value.size or (is_kernel and value.ndim < 3):
        return f"{key} is of shape {list(value.shape)}"
    return "" if array_archives.fits_float32(value) else f"{key} has NaN or infinite values"


def _refuse(name: str, faults: Mapping[str, list[str]]) -> None:
    """Refuse a network with faults; each kind of fault has a list of keys."""
    lists = [
        f"{fault}: {join_names(keys, MAX_LISTED_KEYS)}" for fault, keys in faults.items() if keys
    ]
    if lists:
        raise InputError(f"{name} does not fit the layout; {'; '.join(lists)}")


def _kernel_size(kernel: np.ndarray) -> str:
    return "x".join(map(str, kernel.shape[:-2]))


def _generator_sizes(network: NetworkConfig, values: Arrays) -> tuple[list[float], list[str], int]:
    """Return widths, kernels and number of residual blocks of a generator."""
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
    """Return widths and kernels of a discriminator."""
    blocks = [
        values[f"block_{n}_conv/kernel"] for n in range(1, len(network.discriminator_widths) + 1)
    ]
    widths = [kernel.shape[-1] / network.gate_channels for kernel in blocks]
    last = [values["scores/kernel"]] if values["scores/kernel"].ndim == 4 else []
    return widths, [_kernel_size(kernel) for kernel in (*blocks, *last)]

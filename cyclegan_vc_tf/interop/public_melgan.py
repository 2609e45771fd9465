"""Conversion of the public PyTorch implementation's MelGAN weights to a generator of this package.

This module does not need PyTorch: a state dictionary comes as arrays by key (`torch_files.read`).
The public keys are those of github.com/descriptinc/melgan-neurips, mel2wav/modules.py. They hold
weight and bias of each convolution, the weight as a direction `weight_v` and a length `weight_g`.
"""

import re
from collections.abc import Mapping

import keras
import numpy as np

from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.vocoders import melgan
from cyclegan_vc_tf.vocoders.melgan import Architecture

LENGTHS = {
    "weight_g": "weight_v",
    "parametrizations.weight.original0": "parametrizations.weight.original1",
}
"""Keys of directions by keys of lengths, for torch.nn.utils.weight_norm and its successor."""

REMEDY = "give the generator's file of the public implementation, mel2wav"


def public_module(layer: str, ratios: tuple[int, ...], dilations: tuple[int, ...]) -> str:
    """Return the public implementation's module of a layer: `model.1` for `input_conv`.

    The public implementation has one list of modules. It starts with a padding and a convolution.
    Each stage is a rectifier, a transposed convolution and residual blocks. The end is a rectifier,
    a padding and a convolution.

    Args:
        layer: Name of a layer with weights.
        ratios: Upsampling ratios of the stages.
        dilations: Dilations of a stage's residual blocks.

    Raises:
        ValueError: The generator has no such layer.
    """
    stages, blocks = len(ratios), len(dilations)
    if layer == "input_conv":
        return "model.1"
    if layer == "output_conv":
        return f"model.{2 + stages * (2 + blocks) + 2}"
    found = re.fullmatch(r"up_(\d+)_(?:conv|residual_(\d+)_(conv|out_conv|shortcut))", layer)
    stage, block = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    if found is None or not 1 <= stage <= stages or block > blocks:
        raise ValueError(f"a generator of {stages} stages has no weights of a layer {layer!r}")
    parts = {None: "", "conv": ".block.2", "out_conv": ".block.4", "shortcut": ".shortcut"}
    return f"model.{2 + (stage - 1) * (2 + blocks) + 1 + block}{parts[found[3]]}"


def fold_weight_norm(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Replace weight normalisation by plain weights: weight = g · v / ‖v‖.

    The norm is over all axes but the first. The first axis holds the output channels of a
    convolution, and the input channels of a transposed convolution. A direction of zero gives a
    weight of zero. Plain weights are kept. A common prefix before `model.`, such as the `module.`
    of a model that was trained on several devices, is removed.

    Args:
        state: Arrays by key, in torch's layouts.

    Raises:
        InputError: A length has no direction, or its shape does not fit the direction's first axis,
            or the plain weight is there too.

    Source: Salimans and Kingma, 2016, arXiv:1602.07868, equation 2; torch's `dim=0`.
    """
    matches = [re.match(r"(.*\.)?(?=model\.\d)", key) for key in state]
    prefixes = {match[1] if match and match[1] else "" for match in matches}
    prefix = prefixes.pop() if len(prefixes) == 1 else ""
    folded = {key.removeprefix(prefix): value for key, value in state.items()}
    pairs = [
        (key, key.removesuffix(length_name), direction_name)
        for length_name, direction_name in LENGTHS.items()
        for key in folded
        if key.endswith(length_name)
    ]
    for key, module, direction_name in pairs:
        direction_key, weight_key = f"{module}{direction_name}", f"{module}weight"
        length, direction = folded.pop(key), folded.pop(direction_key, None)
        if direction is None or weight_key in folded:
            raise InputError(
                f"{key} stands {'without' if direction is None else 'beside'} "
                f"{direction_key if direction is None else weight_key}; expected a length and a "
                f"direction, or a weight; {REMEDY}"
            )
        if not direction.ndim or length.shape != (len(direction), *[1] * (direction.ndim - 1)):
            raise InputError(
                f"{key} is {list(length.shape)} for {direction_key} {list(direction.shape)}; "
                f"expected one length for each of the first axis; {REMEDY}"
            )
        wide = direction.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            norm = np.sqrt(np.sum(wide**2, axis=tuple(range(1, wide.ndim)), keepdims=True))
            # A weight without a finite norm is refused by its name later.
            norm[np.isinf(norm)] = np.nan
            # A direction with a norm of zero is zero, so any divisor gives zero.
            weight = length.astype(np.float64) * wide / np.where(norm == 0, 1.0, norm)
        folded[weight_key] = weight.astype(direction.dtype)
    return folded


def from_public_state(state: Mapping[str, np.ndarray]) -> keras.Model:
    """Build the generator of a state dictionary in the public layout, with all its weights.

    Bins, channels, ratios and the number of residual blocks come from the weights' shapes.
    Dilations do not affect shapes: they are 1, 3, 9 and so on, as in the public implementation.

    Args:
        state: Arrays by key, in torch's layouts, with or without weight normalisation.

    Raises:
        InputError: The state belongs to another model, a key is left over or missing, or a weight
            has another shape, is not a floating-point array, or is not finite.
    """
    weights = fold_weight_norm(state)
    architecture = _read_architecture(weights)
    expected = {}
    for address, shape in architecture.weight_shapes().items():
        layer, _, kind = address.rpartition("/")
        module = public_module(layer, architecture.ratios, architecture.dilations)
        # torch reverses the axes of kernels of both kinds of convolution.
        expected[address] = (f"{module}.{kind.replace('kernel', 'weight')}", shape[::-1])
    faults = melgan.describe_mismatch(expected, weights)
    if faults:
        raise InputError(f"the weights are not those of a MelGAN generator; {faults}; {REMEDY}")
    return melgan.build(architecture, {key: weights[name].T for key, (name, _) in expected.items()})


def _read_architecture(weights: Mapping[str, np.ndarray]) -> Architecture:
    """Derive the architecture from the weights' keys and shapes."""
    numbers = sorted(
        int(found[1])
        for key in weights
        if (found := re.fullmatch(r"model\.([0-9]{1,4})\.weight", key))
    )
    blocks = [key for key in weights if re.fullmatch(r"model\.\d+\.shortcut\.weight", key)]
    kernels = [weights[f"model.{number}.weight"] for number in numbers]
    if len(kernels) < 3 or any(kernel.ndim != 3 for kernel in kernels):
        raise InputError(
            "the weights are not those of a MelGAN generator; expected model.1.weight_g and so on; "
            f"received {join_names(sorted(weights)) or 'nothing'}; {REMEDY}"
        )
    first, *ups, _ = kernels
    ratios = tuple(kernel.shape[2] // 2 for kernel in ups)
    return Architecture(
        bins=first.shape[1],
        channels=first.shape[0] // 2 ** len(ratios),
        ratios=ratios,
        dilations=tuple(3**number for number in range(len(blocks) // len(ratios))),
    )

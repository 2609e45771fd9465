"""Public checkpoints: outputs of their own networks, and of this project's with their weights.

A file is saved in the format of its project, with random weights. The importer then reads it,
detects its layout, translates the weights, takes sizes from them and assigns them.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import Tensor, nn

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.interop import public_files, public_weights
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS, with_bins
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.generators import generate
from parity.cases.case import Case
from parity.cases.pairs import Values
from parity.companion import public_torch
from parity.companion.public_tf1 import LeimaoModel

FRAMES = (128, 130, 512)
"""Numbers of frames. 130 is not a multiple of 4: a generator returns 132."""


@dataclass(frozen=True)
class PublicSizes:
    """Sizes of a public project's networks.

    Attributes:
        bins: Values per frame.
        channels: Channels of the narrowest layer.
        residual_blocks: Residual blocks of a generator.
    """

    bins: int
    channels: int = 4
    residual_blocks: int = 2


def torch_networks(layout: str, size: PublicSizes, dtype: torch.dtype) -> dict[str, nn.Module]:
    """Build a generator and a discriminator of a PyTorch project, with random weights."""
    generator, discriminator = {
        "karkirowle": (public_torch.KarkirowleGenerator, public_torch.KarkirowleDiscriminator),
        "jackaduma_vc2": (public_torch.JackadumaGenerator, public_torch.JackadumaDiscriminator),
        "mask_gantastic3": (public_torch.MaskGenerator, public_torch.MaskDiscriminator),
    }[layout]
    networks = {
        "generator_A2B": generator(size.bins, size.channels, size.residual_blocks),
        "discriminator_A": discriminator(size.channels),
    }
    for seed, module in enumerate(networks.values()):
        public_torch.randomise(module.to(dtype), seed)
    return networks


FILES = {
    "karkirowle": public_torch.karkirowle_file,
    "jackaduma_vc2": public_torch.jackaduma_file,
}
"""Contents of the file of projects that keep all networks in one file."""


@cache
def leimao_checkpoint(
    size: PublicSizes, dtype: np.dtype
) -> tuple[LeimaoModel, tempfile.TemporaryDirectory[str]]:
    """Build the TensorFlow 1 project's networks, and a folder with their checkpoint."""
    model = LeimaoModel(size.bins, size.channels, size.residual_blocks, tf.as_dtype(dtype))
    folder = tempfile.TemporaryDirectory()
    model.save(f"{folder.name}/sf1_tm1.ckpt")
    return model, folder


def save(layout: str, networks: Mapping[str, nn.Module], folder: Path) -> list[str]:
    """Write networks in the format of the project, and return the files."""
    if layout == "mask_gantastic3":
        paths = {folder / f"00500_{name}.pth.tar": module for name, module in networks.items()}
        for path, module in paths.items():
            torch.save(public_torch.mask_file(module), path)
        return list(map(str, paths))
    both = [networks[name] for name in ("generator_A2B", "discriminator_A") for _ in "AB"]
    path = folder / "checkpoint"
    torch.save(FILES[layout](*both), path)
    return [str(path)]


def public_outputs(layout: str, name: str, size: PublicSizes, *inputs: Tensor) -> dict[str, Tensor]:
    """Return a public network's outputs for (batch, frames, bins), channels last."""
    outputs = {}
    if layout == "leimao":
        model, _ = leimao_checkpoint(size, inputs[0].numpy().dtype)
        for given in inputs:
            features = given.mT.numpy()
            made = (
                model.convert("A2B", features).swapaxes(1, 2)
                if name.startswith("generator")
                else model.score("A", features)
            )
            outputs[_output_name(given.shape[1])] = torch.from_numpy(made)
        return outputs
    network = torch_networks(layout, size, inputs[0].dtype)[name]
    for given in inputs:
        features = given.mT
        with torch.no_grad():
            if name.startswith("generator"):
                masked = layout == "mask_gantastic3"
                made = network(features, *([torch.ones_like(features)] if masked else [])).mT
            elif layout == "karkirowle":
                made = network(features.unsqueeze(1))
            else:
                made = network(features).movedim(1, -1)
        outputs[_output_name(given.shape[1])] = made
    return outputs


def imported_outputs(
    layout: str, name: str, size: PublicSizes, *inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """Return our network's outputs for (batch, frames, bins), with weights of a public file."""
    model = import_network(layout, name, size, inputs[0].dtype)
    run = generate if name.startswith("generator") else (lambda network, given: network(given))
    return {_output_name(given.shape[1]): run(model, given).numpy() for given in inputs}


def import_network(layout: str, name: str, size: PublicSizes, dtype: np.dtype) -> keras.Model:
    """Build our network with the weights of a public file."""
    with tempfile.TemporaryDirectory() as folder:
        if layout == "leimao":
            _, saved = leimao_checkpoint(size, dtype)
            files = [f"{saved.name}/sf1_tm1.ckpt"]
        else:
            kind = torch.from_numpy(np.zeros(1, dtype)).dtype
            files = save(layout, torch_networks(layout, size, kind), Path(folder))
        found = public_files.read(files)
    detected = LAYOUTS[public_weights.detect_layout(found["generator_A2B"].state)]
    weights = {
        key: public_weights.translate(detected, key, network.state)
        for key, network in found.items()
    }  # fmt: skip
    bins = public_weights.count_bins(weights["generator_A2B"])
    network = public_weights.with_sizes(detected.network, weights.values())
    config = RunConfig(features=with_bins(detected.features, bins), network=network)
    model = registry.build_networks(config, [name])[name]
    public_weights.check_shapes(model, weights[name])
    public_weights.assign(model, weights[name])
    return model


def _output_name(frames: int) -> str:
    return f"output of {frames} frames"


CHANGES = {
    "karkirowle": (),
    "jackaduma_vc2": ("concat_value_and_gate", "channel_to_block_major"),
    "mask_gantastic3": ("concat_value_and_gate", "channel_to_block_major"),
    "leimao": ("concat_value_and_gate", "interleave_value_and_gate"),
}
"""Changes of layout that generators of a project need, by name."""

BINS = {"karkirowle": 24, "jackaduma_vc2": 36, "mask_gantastic3": 80, "leimao": 24}


def public_case(layout: str, name: str, size: PublicSizes, frames: tuple[int, ...]) -> Case:
    """Return the case of a network of a layout."""
    changes = (f"public_layouts.{change}" for change in CHANGES[layout])
    covers = ("public_weights.translate", *changes)
    return Case(
        f"public checkpoint, {layout}: {name.split('_')[0]}",
        covers if name.startswith("generator") else covers[:1],
        Values(
            partial(imported_outputs, layout, name, size),
            partial(public_outputs, layout, name, size),
        ),
        (tuple((1, count, size.bins) for count in frames),),
        network=True,
    )


PUBLIC = [
    public_case(layout, name, PublicSizes(bins), FRAMES)
    for layout, bins in BINS.items()
    for name in ("generator_A2B", "discriminator_A")
] + [
    replace(
        public_case(layout, "generator_A2B", PublicSizes(BINS[layout], 128, 6), FRAMES[:1]),
        name=f"public checkpoint, {layout}: generator at the project's size",
        dtypes=("float32",),
        slow=True,
    )
    for layout in ("karkirowle", "jackaduma_vc2", "mask_gantastic3")
]  # fmt: skip

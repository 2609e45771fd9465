"""Public checkpoints: what their own networks make of features, and ours with their weights.

Each file is saved as its project saves it, with random weights, and goes the importer's whole way:
read, recognised, translated, sized, assigned.
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
"""130 are no multiple of 4: a generator gives 132."""


@dataclass(frozen=True)
class PublicModel:
    """The networks of a public project.

    Attributes:
        bins: Values a frame.
        channels: Of the narrowest layer.
        residual_blocks: Of a generator.
    """

    bins: int
    channels: int = 4
    residual_blocks: int = 2


def torch_networks(layout: str, size: PublicModel, dtype: torch.dtype) -> dict[str, nn.Module]:
    """A generator and a discriminator of a project of PyTorch, with random weights."""
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
"""What the projects that keep all networks in one file write into it."""


@cache
def leimao(
    size: PublicModel, dtype: np.dtype
) -> tuple[LeimaoModel, tempfile.TemporaryDirectory[str]]:
    """The TensorFlow 1 project's networks, and a folder with their checkpoint."""
    model = LeimaoModel(size.bins, size.channels, size.residual_blocks, tf.as_dtype(dtype))
    folder = tempfile.TemporaryDirectory()
    model.save(f"{folder.name}/sf1_tm1.ckpt")
    return model, folder


def save(layout: str, networks: Mapping[str, nn.Module], folder: Path) -> list[str]:
    """Writes them as the project does; gives the files."""
    if layout == "mask_gantastic3":
        paths = {folder / f"00500_{name}.pth.tar": each for name, each in networks.items()}
        for path, each in paths.items():
            torch.save(public_torch.mask_file(each), path)
        return list(map(str, paths))
    both = [networks[name] for name in ("generator_A2B", "discriminator_A") for _ in "AB"]
    path = folder / "checkpoint"
    torch.save(FILES[layout](*both), path)
    return [str(path)]


def theirs(layout: str, name: str, size: PublicModel, *inputs: Tensor) -> dict[str, Tensor]:
    """What a project's network makes of (batch, frames, bins), channels last again."""
    outputs = {}
    if layout == "leimao":
        model, _ = leimao(size, inputs[0].numpy().dtype)
        for each in inputs:
            features = each.mT.numpy()
            made = (
                model.convert("A2B", features).swapaxes(1, 2)
                if name.startswith("generator")
                else model.score("A", features)
            )
            outputs[_output(each.shape[1])] = torch.from_numpy(made)
        return outputs
    network = torch_networks(layout, size, inputs[0].dtype)[name]
    for each in inputs:
        features = each.mT
        with torch.no_grad():
            if name.startswith("generator"):
                masked = layout == "mask_gantastic3"
                made = network(features, *([torch.ones_like(features)] if masked else [])).mT
            elif layout == "karkirowle":
                made = network(features.unsqueeze(1))
            else:
                made = network(features).movedim(1, -1)
        outputs[_output(each.shape[1])] = made
    return outputs


def ours(layout: str, name: str, size: PublicModel, *inputs: np.ndarray) -> dict[str, np.ndarray]:
    """What our network makes of the same, with the weights of a file of theirs."""
    model = imported(layout, name, size, inputs[0].dtype)
    run = generate if name.startswith("generator") else (lambda network, each: network(each))
    return {_output(each.shape[1]): run(model, each).numpy() for each in inputs}


def imported(layout: str, name: str, size: PublicModel, dtype: np.dtype) -> keras.Model:
    """Our network with the weights that a file of theirs has."""
    with tempfile.TemporaryDirectory() as folder:
        if layout == "leimao":
            _, saved = leimao(size, dtype)
            files = [f"{saved.name}/sf1_tm1.ckpt"]
        else:
            kind = torch.from_numpy(np.zeros(1, dtype)).dtype
            files = save(layout, torch_networks(layout, size, kind), Path(folder))
        found = public_files.read(files)
    told = LAYOUTS[public_weights.detect_layout(found["generator_A2B"].state)]
    weights = {
        each: public_weights.translate(told, each, network.state)
        for each, network in found.items()
    }  # fmt: skip
    bins = public_weights.count_bins(weights["generator_A2B"])
    network = public_weights.with_sizes(told.network, weights.values())
    config = RunConfig(features=with_bins(told.features, bins), network=network)
    model = registry.build_networks(config, [name])[name]
    public_weights.check_shapes(model, weights[name])
    public_weights.assign(model, weights[name])
    return model


def _output(frames: int) -> str:
    return f"output of {frames} frames"


CHANGES = {
    "karkirowle": (),
    "jackaduma_vc2": ("value_and_gate", "channel_major_shuffle"),
    "mask_gantastic3": ("value_and_gate", "channel_major_shuffle"),
    "leimao": ("value_and_gate", "value_and_gate_before_shuffle"),
}
"""The named changes of layout that its generators need."""

BINS = {"karkirowle": 24, "jackaduma_vc2": 36, "mask_gantastic3": 80, "leimao": 24}


def case(layout: str, name: str, size: PublicModel, frames: tuple[int, ...]) -> Case:
    """A network of a layout."""
    covers = ("public_weights.translate", *(f"public_layouts.{each}" for each in CHANGES[layout]))
    return Case(
        f"public checkpoint, {layout}: {name.split('_')[0]}",
        covers if name.startswith("generator") else covers[:1],
        Values(partial(ours, layout, name, size), partial(theirs, layout, name, size)),
        (tuple((1, count, size.bins) for count in frames),),
        network=True,
    )


PUBLIC = [
    case(layout, name, PublicModel(bins), FRAMES)
    for layout, bins in BINS.items()
    for name in ("generator_A2B", "discriminator_A")
] + [
    replace(
        case(layout, "generator_A2B", PublicModel(BINS[layout], 128, 6), FRAMES[:1]),
        name=f"public checkpoint, {layout}: generator at the project's size",
        dtypes=("float32",),
        slow=True,
    )
    for layout in ("karkirowle", "jackaduma_vc2", "mask_gantastic3")
]  # fmt: skip

"""Layouts of public projects' checkpoints: tables of layers and the projects' modules.

A table has one mapping per layer. A mapping names the project's modules of the layer: one, or two
where value and gate are separate modules. Its transform is a named function that makes the Keras
weight from the project's weights. All weights are NumPy arrays, so that this module needs neither
PyTorch nor TensorFlow.

Source: keys and shapes in the projects' own checkpoints.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS

WeightTransform = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Function from a project's weights of a layer, in the Keras layout, to the layer's weight."""


def unchanged(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Return the only weight, unchanged."""
    (weight,) = weights
    return weight


def concat_value_and_gate(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate the channels of two convolutions or norms: the value's, then the gate's."""
    return np.concatenate(weights, axis=-1)


def interleave_value_and_gate(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Join two convolutions before a 1-D pixel shuffle into one.

    The shuffle splits the channels into two frames. The order of the joined channels is value and
    gate of the first frame, then value and gate of the second frame.
    """
    halves = [np.split(weight, 2, axis=-1) for weight in weights]
    return np.concatenate([half[frame] for frame in (0, 1) for half in halves], axis=-1)


def channel_to_block_major(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Reorder a convolution's channels from `nn.PixelShuffle` to `tf.nn.depth_to_space`.

    The channels go from order (C, 4) to order (4, C).
    """
    (weight,) = weights
    blocks = weight.reshape(*weight.shape[:-1], -1, 4)
    return np.moveaxis(blocks, -1, -2).reshape(weight.shape)


@dataclass(frozen=True)
class LayerMapping:
    """Mapping between a layer and modules of a public network.

    Attributes:
        layer: Layer of this package.
        modules: Modules of the public network; value and gate where they are separate.
        transform: Function from the modules' weights, in the Keras layout, to the layer's weight.
    """

    layer: str
    modules: tuple[str, ...]
    transform: WeightTransform = unchanged


LayerTable = Callable[[int], Iterator[LayerMapping]]
"""Function from the number of residual blocks to a network's layer mappings."""


@dataclass(frozen=True)
class PublicLayout:
    """Layout of a public project's checkpoints.

    Attributes:
        project: Address of the project.
        signature: Pattern of a key that only this layout's generators have.
        generator: Layer table of the generators.
        discriminator: Layer table of the discriminators.
        residual: Pattern of a key that a generator has once per residual block.
        network: Settings of the networks; their sizes are read from the weights instead.
        features: Settings of the features; the number of bins is read from the weights instead.
        is_torch: Whether the files are PyTorch's; otherwise they are TensorFlow 1's.
        dropped: Patterns of keys that are not imported, each with the reason.
    """

    project: str
    signature: str
    generator: LayerTable
    discriminator: LayerTable
    residual: str
    network: NetworkConfig
    features: FeatureConfig
    is_torch: bool = True
    dropped: dict[str, str] = field(default_factory=dict)

    def layer_mappings(self, network: str, residual_blocks: int) -> Iterator[LayerMapping]:
        """Return the layer mappings of a network.

        Args:
            network: Name of the network, such as "generator_A2B".
            residual_blocks: Number of residual blocks, of a generator.
        """
        table = self.generator if network.startswith("generator") else self.discriminator
        return table(residual_blocks)

    def count_residual_blocks(self, keys: Iterable[str]) -> int:
        """Count the residual blocks in a generator's keys."""
        return sum(bool(re.fullmatch(self.residual, key)) for key in keys)

    def drop_reason(self, key: str) -> str | None:
        """Return why a key is not imported; None if it must be imported."""
        matches = (reason for pattern, reason in self.dropped.items() if re.fullmatch(pattern, key))
        return next(matches, None)


def _karkirowle_generator(blocks: int) -> Iterator[LayerMapping]:
    yield LayerMapping("input_conv", ("block.0.conv",))
    for n in (1, 2):
        yield LayerMapping(f"down_{n}_conv", (f"block.{1 + n}.conv.conv",))
        yield LayerMapping(f"down_{n}_norm", (f"block.{1 + n}.instance_norm",))
    for n in range(1, blocks + 1):
        yield LayerMapping(f"residual_{n}_conv", (f"block.{3 + n}.block.0.conv",))
        yield LayerMapping(f"residual_{n}_out_conv", (f"block.{3 + n}.block.3.conv",))
    for n in (1, 2):
        yield LayerMapping(f"up_{n}_conv", (f"block.{3 + blocks + n}.block.0.conv",))
    yield LayerMapping("output_conv", (f"block.{6 + blocks}.conv",))


def _karkirowle_discriminator(_: int) -> Iterator[LayerMapping]:
    yield LayerMapping("block_1_conv", ("block.0.conv",))
    for n in (2, 3, 4):
        yield LayerMapping(f"block_{n}_conv", (f"block.{n}.conv.conv",))
        yield LayerMapping(f"block_{n}_norm", (f"block.{n}.instance_norm",))
    yield LayerMapping("scores", ("block.6",))


def _vc2_generator(fold: Sequence[str], unfold: Sequence[str]) -> LayerTable:
    """Return the layer table of VC2's public generator.

    Args:
        fold: Modules of the convolution from 2-D to 1-D and of its norm.
        unfold: Modules of the convolution from 1-D to 2-D and of its norm.
    """

    def table(blocks: int) -> Iterator[LayerMapping]:
        yield LayerMapping("input_conv", ("conv1", "conv1_gates"), concat_value_and_gate)
        for n in (1, 2):
            value, gate = f"downSample{n}.convLayer", f"downSample{n}.convLayer_gates"
            yield LayerMapping(f"down_{n}_conv", (f"{value}.0", f"{gate}.0"), concat_value_and_gate)
            yield LayerMapping(f"down_{n}_norm", (f"{value}.1", f"{gate}.1"), concat_value_and_gate)
        yield LayerMapping("fold_conv", (fold[0],))
        yield LayerMapping("fold_norm", (fold[1],))
        for n in range(1, blocks + 1):
            inner = f"residualLayer{n}"
            value, gate = f"{inner}.conv1d_layer", f"{inner}.conv_layer_gates"
            yield LayerMapping(
                f"residual_{n}_conv", (f"{value}.0", f"{gate}.0"), concat_value_and_gate
            )
            yield LayerMapping(
                f"residual_{n}_norm", (f"{value}.1", f"{gate}.1"), concat_value_and_gate
            )
            yield LayerMapping(f"residual_{n}_out_conv", (f"{inner}.conv1d_out_layer.0",))
            yield LayerMapping(f"residual_{n}_out_norm", (f"{inner}.conv1d_out_layer.1",))
        yield LayerMapping("unfold_conv", (unfold[0],))
        yield LayerMapping("unfold_norm", (unfold[1],))
        for n in (1, 2):
            yield LayerMapping(f"up_{n}_conv", (f"upSample{n}.0",), channel_to_block_major)
            yield LayerMapping(f"up_{n}_norm", (f"upSample{n}.2",))
        yield LayerMapping("output_conv", ("lastConvLayer",))

    return table


def _vc2_discriminator(_: int) -> Iterator[LayerMapping]:
    yield LayerMapping("block_1_conv", ("convLayer1.0",))
    for n in (1, 2, 3):
        yield LayerMapping(f"block_{n + 1}_conv", (f"downSample{n}.0",))
        yield LayerMapping(f"block_{n + 1}_norm", (f"downSample{n}.1",))
    yield LayerMapping("scores", ("outputConvLayer.0",))


def _norm(number: int) -> str:
    """Return the name of a TensorFlow 1 norm; norms are numbered in the order of creation."""
    return f"InstanceNorm_{number}" if number else "InstanceNorm"


def _leimao_generator(blocks: int) -> Iterator[LayerMapping]:
    yield LayerMapping("input_conv", ("h1_conv", "h1_conv_gates"), concat_value_and_gate)
    for n in (1, 2):
        inner, norm = f"downsample1d_block{n}", 2 * (n - 1)
        yield LayerMapping(
            f"down_{n}_conv", (f"{inner}_h1_conv", f"{inner}_h1_gates"), concat_value_and_gate
        )
        yield LayerMapping(f"down_{n}_norm", (_norm(norm), _norm(norm + 1)), concat_value_and_gate)
    for n in range(1, blocks + 1):
        inner, norm = f"residual1d_block{n}", 4 + 3 * (n - 1)
        yield LayerMapping(
            f"residual_{n}_conv", (f"{inner}_h1_conv", f"{inner}_h1_gates"), concat_value_and_gate
        )
        yield LayerMapping(
            f"residual_{n}_norm", (_norm(norm), _norm(norm + 1)), concat_value_and_gate
        )
        yield LayerMapping(f"residual_{n}_out_conv", (f"{inner}_h2_conv",))
        yield LayerMapping(f"residual_{n}_out_norm", (_norm(norm + 2),))
    for n in (1, 2):
        inner, norm = f"upsample1d_block{n}", 4 + 3 * blocks + 2 * (n - 1)
        modules = f"{inner}_h1_conv", f"{inner}_h1_gates"
        yield LayerMapping(f"up_{n}_conv", modules, interleave_value_and_gate)
        yield LayerMapping(f"up_{n}_norm", (_norm(norm), _norm(norm + 1)), concat_value_and_gate)
    yield LayerMapping("output_conv", ("o1_conv",))


def _leimao_discriminator(_: int) -> Iterator[LayerMapping]:
    yield LayerMapping("block_1_conv", ("h1_conv", "h1_conv_gates"), concat_value_and_gate)
    for n in (1, 2, 3):
        inner, norm = f"downsample2d_block{n}", 2 * (n - 1)
        modules = f"{inner}_h1_conv", f"{inner}_h1_gates"
        yield LayerMapping(f"block_{n + 1}_conv", modules, concat_value_and_gate)
        yield LayerMapping(
            f"block_{n + 1}_norm", (_norm(norm), _norm(norm + 1)), concat_value_and_gate
        )
    yield LayerMapping("scores", ("dense",))


_NEVER_CALLED = {
    r"downSample4\..*": "a block of the discriminator that the project builds and never calls",
    r"convLayer\..*": "upSample2 under a second name",
    r"upSample[12]_tfan\..*": "a TFAN of the generator that the project builds and never calls",
}

_VC2 = replace(
    PRESETS["vc2"].network,
    padding="symmetric",
    norm_epsilon=1e-5,
    gate="silu",
    discriminator_widths=(1, 2, 4, 8),
    discriminator_kernels=("3x3", "3x3", "3x3", "3x3", "1x3"),
    discriminator_sigmoid=True,
)

LAYOUTS = {
    "karkirowle": PublicLayout(
        project="github.com/karkirowle/cyclegan_pytorch",
        signature=r"block\.4\.block\.0\.conv\.weight",
        generator=_karkirowle_generator,
        discriminator=_karkirowle_discriminator,
        residual=r"block\.\d+\.block\.3\.conv\.weight",
        network=NetworkConfig(
            generator_widths=(1, 2, 4, 8, 2, 1),
            generator_kernels=("15", "5", "5", "3", "5", "5", "5"),
            padding="symmetric",
            up_norm_epsilon=1e-5,
            norm_affine="down",
        ),
        features=FeatureConfig(),
    ),
    "jackaduma_vc2": PublicLayout(
        project="github.com/jackaduma/CycleGAN-VC2",
        signature=r"conv2dto1dLayer\.0\.weight",
        generator=_vc2_generator(
            ("conv2dto1dLayer.0", "conv2dto1dLayer.1"), ("conv1dto2dLayer.0", "conv1dto2dLayer.1")
        ),
        discriminator=_vc2_discriminator,
        residual=r"residualLayer\d+\.conv1d_out_layer\.0\.weight",
        network=_VC2,
        features=FeatureConfig(mel_cepstra=36),
        dropped=_NEVER_CALLED,
    ),
    "mask_gantastic3": PublicLayout(
        project="github.com/GANtastic3/MaskCycleGAN-VC",
        signature=r"conv2dto1dLayer\.weight",
        generator=_vc2_generator(
            ("conv2dto1dLayer", "conv2dto1dLayer_tfan"), ("conv1dto2dLayer", "conv1dto2dLayer_tfan")
        ),
        discriminator=_vc2_discriminator,
        residual=r"residualLayer\d+\.conv1d_out_layer\.0\.weight",
        network=replace(_VC2, variant="mask"),
        features=PRESETS["mask"].features,
        dropped=_NEVER_CALLED,
    ),
    "leimao": PublicLayout(
        project="github.com/leimao/Voice-Converter-CycleGAN",
        signature="residual1d_block1_h1_conv/kernel",
        generator=_leimao_generator,
        discriminator=_leimao_discriminator,
        residual=r"residual1d_block\d+_h2_conv/kernel",
        network=NetworkConfig(discriminator_sigmoid=True),
        features=FeatureConfig(),
        is_torch=False,
    ),
}
"""Public layouts by name."""


def with_bins(features: FeatureConfig, bins: int) -> FeatureConfig:
    """Return features with another number of values per frame."""
    name = "mel_cepstra" if features.spectra == "mel_cepstra" else "mel_bins"
    changed: dict[str, Any] = {name: bins}
    return replace(features, **changed)

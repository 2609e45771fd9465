"""Layers and losses, each beside its twin in PyTorch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan_vc_tf.models import layers, short_sums
from cyclegan_vc_tf.training import losses
from parity.cases.case import Case, Named, Shape, layer_model, single_input
from parity.cases.pairs import Functions, Networks
from parity.companion import train_step
from parity.companion.vc1 import Conv, PixelShuffle1d, gate
from parity.companion.vc2 import PixelShuffle2d


def convolution(
    padding: str, kernel: tuple[int, ...], stride: tuple[int, ...], channels: int = 5
) -> Networks:
    """Pair `layers.Convolutions` with torch's, from 3 channels to `channels`."""

    def ours() -> keras.Model:
        inputs = keras.Input((*[None] * len(kernel), 3))
        make = layers.Convolutions("case", 0, padding)  # type: ignore[arg-type]
        return keras.Model(inputs, make(inputs, channels, kernel, stride, "conv"))

    kind = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
    return Networks(ours, lambda: Named("conv", Conv(kind, (3, channels), kernel, stride, padding)))


CONVOLUTIONS = [
    Case(
        f"convolution {'x'.join(map(str, kernel))} stride {'x'.join(map(str, stride))}, {padding}",
        ("layers.Convolutions", *(["layers.symmetric_padding"] if padding != "same" else [])),
        convolution(padding, kernel, stride),
        single_input((1, 16, 3), (3, 17, 3), (1, 4, 3), (3, 6, 3))
        if len(kernel) == 1
        else single_input((1, 8, 16, 3), (3, 7, 17, 3), (1, 6, 9, 3), (3, 9, 6, 3)),
    )
    for padding in ("same", "symmetric")
    for kernel, stride in (
        ((15,), (1,)), ((5,), (2,)), ((4,), (2,)), ((5,), (1,)), ((4,), (1,)), ((3,), (1,)),
        ((3, 3), (1, 2)), ((3, 3), (2, 2)), ((6, 3), (1, 2)), ((6, 4), (1, 1)),
    )
]  # fmt: skip

NARROW_CONVOLUTIONS = [
    Case(
        f"convolution {'x'.join(map(str, kernel))} to {channels} channels, {padding}",
        ("layers.Convolutions", *(["layers.symmetric_padding"] if padding != "same" else [])),
        convolution(padding, kernel, (1,) * len(kernel), channels),
        single_input((1, 17, 3), (3, 16, 3))
        if len(kernel) == 1
        else single_input((1, 8, 16, 3), (3, 7, 17, 3)),
    )
    for padding in ("same", "symmetric")
    for kernel, channels in (((15,), 2), ((5, 15), 1), ((3, 4), 2))
]
"""Convolutions to few channels, see `models.narrow_conv`; all cases have few input channels."""


def norm_case(
    name: str, covers: tuple[str, ...], axes: int, epsilon: float, make: Callable[..., Any]
) -> Case:
    """Compare a norm of 6 channels with torch's.

    Args:
        name: Name of the norm.
        covers: Parts of this project that the case covers.
        axes: Number of axes that the norm averages over, 1 or 2.
        epsilon: Epsilon of the norm.
        make: Function of the keywords `epsilon` and `name` that makes the layer.
    """
    kind = nn.InstanceNorm1d if axes == 1 else nn.InstanceNorm2d
    return Case(
        name,
        covers,
        Networks(
            lambda: layer_model(lambda: make(epsilon=epsilon, name="norm"), 6, axes),
            lambda: Named("norm", kind(6, eps=epsilon, affine=True)),
        ),
        single_input((1, 16, 6), (3, 7, 6))
        if axes == 1
        else single_input((1, 6, 8, 6), (3, 5, 3, 6)),
        draw=draw_uneven,
    )


class NormByAxis(layers.InstanceNormalization):
    """Instance norm with means of one axis after another, as exports to TensorFlow Lite have it."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise `inputs`."""
        with short_sums.short_sums():
            return super().call(inputs)


class Gate(nn.Module):
    """The companion's gate as a module."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, inputs: Tensor) -> Tensor:
        """Gate (batch, channels, positions…)."""
        return gate(self.kind, inputs)


def draw_uneven(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw channels with different means and scales."""
    scales = np.linspace(0.5, 2.0, shape[-1])
    return scales * rng.standard_normal(shape) + np.linspace(-1.0, 2.0, shape[-1])


def resize(size: tuple[int, ...]) -> Functions:
    """Pair `layers.NearestResize` with torch's, to `size` positions."""

    def ours(picture: tf.Tensor) -> tf.Tensor:
        like = tf.zeros((1, *size, 1), picture.dtype)
        return layers.NearestResize()((picture, like))

    def twin(picture: Tensor) -> Tensor:
        return F.interpolate(picture, size, mode="nearest-exact")

    return Functions(ours, twin)


LAYERS = [
    Case(
        "gated linear unit",
        ("layers.GatedLinearUnit",),
        Networks(
            lambda: layer_model(layers.GatedLinearUnit, 6, 1), lambda: nn.GLU(dim=1)
        ),
        single_input((1, 16, 6), (3, 7, 6), (1, 1, 6)),
    ),
    Case(
        "gated linear unit, 2-D",
        ("layers.GatedLinearUnit",),
        Networks(
            lambda: layer_model(layers.GatedLinearUnit, 6, 2), lambda: nn.GLU(dim=1)
        ),
        single_input((1, 6, 8, 6), (3, 5, 7, 6)),
    ),
    *(
        Case(
            f"gate, {kind}",
            ("layers.gate",),
            Networks(
                lambda kind=kind: layer_model(lambda: layers.gate(kind, "gate"), 6, 2),  # type: ignore[misc]
                lambda kind=kind: Gate(kind),  # type: ignore[misc]
            ),
            single_input((1, 6, 8, 6), (3, 5, 7, 6)),
        )
        for kind in ("glu", "silu")
    ),
    Case(
        "pixel shuffle, 1-D",
        ("layers.PixelShuffle1D",),
        Networks(lambda: layer_model(layers.PixelShuffle1D, 12, 1), PixelShuffle1d),
        single_input((1, 16, 12), (3, 7, 12), (1, 1, 12)),
    ),
    *(
        norm_case(
            f"instance norm, {axes}-D, epsilon {epsilon:g}",
            ("layers.instance_norm", "layers.InstanceNormalization"),
            axes,
            epsilon,
            # Looked up at each call, so that faults can be put into it.
            lambda epsilon, name: layers.instance_norm(epsilon, name),
        )
        for axes in (1, 2)
        for epsilon in (1e-6, 1e-5, 1e-3)
    ),
    *(
        norm_case(
            f"instance norm, means by axis, {axes}-D",
            ("layers.InstanceNormalization",),
            axes,
            1e-6,
            NormByAxis,
        )
        for axes in (1, 2)
    ),
    *(
        norm_case(
            f"keras.layers.GroupNormalization(groups=-1), {axes}-D",
            # `instance_norm` is of Addons on the reference stack, and this on the living one.
            ("layers.instance_norm",),
            axes,
            1e-6,
            partial(keras.layers.GroupNormalization, groups=-1),
        )
        for axes in (1, 2)
    ),
    Case(
        "pixel shuffle, 2-D",
        ("layers.PixelShuffle2D",),
        Networks(lambda: layer_model(layers.PixelShuffle2D, 12, 2), PixelShuffle2d),
        single_input((1, 6, 8, 12), (3, 5, 7, 12), (1, 1, 1, 12)),
    ),
    *(
        Case(
            f"nearest resize, {'x'.join(map(str, size))}",
            ("layers.NearestResize",),
            resize(size),
            single_input((1, 16, 3), (3, 13, 3))
            if len(size) == 1
            else single_input((1, 16, 64, 3), (3, 9, 17, 3)),
        )
        for size in ((4,), (7,), (4, 16), (5, 17))
    ),
    Case(
        "bins by frames, for three layers",
        ("layers.BinsByFrames",),
        Functions(
            lambda picture: tf.concat(layers.BinsByFrames(3)(picture), -1),
            lambda picture: torch.cat([picture.mT] * 3, dim=1),
        ),
        single_input((1, 16, 6, 2), (3, 7, 5, 2)),
    ),
    Case(
        "mask of frames",
        ("layers.MaskFrames",),
        Functions(
            lambda features, mask: layers.MaskFrames()((features, mask)),
            lambda features, mask: torch.stack(
                (features * mask, mask.expand_as(features)), dim=1
            ).mT,
        ),
        (((1, 16, 6), (1, 16, 1)), ((3, 7, 6), (3, 7, 1))),
    ),
    *CONVOLUTIONS,
    *NARROW_CONVOLUTIONS,
]  # fmt: skip


def two_inputs(*shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Return shapes for a part with two inputs of equal shape."""
    return tuple((shape, shape) for shape in shapes)


LOSSES = [
    *(
        Case(
            f"least-squares loss, target {target:g}",
            ("losses.least_squares_loss",),
            Functions(
                lambda scores, target=target: losses.least_squares_loss(scores, target),
                lambda scores, target=target: train_step.least_squares_loss(scores, target),
            ),
            single_input((1, 6, 8, 1), (3, 5, 7, 1)),
        )
        for target in (1.0, 0.0)
    ),
    Case(
        "discriminator loss",
        ("losses.discriminator_loss",),
        Functions(
            lambda real, fake: losses.discriminator_loss(real, fake),
            train_step.discriminator_loss,
        ),
        two_inputs((1, 6, 8, 1), (3, 5, 7, 1)),
    ),
    Case(
        "self-regularisation loss",
        ("losses.self_regularization_loss",),
        Functions(
            lambda source, converted: losses.self_regularization_loss(source, converted),
            train_step.self_regularization_loss,
        ),
        two_inputs((1, 16, 24), (3, 7, 24)),
    ),
    Case(
        "L1 loss",
        ("losses.l1_loss",),
        Functions(lambda expected, actual: losses.l1_loss(expected, actual), train_step.l1_loss),
        two_inputs((1, 16, 24), (3, 7, 24)),
    ),
]

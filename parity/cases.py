"""What is compared: one list of this project's parts, each beside its twin in PyTorch."""

from dataclasses import replace
from functools import partial

import keras
import numpy as np
import torch
from torch import nn

from cyclegan_vc_tf import layers, losses, normalization
from cyclegan_vc_tf.config import NetworkConfig
from cyclegan_vc_tf.discriminators import vc1_discriminator
from cyclegan_vc_tf.generators import vc1_generator
from parity import torch_step, twins
from parity.case import Case, Named, Shape, alone, one
from parity.pairs import Functions, Networks, Values
from parity.torch_models import Conv, Discriminator, Generator, PixelShuffle1d


def convolution(
    padding: str, kernel: tuple[int, ...], stride: tuple[int, ...], channels: int = 5
) -> Networks:
    """`layers.Convolutions` and torch's, from 3 channels to `channels`."""

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
        one((1, 16, 3), (3, 17, 3), (1, 4, 3), (3, 6, 3))
        if len(kernel) == 1
        else one((1, 8, 16, 3), (3, 7, 17, 3), (1, 6, 9, 3), (3, 9, 6, 3)),
    )
    for padding in ("same", "symmetric")
    for kernel, stride in (
        ((15,), (1,)), ((5,), (2,)), ((4,), (2,)), ((5,), (1,)), ((4,), (1,)), ((3,), (1,)),
        ((3, 3), (1, 2)), ((3, 3), (2, 2)), ((6, 3), (1, 2)), ((6, 4), (1, 1)),
    )
]  # fmt: skip


def norm(axes: int, epsilon: float) -> Networks:
    """`layers.instance_norm` and torch's, of 6 channels."""
    kind = nn.InstanceNorm1d if axes == 1 else nn.InstanceNorm2d
    return Networks(
        lambda: alone(lambda: layers.instance_norm(epsilon, "norm"), 6, axes),
        lambda: Named("norm", kind(6, eps=epsilon, affine=True)),
    )


def uneven(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Channels of unlike mean and scale."""
    scales = np.linspace(0.5, 2.0, shape[-1])
    return scales * rng.standard_normal(shape) + np.linspace(-1.0, 2.0, shape[-1])


LAYERS = [
    Case(
        "gated linear unit",
        ("layers.GatedLinearUnit",),
        Networks(
            lambda: alone(layers.GatedLinearUnit, 6, 1), lambda: nn.GLU(dim=1)
        ),
        one((1, 16, 6), (3, 7, 6), (1, 1, 6)),
    ),
    Case(
        "gated linear unit, 2-D",
        ("layers.GatedLinearUnit",),
        Networks(
            lambda: alone(layers.GatedLinearUnit, 6, 2), lambda: nn.GLU(dim=1)
        ),
        one((1, 6, 8, 6), (3, 5, 7, 6)),
    ),
    Case(
        "pixel shuffle, 1-D",
        ("layers.PixelShuffle1D",),
        Networks(lambda: alone(layers.PixelShuffle1D, 12, 1), PixelShuffle1d),
        one((1, 16, 12), (3, 7, 12), (1, 1, 12)),
    ),
    *(
        Case(
            f"instance norm, {axes}-D, epsilon {epsilon:g}",
            ("layers.instance_norm",),
            norm(axes, epsilon),
            one((1, 16, 6), (3, 7, 6)) if axes == 1 else one((1, 6, 8, 6), (3, 5, 3, 6)),
            draw=uneven,
        )
        for axes in (1, 2)
        for epsilon in (1e-6, 1e-5, 1e-3)
    ),
    *CONVOLUTIONS,
]  # fmt: skip


def score_maps(*shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Two inputs of each shape."""
    return tuple((shape, shape) for shape in shapes)


LOSSES = [
    *(
        Case(
            f"least-squares loss, target {target:g}",
            ("losses.least_squares_loss",),
            Functions(
                lambda scores, target=target: losses.least_squares_loss(scores, target),
                lambda scores, target=target: torch_step.least_squares_loss(scores, target),
            ),
            one((1, 6, 8, 1), (3, 5, 7, 1)),
        )
        for target in (1.0, 0.0)
    ),
    Case(
        "discriminator loss",
        ("losses.discriminator_loss",),
        Functions(
            lambda real, fake: losses.discriminator_loss(real, fake),
            torch_step.discriminator_loss,
        ),
        score_maps((1, 6, 8, 1), (3, 5, 7, 1)),
    ),
    Case(
        "L1 loss",
        ("losses.l1_loss",),
        Functions(lambda expected, actual: losses.l1_loss(expected, actual), torch_step.l1_loss),
        score_maps((1, 16, 24), (3, 7, 24)),
    ),
]


def generator(config: NetworkConfig, bins: int) -> Networks:
    """CycleGAN-VC's generator."""
    return Networks(
        lambda: vc1_generator("generator", bins, config, 0), lambda: Generator(bins, config)
    )


def discriminator(config: NetworkConfig, bins: int) -> Networks:
    """CycleGAN-VC's discriminator."""
    return Networks(
        lambda: vc1_discriminator("discriminator", bins, config, 0),
        lambda: Discriminator(bins, config),
    )


def networks(name: str, config: NetworkConfig, bins: int) -> list[Case]:
    """Both networks with some settings."""
    return [
        Case(
            f"{kind}, {name}",
            (f"{kind}s.vc1_{kind}",),
            make(config, bins),
            shapes,
            network=True,
            zero_gradients=twins.NORMED_BIASES,
        )
        for kind, make, shapes in (
            ("generator", generator, one((1, 32, bins), (3, 33, bins), (1, 130, bins))),
            ("discriminator", discriminator, one((1, 16, bins), (3, 33, bins), (1, 130, bins))),
        )
    ]


NETWORKS = [
    *networks("small", twins.SMALL, 24),
    *networks("small, 25 bins", twins.SMALL, 25),
    *networks("small, symmetric padding", replace(twins.SMALL, padding="symmetric"), 24),
    *networks(
        "small, other kernels, widths and epsilon",
        replace(
            twins.SMALL,
            generator_kernels=(5, 4, 6, 5, 3, 4, 7),
            generator_widths=(2, 1, 3, 2, 1, 4),
            discriminator_kernels=("5x4", "4x3", "3x5", "2x2"),
            discriminator_widths=(2, 1, 3, 2),
            norm_epsilon=1e-3,
        ),
        24,
    ),
    networks("small, sigmoid", replace(twins.SMALL, discriminator_sigmoid=True), 24)[1],
    *(
        replace(case, shapes=one((1, 128, 24)), slow=True)
        for case in networks("as in the paper", NetworkConfig(), 24)
    ),
]  # fmt: skip

F32 = ("float32",)
F64 = ("float64",)

VALUES = [
    Case(
        "normalise with a speaker's statistics",
        ("normalization.apply", "normalization.Statistics"),
        Values(
            lambda x: normalization.apply(x, twins.SPEAKER),
            twins.torch_apply,
        ),
        one((16, 24), (7, 24)),
        dtypes=F32,
    ),
    Case(
        "undo the normalisation",
        ("normalization.undo",),
        Values(
            lambda x: normalization.undo(x, twins.SPEAKER),
            twins.torch_undo,
        ),
        one((16, 24), (7, 24)),
        dtypes=F32,
    ),
    Case(
        "mean and deviation",
        ("normalization.moments",),
        Values(
            twins.moments_of,
            lambda x: torch.stack([x.double().mean(0), x.double().std(0, correction=0)]),
        ),
        one((16, 24), (1, 24), (7, 24)),
        draw=lambda rng, shape: 3.0 + rng.standard_normal(shape),
    ),
    Case(
        "F0 map",
        ("normalization.convert_f0",),
        Values(
            lambda x: normalization.convert_f0(x, twins.SPEAKER, twins.OTHER),
            twins.torch_convert_f0,
        ),
        one((64,), (7,)),
        draw=twins.f0_contour,
        dtypes=F64,
    ),
    Case(
        "Adam, 100 steps",
        ("optimizer.Adam",),
        Values(twins.adam, twins.torch_adam),
        one((100, 8)),
        draw=twins.small_gradients,
    ),
    Case(
        "learning-rate schedule",
        ("optimizer.linear_decay",),
        Values(twins.schedule, twins.torch_schedule),
        one((50,)),
        draw=lambda rng, shape: rng.integers(0, 500_000, shape),
        dtypes=("int64",),
    ),
    Case(
        "conversion of any number of frames",
        ("conversion.Converter",),
        Values(twins.convert, twins.torch_convert),
        one((128, 24), (130, 24), (5, 24), (7, 24)),
        network=True,
        dtypes=F64,
    ),
    *(
        Case(
            f"training, four steps{', traced' if traced else ''}",
            ("trainer.Trainer",),
            Values(partial(twins.steps, traced=traced), twins.torch_steps),
            one((4, 2, 1, 16, 24)) if traced else one((4, 2, 3, 20, 24)),
            network=True,
            slow=traced,
        )
        for traced in (False, True)
    ),
]  # fmt: skip

CASES = [*LAYERS, *LOSSES, *NETWORKS, *VALUES]

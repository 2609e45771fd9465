"""What is compared: one list of this project's parts, each beside its twin in PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan_vc_tf import layers, losses, normalization, optimizer
from cyclegan_vc_tf.config import FeatureConfig, NetworkConfig, RunConfig, TrainingConfig
from cyclegan_vc_tf.conversion import Converter
from cyclegan_vc_tf.discriminators import vc1_discriminator
from cyclegan_vc_tf.generators import vc1_generator
from cyclegan_vc_tf.normalization import Statistics
from parity import torch_step
from parity.pairs import Functions, Networks, Pair, Values
from parity.runs import TensorFlowRun, TorchRun, match, match_runs, train
from parity.torch_models import Conv, Discriminator, Generator, PixelShuffle1d

Shape = tuple[int, ...]

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Case:
    """A part of this project and its twin.

    Functions that this project's side calls are looked up when they are called, so that a fault put
    into a module is seen.

    Attributes:
        name: In reports.
        covers: Which public names it holds to account, as module.name.
        pair: Both sides.
        shapes: Of the inputs, channels last; the case is run on each.
        network: Whether rounding of many layers adds up in it.
        dtypes: Types it exists in.
        zero_gradients: Pattern of weights whose gradient is zero in truth: a constant in front of
            a norm that takes it away again. What is computed is rounding, compared absolutely.
        draw: Makes one input of a shape.
        slow: Left out of a quick run.
    """

    name: str
    covers: tuple[str, ...]
    pair: Pair
    shapes: tuple[tuple[Shape, ...], ...]
    network: bool = False
    dtypes: tuple[str, ...] = DTYPES
    zero_gradients: str = ""
    draw: Callable[[np.random.Generator, Shape], np.ndarray] = lambda rng, shape: (
        rng.standard_normal(shape)
    )
    slow: bool = False


def one(*shapes: Shape) -> tuple[tuple[Shape, ...], ...]:
    """Shapes for a part with one input."""
    return tuple((shape,) for shape in shapes)


def alone(make: Callable[[], keras.layers.Layer], channels: int, axes: int) -> keras.Model:
    """A model of a single layer on (batch, positions…, channels)."""
    inputs = keras.Input((*[None] * axes, channels))
    return keras.Model(inputs, make()(inputs))


class Named(nn.Module):
    """A torch module under the name that its Keras twin has."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self.add_module(name, module)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the module does."""
        (module,) = self.children()
        return module(inputs)


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

SMALL = NetworkConfig(channels=4, residual_blocks=2)

NORMED_BIASES = r"(down|residual)\.\d+\.(out_)?conv\.bias|block\.[1-9]\.conv\.bias"
"""In the up blocks a shuffle stands between convolution and norm: two biases share a channel
there, and only their sum has no effect."""


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


def networks(name: str, config: NetworkConfig, bins: int, **kept: object) -> list[Case]:
    """Both networks with some settings."""
    return [
        Case(
            f"{kind}, {name}",
            (f"{kind}s.vc1_{kind}",),
            make(config, bins),
            kept.get("shapes") or shapes,
            network=True,
            zero_gradients=NORMED_BIASES,
            slow="shapes" in kept,
        )
        for kind, make, shapes in (
            ("generator", generator, one((1, 32, bins), (3, 20, bins), (1, 132, bins))),
            ("discriminator", discriminator, one((1, 16, bins), (3, 33, bins), (1, 130, bins))),
        )
    ]  # fmt: skip


NETWORKS = [
    *networks("small", SMALL, 24),
    *networks("small, 25 bins", SMALL, 25),
    *networks("small, symmetric padding", replace(SMALL, padding="symmetric"), 24),
    *networks(
        "small, other kernels, widths and epsilon",
        replace(
            SMALL,
            generator_kernels=(5, 4, 6, 5, 3, 4, 7),
            generator_widths=(2, 1, 3, 2, 1, 4),
            discriminator_kernels=("5x4", "4x3", "3x5", "2x2"),
            discriminator_widths=(2, 1, 3, 2),
            norm_epsilon=1e-3,
        ),
        24,
    ),
    networks("small, sigmoid", replace(SMALL, discriminator_sigmoid=True), 24)[1],
    *networks("as in the paper", NetworkConfig(), 24, shapes=one((1, 128, 24))),
]  # fmt: skip

SPEAKER = Statistics(np.linspace(-9.0, 1.0, 24), np.linspace(2.0, 0.1, 24), 4.7, 0.2)
OTHER = Statistics(np.linspace(-8.0, 0.5, 24), np.linspace(1.5, 0.2, 24), 5.2, 0.15)


def f0_contour(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """F0 in Hz, unvoiced now and then."""
    return np.where(rng.uniform(size=shape) < 0.3, 0.0, rng.uniform(70.0, 200.0, shape))


def torch_convert_f0(f0_hz: Tensor) -> Tensor:
    """The log-Gaussian map in torch."""
    z = (f0_hz.log() - SPEAKER.log_f0_mean) / SPEAKER.log_f0_deviation
    mapped = (z * OTHER.log_f0_deviation + OTHER.log_f0_mean).exp()
    return torch.where(f0_hz > 0, mapped, torch.zeros_like(mapped))


def moments_of(values: np.ndarray) -> np.ndarray:
    """`normalization.moments`, reading in chunks of five frames."""
    return np.stack(
        normalization.moments(lambda: (values[i : i + 5] for i in range(0, len(values), 5)))
    )


def adam(gradients: np.ndarray) -> np.ndarray:
    """This project's Adam on (steps, weights): the weights after each step."""
    variable = tf.Variable(np.zeros(gradients.shape[1:], gradients.dtype))
    ours = optimizer.Adam([variable], 0.5, 0.999, 1e-8)
    rows = []
    for gradient in gradients:
        ours.apply([tf.constant(gradient)], [variable], tf.constant(2e-4, tf.float64))
        rows.append(variable.numpy())
    return np.stack(rows)


def torch_adam(gradients: Tensor) -> Tensor:
    """The companion's Adam likewise."""
    parameter = nn.Parameter(torch.zeros_like(gradients[0]))
    twin = torch_step.Adam([parameter], lr=2e-4, betas=(0.5, 0.999), eps=1e-8)
    rows = []
    for gradient in gradients:
        parameter.grad = gradient
        twin.step()
        rows.append(parameter.detach().clone())
    return torch.stack(rows)


def small_gradients(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Gradients of about 1e-5, where the place of epsilon counts."""
    return 1e-5 * rng.standard_normal(shape)


def schedule(steps: np.ndarray) -> np.ndarray:
    """`linear_decay` as the paper has it, at several steps."""
    return np.array(
        [float(optimizer.linear_decay(tf.constant(s), 2e-4, 200_000, 200_000)) for s in steps]
    )


def torch_schedule(steps: Tensor) -> Tensor:
    """The companion's."""
    rates = [torch_step.linear_decay(int(s), 2e-4, 200_000, 200_000) for s in steps]
    return torch.tensor(rates, dtype=torch.float64)


def converter() -> tuple[keras.Model, Converter]:
    """A small generator, and this project's conversion with it."""
    model = vc1_generator("generator", 24, SMALL, 0)
    return model, Converter(model, SPEAKER, OTHER, FeatureConfig())


def torch_conversion(mel_cepstra: Tensor) -> Tensor:
    """Normalise, pad to a multiple of 4 with the last frame, generate, cut, scale."""
    twin = Generator(24, SMALL).double()
    match(twin, converter()[0])
    mean, deviation = torch.from_numpy(SPEAKER.mean), torch.from_numpy(SPEAKER.deviation)
    inputs = ((mel_cepstra - mean) / deviation).float().double().mT.unsqueeze(0)
    padded = F.pad(inputs, (0, -len(mel_cepstra) % 4), mode="replicate")
    outputs = twin(padded)[0, :, : len(mel_cepstra)].mT
    return (outputs * torch.from_numpy(OTHER.deviation) + torch.from_numpy(OTHER.mean)).float()


STEPPED = RunConfig(
    network=NetworkConfig(channels=4, residual_blocks=1),
    training=TrainingConfig(
        generator_learning_rate=2e-3, identity_steps=2, decay_start=1, decay_steps=4
    ),
)
"""The identity loss ends and the rates fall within three steps."""


def steps(batches: np.ndarray) -> np.ndarray:
    """Losses of training steps on (steps, speakers, batch, frames, bins)."""
    tf.config.run_functions_eagerly(True)
    try:
        return train(TensorFlowRun(STEPPED), [(a, b) for a, b in batches])
    finally:
        tf.config.run_functions_eagerly(False)


def torch_steps(batches: Tensor) -> Tensor:
    """The companion's, from the same weights."""
    twin = TorchRun(STEPPED, batches.dtype)
    match_runs(twin, TensorFlowRun(STEPPED))
    return torch.from_numpy(train(twin, [(a, b) for a, b in batches.numpy()]))


F32 = ("float32",)
F64 = ("float64",)

VALUES = [
    Case(
        "normalise with a speaker's statistics",
        ("normalization.apply", "normalization.Statistics"),
        Values(
            lambda x: normalization.apply(x, SPEAKER),
            lambda x: (
                (x - torch.from_numpy(SPEAKER.mean)) / torch.from_numpy(SPEAKER.deviation)
            ).float(),
        ),
        one((16, 24), (7, 24)),
        dtypes=F32,
    ),
    Case(
        "undo the normalisation",
        ("normalization.undo",),
        Values(
            lambda x: normalization.undo(x, SPEAKER),
            lambda x: (
                x * torch.from_numpy(SPEAKER.deviation) + torch.from_numpy(SPEAKER.mean)
            ).float(),
        ),
        one((16, 24), (7, 24)),
        dtypes=F32,
    ),
    Case(
        "mean and deviation",
        ("normalization.moments",),
        Values(
            moments_of,
            lambda x: torch.stack([x.double().mean(0), x.double().std(0, correction=0)]),
        ),
        one((16, 24), (1, 24), (7, 24)),
        draw=lambda rng, shape: 3.0 + rng.standard_normal(shape),
    ),
    Case(
        "F0 map",
        ("normalization.convert_f0",),
        Values(lambda x: normalization.convert_f0(x, SPEAKER, OTHER), torch_convert_f0),
        one((64,), (7,)),
        draw=f0_contour,
        dtypes=F64,
    ),
    Case(
        "Adam, 100 steps",
        ("optimizer.Adam",),
        Values(adam, torch_adam),
        one((100, 8)),
        draw=small_gradients,
    ),
    Case(
        "learning-rate schedule",
        ("optimizer.linear_decay",),
        Values(schedule, torch_schedule),
        one((50,)),
        draw=lambda rng, shape: rng.integers(0, 500_000, shape),
        dtypes=("int64",),
    ),
    Case(
        "conversion of any number of frames",
        ("conversion.Converter",),
        Values(lambda x: converter()[1].convert_mel_cepstra(x), torch_conversion),
        one((128, 24), (130, 24), (5, 24), (7, 24)),
        network=True,
        dtypes=F64,
    ),
    Case(
        "training, three steps",
        ("trainer.Trainer",),
        Values(steps, torch_steps),
        one((3, 2, 1, 16, 24), (3, 2, 3, 20, 24)),
        network=True,
    ),
]  # fmt: skip

CASES = [*LAYERS, *LOSSES, *NETWORKS, *VALUES]

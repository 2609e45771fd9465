"""Functions that nothing is learned through, as this project and as torch compute them."""

import re
from collections.abc import Mapping
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import Tensor

from cyclegan_vc_tf import normalization, optimizer
from cyclegan_vc_tf.config import FeatureConfig, NetworkConfig, RunConfig, TrainingConfig
from cyclegan_vc_tf.conversion import Converter
from cyclegan_vc_tf.generators import vc1_generator
from cyclegan_vc_tf.normalization import Statistics
from cyclegan_vc_tf.torch_weights import to_state
from parity import adams, torch_step
from parity.runs import LOSSES, TensorFlowRun, TorchRun, match, match_runs
from parity.torch_models import Generator

Shape = tuple[int, ...]

Array = TypeVar("Array", np.ndarray, Tensor)

SMALL = NetworkConfig(channels=4, residual_blocks=2)

SPEAKER = Statistics(
    mean=np.linspace(-9.0, 1.0, 24),
    deviation=np.where(np.arange(24) == 5, 0.0, np.linspace(2.0, 0.1, 24)),
    log_f0_mean=4.7,
    log_f0_deviation=0.2,
)
"""Coefficient 5 never changes; what never changes is not divided by its deviation."""


OTHER = Statistics(np.linspace(-8.0, 0.5, 24), np.linspace(1.5, 0.2, 24), 5.2, 0.15)


def torch_scale() -> Tensor:
    """The speaker's deviation, 1 where it is zero."""
    deviation = torch.from_numpy(SPEAKER.deviation)
    return torch.where(deviation > 0, deviation, torch.ones_like(deviation))


def torch_apply(mel_cepstra: Tensor) -> Tensor:
    """Mel-cepstra in units of the speaker's deviation."""
    return ((mel_cepstra - torch.from_numpy(SPEAKER.mean)) / torch_scale()).float()


def torch_undo(normalized: Tensor) -> Tensor:
    """And back."""
    return (normalized * torch_scale() + torch.from_numpy(SPEAKER.mean)).float()


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
    return adams.ours(np.zeros_like(gradients[0]), gradients, 1e-8)


def torch_adam(gradients: Tensor) -> Tensor:
    """The companion's Adam likewise."""
    start = np.zeros_like(gradients[0].numpy())
    return torch.from_numpy(adams.companion(start, gradients.numpy(), 1e-8))


def small_gradients(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Gradients of about 1e-5, where the place of epsilon counts."""
    return 1e-5 * rng.standard_normal(shape)


def schedule(steps: np.ndarray) -> np.ndarray:
    """`linear_decay` at several steps."""
    return np.array(
        [float(optimizer.linear_decay(tf.constant(s), 2e-4, 200_000, 150_000)) for s in steps]
    )


def torch_schedule(steps: Tensor) -> Tensor:
    """The companion's."""
    rates = [torch_step.linear_decay(int(s), 2e-4, 200_000, 150_000) for s in steps]
    return torch.tensor(rates, dtype=torch.float64)


def small_generator() -> keras.Model:
    """Always with the same weights."""
    return vc1_generator("generator", 24, SMALL, 0)


def convert(mel_cepstra: np.ndarray) -> np.ndarray:
    """This project's conversion with it."""
    converter = Converter(small_generator(), SPEAKER, OTHER, FeatureConfig())
    return converter.convert_mel_cepstra(mel_cepstra)


def torch_convert(mel_cepstra: Tensor) -> Tensor:
    """Normalise, pad to a multiple of 4 with the last frame, generate, cut, scale."""
    twin = Generator(24, SMALL).double()
    match(twin, small_generator())
    inputs = torch_apply(mel_cepstra).double().mT.unsqueeze(0)
    padded = F.pad(inputs, (0, -len(mel_cepstra) % 4), mode="replicate")
    outputs = twin(padded)[0, :, : len(mel_cepstra)].mT
    return (outputs * torch.from_numpy(OTHER.deviation) + torch.from_numpy(OTHER.mean)).float()


STEPPED = RunConfig(
    network=NetworkConfig(channels=4, residual_blocks=1),
    training=TrainingConfig(
        generator_learning_rate=5e-4,
        discriminator_learning_rate=2e-4,
        identity_steps=2,
        decay_start=1,
        decay_steps=8,
    ),
)
"""The rates fall and the identity loss ends within four steps."""


def steps(batches: np.ndarray, *, traced: bool = False) -> dict[str, np.ndarray]:
    """Training steps on (steps, speakers, batch, frames, bins).

    Returns:
        Each loss and the rates over the steps as outputs, and the final weights, which the
        gradients moved; in float64 alone, for Adam makes a full step of a gradient that is mere
        rounding, which in float32 some are.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(not traced)
    try:
        run = TensorFlowRun(STEPPED)
        rates, rows = [], []
        for a, b in batches:
            rates.append([float(rate) for rate in run.trainer.learning_rates().values()])
            report = run.step((a, b))
            rows.append([report[name] for name in LOSSES])
    finally:
        tf.config.run_functions_eagerly(before)
    found = {f"output {name}": each for name, each in zip(LOSSES, np.transpose(rows), strict=True)}
    found["output rates"] = np.array(rates)
    if batches.dtype == np.float64:
        for name, model in run.networks().items():
            found |= moved(name, to_state(model))
    return found


def torch_steps(batches: Tensor) -> dict[str, Tensor]:
    """The companion's, from the same weights."""
    twin = TorchRun(STEPPED, batches.dtype)
    match_runs(twin, TensorFlowRun(STEPPED))
    rates, rows = [], []
    for a, b in batches.numpy():
        rates.append([twin.companion.rate(side) for side in ("generator", "discriminator")])
        report = twin.step((a, b))
        rows.append([report[name] for name in LOSSES])
    columns = torch.tensor(rows, dtype=torch.float64).T
    found = {f"output {name}": each for name, each in zip(LOSSES, columns, strict=True)}
    found["output rates"] = torch.tensor(rates, dtype=torch.float64)
    if batches.dtype == torch.float64:
        for name, network in twin.networks().items():
            found |= moved(name, network.state_dict())
    return found


def moved(network: str, state: Mapping[str, Array]) -> dict[str, Array]:
    """Weights that a gradient moved, all but those that only rounding moves."""
    return {
        f"gradient, as Adam moved {network}.{key}": value
        for key, value in state.items()
        if not re.fullmatch(NORMED_BIASES, key)
    }


NORMED_BIASES = r"(down|residual)\.\d+\.(out_)?conv\.bias|block\.[1-9]\.conv\.bias"
"""Biases whose gradient is zero in truth. In the up blocks a shuffle stands between convolution
and norm: two biases share a channel there, and only their sum has no effect."""

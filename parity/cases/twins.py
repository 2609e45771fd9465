"""Functions that nothing is learned through, as this project and as torch compute them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import Tensor

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import public_melgan
from cyclegan_vc_tf.models.generators import vc1_generator
from cyclegan_vc_tf.models.torch_weights import to_state
from cyclegan_vc_tf.training import optimizer
from cyclegan_vc_tf.vocoders.melgan import Architecture
from parity.companion import train_step
from parity.companion.melgan import MelGanGenerator, randomise
from parity.companion.vc1 import Generator
from parity.trainings import optimizers
from parity.trainings.runs import TensorFlowRun, TorchRun, match, match_runs, nudge

Shape = tuple[int, ...]

Array = TypeVar("Array", np.ndarray, Tensor)

SMALL = NetworkConfig(channels=4, residual_blocks=2)

SMALLER = {
    variant: replace(paper.network, channels=2, residual_blocks=1)
    for variant, paper in PRESETS.items()
}
"""By variant; two axes cost more than one."""


def as_public(network: NetworkConfig) -> NetworkConfig:
    """With what sets public PyTorch code apart from the papers; epsilons that can be told apart."""
    public = replace(network, padding="symmetric", norm_epsilon=1e-3, up_norm_epsilon=1e-2)
    if network.variant == "vc1":
        return replace(public, norm_affine="down", generator_widths=(1, 2, 4, 8, 2, 1))
    widths, kernels = network.discriminator_widths, network.discriminator_kernels
    return replace(
        public,
        gate="silu",
        discriminator_widths=widths[:-1],
        discriminator_kernels=(*kernels[:-2], kernels[-1]),
        discriminator_sigmoid=True,
    )


SPEAKER = Statistics(
    mean=np.linspace(-9.0, 1.0, 24),
    std=np.where(np.arange(24) == 5, 0.0, np.linspace(2.0, 0.1, 24)),
    log_f0_mean=4.7,
    log_f0_std=0.2,
)
"""Coefficient 5 never changes; what never changes is not divided by its deviation."""


OTHER = Statistics(np.linspace(-8.0, 0.5, 24), np.linspace(1.5, 0.2, 24), 5.2, 0.15)


def torch_scale() -> Tensor:
    """The speaker's deviation, 1 where it is zero."""
    deviation = torch.from_numpy(SPEAKER.std)
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
    z = (f0_hz.log() - SPEAKER.log_f0_mean) / SPEAKER.log_f0_std
    mapped = (z * OTHER.log_f0_std + OTHER.log_f0_mean).exp()
    return torch.where(f0_hz > 0, mapped, torch.zeros_like(mapped))


def moments_of(values: np.ndarray) -> np.ndarray:
    """`normalization.mean_and_std`, reading in chunks of five frames."""
    return np.stack(
        normalization.mean_and_std(lambda: (values[i : i + 5] for i in range(0, len(values), 5)))
    )


def adam(gradients: np.ndarray) -> np.ndarray:
    """This project's Adam on (steps, weights): the weights after each step."""
    return optimizers.ours(np.zeros_like(gradients[0]), gradients, 1e-8)


def torch_adam(gradients: Tensor) -> Tensor:
    """The companion's Adam likewise."""
    start = np.zeros_like(gradients[0].numpy())
    return torch.from_numpy(optimizers.companion(start, gradients.numpy(), 1e-8))


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
    rates = [train_step.linear_decay(int(s), 2e-4, 200_000, 150_000) for s in steps]
    return torch.tensor(rates, dtype=torch.float64)


def small_generator() -> keras.Model:
    """Always with the same weights."""
    return vc1_generator("generator", 24, SMALL, 0)


def convert(mel_cepstra: np.ndarray) -> np.ndarray:
    """This project's conversion with it."""
    converter = Converter(small_generator(), SPEAKER, OTHER, FeatureConfig())
    return converter.convert_spectra(mel_cepstra)


def torch_convert(mel_cepstra: Tensor) -> Tensor:
    """Normalise, pad to a multiple of 4 with the last frame, generate, cut, scale."""
    twin = Generator(24, SMALL).double()
    match(twin, small_generator())
    inputs = torch_apply(mel_cepstra).double().mT.unsqueeze(0)
    padded = F.pad(inputs, (0, -len(mel_cepstra) % 4), mode="replicate")
    outputs = twin(padded)[0, :, : len(mel_cepstra)].mT
    return (outputs * torch.from_numpy(OTHER.std) + torch.from_numpy(OTHER.mean)).float()


def torch_melgan(architecture: Architecture, log_mel: Tensor) -> Tensor:
    """The companion's samples of (batch, frames, bins), with random weights."""
    return _public(architecture, log_mel.dtype)(log_mel.mT).mT


def melgan(architecture: Architecture, log_mel: np.ndarray) -> np.ndarray:
    """This project's, with the same weights, brought over in the public layout."""
    dtype = torch.from_numpy(log_mel).dtype
    state = _public(architecture, dtype).state_dict()
    model = public_melgan.from_public_state({key: value.numpy() for key, value in state.items()})
    return model(log_mel).numpy()


def _public(architecture: Architecture, dtype: torch.dtype) -> MelGanGenerator:
    module = MelGanGenerator(**vars(architecture)).to(dtype)
    randomise(module, seed=0)
    return module


def stepped(variant: str, dtype: str) -> RunConfig:
    """Settings whose rates fall and whose identity loss ends within four steps.

    Adam's epsilon is large in float32: with the usual one, a weight whose gradient is mere rounding
    makes a full step, up or down as the processor happens to round, and one such step alone has
    moved a loss by 4e-4.
    """
    return RunConfig(
        features=FeatureConfig(mel_cepstra=24 if variant == "vc1" else 22),
        network=replace(SMALLER[variant], channels=4 if variant == "vc1" else 2),
        training=TrainingConfig(
            generator_learning_rate=5e-4,
            discriminator_learning_rate=2e-4,
            identity_steps=2,
            decay_start=1,
            decay_steps=8,
            adam_epsilon=1e-8 if dtype == "float64" else 1e-2,
        ),
    )


def masks(variant: str, pair: np.ndarray) -> tuple[np.ndarray, ...]:
    """Some masks for a pair of batches, (speakers, batch, frames, bins), where they are needed."""
    return tuple((pair[..., :1] > -0.5).astype(pair.dtype)) if variant == "mask" else ()


def steps(
    variant: str, batches: np.ndarray, *, traced: bool = False, nudged: bool = False
) -> dict[str, np.ndarray]:
    """Training steps on (steps, speakers, batch, frames, bins).

    Args:
        variant: Of the family.
        batches: Those of each step.
        traced: Whether the step is traced, as it is in a training.
        nudged: Whether every weight begins one rounding away.

    Returns:
        Each loss and the rates over the steps as outputs, and the final weights, which the
        gradients moved; in float64 alone, for of biases, which begin at zero, float32 leaves
        four digits.
    """
    config = stepped(variant, batches.dtype.name)
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(not traced)
    try:
        run = TensorFlowRun(config)
        if nudged:
            nudge(run, 0)
        rates, reports = [], []
        for pair in batches:
            rates.append([float(rate) for rate in run.trainer.learning_rates().values()])
            reports.append(run.step((*pair, *masks(variant, pair))))
    finally:
        tf.config.run_functions_eagerly(before)
    found = {f"output {name}": np.array([each[name] for each in reports]) for name in reports[0]}
    found["output rates"] = np.array(rates)
    if batches.dtype == np.float64:
        for name, model in run.networks().items():
            found |= moved(config.network, name, to_state(model))
    return found


def torch_steps(variant: str, batches: Tensor) -> dict[str, Tensor]:
    """The companion's, from the same weights."""
    config = stepped(variant, batches.numpy().dtype.name)
    twin = TorchRun(config, batches.dtype)
    match_runs(twin, TensorFlowRun(config))
    rates, reports = [], []
    for pair in batches.numpy():
        rates.append([twin.companion.rate(side) for side in ("generator", "discriminator")])
        reports.append(twin.step((*pair, *masks(variant, pair))))
    found = {
        f"output {name}": torch.tensor([each[name] for each in reports], dtype=torch.float64)
        for name in reports[0]
    }
    found["output rates"] = torch.tensor(rates, dtype=torch.float64)
    if batches.dtype == torch.float64:
        for name, network in twin.networks().items():
            found |= moved(config.network, name, network.state_dict())
    return found


def moved(config: NetworkConfig, network: str, state: Mapping[str, Array]) -> dict[str, Array]:
    """Weights that a gradient moved, all but those that only rounding moves."""
    by_rounding = zero_gradients(config)
    return {
        f"gradient, as Adam moved {network}.{key}": value
        for key, value in state.items()
        if not re.fullmatch(by_rounding, key)
    }


NORMED_BIASES = (
    r"(down|residual)\.\d+\.(out_)?conv\.bias|block\.[1-9]\.conv\.bias|(un)?fold_conv\.bias"
)
"""Biases whose gradient is zero in truth. In the up blocks a shuffle stands between convolution
and norm: two biases share a channel there, and only their sum has no effect."""


def zero_gradients(config: NetworkConfig) -> str:
    """Pattern of a network's weights whose gradient is zero in truth.

    Beside those of `NORMED_BIASES`, in a 2-1-2-D generator, the offset of the last norm before the
    unfolding: a convolution of kernel 1 makes constants of a constant, and the norm behind it takes
    them away.
    """
    last = config.residual_blocks - 1
    folded = "fold_norm" if last < 0 else rf"residual\.{last}\.out_norm"
    return NORMED_BIASES if config.variant == "vc1" else rf"{NORMED_BIASES}|{folded}\.bias"

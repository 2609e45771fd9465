"""Functions without gradients and training steps, as this project and as torch compute them."""

import re
from collections.abc import Iterable, Mapping
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

Results = dict[str, np.ndarray]

SMALL = NetworkConfig(channels=4, residual_blocks=2)

SMALLER = {
    variant: replace(paper.network, channels=2, residual_blocks=1)
    for variant, paper in PRESETS.items()
}
"""Small networks by variant. Two axes cost more than one, so there are fewer channels."""


def as_public(network: NetworkConfig) -> NetworkConfig:
    """Return settings in which public PyTorch code differs from the papers.

    The two epsilons are large and different, so that exchanging them is seen.
    """
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
"""Source speaker. Coefficient 5 is constant, and a constant is not divided by its deviation."""

OTHER = Statistics(np.linspace(-8.0, 0.5, 24), np.linspace(1.5, 0.2, 24), 5.2, 0.15)


def torch_scale() -> Tensor:
    """Return the speaker's standard deviation, 1 where it is zero."""
    deviation = torch.from_numpy(SPEAKER.std)
    return torch.where(deviation > 0, deviation, torch.ones_like(deviation))


def torch_normalize(mel_cepstra: Tensor) -> Tensor:
    """Normalize mel-cepstra with the speaker's statistics."""
    return ((mel_cepstra - torch.from_numpy(SPEAKER.mean)) / torch_scale()).float()


def torch_denormalize(normalized: Tensor) -> Tensor:
    """Undo `torch_normalize`."""
    return (normalized * torch_scale() + torch.from_numpy(SPEAKER.mean)).float()


def draw_f0(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw F0 in Hz; about 30 % of the frames are unvoiced."""
    return np.where(rng.uniform(size=shape) < 0.3, 0.0, rng.uniform(70.0, 200.0, shape))


def torch_convert_f0(f0_hz: Tensor) -> Tensor:
    """Map F0 between speakers, log-Gaussian, in torch."""
    z = (f0_hz.log() - SPEAKER.log_f0_mean) / SPEAKER.log_f0_std
    mapped = (z * OTHER.log_f0_std + OTHER.log_f0_mean).exp()
    return torch.where(f0_hz > 0, mapped, torch.zeros_like(mapped))


def mean_and_std(values: np.ndarray) -> np.ndarray:
    """Call `normalization.mean_and_std` with chunks of five frames."""
    return np.stack(
        normalization.mean_and_std(lambda: (values[i : i + 5] for i in range(0, len(values), 5)))
    )


def adam(gradients: np.ndarray) -> np.ndarray:
    """Run this project's Adam on (steps, weights), and return the weights after each step."""
    return optimizers.project_adam(np.zeros_like(gradients[0]), gradients, 1e-8)


def companion_adam(gradients: Tensor) -> Tensor:
    """Run the companion's Adam on (steps, weights), and return the weights after each step."""
    initial = np.zeros_like(gradients[0].numpy())
    return torch.from_numpy(optimizers.companion_adam(initial, gradients.numpy(), 1e-8))


def draw_small_gradients(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw gradients of about 1e-5, at which the place of epsilon matters."""
    return 1e-5 * rng.standard_normal(shape)


def schedule(steps: np.ndarray) -> np.ndarray:
    """Return `linear_decay` at several steps."""
    return np.array(
        [float(optimizer.linear_decay(tf.constant(s), 2e-4, 200_000, 150_000)) for s in steps]
    )


def companion_schedule(steps: Tensor) -> Tensor:
    """Return the companion's `linear_decay` at several steps."""
    rates = [train_step.linear_decay(int(s), 2e-4, 200_000, 150_000) for s in steps]
    return torch.tensor(rates, dtype=torch.float64)


def small_generator() -> keras.Model:
    """Build a small generator, with equal weights at each call."""
    return vc1_generator("generator", 24, SMALL, 0)


def convert(mel_cepstra: np.ndarray) -> np.ndarray:
    """Convert mel-cepstra with this project's `Converter` and the small generator."""
    converter = Converter(small_generator(), SPEAKER, OTHER, FeatureConfig())
    return converter.convert_spectra(mel_cepstra)


def torch_convert(mel_cepstra: Tensor) -> Tensor:
    """Normalize, pad to a multiple of 4 with the last frame, generate, cut and scale in torch."""
    twin = Generator(24, SMALL).double()
    match(twin, small_generator())
    inputs = torch_normalize(mel_cepstra).double().mT.unsqueeze(0)
    padded = F.pad(inputs, (0, -len(mel_cepstra) % 4), mode="replicate")
    outputs = twin(padded)[0, :, : len(mel_cepstra)].mT
    return (outputs * torch.from_numpy(OTHER.std) + torch.from_numpy(OTHER.mean)).float()


def torch_melgan(architecture: Architecture, log_mel: Tensor) -> Tensor:
    """Synthesize (batch, frames, bins) with the companion's MelGAN and random weights."""
    return _public_melgan(architecture, log_mel.dtype)(log_mel.mT).mT


def melgan(architecture: Architecture, log_mel: np.ndarray) -> np.ndarray:
    """Synthesize with this project's MelGAN, with the companion's weights in the public layout."""
    dtype = torch.from_numpy(log_mel).dtype
    state = _public_melgan(architecture, dtype).state_dict()
    model = public_melgan.from_public_state({key: value.numpy() for key, value in state.items()})
    return model(log_mel).numpy()


def _public_melgan(architecture: Architecture, dtype: torch.dtype) -> MelGanGenerator:
    module = MelGanGenerator(**vars(architecture)).to(dtype)
    randomise(module, seed=0)
    return module


def short_training(variant: str, dtype: str) -> RunConfig:
    """Return settings in which rates fall and the identity loss ends within four steps.

    Adam's epsilon is large in float32. With the usual epsilon, a weight whose gradient is rounding
    alone makes a full step in a direction that depends on the processor. One such step has changed
    a loss by 4e-4.
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


def make_masks(variant: str, pair: np.ndarray) -> tuple[np.ndarray, ...]:
    """Make masks for a pair of batches, (speakers, batch, frames, bins), if the variant has any."""
    return tuple((pair[..., :1] > -0.5).astype(pair.dtype)) if variant == "mask" else ()


def train_steps(variant: str, batches: np.ndarray, *, traced: bool = False) -> Results:
    """Make training steps with this project's trainer.

    Args:
        variant: Variant of the network.
        batches: Features, (steps, speakers, batch, frames, bins).
        traced: Whether the step is traced, as in a training.

    Returns:
        Losses and rates over the steps, as outputs. In float64 also the final weights, as
        gradients. In float32 four digits would remain of biases, whose initial value is zero.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(not traced)
    try:
        return _steps_of(TensorFlowRun(short_training(variant, batches.dtype.name)), batches)
    finally:
        tf.config.run_functions_eagerly(before)


def nudged_steps(variant: str, batches: np.ndarray, seeds: Iterable[int]) -> list[Results]:
    """Make the steps of `train_steps`, and again from weights that are one rounding away.

    Args:
        variant: Variant of the network.
        batches: Features, (steps, speakers, batch, frames, bins).
        seeds: Seed of each nudge of all initial weights.

    Returns:
        Results without a nudge, then those of each seed. All take the same graph.
    """
    run = TensorFlowRun(short_training(variant, batches.dtype.name))
    initial = run.state()
    found = [_steps_of(run, batches)]
    for seed in seeds:
        run.restore(initial)
        nudge(run, seed)
        found.append(_steps_of(run, batches))
    return found


def _steps_of(run: TensorFlowRun, batches: np.ndarray) -> Results:
    """Make steps with a run; see `train_steps`."""
    network, rates, reports = run.trainer.config.network, [], []
    for pair in batches:
        rates.append([float(rate) for rate in run.trainer.learning_rates().values()])
        reports.append(run.step((*pair, *make_masks(network.variant, pair))))
    found = {
        f"output {name}": np.array([report[name] for report in reports]) for name in reports[0]
    }
    found["output rates"] = np.array(rates)
    if batches.dtype == np.float64:
        for name, model in run.networks().items():
            found |= trained_weights(network, name, to_state(model))
    return found


def companion_steps(variant: str, batches: Tensor) -> dict[str, Tensor]:
    """Make training steps with the companion, from the initial weights of `train_steps`."""
    config = short_training(variant, batches.numpy().dtype.name)
    twin = TorchRun(config, batches.dtype)
    match_runs(twin, TensorFlowRun(config))
    rates, reports = [], []
    for pair in batches.numpy():
        rates.append([twin.companion.rate(side) for side in ("generator", "discriminator")])
        reports.append(twin.step((*pair, *make_masks(variant, pair))))
    found = {
        f"output {name}": torch.tensor([report[name] for report in reports], dtype=torch.float64)
        for name in reports[0]
    }
    found["output rates"] = torch.tensor(rates, dtype=torch.float64)
    if batches.dtype == torch.float64:
        for name, network in twin.networks().items():
            found |= trained_weights(config.network, name, network.state_dict())
    return found


def trained_weights(
    config: NetworkConfig, network: str, state: Mapping[str, Array]
) -> dict[str, Array]:
    """Return the weights of a network, without weights whose exact gradient is zero."""
    excluded = zero_gradients(config)
    return {
        f"gradient, as Adam moved {network}.{key}": value
        for key, value in state.items()
        if not re.fullmatch(excluded, key)
    }


NORMED_BIASES = (
    r"(down|residual)\.\d+\.(out_)?conv\.bias|block\.[1-9]\.conv\.bias|(un)?fold_conv\.bias"
)
"""Biases whose exact gradient is zero. Biases of the upsampling blocks are not among them: a
shuffle gives two biases one channel, and only their sum has no effect."""


def zero_gradients(config: NetworkConfig) -> str:
    """Return a pattern of the network's weights whose exact gradient is zero.

    In a 2-1-2-D generator, the offset of the last norm before the unfolding is added to
    `NORMED_BIASES`. A convolution of kernel 1 maps a constant to constants, and the next norm
    removes them.
    """
    last = config.residual_blocks - 1
    folded = "fold_norm" if last < 0 else rf"residual\.{last}\.out_norm"
    return NORMED_BIASES if config.variant == "vc1" else rf"{NORMED_BIASES}|{folded}\.bias"

"""Whole trainings side by side: how long they stay equal, and why they part."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from parity.companion import train_step
from parity.demo import Batch, Demo
from parity.precision import precision
from parity.trainings.runs import TensorFlowRun, TorchRun, match_runs, nudge, train

DEEP = RunConfig(features=FeatureConfig(f0_method="dio"), network=NetworkConfig(channels=8))
"""The paper's networks and rates at a sixteenth of its width."""

SHALLOW = replace(DEEP, network=NetworkConfig(channels=8, residual_blocks=1))
"""With one residual block instead of six: rounding takes longer to grow in it."""

EXACT = {50: 1e-12, 100: 1e-6}
"""How far apart the losses may be up to a step, in float64. At the first step they are apart by
1e-15, and training is chaotic: every difference grows by some factor a step. At 100 steps the
question is only whether that growth is all there is."""

SLACK = 3.0
"""A nudge rounds every weight once, at the beginning; the other framework rounds every operation in
its own way, at every step. That is much the same, not the same, and five nudges show only part of
their spread. While the gaps grow by a factor of ten every dozen steps, 3 is half a dozen steps;
another epsilon in Adam or in a norm is off by a factor of 50 and more in the first windows."""


def batches(corpus: Demo, config: RunConfig, steps: int, dtype: str) -> list[Batch]:
    """What a training with this configuration sees, as `dtype`."""
    training = config.training
    pairs = corpus.batches(steps, training.batch_size, training.crop_frames, training.seed)
    return [(a.astype(dtype), b.astype(dtype)) for a, b in pairs]


def exact(
    corpus: Demo,
    steps: int = 100,
    config: RunConfig = SHALLOW,
    optimizer: train_step.MakeOptimizer = train_step.Adam,
) -> np.ndarray:
    """Trains in float64 in both frameworks, from the same weights on the same crops.

    Returns:
        (steps,): the largest relative difference of any of the ten losses at each step.
    """
    with precision("float64"):
        seen = batches(corpus, config, steps, "float64")
        ours, twin = TensorFlowRun(config), TorchRun(config, torch.float64, optimizer)
        match_runs(twin, ours)
        return relative(train(ours, seen), train(twin, seen)).max(axis=1)


@dataclass(frozen=True)
class Envelope:
    """Gaps between trainings that started one rounding apart.

    Attributes:
        steps: Last step of each window, (windows,).
        within: Mean relative gaps of the losses between TensorFlow runs, (windows, pairs).
        across: Between the PyTorch run and each TensorFlow run, (windows, runs).
    """

    steps: np.ndarray
    within: np.ndarray
    across: np.ndarray

    def strictly_inside(self) -> np.ndarray:
        """Where the median gap across lies among the gaps within, (windows,) of bool."""
        middle = np.median(self.across, axis=1)
        return (self.within.min(axis=1) <= middle) & (middle <= self.within.max(axis=1))

    def inside(self) -> np.ndarray:
        """Where it lies among them or no further off than by a factor of `SLACK`."""
        middle = np.median(self.across, axis=1)
        least, most = self.within.min(axis=1), self.within.max(axis=1)
        return (least / SLACK <= middle) & (middle <= most * SLACK)


def envelope(
    corpus: Demo,
    dtype: str = "float32",
    steps: int = 300,
    window: int = 25,
    nudges: int = 5,
    config: RunConfig = DEEP,
    optimizer: train_step.MakeOptimizer = train_step.Adam,
) -> Envelope:
    """Trains in PyTorch, in TensorFlow, and in TensorFlow again from nudged weights.

    A nudge moves every weight to the next number above or below it, at random.
    """
    with precision(dtype):
        seen = batches(corpus, config, steps, dtype)
        ours, twin = TensorFlowRun(config), TorchRun(config, getattr(torch, dtype), optimizer)
        match_runs(twin, ours)
        start = ours.state()
        runs = [train(ours, seen)]
        for seed in range(nudges):
            ours.restore(start)
            nudge(ours, seed)
            runs.append(train(ours, seen))
        theirs = train(twin, seen)
    return Envelope(
        np.arange(window, steps + 1, window),
        _windows([relative(a, b) for a, b in combinations(runs, 2)], window),
        _windows([relative(theirs, each) for each in runs], window),
    )


def relative(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Differences of losses, over the losses."""
    return np.abs(ours - theirs) / np.abs(theirs)


def _windows(gaps: list[np.ndarray], window: int) -> np.ndarray:
    """Means over windows of steps and over losses, (windows, gaps)."""
    stacked = np.stack(gaps)
    count, steps, losses = stacked.shape
    return stacked.reshape(count, steps // window, window * losses).mean(axis=2).T

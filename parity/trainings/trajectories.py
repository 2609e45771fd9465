"""Trainings in both frameworks, step by step: how fast rounding separates them."""

from dataclasses import dataclass, replace
from functools import cache
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
"""`DEEP` with one residual block instead of six, in which rounding grows more slowly."""

EXACT = {50: 3e-11, 100: 6e-8}
"""Largest relative difference of the losses up to a step, in float64.

Training is chaotic: every difference grows by a factor per step. A nudge of all initial weights by
one rounding changes the losses by up to 2.6e-14 within 50 steps and 6.2e-11 within 100, in three
draws. The other framework rounds every term of sums over 128 frames of 24 bins in its own way:
`count_roundings(128 * 24)` is 887. The tolerances are 887 times these effects, rounded up."""

SLACK = 7.0
"""Factor by which the median gap between the frameworks may leave the range of the gaps within one.

A nudge rounds every weight once, before training. The other framework rounds every operation, at
every step, so that the two kinds of gaps agree only roughly. Measured on x86, the factor is 1: the
median gap is within the range. A real difference, another epsilon in Adam or in a norm, gives a
factor of 50 and more in the first windows. 7 is the geometric mean of 1 and 50."""


def batches(corpus: Demo, config: RunConfig, steps: int, dtype: str) -> list[Batch]:
    """Return the batches of a training with this configuration, as `dtype`."""
    training = config.training
    pairs = corpus.batches(steps, training.batch_size, training.crop_frames, training.seed)
    return [(a.astype(dtype), b.astype(dtype)) for a, b in pairs]


@cache
def _make_run(config: RunConfig, dtype: str) -> tuple[TensorFlowRun, list[np.ndarray]]:
    """Make a run and its initial state; its graph serves all trainings with a configuration."""
    with precision(dtype):
        run = TensorFlowRun(config)
        return run, run.state()


def untrained(config: RunConfig, dtype: str) -> TensorFlowRun:
    """Return a run of this project in its initial state.

    Args:
        config: Settings of the run.
        dtype: Type of weights and features. Train the run at this precision.
    """
    run, initial = _make_run(config, dtype)
    run.restore(initial)
    return run


def exact(
    corpus: Demo,
    steps: int = 100,
    config: RunConfig = SHALLOW,
    optimizer: train_step.MakeOptimizer = train_step.Adam,
) -> np.ndarray:
    """Train in float64 in both frameworks, from equal weights on equal crops.

    Returns:
        (steps,): the largest relative difference among the ten losses at each step.
    """
    with precision("float64"):
        seen = batches(corpus, config, steps, "float64")
        ours, twin = untrained(config, "float64"), TorchRun(config, torch.float64, optimizer)
        match_runs(twin, ours)
        return relative(train(ours, seen), train(twin, seen)).max(axis=1)


@dataclass(frozen=True)
class Envelope:
    """Gaps between trainings whose initial weights are one rounding apart.

    Attributes:
        steps: Last step of each window, (windows,).
        within: Mean relative gaps of the losses between TensorFlow runs, (windows, pairs).
        across: Mean relative gaps of the losses between the PyTorch run and each TensorFlow run,
            (windows, runs).
    """

    steps: np.ndarray
    within: np.ndarray
    across: np.ndarray

    def strictly_inside(self) -> np.ndarray:
        """Return whether the median gap across is in the range of gaps within, per window."""
        return self._inside(slack=1.0)

    def inside(self) -> np.ndarray:
        """Return whether the median gap is in that range widened by `SLACK`, per window."""
        return self._inside(SLACK)

    def failures(self) -> list[str]:
        """Return a sentence for each window in which the median gap leaves the widened range."""
        low, high = self.within.min(axis=1) / SLACK, self.within.max(axis=1) * SLACK
        return [
            f"median relative gap {median:.2g} of the losses between the frameworks up to step "
            f"{step}, expected between {least:.2g} and {most:.2g}"
            for step, median, least, most, inside in zip(
                self.steps, np.median(self.across, axis=1), low, high, self.inside(), strict=True
            )
            if not inside
        ]

    def _inside(self, slack: float) -> np.ndarray:
        median = np.median(self.across, axis=1)
        least, most = self.within.min(axis=1), self.within.max(axis=1)
        return (least / slack <= median) & (median <= most * slack)


def envelope(
    corpus: Demo,
    dtype: str = "float32",
    steps: int = 300,
    window: int = 25,
    nudges: int = 5,
    config: RunConfig = DEEP,
    optimizer: train_step.MakeOptimizer = train_step.Adam,
) -> Envelope:
    """Train in PyTorch, in TensorFlow, and in TensorFlow again from nudged weights.

    A nudge moves every weight to the next number above or below it, at random.
    """
    with precision(dtype):
        seen = batches(corpus, config, steps, dtype)
        ours, twin = untrained(config, dtype), TorchRun(config, getattr(torch, dtype), optimizer)
        match_runs(twin, ours)
        initial = ours.state()
        runs = [train(ours, seen)]
        for seed in range(nudges):
            ours.restore(initial)
            nudge(ours, seed)
            runs.append(train(ours, seen))
        theirs = train(twin, seen)
    return Envelope(
        np.arange(window, steps + 1, window),
        _average_windows([relative(a, b) for a, b in combinations(runs, 2)], window),
        _average_windows([relative(theirs, run) for run in runs], window),
    )


def relative(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return differences of losses, over the losses of `theirs`."""
    return np.abs(ours - theirs) / np.abs(theirs)


def _average_windows(gaps: list[np.ndarray], window: int) -> np.ndarray:
    """Return means over windows of steps and over losses, (windows, gaps)."""
    stacked = np.stack(gaps)
    count, steps, losses = stacked.shape
    return stacked.reshape(count, steps // window, window * losses).mean(axis=2).T

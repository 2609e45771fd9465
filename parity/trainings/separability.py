"""Tests whether two arms of the long study differ, and the difference that they would detect."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.stats

from parity.trainings.convergence import ARMS, Results
from parity.trainings.runs import LOSSES, TensorFlowRun

KINDS = ("cycle", "identity", "adversarial")

SIGNIFICANCE = 0.05 / len(KINDS)
"""Significance level of one kind of loss in one comparison: 0.05 over three kinds (Bonferroni)."""

SIGNIFICANCE_OF_ALL = SIGNIFICANCE / (len(ARMS) - 1)
"""Significance level of one test if all comparisons of the study together have 0.05."""

POWER = 0.8
"""Probability with which a detectable difference is found."""

LAST_WINDOWS = 2
"""Windows of the final losses: the last 100 of 1,000 steps."""

BySeed = dict[str, float]
Measure = Callable[[dict[str, dict], str], BySeed]


def columns(kind: str) -> list[int]:
    """Return the columns of a kind of loss in `LOSSES`, for both directions or speakers."""
    return [index for index, name in enumerate(LOSSES) if name.startswith(f"{kind}_")]


def final_losses(arm: dict[str, dict], kind: str) -> BySeed:
    """Return a kind of loss by seed, mean over both directions and the last 100 steps."""
    return {
        seed: float(np.mean(np.array(training["losses"])[-LAST_WINDOWS:, columns(kind)]))
        for seed, training in arm.items()
    }


def held_out_losses(arm: dict[str, dict], kind: str) -> BySeed:
    """Return a kind of loss by seed on held-out recordings, mean over both directions."""

    def mean(losses: dict[str, float]) -> float:
        return float(np.mean([loss for name, loss in losses.items() if name.startswith(kind)]))

    return {seed: mean(training["held_out"]) for seed, training in arm.items()}


@dataclass(frozen=True)
class Comparison:
    """Result of a two-sided t-test of two groups.

    Attributes:
        difference: Difference of the means, second minus first.
        p: Probability of a difference at least as large by chance.
        detectable: Difference that the test finds with probability `POWER`, at the measured
            standard deviations.
        mean: Mean of the first group.
    """

    difference: float
    p: float
    detectable: float
    mean: float

    @property
    def separable(self) -> bool:
        """Whether p is below `SIGNIFICANCE`."""
        return self.p < SIGNIFICANCE

    @property
    def certain(self) -> bool:
        """Whether p is below `SIGNIFICANCE_OF_ALL`."""
        return self.p < SIGNIFICANCE_OF_ALL


def between(
    results: Results, one: str, other: str, kind: str, measure: Measure = final_losses
) -> Comparison:
    """Compare two arms in a kind of loss.

    Arms of one framework share their crops by seed, and most their initial weights, and are
    compared in pairs. Arms of two frameworks are compared as groups.
    """
    first, second = measure(results[one], kind), measure(results[other], kind)
    same_framework = len({ARMS[name].build is TensorFlowRun for name in (one, other)}) == 1
    if same_framework:
        common = [seed for seed in first if seed in second]
        return paired(*(np.array([arm[seed] for seed in common]) for arm in (first, second)))
    return unpaired(np.array([*first.values()]), np.array([*second.values()]))


def paired(one: np.ndarray, other: np.ndarray) -> Comparison:
    """Compare (seeds,) with (seeds,) by the paired t-test.

    Source: Student, 1908, "The probable error of a mean"; its power by the noncentral t
        distribution, Cohen, 1988.
    """
    differences = other - one
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return _tested(one.mean(), differences.mean(), error, len(differences) - 1)


def unpaired(one: np.ndarray, other: np.ndarray) -> Comparison:
    """Compare (seeds,) with (seeds,) by Welch's t-test.

    Source: Welch, 1947, "The generalization of 'Student's' problem when several different
        population variances are involved".
    """
    variances = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    error = float(np.sqrt(variances.sum()))
    parts = variances**2 / [len(one) - 1, len(other) - 1]
    freedom = variances.sum() ** 2 / parts.sum() if error > 0.0 else 1.0
    return _tested(one.mean(), other.mean() - one.mean(), error, freedom)


def _tested(mean: float, difference: float, error: float, freedom: float) -> Comparison:
    if not error > 0.0:
        # Groups of one value or without spread cannot be compared.
        return Comparison(float(difference), np.nan, np.nan, float(mean))
    p = 2.0 * scipy.stats.t.sf(abs(difference) / error, freedom)
    critical = scipy.stats.t.ppf(1 - SIGNIFICANCE / 2, freedom)

    # Significance with the opposite sign, of about 1e-6, is neglected.
    def missing_power(effect: float) -> float:
        return scipy.stats.nct.sf(critical, freedom, effect) - POWER

    effect = scipy.optimize.brentq(missing_power, 0.0, 12.0)
    return Comparison(float(difference), float(p), float(effect * error), float(mean))

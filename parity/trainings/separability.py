"""Whether two arms of the long study ended at the same place, and what difference would be seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.stats

from parity.trainings.convergence import ARMS, Results
from parity.trainings.runs import LOSSES, TensorFlowRun

KINDS = ("cycle", "identity", "adversarial")

SIGNIFICANCE = 0.05 / len(KINDS)
"""Of one kind of loss in one comparison, so that the three together come to 0.05 (Bonferroni)."""

SIGNIFICANCE_OF_ALL = SIGNIFICANCE / (len(ARMS) - 1)
"""So that all comparisons of the study together come to 0.05."""

POWER = 0.8

LAST_WINDOWS = 2
"""The last 100 of 1,000 steps."""

BySeed = dict[str, float]
Measure = Callable[[dict[str, dict], str], BySeed]


def columns(kind: str) -> list[int]:
    """Where a kind of loss stands among `LOSSES`, for both directions or speakers."""
    return [index for index, name in enumerate(LOSSES) if name.startswith(f"{kind}_")]


def final_losses(arm: dict[str, dict], kind: str) -> BySeed:
    """A kind of loss at the end, mean over both directions and 100 steps."""
    return {
        seed: float(np.mean(np.array(each["losses"])[-LAST_WINDOWS:, columns(kind)]))
        for seed, each in arm.items()
    }


def held_out(arm: dict[str, dict], kind: str) -> BySeed:
    """A kind of loss on held-out recordings after the last step, mean over both directions."""
    return {
        seed: float(np.mean([x for name, x in each["held_out"].items() if name.startswith(kind)]))
        for seed, each in arm.items()
    }


@dataclass(frozen=True)
class Comparison:
    """Two groups by a two-sided t-test.

    Attributes:
        difference: Of their means, second minus first.
        p: Probability of a difference at least as large if there were none.
        detectable: The difference that the test would call separable four times in five, if
            deviations are as measured.
        mean: Of the first group.
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
    """Compares two arms in a kind of loss.

    Arms of one framework share their crops, and most their initial weights, seed by seed: they are
    compared in pairs. Arms of two frameworks are compared as groups.
    """
    first, second = measure(results[one], kind), measure(results[other], kind)
    same_framework = len({ARMS[arm].build is TensorFlowRun for arm in (one, other)}) == 1
    if same_framework:
        common = [seed for seed in first if seed in second]
        return paired(*(np.array([each[seed] for seed in common]) for each in (first, second)))
    return unpaired(np.array([*first.values()]), np.array([*second.values()]))


def paired(one: np.ndarray, other: np.ndarray) -> Comparison:
    """The paired t-test, on the differences of (seeds,) and (seeds,).

    Source: Student, 1908, "The probable error of a mean"; its power by the noncentral t
        distribution, Cohen, 1988.
    """
    differences = other - one
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    return _tested(one.mean(), differences.mean(), error, len(differences) - 1)


def unpaired(one: np.ndarray, other: np.ndarray) -> Comparison:
    """Welch's t-test, of (seeds,) and (seeds,).

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
        # One value a group, or the same everywhere: nothing can be said.
        return Comparison(float(difference), np.nan, np.nan, float(mean))
    p = 2.0 * scipy.stats.t.sf(abs(difference) / error, freedom)
    critical = scipy.stats.t.ppf(1 - SIGNIFICANCE / 2, freedom)

    # Significance on the wrong side, of the order of 1e-6, is left out.
    def missing(effect: float) -> float:
        return scipy.stats.nct.sf(critical, freedom, effect) - POWER

    effect = scipy.optimize.brentq(missing, 0.0, 12.0)
    return Comparison(float(difference), float(p), float(effect * error), float(mean))

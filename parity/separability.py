"""Whether two groups of trainings ended at the same place, and what difference would be seen."""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.stats

from parity.runs import LOSSES

KINDS = ("cycle", "identity", "adversarial")

SIGNIFICANCE = 0.05
"""Over all three kinds of loss together; each is tested at a third of it (Bonferroni)."""

POWER = 0.8

LAST_WINDOWS = 2
"""The last 100 of 1,000 steps."""


def final_losses(arm: dict[str, dict], kind: str) -> np.ndarray:
    """A kind of loss at the end, mean over both directions and 100 steps, one value a seed."""
    columns = [index for index, name in enumerate(LOSSES) if name.startswith(kind)]
    return np.array(
        [np.mean(np.array(each["losses"])[-LAST_WINDOWS:, columns]) for each in arm.values()]
    )


def held_out(arm: dict[str, dict], kind: str) -> np.ndarray:
    """A kind of loss on held-out recordings after the last step, one value a seed."""
    return np.array(
        [
            np.mean([value for name, value in each["held_out"].items() if name.startswith(kind)])
            for each in arm.values()
        ]
    )


@dataclass(frozen=True)
class Comparison:
    """Two groups by Welch's two-sided t-test.

    Attributes:
        difference: Of their means, second minus first.
        p: Probability of a difference at least as large if both came from one distribution with
            unequal variances.
        detectable: The difference that the test would call significant four times in five, if
            both groups' deviations are as measured.
        mean: Of the first group.
    """

    difference: float
    p: float
    detectable: float
    mean: float

    @property
    def separable(self) -> bool:
        """Whether the difference is significant."""
        return self.p < SIGNIFICANCE / len(KINDS)


def compare(one: np.ndarray, other: np.ndarray) -> Comparison:
    """Compares two groups, (seeds,) each.

    Source: Welch, 1947, "The generalization of 'Student's' problem when several different
        population variances are involved"; power by the noncentral t distribution, Cohen, 1988.
    """
    variances = one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)
    error = float(np.sqrt(sum(variances)))
    if not error > 0.0:
        # One value a group, or the same everywhere: nothing can be said.
        return Comparison(float(other.mean() - one.mean()), np.nan, np.nan, float(one.mean()))
    freedom = sum(variances) ** 2 / (
        variances[0] ** 2 / (len(one) - 1) + variances[1] ** 2 / (len(other) - 1)
    )
    critical = scipy.stats.t.ppf(1 - SIGNIFICANCE / len(KINDS) / 2, freedom)

    # Significance on the wrong side, of the order of 1e-6, is left out.
    def missing(effect: float) -> float:
        return scipy.stats.nct.sf(critical, freedom, effect) - POWER

    effect = scipy.optimize.brentq(missing, 0.0, 12.0)
    p = scipy.stats.ttest_ind(one, other, equal_var=False).pvalue
    return Comparison(
        float(other.mean() - one.mean()), float(p), float(effect * error), float(one.mean())
    )

"""Scores of a run's checkpoints, as measured in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

HIGHER_IS_BETTER = ("speaker_similarity", "dnsmos")
"""Metrics with better values above; for all others lower values are better."""

Means = Mapping[Any, Mapping[str, float | None]]
"""Values by direction and metric; None where a metric was not measured."""


@dataclass(frozen=True)
class EvaluationHistory:
    """File of a run's evaluations: {"STEP": {"A2B": {"mcd_db": 7.3, …}, "B2A": …}}."""

    path: Path

    def all(self) -> dict[int, Means]:
        """Read all evaluations by step.

        Raises:
            InputError: The file is damaged.
        """
        if not self.path.exists():
            return {}
        try:
            data = files.read_json(self.path)
            known: dict[int, Means] = {int(step): dict(means) for step, means in data.items()}
            for means in known.values():
                for direction in means.values():
                    for value in direction.values():
                        if isinstance(value, bool) or not isinstance(value, int | float | None):
                            raise ValueError(f"{value!r:.100} is not a number")
            return known
        except (OSError, ValueError, AttributeError, TypeError, OverflowError) as error:
            raise InputError(
                f"{self.path} is damaged ({error}); remove it to go on without the evaluations"
            ) from error

    def add(self, step: int, means: Means) -> None:
        """Add the evaluation of a checkpoint."""
        self._write({**self.all(), step: means})

    def forget_after(self, step: int) -> None:
        """Remove the evaluations after a step, because training is about to repeat them."""
        known = self.all()
        if any(evaluated > step for evaluated in known):
            self._write({key: means for key, means in known.items() if key <= step})

    def best(self, metric: str, steps: Sequence[int]) -> int | None:
        """Return the step with the best mean of a metric over both directions.

        Args:
            metric: Name of the metric.
            steps: Steps to choose from.

        Returns:
            The best step, the first of equals; None if no step has a value in both directions.
        """
        sign = -1.0 if metric in HIGHER_IS_BETTER else 1.0
        costs = {}
        for step, means in self.all().items():
            values = [direction.get(metric) for direction in means.values()]
            # NaN has no place in an order.
            measured = [value for value in values if value is not None and value == value]
            if step in steps and measured and len(measured) == len(values):
                costs[step] = sign * sum(measured) / len(measured)
        return min(costs, key=costs.__getitem__) if costs else None

    def _write(self, known: Mapping[int, Means]) -> None:
        files.write_json(self.path, {str(step): known[step] for step in sorted(known)})

"""What a run's checkpoints were worth when they were evaluated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

HIGHER_IS_BETTER = ("speaker_similarity", "dnsmos")

Means = Mapping[Any, Mapping[str, float | None]]
"""By direction and metric."""


@dataclass(frozen=True)
class EvaluationHistory:
    """The file of a run's evaluations: {"STEP": {"A2B": {"mcd_db": 7.3, …}, "B2A": …}}."""

    path: Path

    def all(self) -> dict[int, Means]:
        """By step.

        Raises:
            InputError: The file is damaged.
        """
        if not self.path.exists():
            return {}
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return {int(step): dict(means) for step, means in data.items()}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"{self.path} is damaged ({error}); remove it to go on without the evaluations"
            ) from error

    def add(self, step: int, means: Means) -> None:
        """Notes a checkpoint's."""
        self._write({**self.all(), step: means})

    def forget_after(self, step: int) -> None:
        """Leaves out what is about to be repeated."""
        known = self.all()
        if any(each > step for each in known):
            self._write({each: means for each, means in known.items() if each <= step})

    def best(self, metric: str, steps: Sequence[int]) -> int | None:
        """The step whose mean over both directions is best; the first of equals.

        Args:
            metric: Which.
            steps: Of the checkpoints that there are.

        Returns:
            None where none of them was evaluated.
        """
        sign = -1.0 if metric in HIGHER_IS_BETTER else 1.0
        worth = {}
        for step, means in self.all().items():
            values = [each.get(metric) for each in means.values()]
            measured = [value for value in values if value is not None]
            if step in steps and measured and len(measured) == len(values):
                worth[step] = sign * sum(measured) / len(measured)
        return min(worth, key=worth.__getitem__) if worth else None

    def _write(self, known: Mapping[int, Means]) -> None:
        files.write_json(self.path, {str(step): known[step] for step in sorted(known)})

"""Measure contenders in turns, A B A B, so that a slow phase of the machine affects all of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness.worker import Facts, Turn, Worker, WorkerError


@dataclass(frozen=True)
class Ratio:
    """Ratio of the times of two contenders.

    Attributes:
        median: Ratio of the medians over all rounds.
        low: Lower quartile of the rounds' ratios.
        high: Upper quartile of the rounds' ratios.
    """

    median: float
    low: float
    high: float


@dataclass
class Measured:
    """Measurements of a contender.

    Attributes:
        facts: Facts that the worker sent.
        turns: One turn per round.
        failed: Reason of a failure, which leaves no turns; empty otherwise.
    """

    facts: Facts = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    failed: str = ""

    @property
    def wall_s(self) -> list[float]:
        """Median seconds per step of each round."""
        return [statistics.median(turn.wall_s) for turn in self.turns]

    @property
    def cpu_s(self) -> list[float]:
        """Median processor seconds per step of each round."""
        return [statistics.median(turn.cpu_s) for turn in self.turns]

    @property
    def peak_mb(self) -> float:
        """Peak memory of the process, in MB."""
        return self.turns[-1].peak_mb

    @property
    def peak_gpu_mb(self) -> float | None:
        """Peak memory of the GPU, in MB; None without a GPU."""
        return self.turns[-1].peak_gpu_mb


def measure(
    workers: Mapping[str, Worker],
    rounds: int,
    steps: int,
    report_progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Measured]:
    """Measure all contenders in turns.

    A contender that fails has no further turns, and its earlier turns do not count.

    Args:
        workers: Started workers by name. They sleep while another one measures.
        rounds: Number of turns of each worker.
        steps: Steps per turn. From three on, the median excludes the first step, whose caches hold
            another contender's data.
        report_progress: Function that gets lines of progress.
    """
    found = {name: Measured() for name in workers}
    for name, worker in workers.items():
        try:
            found[name].facts = worker.ready()
            report_progress(f"{name} is ready")
        except WorkerError as error:
            found[name].failed = str(error)
            report_progress(f"{name} cannot be measured: {error}")
    for number in range(1, rounds + 1):
        report_progress(f"round {number} of {rounds}")
        for name, worker in workers.items():
            if found[name].failed:
                continue
            try:
                found[name].turns.append(worker.measure(steps))
            except WorkerError as error:
                found[name] = Measured(found[name].facts, failed=str(error))
    return found


def ratio(numerator_s: Sequence[float], denominator_s: Sequence[float]) -> Ratio:
    """Return the ratio of two contenders' times, given by round."""
    low, high = np.quantile(np.divide(numerator_s, denominator_s), [0.25, 0.75])
    median = statistics.median(numerator_s) / statistics.median(denominator_s)
    return Ratio(median, float(low), float(high))


def wall_ratio(numerator: Measured | None, denominator: Measured | None) -> Ratio | None:
    """Return the ratio of two contenders' seconds per step, or None if one has no times."""
    if numerator is None or denominator is None or not numerator.turns or not denominator.turns:
        return None
    return ratio(numerator.wall_s, denominator.wall_s)

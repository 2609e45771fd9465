"""Contenders in turn, A B A B, so that what slows the machine for a while slows all of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness.worker import Facts, Turn, Worker, WorkerError


@dataclass(frozen=True)
class Ratio:
    """How many times as long one contender takes as another.

    Attributes:
        median: Of the medians over all rounds.
        low: Lower quartile of the ratios of each round.
        high: Upper quartile of them.
    """

    median: float
    low: float
    high: float


@dataclass
class Measured:
    """What is known of a contender.

    Attributes:
        facts: What it said about itself.
        turns: One a round.
        failed: Why there are none; empty where there are.
    """

    facts: Facts = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    failed: str = ""

    @property
    def wall_s(self) -> list[float]:
        """Seconds a step, the median of each round."""
        return [statistics.median(turn.wall_s) for turn in self.turns]

    @property
    def cpu_s(self) -> list[float]:
        """Processor seconds a step, the median of each round."""
        return [statistics.median(turn.cpu_s) for turn in self.turns]

    @property
    def peak_mb(self) -> float:
        """Most memory that its process held, in MB."""
        return self.turns[-1].peak_mb


def measure(
    workers: Mapping[str, Worker],
    rounds: int,
    steps: int,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Measured]:
    """Runs all contenders in turn.

    One that fails is out of the race, and what it did before does not count.

    Args:
        workers: The contenders by name, started; the others sleep while one measures.
        rounds: How many turns each of them has.
        steps: Steps of a turn. Its median leaves out the first, which finds the caches as another
            contender left them, from three on.
        say: Hears how far it is.
    """
    found = {name: Measured() for name in workers}
    for name, worker in workers.items():
        try:
            found[name].facts = worker.ready()
            say(f"{name} is ready")
        except WorkerError as error:
            found[name].failed = str(error)
            say(f"{name} cannot be measured: {error}")
    for number in range(1, rounds + 1):
        say(f"round {number} of {rounds}")
        for name, worker in workers.items():
            if found[name].failed:
                continue
            try:
                found[name].turns.append(worker.go(steps))
            except WorkerError as error:
                found[name] = Measured(found[name].facts, failed=str(error))
    return found


def ratio(these_s: Sequence[float], those_s: Sequence[float]) -> Ratio:
    """These times over those, of the same rounds."""
    each = np.divide(these_s, those_s)
    low, high = np.quantile(each, [0.25, 0.75])
    return Ratio(statistics.median(these_s) / statistics.median(those_s), float(low), float(high))


def ratio_of(these: Measured | None, those: Measured | None) -> Ratio | None:
    """The ratio of two contenders' seconds a step; none where one of them has no times."""
    if these is None or those is None or not these.turns or not those.turns:
        return None
    return ratio(these.wall_s, those.wall_s)

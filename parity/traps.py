"""Where TensorFlow and PyTorch part ways: the right form beside the one that is easily written."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Trap:
    """A difference between the frameworks, or a habit of one, that code falls for.

    Attributes:
        name: In reports.
        wrong_way: What is easily written.
        measure: Gives two distances from this project's result, each over its largest value: the
            right form's and the wrong way's.
        tolerance: The right form's distance is at most this.
        at_least: The wrong way's is at least this, or the suite could not tell them apart.
    """

    name: str
    wrong_way: str
    measure: Callable[[], tuple[float, float]]
    tolerance: float
    at_least: float


@dataclass(frozen=True)
class Finding:
    """What a trap measured.

    Attributes:
        trap: Which.
        right: Distance of the right form.
        wrong: Distance of the wrong way.
    """

    trap: Trap
    right: float
    wrong: float

    @property
    def passed(self) -> bool:
        """Whether the right form is right and the wrong one visibly wrong."""
        return self.right <= self.trap.tolerance and self.wrong >= self.trap.at_least


def spring(trap: Trap) -> Finding:
    """Measures both forms."""
    return Finding(trap, *trap.measure())

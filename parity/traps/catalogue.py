"""All traps, and their measurement."""

from dataclasses import dataclass

from parity.traps import family_traps, layer_traps, shuffle_traps, training_traps
from parity.traps.trap import Trap

TRAPS = (
    *layer_traps.TRAPS, *shuffle_traps.TRAPS, *family_traps.TRAPS, *training_traps.TRAPS
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Measured distances of a trap.

    Attributes:
        trap: The trap.
        right: Distance of the right form.
        wrong: Distance of the wrong way.
    """

    trap: Trap
    right: float
    wrong: float

    @property
    def passed(self) -> bool:
        """Whether the right form is within its tolerance and the wrong way is not."""
        return self.right <= self.trap.tolerance and self.wrong >= self.trap.at_least

    def failure(self) -> str:
        """Return the sentence for a report in which this finding fails."""
        return (
            f"trap {self.trap.name}: relative difference of the right form {self.right:.2g}, "
            f"expected at most {self.trap.tolerance:.2g}; of {self.trap.wrong_way} "
            f"{self.wrong:.2g}, expected at least {self.trap.at_least:.2g}"
        )


def measure_trap(trap: Trap) -> Finding:
    """Measure both forms of a trap."""
    return Finding(trap, *trap.measure())

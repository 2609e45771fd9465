"""All traps, and what springing them finds."""

from dataclasses import dataclass

from parity.traps import family_traps, layer_traps, shuffle_traps, training_traps
from parity.traps.trap import Trap

TRAPS = (
    *layer_traps.TRAPS, *shuffle_traps.TRAPS, *family_traps.TRAPS, *training_traps.TRAPS
)  # fmt: skip


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

"""Speakers of a run, A and B, and the two directions of conversion between them."""

from enum import Enum

from cyclegan_vc_tf.system.errors import InputError

SPEAKERS = ("A", "B")


class Direction(str, Enum):
    """A direction of conversion: "A2B" or "B2A", and equal to that text.

    Attributes:
        source: Speaker that is converted, "A" or "B".
        target: Speaker of the output, "B" or "A".

    Example:
        >>> Direction("A2B").target
        'B'
        >>> Direction.A2B.reverse == "B2A"
        True
    """

    A2B = "A2B"
    B2A = "B2A"

    # In messages and file names it is its text on every version of Python.
    __str__ = str.__str__
    __format__ = str.__format__  # type: ignore[assignment]

    @property
    def source(self) -> str:
        """Speaker that is converted."""
        return self.value[0]

    @property
    def target(self) -> str:
        """Speaker of the output."""
        return self.value[2]

    @property
    def reverse(self) -> "Direction":
        """The other direction."""
        return Direction.B2A if self is Direction.A2B else Direction.A2B


def parse_direction(direction: str) -> Direction:
    """Return a direction of conversion.

    Raises:
        InputError: There is no such direction.
    """
    if direction not in tuple(Direction):
        raise InputError(f"received direction {direction}; expected {' or '.join(Direction)}")
    return Direction(direction)

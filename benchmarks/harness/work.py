"""What a training step has to do, and the time that takes at least."""

from dataclasses import dataclass

ADAM_PASSES = 7
"""Reads a weight, its gradient and both moments, and writes the weight and both moments."""

WEIGHT_BYTES = 4
"""Of a weight, its gradient or a moment: float32, whatever the products are made in."""


@dataclass(frozen=True)
class Work:
    """What a step has to do.

    Attributes:
        flops: Floating-point operations of all convolutions and dense layers.
        adam_bytes: What Adam reads and writes.
    """

    flops: int
    adam_bytes: int

    def limit_s(self, flops_per_s: float, bytes_per_s: float) -> float:
        """Seconds that no step goes below: products at full rate, then Adam at that of a copy."""
        return self.flops / flops_per_s + self.adam_bytes / bytes_per_s

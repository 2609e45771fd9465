"""Work of a training step, and the lower limit of its time."""

from dataclasses import dataclass

ADAM_PASSES = 7
"""Values that Adam reads and writes per weight. It reads the weight, its gradient and both moments,
and writes the weight and both moments."""

WEIGHT_BYTES = 4
"""Bytes of a weight, a gradient or a moment, which are float32 for every precision of products."""


@dataclass(frozen=True)
class Work:
    """Work of a training step.

    Attributes:
        flops: Floating-point operations of all convolutions and dense layers.
        adam_bytes: Bytes that Adam reads and writes.
    """

    flops: int
    adam_bytes: int

    def limit_s(self, flops_per_s: float, bytes_per_s: float) -> float:
        """Return the lower limit in seconds: products at full rate, then Adam at a copy's rate."""
        return self.flops / flops_per_s + self.adam_bytes / bytes_per_s

"""Tolerances, counted in roundings.

Two frameworks sum in different orders, and so do two processors and two numbers of threads. A
tolerance here is not fitted to a machine. It is a number of roundings times the unit roundoff of
the type.
"""

import math

UNIT_ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
"""Largest relative error of one rounding."""

CONFIDENCE = 8.0
"""Factor lambda of the bound. A chain of n roundings exceeds the bound with a probability of at
most 2 n exp(-lambda² / 2), which is 2.5e-14 n."""


def count_roundings(chain: int) -> float:
    """Return how many unit roundoffs two implementations may be apart.

    A chain of n roundings of random sign errs by at most lambda sqrt(n) unit roundoffs. Any other
    order of summation, in blocks, in vectors or by several threads, makes the chain shorter. The
    factor 2 adds the errors of both implementations.

    Args:
        chain: Roundings that follow each other: terms of a sum, times sums that a value passes.

    Source: Higham and Mary, 2019, "A new approach to probabilistic rounding error analysis",
        theorem 2.4.
    """
    return 2.0 * CONFIDENCE * math.sqrt(chain)


PART_CHAIN = 1024
"""Roundings in a layer, a loss or 100 steps of Adam. A kernel's gradient sums over 3 x 9 x 17
positions, a loss over 24 x 16 values. Adam makes about 10 roundings per step."""

LAYERS = 47
"""Convolutions and norms on the longest path of the deepest generator, CycleGAN-VC3's."""

TERMS_FORWARD = 10_240
"""Terms of the longest sum forward: 2 x 5 positions of 1,024 channels, in the last block of
CycleGAN-VC3's discriminator."""

TERMS_BACKWARD = 51_200
"""Terms of the longest sum backward: 5 x 5 positions of 2,048 channels, in the first upsampling
block of the 2-1-2-D generators."""

ROUNDINGS = {
    # (network, kind): unit roundoffs.
    (False, "output"): count_roundings(PART_CHAIN),
    (False, "gradient"): count_roundings(PART_CHAIN),
    (True, "output"): count_roundings(LAYERS * TERMS_FORWARD),
    # A gradient passes every layer forward and backward.
    (True, "gradient"): count_roundings(LAYERS * (TERMS_FORWARD + TERMS_BACKWARD)),
}
"""Unit roundoffs that outputs and gradients may be apart, relative to their largest value: 512 in a
part; 11,100 and 27,189 in a network."""


def tolerance(dtype: str, *, network: bool = False, kind: str = "output") -> float:
    """Return the largest relative distance that rounding explains.

    Args:
        dtype: "float64", "float32", or "int64" for schedules, which are computed in float64.
        network: Whether a whole network is compared, not a part.
        kind: "output" or "gradient".
    """
    unit = UNIT_ROUNDOFF["float64" if dtype == "int64" else dtype]
    return ROUNDINGS[network, kind] * unit

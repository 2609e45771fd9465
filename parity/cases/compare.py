"""Runs cases and says by how much the frameworks differ."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.cases.case import Case
from parity.cases.pairs import Quantity
from parity.precision import precision

TOLERANCES = {
    # (type, network, kind): at most this much of the largest value.
    # float64 carries 1.1e-16; a network of a dozen layers, each a sum of up to thousands of
    # products, loses two to three digits of it going forward and as many going back.
    ("float64", False, "output"): 1e-12,
    ("float64", True, "output"): 1e-12,
    ("float64", False, "gradient"): 1e-10,
    ("float64", True, "gradient"): 1e-10,
    # float32 carries 6e-8.
    ("float32", False, "output"): 1e-5,
    ("float32", True, "output"): 1e-4,
    ("float32", False, "gradient"): 1e-5,
    ("float32", True, "gradient"): 1e-4,
    # Schedules of whole numbers are computed in float64.
    ("int64", False, "output"): 1e-12,
}

SLACK = 30.0
"""How much further than from one nudge of itself a training may be from its twin's: a nudge rounds
every weight once, the other framework every operation in its own way, and one nudge is one draw. A
real difference, such as another epsilon, is further off by a factor of thousands."""

ZERO_TOLERANCES = {"float64": 1e-10, "float32": 1e-2}
"""Absolute, for gradients that are zero in truth: sums of thousands of terms of either sign, each
rounded, behind norms that divide by small deviations. A rounding in float32 is 5e8 times one in
float64, so that of the two this is the stricter."""


@dataclass(frozen=True)
class Row:
    """How far a case's outputs, or its gradients, are apart, over all of its shapes.

    Attributes:
        case: Its name.
        dtype: What was computed in.
        kind: "output", "gradient" or "zero gradient".
        worst: Which quantity was furthest apart for what it may be, and on which shape.
        absolute: Its largest difference.
        relative: That, over the largest value of the quantity.
        tolerance: Of `relative`; of `absolute` for zero gradients.
        passed: Whether all quantities were within it.
        compared: How many were.
    """

    case: str
    dtype: str
    kind: str
    worst: str
    absolute: float
    relative: float
    tolerance: float
    passed: bool
    compared: int

    @property
    def distance(self) -> float:
        """What the tolerance is of."""
        return self.absolute if self.kind == "zero gradient" else self.relative


def compare(case: Case, dtype: str) -> list[Row]:
    """Compares both sides of a case on all of its shapes.

    Returns:
        A row for the outputs, and one each for gradients and zero gradients if it has them.
    """
    found: dict[str, list[Row]] = {}
    for shapes in case.shapes:
        rng = np.random.default_rng(zlib.crc32(f"{case.name} {shapes}".encode()))
        inputs = [case.draw(rng, shape).astype(dtype) for shape in shapes]
        with precision("float32" if dtype == "int64" else dtype):
            quantities = list(case.pair.quantities(inputs, rng))
            tolerances = _of_a_nudge(quantities, case.nudged(*inputs)) if case.nudged else {}
            for quantity in quantities:
                row = _row(case, dtype, quantity, shapes[0], tolerances)
                found.setdefault(row.kind, []).append(row)
    return [_worst(rows) for rows in found.values()]


def difference(ours: np.ndarray, twin: np.ndarray) -> tuple[float, float]:
    """Largest absolute difference, and that over the largest value; infinite if shapes differ."""
    if ours.shape != twin.shape:
        return np.inf, np.inf
    absolute = float(np.max(np.abs(ours.astype(np.float64) - twin), initial=0.0))
    scale = float(np.max(np.abs(twin), initial=0.0))
    return absolute, absolute / scale if scale else (np.inf if absolute else 0.0)


def _of_a_nudge(
    quantities: Sequence[Quantity], nudged: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Tolerances by kind: what a nudge did to the quantity of that kind that it moved furthest."""
    moved: dict[str, float] = {}
    for quantity in quantities:
        _, relative = difference(nudged[quantity.name], quantity.ours)
        moved[_kind(quantity)] = max(moved.get(_kind(quantity), 0.0), SLACK * relative)
    return moved


def _kind(quantity: Quantity) -> str:
    return "output" if quantity.name.startswith("output") else "gradient"


def _row(
    case: Case,
    dtype: str,
    quantity: Quantity,
    shape: tuple[int, ...],
    tolerances: Mapping[str, float],
) -> Row:
    kind = _kind(quantity)
    absolute, relative = difference(quantity.ours, quantity.twin)
    weight = quantity.name.removeprefix("gradient of ")
    if kind == "gradient" and re.fullmatch(case.zero_gradients, weight):
        kind, tolerance = "zero gradient", ZERO_TOLERANCES[dtype]
        # Both have to be zero, not just equal.
        both = np.concatenate([quantity.ours.ravel(), quantity.twin.ravel()])
        absolute = float(np.max(np.abs(both)))
        passed = absolute <= tolerance and quantity.ours.shape == quantity.twin.shape
    else:
        tolerance = tolerances.get(kind, TOLERANCES[dtype, case.network, kind])
        passed = relative <= tolerance
    worst = f"{quantity.name} on {'x'.join(map(str, shape))}"
    return Row(case.name, dtype, kind, worst, absolute, relative, tolerance, passed, 1)


def _worst(rows: list[Row]) -> Row:
    def badness(row: Row) -> float:
        return np.inf if np.isnan(row.distance) else row.distance

    worst = max(rows, key=badness)
    return replace(worst, passed=all(row.passed for row in rows), compared=len(rows))

"""Comparison of both sides of a case."""

import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.cases.case import Case, Shape
from parity.cases.pairs import Quantity
from parity.precision import precision
from parity.tolerances import count_roundings, tolerance

NUDGES = 3
"""Repetitions of a training from nudged weights. One nudge is one draw; the largest effect
counts."""


@dataclass(frozen=True)
class Row:
    """Distance of a case's outputs, or of its gradients, over all of its shapes.

    Attributes:
        case: Name of the case.
        dtype: Type that was computed in.
        kind: "output", "gradient" or "zero gradient".
        worst: Quantity with the largest distance, and its shape.
        absolute: Largest absolute difference of that quantity.
        distance: Absolute difference over the scale. The scale is the quantity's largest value; of
            a zero gradient, the largest gradient of the kernel or scale beside it.
        tolerance: Largest `distance` that is allowed.
        passed: Whether every quantity was within its tolerance.
        compared: Number of quantities.
    """

    case: str
    dtype: str
    kind: str
    worst: str
    absolute: float
    distance: float
    tolerance: float
    passed: bool
    compared: int

    def failure(self) -> str:
        """Return the sentence for a report in which this row fails."""
        return (
            f"case {self.case}, {self.dtype}, {self.kind}: {self.worst}: relative difference "
            f"{self.distance:.2g}, expected at most {self.tolerance:.2g} "
            f"(absolute difference {self.absolute:.2g})"
        )


def compare(case: Case, dtype: str, tolerances: Mapping[str, float] | None = None) -> list[Row]:
    """Compare both sides of a case on all of its shapes.

    Args:
        case: Case.
        dtype: Type to compute in.
        tolerances: Tolerances of a training by kind, if they are known; its nudged repetitions take
            most of the time. By default they are measured.

    Returns:
        A row for the outputs, and one each for gradients and zero gradients if it has them.
    """
    found: dict[str, list[Row]] = {}
    for shapes in case.shapes:
        for row in _rows(case, dtype, shapes, tolerances):
            found.setdefault(row.kind, []).append(row)
    return [_worst(rows) for rows in found.values()]


def difference(ours: np.ndarray, twin: np.ndarray) -> tuple[float, float]:
    """Return the largest absolute difference, and its ratio to the largest value of `twin`.

    Both are infinite if the shapes differ.
    """
    if ours.shape != twin.shape:
        return np.inf, np.inf
    absolute = float(np.max(np.abs(ours.astype(np.float64) - twin), initial=0.0))
    scale = _largest(twin)
    return absolute, absolute / scale if scale else (np.inf if absolute else 0.0)


def zero_gradient_size(quantity: Quantity, by_name: Mapping[str, Quantity]) -> tuple[float, float]:
    """Return the size of a gradient that has to be zero on both sides, not just equal.

    A bias's gradient is a sum over positions. The gradient of the kernel beside it has the sum of
    these terms times the inputs, and tells how large they are.

    Returns:
        The largest absolute value of both sides, and its ratio to the largest gradient of the
        kernel. Where there is no kernel, the absolute value stands for the ratio.
    """
    # Unlike `max`, NumPy's maximum of a number and NaN is NaN.
    absolute = float(np.maximum(_largest(quantity.ours), _largest(quantity.twin)))
    layer, _, parameter = quantity.name.rpartition(".")
    kernel = by_name.get(f"{layer}.weight") if parameter == "bias" else None
    scale = _largest(kernel.twin) if kernel else 0.0
    return absolute, absolute / scale if scale else absolute


def nudge_tolerances(
    plain: Mapping[str, np.ndarray], nudged: Sequence[Mapping[str, np.ndarray]], terms: int
) -> dict[str, float]:
    """Return tolerances by kind for a training, in which many steps magnify every rounding.

    A nudge rounds every weight once. What it changes is the effect of one rounding. The other
    framework rounds every term of every sum in its own way, so that effect is multiplied by
    `count_roundings(terms)`.

    Args:
        plain: Results of the plain training, by name of the quantity.
        nudged: Results of each nudged training.
        terms: Terms of the longest sum in a step.
    """
    effects: dict[str, float] = {}
    for result in nudged:
        for name, value in plain.items():
            _, relative = difference(result[name], value)
            kind = _kind(name)
            effects[kind] = max(effects.get(kind, 0.0), relative)
    return {kind: count_roundings(terms) * effect for kind, effect in effects.items()}


def _rows(
    case: Case,
    dtype: str,
    shapes: tuple[Shape, ...],
    tolerances: Mapping[str, float] | None,
) -> Iterator[Row]:
    """Yield a row for each quantity."""
    rng = np.random.default_rng(zlib.crc32(f"{case.name} {shapes}".encode()))
    inputs = [case.draw(rng, shape).astype(dtype) for shape in shapes]
    with precision("float32" if dtype == "int64" else dtype):
        quantities = list(case.pair.quantities(inputs, rng))
        tolerances = tolerances or {}
        if not tolerances and case.nudged:
            plain, *nudged = case.nudged(*inputs, seeds=range(NUDGES))
            # Losses and gradients sum over the examples, frames and bins of a speaker.
            tolerances = nudge_tolerances(plain, nudged, math.prod(shapes[0][2:]))
    by_name = {quantity.name: quantity for quantity in quantities}
    for quantity in quantities:
        kind = _kind(quantity.name)
        absolute, relative = difference(quantity.ours, quantity.twin)
        allowed = tolerances.get(kind, tolerance(dtype, network=case.network, kind=kind))
        weight = quantity.name.removeprefix("gradient of ")
        if kind == "gradient" and re.fullmatch(case.zero_gradients, weight):
            kind = "zero gradient"
            absolute, relative = zero_gradient_size(quantity, by_name)
        passed = relative <= allowed and quantity.ours.shape == quantity.twin.shape
        worst = f"{quantity.name} on {'x'.join(map(str, shapes[0]))}"
        yield Row(case.name, dtype, kind, worst, absolute, relative, allowed, passed, 1)


def _largest(values: np.ndarray) -> float:
    return float(np.max(np.abs(values), initial=0.0))


def _kind(name: str) -> str:
    return "output" if name.startswith("output") else "gradient"


def _worst(rows: list[Row]) -> Row:
    """Return the largest distance of rows of one kind, that of a failure if there is one."""

    def badness(row: Row) -> tuple[bool, float]:
        return not row.passed, np.inf if np.isnan(row.distance) else row.distance

    worst = max(rows, key=badness)
    return replace(worst, passed=all(row.passed for row in rows), compared=len(rows))

"""Figures of a report: distributions of scores and training curves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO, SYSTEM_INFO
from cyclegan_vc_tf.evaluation.scoring import SYSTEMS, UTTERANCE_METRICS, Scores

Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]
"""Steps and values of scalars, by name."""

PANELS_PER_ROW = 4

MIN_SMOOTHED_POINTS = 100
"""Points above which a curve is drawn with a running mean over a fiftieth of its points."""


def plot_distributions(systems: Mapping[str, Scores]) -> Figure | None:
    """Plot the utterances' values of each metric, by system.

    Args:
        systems: Scores of one direction by system.

    Returns:
        The figure; None if nothing was measured.
    """
    measured: dict[str, dict[str, list[float]]] = {}
    for metric in UTTERANCE_METRICS:
        for system in SYSTEMS:
            utterances = systems[system].utterances.values() if system in systems else ()
            values = [finite_or_none(scores.get(metric)) for scores in utterances]
            if finite := [value for value in values if value is not None]:
                measured.setdefault(metric, {})[system] = finite
    if not measured:
        return None
    figure, panels = _make_panels(len(measured), 2.9)
    for axes, (metric, by_system) in zip(panels, measured.items(), strict=True):
        for place, (system, values_drawn) in enumerate(by_system.items()):
            colour = SYSTEM_INFO[system].colour
            axes.boxplot(
                values_drawn, positions=[place], widths=0.6, showfliers=False,
                **{part: {"color": colour} for part in ("boxprops", "whiskerprops", "capprops")},
                medianprops={"color": colour, "linewidth": 2.5},
            )  # fmt: skip
            # Dots are spread sideways by a fixed sequence, so that a figure can be repeated.
            offsets = 0.4 * (np.arange(len(values_drawn)) * 0.618 % 1 - 0.5)
            axes.scatter(place + offsets, values_drawn, s=9, color=colour, alpha=0.6, linewidths=0)
        info = METRIC_INFO[metric]
        axes.set_title(f"{info.title} ({info.unit}) {info.better}", fontsize=10)
        axes.set_xticks(range(len(by_system)), [SYSTEM_INFO[name].title for name in by_system])
        axes.tick_params(axis="x", rotation=25, length=0)
        axes.set_xlim(-0.6, len(by_system) - 0.4)
    return figure


def plot_training_curves(curves: Curves) -> Figure:
    """Plot scalars over steps, one panel each, with a running mean over noisy ones."""
    figure, panels = _make_panels(len(curves), 2.3)
    for axes, (name, (steps, values)) in zip(panels, curves.items(), strict=True):
        colour, width = SYSTEM_INFO["converted"].colour, max(1, len(values) // 50)
        if len(values) > MIN_SMOOTHED_POINTS:
            axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.6)
            mean = np.convolve(values, np.full(width, 1 / width), "valid")
            axes.plot(steps[width // 2 :][: len(mean)], mean, color=colour, linewidth=1.6)
        else:
            axes.plot(steps, values, ".-", color=colour, linewidth=1.2, markersize=4)
        axes.set_title(name, fontsize=10, parse_math=False)
        axes.locator_params(axis="x", nbins=4)
    return figure


def finite_or_none(value: float | None) -> float | None:
    """Return a value as a float; None if it is missing, NaN or infinite."""
    return float(value) if value is not None and math.isfinite(value) else None


def _make_panels(count: int, height: float) -> tuple[Figure, list[Any]]:
    """Return a figure and its `count` panels in rows of `PANELS_PER_ROW`.

    Args:
        count: Number of panels.
        height: Height of a row in inches.
    """
    rows, columns = math.ceil(count / PANELS_PER_ROW), min(count, PANELS_PER_ROW)
    figure = Figure(figsize=(3 * columns, height * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[:count]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
        axes.tick_params(labelsize=8)
    return figure, panels[:count]

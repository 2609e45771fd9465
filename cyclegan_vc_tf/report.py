"""An evaluation as a page to read, a table to compute with and a summary for programs."""

import base64
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import tensorflow as tf
from matplotlib.figure import Figure

from cyclegan_vc_tf import files, summaries
from cyclegan_vc_tf.evaluation import METRICS, SYSTEMS, UTTERANCE_METRICS, Evaluation, Scores
from cyclegan_vc_tf.report_texts import EXPLAINED, SHOWN

Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]
"""Steps and values of each scalar, by its name."""


COLOURS = {
    "source": "#8b919c", "f0_only": "#d9942b", "converted": "#2d63c8", "world_target": "#3c9a62"
}  # fmt: skip

NO_VALUE = "these recordings give no value"
"""Why a value is missing where the evaluation names no reason."""

PANELS = 4
"""Side by side in a figure."""

SMOOTHED_POINTS = 100
"""A curve of more points is drawn with its running mean over a fiftieth of them."""


CURVES = ("evaluation/", "gradient_norm/", "loss/", "score/")
"""Beginnings of the names of scalars that say how a training went; others are its settings."""


def write_html(evaluation: Evaluation, path: Path, curves: Curves) -> None:
    """Writes one page with everything in it: tables, pictures and sound; it fetches nothing.

    Args:
        evaluation: What it shows.
        path: Of the page.
        curves: Scalars of the training, of which `CURVES` are drawn; may be empty.
    """
    drawn = {name: curve for name, curve in curves.items() if name.startswith(CURVES)}
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_vc_tf", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("evaluation.html").render(
        title=evaluation.title,
        step=evaluation.step,
        sample_rate_hz=evaluation.sample_rate_hz,
        metrics=SHOWN,
        systems=EXPLAINED,
        directions=[
            _direction(evaluation, name, systems) for name, systems in evaluation.scores.items()
        ],
        curves=_png(training_curves(drawn)) if drawn else "",
    )
    # A recording's name may hold bytes that are no text.
    files.write_text(path, page.encode(errors="backslashreplace").decode())


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Writes a row for each direction, system and utterance; what was not measured is empty."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["direction", "system", "utterance", *UTTERANCE_METRICS, "heard"])
    for direction, systems in evaluation.scores.items():
        for system, scores in systems.items():
            for name, values in scores.utterances.items():
                measured = (_finite(values.get(metric)) for metric in UTTERANCE_METRICS)
                heard = scores.heard.get(name, "")
                writer.writerow([direction, system, name, *measured, heard])
    files.write_text(path, table.getvalue())


def as_json(evaluation: Evaluation) -> dict[str, dict[str, dict[str, float | None]]]:
    """The means by direction, system and metric; None where nothing was measured."""
    return {
        direction: {
            system: {metric: _finite(scores.summary.get(metric)) for metric in METRICS}
            for system, scores in systems.items()
        }
        for direction, systems in evaluation.scores.items()
    }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Writes `as_json`."""
    files.write_json(path, as_json(evaluation))


def as_text(evaluation: Evaluation) -> str:
    """The means as lines to print."""
    lines = []
    for direction, systems in as_json(evaluation).items():
        for system, summary in systems.items():
            known = (f"{name} {value:.3f}" for name, value in summary.items() if value is not None)
            lines.append(f"{direction} {system}: {', '.join(known)}")
    return "\n".join(lines)


def read_curves(run_dir: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps, ascending, and values of each scalar in the event files of a run, by name."""
    points: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(run_dir.glob("events.out.tfevents.*")):
        for record in summaries.whole_records(file):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    point = event.step, float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag, []).append(point)
    curves = {}
    for name, found in sorted(points.items()):
        found.sort(key=lambda point: point[0])
        curves[name] = [step for step, _ in found], [value for _, value in found]
    return curves


def distributions(systems: Mapping[str, Scores]) -> Figure | None:
    """Each utterance's value of each metric, by system; None if there is none."""
    measured: dict[str, dict[str, list[float]]] = {}
    for metric in UTTERANCE_METRICS:
        for system in SYSTEMS:
            utterances = systems[system].utterances.values() if system in systems else ()
            found = [_finite(values.get(metric)) for values in utterances]
            if values := [value for value in found if value is not None]:
                measured.setdefault(metric, {})[system] = values
    if not measured:
        return None
    figure, panels = _panels(len(measured), 2.9)
    for axes, (metric, by_system) in zip(panels, measured.items(), strict=True):
        for place, (system, values) in enumerate(by_system.items()):
            colour = COLOURS[system]
            axes.boxplot(
                values, positions=[place], widths=0.6, showfliers=False,
                **{part: {"color": colour} for part in ("boxprops", "whiskerprops", "capprops")},
                medianprops={"color": colour, "linewidth": 2.5},
            )  # fmt: skip
            # Beside one another, in an order that is the same every time.
            offsets = 0.4 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
            axes.scatter(place + offsets, values, s=9, color=colour, alpha=0.6, linewidths=0)
        shown = SHOWN[metric]
        axes.set_title(f"{shown.title} ({shown.unit}) {shown.better}", fontsize=10)
        axes.set_xticks(range(len(by_system)), [EXPLAINED[system][0] for system in by_system])
        axes.tick_params(axis="x", rotation=25, length=0)
        axes.set_xlim(-0.6, len(by_system) - 0.4)
    return figure


def training_curves(curves: Curves) -> Figure:
    """A panel for each scalar over the steps, a running mean over what is noisy."""
    figure, panels = _panels(len(curves), 2.3)
    for axes, (name, (steps, values)) in zip(panels, curves.items(), strict=True):
        colour, width = COLOURS["converted"], max(1, len(values) // 50)
        if len(values) > SMOOTHED_POINTS:
            axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.6)
            mean = np.convolve(values, np.full(width, 1 / width), "valid")
            axes.plot(steps[width // 2 :][: len(mean)], mean, color=colour, linewidth=1.6)
        else:
            axes.plot(steps, values, ".-", color=colour, linewidth=1.2, markersize=4)
        axes.set_title(name, fontsize=10, parse_math=False)
        axes.locator_params(axis="x", nbins=4)
    return figure


def _panels(count: int, height: float) -> tuple[Figure, list[Any]]:
    """A figure of so many panels in rows of `PANELS`, each `height` inches high."""
    rows, columns = math.ceil(count / PANELS), min(count, PANELS)
    figure = Figure(figsize=(3 * columns, height * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[:count]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
        axes.tick_params(labelsize=8)
    return figure, panels[:count]


def _direction(
    evaluation: Evaluation, direction: str, systems: Mapping[str, Scores]
) -> dict[str, Any]:
    """What the template says of a direction."""
    figure = distributions(systems)
    summaries_of = {name: systems[name].summary for name in SYSTEMS if name in systems}
    cells = {
        system: {metric: _shown(metric, summary.get(metric)) for metric in METRICS}
        for system, summary in summaries_of.items()
    }
    missing = [metric for metric in METRICS if not all(row[metric] for row in cells.values())]
    reasons = {metric: evaluation.not_measured.get(metric, NO_VALUE) for metric in missing}
    grouped: dict[str, list[str]] = {}
    for metric, reason in reasons.items():
        grouped.setdefault(reason, []).append(SHOWN[metric].title)
    return {
        "name": direction.replace("2", " → "),
        "cells": cells,
        "reasons": reasons,
        "grouped": grouped,
        "recordings": {name: len(scores.utterances) for name, scores in systems.items()},
        "distributions": _png(figure) if figure else "",
        "examples": list(_examples(evaluation, direction, systems)),
    }


def _examples(
    evaluation: Evaluation, direction: str, systems: Mapping[str, Scores]
) -> Iterator[dict[str, Any]]:
    """Pictures and sounds of the examples of a direction."""
    rate_hz = evaluation.sample_rate_hz
    for name, waves in evaluation.examples.get(direction, {}).items():
        yield {
            "name": name,
            "picture": _png(summaries.spectrograms(waves, rate_hz)),
            "sounds": [
                {
                    "kind": kind,
                    "sound": _wav(wave, rate_hz),
                    "heard": systems[kind].heard.get(name) if kind in systems else None,
                }
                for kind, wave in waves.items()
            ],
        }


def _shown(metric: str, value: float | None) -> str:
    """A value as it stands in a table; empty where there is none."""
    if (finite := _finite(value)) is None:
        return ""
    return f"{finite:.{SHOWN[metric].digits}f}".replace("-", "\N{MINUS SIGN}")


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _png(figure: Figure) -> str:
    """A figure as base64 of a PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return base64.b64encode(content.getvalue()).decode("ascii")


def _wav(wave: np.ndarray, sample_rate_hz: int) -> str:
    """Samples as base64 of a 16-bit WAV file; those that would clip are scaled down as a whole."""
    content = io.BytesIO()
    samples = wave / max(1.0, float(np.max(np.abs(wave), initial=0.0)))
    soundfile.write(content, samples, sample_rate_hz, "PCM_16", format="WAV")
    return base64.b64encode(content.getvalue()).decode("ascii")

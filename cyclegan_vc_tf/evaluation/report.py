"""What a report calls metrics and systems, and says of them."""

import base64
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
from matplotlib.figure import Figure

from cyclegan_vc_tf.audio import plots
from cyclegan_vc_tf.evaluation.evaluator import (
    METRICS,
    SYSTEMS,
    UTTERANCE_METRICS,
    Evaluation,
    Scores,
)
from cyclegan_vc_tf.system import files


@dataclass(frozen=True)
class MetricInfo:
    """How a metric is shown.

    Attributes:
        title: Its name.
        unit: Of its values.
        better: An arrow that says where better values are.
        digits: After the point.
        meaning: What it measures.
    """

    title: str
    unit: str
    better: str
    digits: int
    meaning: str


METRIC_INFO = {
    "mcd_db": MetricInfo(
        "MCD", "dB", "↓", 2,
        "Mel-cepstral distortion: how far the spectral envelopes are from a reference that says "
        "the same sentence, frame by frame, level not counted.",
    ),
    "log_f0_rmse": MetricInfo(
        "F0 error", "ln Hz", "↓", 3,
        "Root mean square difference of ln F0 where both are voiced; an octave is 0.693.",
    ),
    "log_f0_correlation": MetricInfo(
        "F0 correlation", "\N{MINUS SIGN}1 to 1", "↑", 3,
        "Whether the melody moves as the reference's does, whatever its register.",
    ),
    "voicing_error": MetricInfo(
        "Voicing error", "share", "↓", 3, "Share of frames where only one of the two is voiced."
    ),
    "msd_db": MetricInfo(
        "MSD", "dB", "↓", 2,
        "Modulation spectra distance: whether the coefficients move as fast and as much as the "
        "target's do; no sentence has to be the same.",
    ),
    "global_variance_ratio": MetricInfo(
        "GV", "ratio", "→ 1", 2,
        "Variance of the coefficients over the target's; below 1 is flatter, as over-smoothed "
        "speech is.",
    ),
    "speaker_similarity": MetricInfo(
        "Target similarity", "cosine", "↑", 3,
        "How near the voice is to the target's training recordings (Resemblyzer).",
    ),
    "source_similarity": MetricInfo(
        "Source similarity", "cosine", "↓", 3,
        "How near the voice still is to the source's training recordings.",
    ),
    "dnsmos": MetricInfo(
        "DNSMOS", "1 to 5", "↑", 2,
        "What listeners would say of noise and distortion; never to be read alone.",
    ),
    "word_error_rate": MetricInfo(
        "Word error rate", "share", "↓", 3,
        "Words that a recogniser gets wrong, over the words that were said.",
    ),
}  # fmt: skip
"""By metric; in the order of `METRICS`."""

SYSTEM_INFO = {
    "source": ("source", "The source's recordings as they are: what doing nothing scores."),
    "f0_only": ("F0 only", "The source with the target's F0 and nothing else: what pitch scores."),
    "converted": ("converted", "What the run makes of the source: the system that is judged."),
    "world_target": (
        "WORLD target",
        "The target's recordings through WORLD and its coded mel-cepstra: the best there is.",
    ),
}
"""Name and meaning of each system."""


Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]
"""Steps and values of each scalar, by its name."""


SYSTEM_COLOURS = {
    "source": "#8b919c", "f0_only": "#d9942b", "converted": "#2d63c8", "world_target": "#3c9a62"
}  # fmt: skip

NO_VALUE_REASON = "these recordings give no value"
"""Why a value is missing where the evaluation names no reason."""

PANELS_PER_ROW = 4
"""Side by side in a figure."""

MIN_SMOOTHED_POINTS = 100
"""A curve of more points is drawn with its running mean over a fiftieth of them."""


CURVE_PREFIXES = ("evaluation/", "gradient_norm/", "loss/", "score/")
"""Beginnings of the names of scalars that say how a training went; others are its settings."""


def write_html(evaluation: Evaluation, path: Path, curves: Curves) -> None:
    """Writes one page with everything in it: tables, pictures and sound; it fetches nothing.

    Args:
        evaluation: What it shows.
        path: Of the page.
        curves: Scalars of the training, of which `CURVES` are drawn; may be empty.
    """
    drawn = {name: curve for name, curve in curves.items() if name.startswith(CURVE_PREFIXES)}
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_vc_tf.evaluation", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("evaluation.html").render(
        title=evaluation.title,
        step=evaluation.step,
        sample_rate_hz=evaluation.sample_rate_hz,
        metrics=METRIC_INFO,
        systems=SYSTEM_INFO,
        directions=[
            _direction_context(evaluation, name, systems)
            for name, systems in evaluation.scores.items()
        ],
        curves=_to_base64_png(plot_training_curves(drawn)) if drawn else "",
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


def to_json(evaluation: Evaluation) -> dict[str, dict[str, dict[str, float | None]]]:
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
    files.write_json(path, to_json(evaluation))


def to_text(evaluation: Evaluation) -> str:
    """The means as lines to print."""
    lines = []
    for direction, systems in to_json(evaluation).items():
        for system, summary in systems.items():
            known = (f"{name} {value:.3f}" for name, value in summary.items() if value is not None)
            lines.append(f"{direction} {system}: {', '.join(known)}")
    return "\n".join(lines)


def plot_distributions(systems: Mapping[str, Scores]) -> Figure | None:
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
            colour = SYSTEM_COLOURS[system]
            axes.boxplot(
                values, positions=[place], widths=0.6, showfliers=False,
                **{part: {"color": colour} for part in ("boxprops", "whiskerprops", "capprops")},
                medianprops={"color": colour, "linewidth": 2.5},
            )  # fmt: skip
            # Beside one another, in an order that is the same every time.
            offsets = 0.4 * (np.arange(len(values)) * 0.618 % 1 - 0.5)
            axes.scatter(place + offsets, values, s=9, color=colour, alpha=0.6, linewidths=0)
        shown = METRIC_INFO[metric]
        axes.set_title(f"{shown.title} ({shown.unit}) {shown.better}", fontsize=10)
        axes.set_xticks(range(len(by_system)), [SYSTEM_INFO[system][0] for system in by_system])
        axes.tick_params(axis="x", rotation=25, length=0)
        axes.set_xlim(-0.6, len(by_system) - 0.4)
    return figure


def plot_training_curves(curves: Curves) -> Figure:
    """A panel for each scalar over the steps, a running mean over what is noisy."""
    figure, panels = _panels(len(curves), 2.3)
    for axes, (name, (steps, values)) in zip(panels, curves.items(), strict=True):
        colour, width = SYSTEM_COLOURS["converted"], max(1, len(values) // 50)
        if len(values) > MIN_SMOOTHED_POINTS:
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


def _direction_context(
    evaluation: Evaluation, direction: str, systems: Mapping[str, Scores]
) -> dict[str, Any]:
    """What the template says of a direction."""
    figure = plot_distributions(systems)
    summaries_of = {name: systems[name].summary for name in SYSTEMS if name in systems}
    cells = {
        system: {metric: _format_value(metric, summary.get(metric)) for metric in METRICS}
        for system, summary in summaries_of.items()
    }
    missing = [metric for metric in METRICS if not all(row[metric] for row in cells.values())]
    reasons = {metric: evaluation.not_measured.get(metric, NO_VALUE_REASON) for metric in missing}
    grouped: dict[str, list[str]] = {}
    for metric, reason in reasons.items():
        grouped.setdefault(reason, []).append(METRIC_INFO[metric].title)
    return {
        "name": direction.replace("2", " → "),
        "cells": cells,
        "reasons": reasons,
        "grouped": grouped,
        "recordings": {name: len(scores.utterances) for name, scores in systems.items()},
        "distributions": _to_base64_png(figure) if figure else "",
        "examples": list(_example_contexts(evaluation, direction, systems)),
    }


def _example_contexts(
    evaluation: Evaluation, direction: str, systems: Mapping[str, Scores]
) -> Iterator[dict[str, Any]]:
    """Pictures and sounds of the examples of a direction."""
    rate_hz = evaluation.sample_rate_hz
    for name, waves in evaluation.examples.get(direction, {}).items():
        yield {
            "name": name,
            "picture": _to_base64_png(plots.plot_spectrograms(waves, rate_hz)),
            "sounds": [
                {
                    "kind": kind,
                    "sound": _to_base64_wav(wave, rate_hz),
                    "heard": systems[kind].heard.get(name) if kind in systems else None,
                }
                for kind, wave in waves.items()
            ],
        }


def _format_value(metric: str, value: float | None) -> str:
    """A value as it stands in a table; empty where there is none."""
    if (finite := _finite(value)) is None:
        return ""
    return f"{finite:.{METRIC_INFO[metric].digits}f}".replace("-", "\N{MINUS SIGN}")


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _to_base64_png(figure: Figure) -> str:
    """A figure as base64 of a PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return base64.b64encode(content.getvalue()).decode("ascii")


def _to_base64_wav(wave: np.ndarray, sample_rate_hz: int) -> str:
    """Samples as base64 of a 16-bit WAV file; those that would clip are scaled down as a whole."""
    content = io.BytesIO()
    samples = wave / max(1.0, float(np.max(np.abs(wave), initial=0.0)))
    soundfile.write(content, samples, sample_rate_hz, "PCM_16", format="WAV")
    return base64.b64encode(content.getvalue()).decode("ascii")

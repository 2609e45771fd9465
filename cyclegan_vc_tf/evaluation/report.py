"""Reports of an evaluation: HTML page, CSV table, JSON and text."""

import base64
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from matplotlib.figure import Figure

from cyclegan_vc_tf.audio import plots
from cyclegan_vc_tf.evaluation import figures, pages
from cyclegan_vc_tf.evaluation.evaluator import Evaluation
from cyclegan_vc_tf.evaluation.figures import Curves, finite_or_none
from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO, SYSTEM_INFO, format_value
from cyclegan_vc_tf.evaluation.scoring import METRICS, SYSTEMS, UTTERANCE_METRICS, Scores
from cyclegan_vc_tf.system import files

NO_VALUE_REASON = "these recordings give no value"
"""Reason for a missing value where the evaluation names none."""

CURVE_PREFIXES = ("evaluation/", "gradient_norm/", "loss/", "score/")
"""Prefixes of the scalars that a report draws; other scalars are settings of the training."""


def write_html(evaluation: Evaluation, path: Path, curves: Curves) -> None:
    """Write an HTML page with tables, figures and sound, which loads nothing from elsewhere.

    Args:
        evaluation: The evaluation.
        path: File to write.
        curves: Scalars of the training; those with a prefix in `CURVE_PREFIXES` are drawn. May be
            empty.
    """
    drawn = {name: curve for name, curve in curves.items() if name.startswith(CURVE_PREFIXES)}
    notes: dict[str, list[str]] = {}
    for metric, note in evaluation.notes.items():
        notes.setdefault(note, []).append(METRIC_INFO[metric].title)
    pages.write(
        path,
        "evaluation.html",
        title=evaluation.title,
        step=evaluation.step,
        sample_rate_hz=evaluation.sample_rate_hz,
        metrics=METRIC_INFO,
        systems=SYSTEM_INFO,
        notes=notes,
        directions=[
            _direction_context(evaluation, name, systems)
            for name, systems in evaluation.scores.items()
        ],
        curves=_to_base64_png(figures.plot_training_curves(drawn)) if drawn else "",
    )


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write a row per direction, system and utterance; cells without a value stay empty."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["direction", "system", "utterance", *UTTERANCE_METRICS, "heard"])
    for direction, systems in evaluation.scores.items():
        for system, scores in systems.items():
            for name, values in scores.utterances.items():
                measured = (finite_or_none(values.get(metric)) for metric in UTTERANCE_METRICS)
                hypothesis = scores.hypotheses.get(name, "")
                writer.writerow([direction, system, name, *measured, hypothesis])
    files.write_text(path, table.getvalue())


def to_json(evaluation: Evaluation) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return values by direction, system and metric; None where a metric was not measured."""
    return {
        direction: {
            system: {metric: finite_or_none(scores.summary.get(metric)) for metric in METRICS}
            for system, scores in systems.items()
        }
        for direction, systems in evaluation.scores.items()
    }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write the values of `to_json`."""
    files.write_json(path, to_json(evaluation))


def to_text(evaluation: Evaluation) -> str:
    """Format the values as lines to print, one per direction and system."""
    return pages.to_text(to_json(evaluation), digits=3)


def _direction_context(
    evaluation: Evaluation, direction: str, systems: Mapping[str, Scores]
) -> dict[str, Any]:
    """Return the template's variables of a direction."""
    figure = figures.plot_distributions(systems)
    summaries = {name: systems[name].summary for name in SYSTEMS if name in systems}
    cells = {
        system: {metric: format_value(metric, summary.get(metric)) for metric in METRICS}
        for system, summary in summaries.items()
    }
    missing = [metric for metric in METRICS if not all(row[metric] for row in cells.values())]
    reasons = {metric: evaluation.not_measured.get(metric, NO_VALUE_REASON) for metric in missing}
    titles_by_reason: dict[str, list[str]] = {}
    for metric, reason in reasons.items():
        titles_by_reason.setdefault(reason, []).append(METRIC_INFO[metric].title)
    return {
        "name": pages.direction_title(direction),
        "cells": cells,
        "reasons": reasons,
        "titles_by_reason": titles_by_reason,
        "recordings": {name: len(scores.utterances) for name, scores in systems.items()},
        "distributions": _to_base64_png(figure) if figure else "",
        "examples": list(_example_contexts(evaluation, direction, systems)),
    }


def _example_contexts(
    evaluation: Evaluation, direction: str, systems: Mapping[str, Scores]
) -> Iterator[dict[str, Any]]:
    """Yield the template's variables of each example: spectrograms and sound."""
    rate_hz = evaluation.sample_rate_hz
    for name, waves in evaluation.examples.get(direction, {}).items():
        yield {
            "name": name,
            "picture": _to_base64_png(plots.plot_spectrograms(waves, rate_hz)),
            "sounds": [
                {
                    "kind": kind,
                    "sound": _to_base64_wav(wave, rate_hz),
                    "hypothesis": systems[kind].hypotheses.get(name) if kind in systems else None,
                }
                for kind, wave in waves.items()
            ],
        }


def _to_base64_png(figure: Figure) -> str:
    return base64.b64encode(plots.render_png(figure, dpi=110)).decode("ascii")


def _to_base64_wav(wave: np.ndarray, sample_rate_hz: int) -> str:
    """Encode samples as a 16-bit WAV file in base64, scaled down as a whole if they would clip."""
    content = io.BytesIO()
    samples = wave / max(1.0, float(np.max(np.abs(wave), initial=0.0)))
    soundfile.write(content, samples, sample_rate_hz, "PCM_16", format="WAV")
    return base64.b64encode(content.getvalue()).decode("ascii")

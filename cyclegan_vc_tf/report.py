"""An evaluation as a page, a table and numbers."""

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import tensorflow as tf
from matplotlib.figure import Figure

from cyclegan_vc_tf import files, summaries
from cyclegan_vc_tf.evaluation import METRICS, SYSTEMS, UTTERANCE_METRICS, Evaluation

LABELS = {
    "mcd_db": "MCD (dB) ↓",
    "log_f0_rmse": "ln F0 RMSE ↓",
    "log_f0_correlation": "ln F0 correlation ↑",
    "voicing_error": "voicing error ↓",
    "msd_db": "MSD (dB) ↓",
    "global_variance_ratio": "GV ratio → 1",
    "speaker_similarity": "similarity to target ↑",
    "source_similarity": "similarity to source ↓",
    "dnsmos": "DNSMOS ↑",
    "word_error_rate": "word error rate ↓",
}
"""Of the metrics, with the way that is better."""

SYSTEM_LABELS = {
    "source": "the source as it is",
    "f0_only": "the source with the target's F0 range, nothing else",
    "converted": "converted",
    "world_target": "the target through WORLD: the best there is to reach",
}

PLOTTED = ("mcd_db", "speaker_similarity", "dnsmos", "word_error_rate")
"""Metrics whose distribution over recordings is drawn, where they were measured."""

CURVES = ("loss/", "evaluation/")
"""How the scalars begin that are drawn as curves."""

Curves = dict[str, tuple[list[int], list[float]]]


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Means by direction, system and metric; what was not measured is None."""
    return {
        direction: {system: scores.summary for system, scores in systems.items()}
        for direction, systems in evaluation.scores.items()
    }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Writes `as_json`."""
    text = json.dumps(as_json(evaluation), indent=1, allow_nan=False)
    files.write_text(path, text + "\n")


def as_text(evaluation: Evaluation) -> str:
    """The same as lines to print."""
    lines = []
    for direction, systems in evaluation.scores.items():
        for system in SYSTEMS:
            numbers = [
                f"{metric} {value:.3f}"
                for metric, value in systems[system].summary.items()
                if value is not None
            ]
            lines.append(f"{direction} {system}: {', '.join(numbers)}")
    return "\n".join(lines)


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Writes one row for each recording of each system, with what has a value for each."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["direction", "system", "recording", *UTTERANCE_METRICS, "heard"])
    for direction, systems in evaluation.scores.items():
        for system, scores in systems.items():
            for name, values in scores.utterances.items():
                numbers = [values[metric] for metric in UTTERANCE_METRICS]
                table.writerow([direction, system, name, *numbers, scores.heard.get(name)])
    files.write_text(path, text.getvalue())


def read_curves(run_dir: Path) -> Curves:
    """The scalars of a run's event files by name: steps, ascending, and values."""
    points: dict[str, dict[int, float]] = {}
    for file in sorted(run_dir.glob("events.out.tfevents.*")):
        for record in summaries.whole_records(file):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    number = float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag, {})[event.step] = number
    return {
        tag: (sorted(of), [of[step] for step in sorted(of)]) for tag, of in sorted(points.items())
    }


def write_html(evaluation: Evaluation, path: Path, curves: Curves) -> None:
    """Writes one page that needs nothing else: tables, plots, sound.

    Args:
        evaluation: What is said.
        path: The file.
        curves: Scalars of the training, from `read_curves`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_vc_tf"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("evaluation.html").render(
        evaluation=evaluation,
        metrics=[name for name in METRICS if name not in evaluation.not_measured],
        labels=LABELS,
        system_labels=SYSTEM_LABELS,
        systems=SYSTEMS,
        plots={way: _embedded(_distributions(evaluation, way)) for way in evaluation.scores},
        examples={
            direction: [
                {
                    "name": name,
                    "picture": _embedded(summaries.spectrograms(waves, evaluation.sample_rate_hz)),
                    "sounds": {
                        kind: _sound(wave, evaluation.sample_rate_hz)
                        for kind, wave in waves.items()
                    },
                    "heard": evaluation.scores[direction]["converted"].heard.get(name),
                }
                for name, waves in examples.items()
            ]
            for direction, examples in evaluation.examples.items()
        },
        curves=_embedded(_drawn(curves)) if _shown(curves) else "",
    )
    files.write_text(path, page)


def _distributions(evaluation: Evaluation, direction: str) -> Figure:
    """A panel a metric: each system's box, and each recording's point in it."""
    measured = [name for name in PLOTTED if name not in evaluation.not_measured] or PLOTTED[:1]
    figure = Figure(figsize=(4 * len(measured), 3.6), layout="constrained")
    panels = figure.subplots(1, len(measured), squeeze=False)[0]
    for axes, metric in zip(panels, measured, strict=True):
        groups = [
            [
                values[metric]
                for values in evaluation.scores[direction][system].utterances.values()
                if values[metric] is not None
            ]
            for system in SYSTEMS
        ]
        places = range(1, len(SYSTEMS) + 1)
        axes.boxplot(groups, positions=places, widths=0.6, showfliers=False)
        for place, group in zip(places, groups, strict=True):
            # Side by side, so that equal ones are seen.
            axes.plot(
                place + np.linspace(-0.2, 0.2, len(group)), group, "o", markersize=3, alpha=0.6
            )
        axes.set_xticks(places, [name.replace("_", "\n") for name in SYSTEMS])
        axes.set_title(LABELS[metric])
    return figure


def _shown(curves: Curves) -> dict[str, Curves]:
    """The scalars that are drawn, by panel."""
    panels: dict[str, Curves] = {}
    for tag, points in curves.items():
        if tag.startswith(CURVES):
            group, _, name = tag.partition("/")
            panel = f"{group}/{name.split('_')[0]}" if group == "loss" else name.split("/")[-1]
            panels.setdefault(panel, {})[name] = points
    return panels


def _drawn(curves: Curves) -> Figure:
    """Panels of curves, three in a row."""
    panels = _shown(curves)
    rows = -(-len(panels) // 3)
    figure = Figure(figsize=(13, 3 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False).flat
    for panel, (title, lines) in zip(axes, panels.items(), strict=False):
        for name, (steps, values) in lines.items():
            panel.plot(steps, values, label=name, linewidth=1)
        panel.set(title=title, xlabel="step")
        panel.legend(fontsize="small")
    for panel in axes:
        panel.set_axis_off()
    return figure


def _embedded(figure: Figure) -> str:
    """A figure as the address of a picture."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return _address("image/png", stream)


def _sound(wave: np.ndarray, sample_rate_hz: int) -> str:
    """Samples as the address of a 16-bit wav file, nowhere beyond full scale."""
    stream = io.BytesIO()
    scaled = wave / max(1.0, float(np.max(np.abs(wave), initial=0.0)))
    soundfile.write(stream, scaled, sample_rate_hz, format="WAV", subtype="PCM_16")
    return _address("audio/wav", stream)


def _address(kind: str, stream: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"

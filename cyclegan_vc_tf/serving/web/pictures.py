"""Pictures of the page: readable in light and in dark."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cyclegan_vc_tf.audio import audio_files, plots
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.system import files

INK = "#7c8a90"
"""Colour of text and lines: enough contrast with a white and with a black page."""

CURVES = ("#0f8f86", "#d97706", "#7c6fd6", "#c2417c", "#5b8c2a", "#6b7280")
"""Colours of curves, apart in light and in dark."""

PLOT_RATE_HZ = 16_000
"""Sample rate that recordings are drawn at."""

LEGEND: dict[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "frameon": False
}  # fmt: skip
"""Place of a legend: above the panel."""

SCALE = 0.7
"""Size of a figure on the page beside its size in TensorBoard, so that text stays readable."""

MAX_DRAWN_S = 30.0
"""Length of a recording that is drawn, in seconds."""

F0_CONFIG = FeatureConfig(f0_method="dio", sample_rate_hz=PLOT_RATE_HZ)


def draw_conversion(waves: Mapping[str, Path], folder: Path, name: str) -> tuple[Path, Path]:
    """Draw spectrograms and F0 contours of recordings.

    Args:
        waves: Recordings by label.
        folder: Folder of the pictures.
        name: Beginning of their names.

    Returns:
        Files of the spectrograms and of the F0 contours.
    """
    samples = {label: _read(path) for label, path in waves.items()}
    spectrograms, contours = folder / f"{name}-spectrograms.png", folder / f"{name}-f0.png"
    save(plots.plot_spectrograms(samples, PLOT_RATE_HZ), spectrograms)
    f0_hz = {label: world.f0(wave, F0_CONFIG)[0] for label, wave in samples.items()}
    figure = plots.plot_f0_contours(f0_hz, F0_CONFIG.frame_period_ms)
    for line, color in zip(figure.axes[0].lines, CURVES, strict=False):
        line.set(color=color, linewidth=2)
    figure.axes[0].legend(**LEGEND)
    save(figure, contours)
    return spectrograms, contours


def draw_curves(curves: Mapping[str, tuple[list[int], list[float]]], path: Path) -> Path:
    """Draw curves of a training in one panel, over steps.

    Args:
        curves: Steps and values by name.
        path: File to write.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    for (name, (steps, values)), color in zip(curves.items(), CURVES, strict=False):
        axes.plot(steps, values, label=name, color=color, linewidth=1.6)
    axes.set(xlabel="step", ylabel="loss")
    axes.grid(alpha=0.25, color=INK)
    axes.legend(**LEGEND)
    save(figure, path)
    return path


def save(figure: Figure, path: Path) -> None:
    """Save a figure without a background, with text in a colour for light and dark pages."""
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=INK, labelcolor=INK)
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(INK)
        for spine in axes.spines.values():
            spine.set_color(INK)
        legend = axes.get_legend()
        if legend is not None:
            legend.get_frame().set_alpha(0)
            for text in legend.get_texts():
                text.set_color(INK)
    figure.set_size_inches(*(SCALE * figure.get_size_inches()))
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    with files.replacing(path) as partial:
        partial.write_bytes(buffer.getvalue())


def _read(path: Path) -> np.ndarray:
    """Read the beginning of a recording, (samples,) at `PLOT_RATE_HZ`."""
    samples, _ = audio_files.read_resampled(path, PLOT_RATE_HZ)
    return samples[: int(MAX_DRAWN_S * PLOT_RATE_HZ)]

"""Plots of recordings and their features, as matplotlib figures and as pixels."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cyclegan_vc_tf.system import caches

FFT_SAMPLES = 512
HOP_SAMPLES = 128
DYNAMIC_RANGE_DB = 80.0


class NotebookFigure(Figure):
    """Figure that a notebook shows, also where pyplot was not imported."""

    def _repr_png_(self) -> bytes:
        return render_png(self)


def plot_spectrograms(waves: Mapping[str, np.ndarray], sample_rate_hz: int) -> Figure:
    """Plot spectrograms side by side, with the level scale of the loudest one."""
    figure = Figure(figsize=(5 * len(waves), 4), layout="constrained")
    panels = figure.subplots(1, len(waves), sharey=True, squeeze=False)[0]
    _draw_spectrograms(figure, panels, waves, sample_rate_hz)
    return figure


def plot_each_spectrogram(recordings: Mapping[str, tuple[np.ndarray, int]]) -> dict[str, Figure]:
    """Plot a small spectrogram per recording, all with the level scale of the loudest one.

    Args:
        recordings: Waveform and sample rate in Hz, by name.

    Returns:
        Figures by name.
    """
    levels = {name: _levels_db(wave) for name, (wave, _) in recordings.items()}
    top_db = max(float(level.max()) for level in levels.values())
    figures = {}
    for name, (wave, rate_hz) in recordings.items():
        figure = Figure(figsize=(4, 2.4), layout="constrained")
        axes = figure.subplots()
        _draw_levels(axes, levels[name], top_db, len(wave), rate_hz)
        axes.set(xlabel="time (s)", ylabel="frequency (kHz)")
        figures[name] = figure
    return figures


def plot_f0_contours(contours: Mapping[str, np.ndarray], frame_period_ms: float) -> Figure:
    """Plot F0 contours in one panel, with gaps where frames are unvoiced."""
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    _draw_f0_contours(figure.subplots(), contours, frame_period_ms)
    return figure


def plot_recordings(
    waves: Mapping[str, np.ndarray],
    sample_rate_hz: int,
    contours: Mapping[str, np.ndarray],
    frame_period_ms: float,
) -> Figure:
    """Plot spectrograms side by side, and F0 contours in one panel below them.

    Args:
        waves: Waveforms by name.
        sample_rate_hz: Sample rate of the waveforms, in Hz.
        contours: F0 in Hz by name, (frames,); 0 where unvoiced.
        frame_period_ms: Time from one frame of a contour to the next, in milliseconds.
    """
    figure = NotebookFigure(figsize=(5 * len(waves), 6), layout="constrained")
    rows, count = figure.add_gridspec(2, len(waves), height_ratios=(2, 1)), len(waves)
    panels = [figure.add_subplot(rows[0, column]) for column in range(count)]
    _draw_spectrograms(figure, panels, waves, sample_rate_hz)
    _draw_f0_contours(figure.add_subplot(rows[1, :]), contours, frame_period_ms)
    return figure


def _draw_spectrograms(
    figure: Figure, panels: Sequence[Any], waves: Mapping[str, np.ndarray], sample_rate_hz: int
) -> None:
    """Draw a spectrogram per panel, with the level scale of the loudest one."""
    levels = {name: _levels_db(wave) for name, wave in waves.items()}
    top_db = max(float(level.max()) for level in levels.values())
    for axes, (name, level) in zip(panels, levels.items(), strict=True):
        mesh = _draw_levels(axes, level, top_db, len(waves[name]), sample_rate_hz)
        axes.set(title=name, xlabel="time (s)")
    panels[0].set_ylabel("frequency (kHz)")
    figure.colorbar(mesh, ax=list(panels), label="level (dB)")


def _levels_db(wave: np.ndarray) -> np.ndarray:
    """Return the levels of a spectrogram in dB, (1 + FFT_SAMPLES // 2, frames)."""
    librosa = caches.load_librosa()
    spectrum = librosa.stft(_pad_to_window(wave), n_fft=FFT_SAMPLES, hop_length=HOP_SAMPLES)
    return librosa.amplitude_to_db(np.abs(spectrum), top_db=None)


def _draw_levels(
    axes: Any, levels_db: np.ndarray, top_db: float, samples: int, sample_rate_hz: int
) -> Any:
    """Draw a spectrogram in a panel; return the image, for a colour bar."""
    return axes.imshow(
        levels_db,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top_db - DYNAMIC_RANGE_DB,
        vmax=top_db,
        extent=(0, samples / sample_rate_hz, 0, sample_rate_hz / 2000),
    )


def _draw_f0_contours(
    axes: Any, contours: Mapping[str, np.ndarray], frame_period_ms: float
) -> None:
    """Draw F0 contours in a panel, with gaps where frames are unvoiced."""
    for name, f0_hz in contours.items():
        time_s = np.arange(len(f0_hz)) * frame_period_ms / 1000
        axes.plot(time_s, np.where(f0_hz > 0, f0_hz, np.nan), label=name)
    axes.set(xlabel="time (s)", ylabel="F0 (Hz)")
    axes.legend()


def render_png(figure: Figure, dpi: float | None = None) -> bytes:
    """Render a figure as a PNG file; `dpi` is by default the figure's."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi or "figure")
    return content.getvalue()


def render_pixels(figure: Figure) -> np.ndarray:
    """Render a figure to pixels, (height, width, 3) uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _pad_to_window(wave: np.ndarray) -> np.ndarray:
    """Append zeros to a wave that is shorter than one transform."""
    return np.pad(wave, (0, max(0, FFT_SAMPLES - len(wave))))

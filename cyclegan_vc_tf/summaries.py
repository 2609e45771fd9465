"""What TensorBoard shows of a run: scalars, pictures, audio, text."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.plugins.hparams import api as hparams

from cyclegan_vc_tf import files, settings
from cyclegan_vc_tf.config import FeatureConfig
from cyclegan_vc_tf.features import Features
from cyclegan_vc_tf.synthesis import Vocoder
from cyclegan_vc_tf.world import WorldFeatures

SPECTRUM_SAMPLES = 512
HOP_SAMPLES = 128
DYNAMIC_RANGE_DB = 80.0


def write_scalars(values: Mapping[str, float], step: int) -> None:
    """Writes numbers under their names to the current writer."""
    for name, value in values.items():
        tf.summary.scalar(name, value, step)


def write_text(name: str, text: str, step: int) -> None:
    """Writes preformatted text."""
    tf.summary.text(name, "\n".join(f"    {line}" for line in text.splitlines()), step)


def write_settings(config: Any) -> None:
    """Writes all settings of a run for TensorBoard's HPARAMS tab, which compares runs by them.

    What the runs came to, that tab takes from the scalars.
    """
    # A folder's name may hold bytes that are no text.
    values = {
        name: value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
        for name, value in settings.by_name(config).items()
    }
    hparams.hparams(values)


def write_example(
    tag: str, kinds: Mapping[str, Features], config: FeatureConfig, speak: Vocoder, step: int
) -> None:
    """Writes sound and spectrograms of a recording and of what became of it, and F0 if it is known.

    Args:
        tag: Comes in front of their names.
        kinds: Features by what they are: source, converted, cycled. All are heard and seen
            through one vocoder, so that they differ in nothing else.
        config: The analysis that the features are of.
        speak: The vocoder.
        step: Of the training.
    """
    # A recording's name may hold bytes that are no text.
    tag = tag.encode(errors="backslashreplace").decode()
    waves = {}
    for kind, spoken in kinds.items():
        samples = round(len(spoken.spectra) * config.hop_s * config.sample_rate_hz)
        wave = speak(spoken, samples)
        waves[kind] = wave / max(1.0, float(np.max(np.abs(wave))))
        sound = waves[kind][np.newaxis, :, np.newaxis]
        tf.summary.audio(f"{tag}/{kind}", sound, config.sample_rate_hz, step)
    figures = {"spectrograms": spectrograms(waves, config.sample_rate_hz)}
    contours = {
        kind: spoken.f0_hz
        for kind, spoken in kinds.items()
        if isinstance(spoken, WorldFeatures) and kind in ("source", "converted")
    }
    if contours:
        figures["f0"] = f0_contours(contours, config.frame_period_ms)
    for name, figure in figures.items():
        tf.summary.image(f"{tag}/{name}", picture(figure)[np.newaxis], step)


def spectrograms(waves: Mapping[str, np.ndarray], sample_rate_hz: int) -> Figure:
    """Spectrograms side by side, all on the scale of the loudest."""
    figure = Figure(figsize=(5 * len(waves), 4), layout="constrained")
    panels = figure.subplots(1, len(waves), sharey=True, squeeze=False)[0]
    levels = {
        name: librosa.amplitude_to_db(
            np.abs(librosa.stft(_at_least(wave), n_fft=SPECTRUM_SAMPLES, hop_length=HOP_SAMPLES)),
            top_db=None,
        )
        for name, wave in waves.items()
    }
    top_db = max(float(level.max()) for level in levels.values())
    for axes, (name, level) in zip(panels, levels.items(), strict=True):
        mesh = axes.imshow(
            level,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top_db - DYNAMIC_RANGE_DB,
            vmax=top_db,
            extent=(0, len(waves[name]) / sample_rate_hz, 0, sample_rate_hz / 2000),
        )
        axes.set(title=name, xlabel="time (s)")
    panels[0].set_ylabel("frequency (kHz)")
    figure.colorbar(mesh, ax=list(panels), label="level (dB)")
    return figure


def f0_contours(contours: Mapping[str, np.ndarray], frame_period_ms: float) -> Figure:
    """F0 contours over one another; nothing is drawn where a frame is unvoiced."""
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    axes: Any = figure.subplots()
    for name, f0_hz in contours.items():
        time_s = np.arange(len(f0_hz)) * frame_period_ms / 1000
        axes.plot(time_s, np.where(f0_hz > 0, f0_hz, np.nan), label=name)
    axes.set(xlabel="time (s)", ylabel="F0 (Hz)")
    axes.legend()
    return figure


def picture(figure: Figure) -> np.ndarray:
    """A figure as pixels, (height, width, 3) uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _at_least(wave: np.ndarray) -> np.ndarray:
    """Enough samples for one spectrum."""
    return np.pad(wave, (0, max(0, SPECTRUM_SAMPLES - len(wave))))


def purge_events(path: Path, last_step: int) -> None:
    """Removes what event files say of steps after `last_step`, which are about to be repeated.

    An event file that was cut off in the middle of an event keeps what stands before it.
    """
    for leftover in path.glob(f".events.*{files.PARTIAL_SUFFIX}"):
        leftover.unlink()
    for file in path.glob("events.out.tfevents.*"):
        with files.replacing(file) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
            for record in whole_records(file):
                if tf.compat.v1.Event.FromString(record).step <= last_step:
                    writer.write(record)


def whole_records(file: Path) -> Iterator[bytes]:
    """The records of an event file up to the first that is damaged."""
    with contextlib.suppress(tf.errors.DataLossError):
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()

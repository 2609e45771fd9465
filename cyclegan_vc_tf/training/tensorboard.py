"""TensorBoard's view of a run: scalars, pictures, sounds, text and settings."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from cyclegan_vc_tf.audio import plots
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.system.errors import escape_bytes, single_line
from cyclegan_vc_tf.vocoders.selection import Vocoder

MAX_REASON_CHARACTERS = 300
"""Length of an error's text in a line about a picture or sound that could not be made."""


def write_scalars(values: Mapping[str, float], step: int) -> None:
    """Write numbers under their names to the current writer."""
    for name, value in values.items():
        tf.summary.scalar(name, value, step)


def write_text(name: str, text: str, step: int) -> None:
    """Write preformatted text to the current writer."""
    lines = escape_bytes(text).splitlines()
    tf.summary.text(name, "\n".join(f"    {line}" for line in lines), step)


def write_settings(config: Any) -> None:
    """Write all settings of a run for TensorBoard's HPARAMS tab.

    The tab compares runs by their settings. It takes their results from the scalars.
    """
    values = {
        name: escape_bytes(value) if isinstance(value, str) else value
        for name, value in settings.flag_values(config).items()
    }
    hparams.hparams(values)


def write_example(
    tag: str, kinds: Mapping[str, Features], config: FeatureConfig, vocode: Vocoder, step: int
) -> None:
    """Write sounds, spectrograms and known F0 contours of a recording and its conversions.

    Args:
        tag: First part of the names in TensorBoard.
        kinds: Features by kind: source, converted, cycled. All kinds go through one vocoder, so
            that they differ in nothing else.
        config: Settings of the features.
        vocode: Vocoder.
        step: Step of the training.
    """
    tag = escape_bytes(tag)
    waves = {}
    for kind, features in kinds.items():
        samples = round(len(features.spectra) * config.hop_s * config.sample_rate_hz)
        wave = vocode(features, samples)
        waves[kind] = wave / max(1.0, float(np.max(np.abs(wave))))
        sound = waves[kind][np.newaxis, :, np.newaxis]
        tf.summary.audio(f"{tag}/{kind}", sound, config.sample_rate_hz, step)
    figures = {"spectrograms": plots.plot_spectrograms(waves, config.sample_rate_hz)}
    contours = {
        kind: features.f0_hz
        for kind, features in kinds.items()
        if isinstance(features, WorldFeatures) and kind in ("source", "converted")
    }
    if contours:
        figures["f0"] = plots.plot_f0_contours(contours, config.frame_period_ms)
    for name, figure in figures.items():
        tf.summary.image(f"{tag}/{name}", plots.render_pixels(figure)[np.newaxis], step)


@contextlib.contextmanager
def reporting_failures(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Report an exception in one line instead of raising it, for work a training can do without.

    Requests to stop, which are no subclasses of `Exception`, are not caught.

    Args:
        what: Pictures or sounds that are made in the context.
        say: Prints a line.
    """
    try:
        yield
    except Exception as error:
        lines = str(error).splitlines() or [""]
        reason = single_line(f"{type(error).__name__}: {lines[0]}")[:MAX_REASON_CHARACTERS]
        say(f"{what} could not be made and are left out of TensorBoard ({reason})")

"""What TensorBoard shows of a run: scalars, pictures, audio, text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from cyclegan_vc_tf.audio import plots
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.vocoders.selection import Vocoder


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
        for name, value in settings.flag_values(config).items()
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
    figures = {"spectrograms": plots.plot_spectrograms(waves, config.sample_rate_hz)}
    contours = {
        kind: spoken.f0_hz
        for kind, spoken in kinds.items()
        if isinstance(spoken, WorldFeatures) and kind in ("source", "converted")
    }
    if contours:
        figures["f0"] = plots.plot_f0_contours(contours, config.frame_period_ms)
    for name, figure in figures.items():
        tf.summary.image(f"{tag}/{name}", plots.render_pixels(figure)[np.newaxis], step)

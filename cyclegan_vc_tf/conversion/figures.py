"""Figures of recordings and their conversions."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from cyclegan_vc_tf.audio import plots, resampling
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion.converter import MIN_FRAMES
from cyclegan_vc_tf.features import world


def plot_recordings(
    waves: Mapping[str, np.ndarray], sample_rate_hz: int, config: FeatureConfig
) -> Figure:
    """Plot spectrograms of recordings, and their F0 contours.

    Args:
        waves: Waveforms by name, (samples,) float32 each.
        sample_rate_hz: Sample rate of the waveforms, in Hz.
        config: Method and range of F0, and the sample rate and frame period of its analysis.
    """
    contours = {}
    for name, wave in waves.items():
        resampled = resampling.resample(wave, sample_rate_hz, config.sample_rate_hz)
        contours[name] = np.zeros(world.frame_count(len(resampled), config))
        # WORLD's F0 methods need some frames.
        if len(contours[name]) >= MIN_FRAMES:
            contours[name], _ = world.f0(resampled, config)
    return plots.plot_recordings(waves, sample_rate_hz, contours, config.frame_period_ms)

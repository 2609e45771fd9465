"""Values of a frame that the source-filter vocoder takes, made of the features of a recording.

Log-mel spectra are taken as they are; a frame lies in the middle of its hop. Of WORLD's features,
mel-cepstra are followed by ln F0, voicing and coded aperiodicity. WORLD's frame n lies at sample
n · hop, so its waveform begins half a hop earlier, with zeros.
"""

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import hop_samples
from cyclegan_vc_tf.features import log_mel, world
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.world import WorldFeatures

UNVOICED_LOG_F0 = float(np.log(100.0))
"""ln F0 of a recording without a voiced frame."""


def conditioning_values(features: Features, config: FeatureConfig) -> np.ndarray:
    """Return the values per frame that a vocoder takes.

    Args:
        features: Features of a recording.
        config: Settings of the analysis.

    Returns:
        (frames, values) float32.
    """
    if not isinstance(features, WorldFeatures):
        return features.spectra
    voiced, frames = features.f0_hz > 0, np.arange(len(features.f0_hz))
    log_f0 = np.full(len(frames), UNVOICED_LOG_F0)
    if voiced.any():
        log_f0 = np.interp(frames, frames[voiced], np.log(features.f0_hz[voiced]))
    coded = world.encode_aperiodicity(features.aperiodicity, config)
    columns = (features.spectra, log_f0[:, np.newaxis], voiced[:, np.newaxis], coded)
    return np.concatenate(columns, axis=1).astype(np.float32)


def count_values(config: FeatureConfig) -> int:
    """Return the number of values per frame."""
    if config.spectra == "log_mel":
        return config.mel_bins
    return config.mel_cepstra + 2 + world.count_aperiodicities(config)


def scale_values(values: np.ndarray, gain: float, config: FeatureConfig) -> np.ndarray:
    """Return the values of a recording that is scaled by a gain.

    Args:
        values: Values per frame, (frames, values).
        gain: Factor of the samples.
        config: Settings of the analysis.
    """
    if config.spectra == "log_mel":
        floor = np.log10(log_mel.MIN_MAGNITUDE)
        return np.maximum(values + np.log10(gain), floor).astype(np.float32)
    scaled = values.copy()
    scaled[:, 0] += 2 * np.log(gain)
    return scaled


def align_samples(samples: np.ndarray, frames: int, config: FeatureConfig) -> np.ndarray:
    """Return a waveform whose hop n has frame n in its middle, (frames · hop,) float32.

    Args:
        samples: Waveform, (samples,).
        frames: Frames of the features.
        config: Settings of the analysis.
    """
    length = frames * hop_samples(config)
    padded = np.pad(samples, (first_sample(config), length))
    return padded[:length].astype(np.float32)


def first_sample(config: FeatureConfig) -> int:
    """Return the index of a recording's first sample in its aligned waveform."""
    return 0 if config.spectra == "log_mel" else hop_samples(config) // 2

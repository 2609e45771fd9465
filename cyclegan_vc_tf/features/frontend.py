"""Analysis of a recording into features, with one call for any feature type."""

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, world
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.world import WorldFeatures

Features = WorldFeatures | MelFeatures
"""Features of one recording; both types have `spectra`, (frames, bins) float32."""


def validate(config: FeatureConfig) -> None:
    """Refuse settings that no recording can be analysed with.

    Raises:
        InputError: `FeatureConfig.validate` refuses the settings, or mel bands would be empty.
    """
    config.validate()
    if config.spectra == "log_mel":
        log_mel.validate(config)


def frame_count(samples: int, config: FeatureConfig) -> int:
    """Count the frames that the analysis makes from a number of samples."""
    module = log_mel if config.spectra == "log_mel" else world
    return module.frame_count(samples, config)


def analyse_for_training(
    samples: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Analyse the F0 and the spectra of a recording, which is all that training needs.

    Args:
        samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
        config: Settings of the analysis.

    Returns:
        F0 in Hz, (frames,) float64, and spectra, (frames, bins) float32. For log-mel spectra, which
        contain the F0, all F0 values are 0.
    """
    if config.spectra == "log_mel":
        spectra = log_mel.log_mel(samples, config)
        return np.zeros(len(spectra)), spectra
    return world.analyse_for_training(samples, config)


def analyse(samples: np.ndarray, config: FeatureConfig) -> Features:
    """Analyse all features of a recording that conversion and synthesis need.

    Args:
        samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
        config: Settings of the analysis.
    """
    if config.spectra == "log_mel":
        return MelFeatures(log_mel.log_mel(samples, config))
    return world.analyse(samples, config)

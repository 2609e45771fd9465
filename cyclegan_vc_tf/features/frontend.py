"""What speech is made into, by whichever analysis: spectra to convert, and all beside them."""

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, world
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.world import WorldFeatures

Features = WorldFeatures | MelFeatures
"""Both have `spectra`, (frames, bins) float32."""


def validate(config: FeatureConfig) -> None:
    """Refuse settings that no recording can be analysed with.

    Raises:
        InputError: `FeatureConfig.validate` refuses the settings, or mel bands would be empty.
    """
    config.validate()
    if config.spectra == "log_mel":
        log_mel.validate(config)


def frame_count(samples: int, config: FeatureConfig) -> int:
    """Frames of so many samples."""
    of = log_mel if config.spectra == "log_mel" else world
    return of.frame_count(samples, config)


def analyse_for_training(
    samples: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray]:
    """What training needs of a recording.

    Args:
        samples: (samples,) float32 at `config.sample_rate_hz`.
        config: The analysis.

    Returns:
        F0 in Hz, (frames,) float64, all 0 for log-mel spectra, which have it in them; and spectra,
        (frames, bins) float32.
    """
    if config.spectra == "log_mel":
        spectra = log_mel.log_mel(samples, config)
        return np.zeros(len(spectra)), spectra
    return world.analyse_for_training(samples, config)


def analyse(samples: np.ndarray, config: FeatureConfig) -> Features:
    """Everything conversion needs of a recording.

    Args:
        samples: (samples,) float32 at `config.sample_rate_hz`.
        config: The analysis.
    """
    if config.spectra == "log_mel":
        return MelFeatures(log_mel.log_mel(samples, config))
    return world.analyse(samples, config)

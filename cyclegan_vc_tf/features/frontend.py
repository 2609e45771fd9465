"""What speech is made into, by whichever analysis: spectra to convert, and all beside them."""

import dataclasses

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, world
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.system.errors import InputError

Features = WorldFeatures | MelFeatures
"""Both have `spectra`, (frames, bins) float32."""


def validate(config: FeatureConfig) -> None:
    """Refuses settings that nothing can be analysed with.

    Raises:
        InputError: They contradict each other, or the spectra do not depend on one that was set.
    """
    used = config.used
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in used and value != field.default:
            raise InputError(
                f"--{field.name} is {value}, and {config.spectra} spectra do not depend on it; "
                "leave it out, or choose others with --spectra"
            )
    if config.spectra == "log_mel":
        log_mel.validate(config)
    elif config.f0_floor_hz >= config.f0_ceiling_hz:
        raise InputError(
            f"--f0_floor_hz is {config.f0_floor_hz}; "
            f"expected less than --f0_ceiling_hz, {config.f0_ceiling_hz}"
        )


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

"""From features back to samples."""

import numpy as np
import pyworld

from cyclegan_vc_tf import features
from cyclegan_vc_tf.audio import fix_length
from cyclegan_vc_tf.config import FeatureConfig
from cyclegan_vc_tf.features import WorldFeatures


def world(spoken: WorldFeatures, samples: int, config: FeatureConfig) -> np.ndarray:
    """WORLD synthesis.

    Args:
        spoken: F0, mel-cepstra and aperiodicity of as many frames.
        samples: How many to return; WORLD's own last, incomplete period is cut.
        config: The analysis that the features are of.

    Returns:
        (samples,) float32 at `config.sample_rate_hz`.
    """
    wave = pyworld.synthesize(
        np.ascontiguousarray(spoken.f0_hz, np.float64),
        features.decode(spoken.mel_cepstra, config),
        spoken.aperiodicity,
        config.sample_rate_hz,
        config.frame_period_ms,
    )
    return fix_length(wave.astype(np.float32), samples)

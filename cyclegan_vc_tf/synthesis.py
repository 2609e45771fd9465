"""From features back to samples."""

import numpy as np

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
    wave = features.synthesize(spoken, config)
    return fix_length(wave.astype(np.float32), samples)

"""Log-mel spectra of a recording, as MelGAN's public generator knows them, and back again.

Source: Kumar et al., 2019, arXiv:1910.06711, and its public code: a Hann window as long as the
transform, magnitudes, Slaney's mel filters, the decimal logarithm.
"""

from functools import lru_cache

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel

MAX_LOG_MEL = 3.0
"""Most that Griffin-Lim takes for a band: a hundred times a tone of full scale."""

MOMENTUM = 0.99
"""Of the fast Griffin-Lim algorithm, as librosa has it by default."""


def synthesize(spectra: np.ndarray, config: FeatureConfig, iterations: int) -> np.ndarray:
    """Samples whose spectra are about these: the fast Griffin-Lim algorithm.

    Magnitudes of the transform are the bands through the filters' pseudo-inverse, none negative;
    phases begin at random, always the same, and are made consistent in turns.

    Args:
        spectra: Log-mel, (frames, bins).
        config: The analysis that they are of.
        iterations: Turns.

    Returns:
        (frames · hop,) float32.

    Source: Perraudin, Balazs and Søndergaard, 2013, "A fast Griffin-Lim algorithm".
    """
    import librosa

    bands = 10.0 ** np.minimum(spectra.T.astype(np.float64), MAX_LOG_MEL)
    inverse = _inverse_filters(config)
    magnitudes = np.maximum(inverse @ bands, 0.0)
    wave = librosa.griffinlim(
        magnitudes,
        n_iter=iterations,
        momentum=MOMENTUM,
        random_state=0,
        **log_mel.stft_options(config),
    )
    front, _ = log_mel.margin_samples(config)
    return wave[front : front + len(spectra) * config.hop_samples].astype(np.float32)


@lru_cache
def _inverse_filters(config: FeatureConfig) -> np.ndarray:
    # librosa's own inversion takes memory by the square of the transform.
    return np.linalg.pinv(log_mel.mel_filters(config))

"""Adaptation of a conversion to a voice that the generator was not trained with.

A generator knows the spectra and the F0 of one source speaker. The frequency axis of another
voice's spectra is stretched to that speaker's, their average is moved to that speaker's, and so are
average and deviation of ln F0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import average, normalization, vtln
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures

MAX_SPEECH_S = 60.0
"""Duration of recordings that the averages of a voice are estimated from, at most."""

PRIOR_S = 2.0
"""Duration of speech with the training speaker's average that is added to that of a voice.

A short recording has few sounds in it, and their average is not the voice's.
"""

STRETCH_EXPONENT = 0.5
"""Exponent of the ratio of two voices' F0 that gives the stretch of the frequency axis.

F0 of the demo's voices has a ratio of 1.79, and `vtln.estimate_vtln_factor` finds a stretch of
1.36: an exponent of 0.52. That of average formants is 0.30 (Peterson and Barney, 1952, "Control
methods used in a study of the vowels"), but with a third, conversions of a woman's voice by a
generator of a man's kept few words.
"""


Analysed = TypeVar("Analysed", bound=Features)


@dataclass(frozen=True)
class Adaptation:
    """Map of the features of a voice to those of the speaker that a generator was trained with.

    Attributes:
        matrix: Stretch of the frequency axis, (bins, bins).
        offset: What is added to each bin after that, (bins,).
        gain: Factor by which that changes amplitudes.
        voice: Statistics of the voice, for its F0.
        speaker: Statistics of the speaker of the training.
    """

    matrix: np.ndarray
    offset: np.ndarray
    gain: float
    voice: Statistics
    speaker: Statistics

    def apply(self, features: Analysed) -> Analysed:
        """Return the features, stretched and moved to the averages of the training's speaker."""
        spectra = (features.spectra @ self.matrix + self.offset).astype(np.float32)
        adapted = replace(features, spectra=spectra)
        if not isinstance(adapted, WorldFeatures):
            return adapted
        f0_hz = normalization.convert_f0(adapted.f0_hz, self.voice, self.speaker)
        return replace(adapted, f0_hz=f0_hz)


def estimate(
    analysed: Sequence[Features], speaker: Statistics, config: FeatureConfig
) -> Adaptation:
    """Estimate the map of a voice's features from those of some recordings.

    With F0 f of the voice and of the speaker, the axis is stretched by (f_speaker / f_voice)^e,
    e = `STRETCH_EXPONENT`; log-mel spectra, whose F0 is not known, are not stretched. The average
    of n frames is moved n / (n + m) of the way, with m = `PRIOR_S` in frames.

    Args:
        analysed: Features of the recordings.
        speaker: Statistics of the speaker of the training.
        config: Settings of the analysis.

    Source: Gauvain and Lee, 1994, "Maximum a posteriori estimation for multivariate Gaussian
        mixture observations of Markov chains", for the mean with one Gaussian.
    """
    frames = np.concatenate([each.spectra for each in analysed]).astype(np.float64)
    voice = Statistics(frames.mean(axis=0), frames.std(axis=0), *_log_f0(analysed, speaker))
    ratio = np.exp(STRETCH_EXPONENT * (speaker.log_f0_mean - voice.log_f0_mean))
    factor = float(np.clip(ratio, vtln.VTLN_FACTORS[0], vtln.VTLN_FACTORS[-1]))
    matrix, constant = np.eye(config.bins), np.zeros(config.bins)
    if factor != 1.0:
        matrix, constant = vtln.warp_matrix(factor, config), vtln.warp_constant(factor, config)
    share = len(frames) / (len(frames) + PRIOR_S / config.hop_s)
    offset = constant + share * (speaker.mean - voice.mean @ matrix - constant)
    heard, moved = (
        average.level_dbfs(replace(speaker, mean=mean), config)
        for mean in (voice.mean, voice.mean @ matrix + offset)
    )
    return Adaptation(matrix, offset, float(10 ** ((moved - heard) / 20)), voice, speaker)


def _log_f0(analysed: Sequence[Features], speaker: Statistics) -> tuple[float, float]:
    """Return average and deviation of ln F0, or the speaker's if no frame is voiced."""
    voiced = [each.f0_hz[each.f0_hz > 0] for each in analysed if isinstance(each, WorldFeatures)]
    if not sum(map(len, voiced)):
        return speaker.log_f0_mean, speaker.log_f0_std
    log_f0 = np.log(np.concatenate(voiced))
    return float(log_f0.mean()), float(log_f0.std())

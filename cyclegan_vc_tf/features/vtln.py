"""What separates two voices most: the length of their vocal tracts, which stretches frequencies.

A generator that begins with that stretch has all words from its first step, and the rest to learn.
Spectra of a higher voice also move faster, for its periods are shorter; they begin smoothed.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world

Each = TypeVar("Each")

VTLN_FACTORS = np.round(np.exp(np.linspace(np.log(0.7), np.log(1 / 0.7), 29)), 4)
"""Those that are tried, a step of 2.5 % from one to the next."""

COMPONENTS, MAX_FRAMES = 16, 4_000
PROBE_STEP = 0.1
"""By how much a coefficient is moved to see what becomes of it; its logarithm is linear in it."""


@dataclass(frozen=True)
class Voice:
    """Mel-cepstra of a speaker.

    Attributes:
        spectra: Some of them, (frames, bins).
        utterances: Some of them whole, each (frames, bins).
        std: Of each coefficient in all of them, (bins,), by which features are divided.
    """

    spectra: np.ndarray
    utterances: Sequence[np.ndarray]
    std: np.ndarray


def mel_cepstra_warp_matrix(factor: float, config: FeatureConfig) -> np.ndarray:
    """What stretching the frequency axis of an envelope does to its coded mel-cepstra.

    What was at f is at factor · f; above the last bin the envelope goes on as it ends. The log
    envelope is linear in the coefficients, so it is a matrix, up to a constant.

    Returns:
        (bins, bins): `spectra @ matrix` are the coefficients of the stretched envelopes.

    Source: Pitz and Ney, 2005, "Vocal tract normalization equals linear transformation in cepstral
        space".
    """
    probes = np.concatenate([np.zeros((1, config.bins)), PROBE_STEP * np.eye(config.bins)])
    levels = np.log(world.decode(probes, config))
    bins = np.arange(levels.shape[1])
    stretched = np.array([np.interp(bins / factor, bins, level) for level in levels])
    coded = world.encode(np.exp(stretched), config).astype(np.float64)
    return (coded[1:] - coded[0]) / PROBE_STEP


def estimate_vtln_factor(voices: Mapping[str, Voice], config: FeatureConfig) -> float:
    """How many times higher B's formants lie than A's: the likeliest of `FACTORS`.

    Each speaker's features are described by a mixture of Gaussians, after mean and deviation were
    taken out; a factor is as good as A's features, stretched by it, are likely to be B's, and B's,
    stretched back, A's. Nothing has to be said twice.

    Args:
        voices: Of A and B.
        config: The analysis.

    Source: Eide and Gish, 1996, "A parametric approach to vocal tract length normalization", and
        Lee and Rose, 1996, by maximum likelihood.
    """
    # Here and below: a second of imports, which a training that is resumed does without.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    # Products of a few hundred rows: more threads only wait. A mixture need not be the very best.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = {
            name: GaussianMixture(COMPONENTS, max_iter=30, reg_covar=1e-3, random_state=0).fit(
                _standardize(voice.spectra)
            )
            for name, voice in voices.items()
        }

        def likelihood(factor: float) -> float:
            ways = (("A", "B", factor), ("B", "A", 1 / factor))
            return sum(
                models[there].score(
                    _standardize(voices[here].spectra @ mel_cepstra_warp_matrix(each, config))
                )
                for here, there, each in ways
            )

        return float(max(VTLN_FACTORS, key=likelihood))


def pick_evenly(utterances: Sequence[Each], most: int) -> list[Each]:
    """At most so many of them, from all over."""
    count = min(len(utterances), most)
    return [utterances[index * len(utterances) // count] for index in range(count)]


def sample_frames(utterances: Sequence[np.ndarray], most: int = MAX_FRAMES) -> np.ndarray:
    """At most so many of utterances' frames, evenly from all over, (frames, bins) float64."""
    frames = sum(map(len, utterances))
    every = -(-frames // most)
    return np.concatenate([each[::every] for each in utterances]).astype(np.float64)


def _standardize(spectra: np.ndarray) -> np.ndarray:
    return (spectra - spectra.mean(axis=0)) / np.maximum(spectra.std(axis=0), 1e-12)


def log_mel_warp_matrix(factor: float, config: FeatureConfig) -> np.ndarray:
    """What stretching the frequency axis does to log-mel spectra, F0 included.

    What was at f is at factor · f, between bands by linear interpolation on the mel scale; above
    the last band, and below the first, the spectrum goes on as it ends.

    Returns:
        (bins, bins): `spectra @ matrix` are the stretched spectra.
    """
    import librosa

    # Slaney's filters have their peaks at equal distances on his scale.
    highest = librosa.hz_to_mel(config.sample_rate_hz / 2)
    peaks = np.linspace(0, highest, config.mel_bins + 2)[1:-1]
    sources = librosa.hz_to_mel(librosa.mel_to_hz(peaks) / factor)
    return np.stack([np.interp(sources, peaks, band) for band in np.eye(config.mel_bins)])

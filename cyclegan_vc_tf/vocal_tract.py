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

from cyclegan_vc_tf import modulation, world
from cyclegan_vc_tf.config import FeatureConfig

Each = TypeVar("Each")

FACTORS = np.round(np.exp(np.linspace(np.log(0.7), np.log(1 / 0.7), 29)), 4)
"""Those that are tried, a step of 2.5 % from one to the next."""

COMPONENTS, MOST_FRAMES = 16, 4_000
PROBE = 0.1
"""By how much a coefficient is moved to see what becomes of it; its logarithm is linear in it."""


@dataclass(frozen=True)
class Voice:
    """Mel-cepstra of a speaker.

    Attributes:
        spectra: Some of them, (frames, bins).
        utterances: Some of them whole, each (frames, bins).
        deviation: Of each coefficient in all of them, (bins,), by which features are divided.
    """

    spectra: np.ndarray
    utterances: Sequence[np.ndarray]
    deviation: np.ndarray


def warp_matrix(factor: float, config: FeatureConfig) -> np.ndarray:
    """What stretching the frequency axis of an envelope does to its coded mel-cepstra.

    What was at f is at factor · f; above the last bin the envelope goes on as it ends. The log
    envelope is linear in the coefficients, so it is a matrix, up to a constant.

    Returns:
        (bins, bins): `spectra @ matrix` are the coefficients of the stretched envelopes.

    Source: Pitz and Ney, 2005, "Vocal tract normalization equals linear transformation in cepstral
        space".
    """
    probes = np.concatenate([np.zeros((1, config.bins)), PROBE * np.eye(config.bins)])
    levels = np.log(world.decode(probes, config))
    bins = np.arange(levels.shape[1])
    stretched = np.array([np.interp(bins / factor, bins, level) for level in levels])
    coded = world.encode(np.exp(stretched), config).astype(np.float64)
    return (coded[1:] - coded[0]) / PROBE


def estimate(voices: Mapping[str, Voice], config: FeatureConfig) -> float:
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
                _normalized(voice.spectra)
            )
            for name, voice in voices.items()
        }

        def likelihood(factor: float) -> float:
            ways = (("A", "B", factor), ("B", "A", 1 / factor))
            return sum(
                models[there].score(_normalized(voices[here].spectra @ warp_matrix(each, config)))
                for here, there, each in ways
            )

        return float(max(FACTORS, key=likelihood))


def starts(
    voices: Mapping[str, Voice], factor: float, taps: int, config: FeatureConfig
) -> dict[str, np.ndarray]:
    """What a generator is to begin with, of normalised features, by direction.

    x → (x · deviation of the source) @ matrix / deviation of what that makes of the source: its
    mean is then 0 and its deviation 1, as the target's normalised features have them; smoothed
    over frames.

    Args:
        voices: Of A and B.
        factor: As estimated.
        taps: Of the smoothing, odd.
        config: The analysis.

    Returns:
        A2B and B2A, kernels (taps, bins, bins).
    """
    kernels = {}
    for direction, each in (("A2B", factor), ("B2A", 1 / factor)):
        voice, matrix = voices[direction[0]], warp_matrix(each, config)
        deviation = (voice.spectra @ matrix).std(axis=0)
        scaled = voice.deviation[:, np.newaxis] * matrix / np.maximum(deviation, 1e-12)
        stretched = [utterance @ matrix for utterance in voice.utterances]
        smoothing = modulation.filters(stretched, voices[direction[2]].utterances, taps)
        kernels[direction] = smoothing[:, np.newaxis] * scaled
    return kernels


def evenly(utterances: Sequence[Each], most: int) -> list[Each]:
    """At most so many of them, from all over."""
    count = min(len(utterances), most)
    return [utterances[index * len(utterances) // count] for index in range(count)]


def some(utterances: Sequence[np.ndarray], most: int = MOST_FRAMES) -> np.ndarray:
    """At most so many of utterances' frames, evenly from all over, (frames, bins) float64."""
    frames = sum(map(len, utterances))
    every = -(-frames // most)
    return np.concatenate([each[::every] for each in utterances]).astype(np.float64)


def _normalized(spectra: np.ndarray) -> np.ndarray:
    return (spectra - spectra.mean(axis=0)) / np.maximum(spectra.std(axis=0), 1e-12)

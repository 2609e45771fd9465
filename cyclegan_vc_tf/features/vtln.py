"""Vocal tract length normalisation (VTLN): warping of the frequency axis by a factor.

Vocal tract length, which stretches the frequency axis, is the largest difference of two voices.
A generator initialized with that stretch keeps all words from its first step. Spectra of a higher
voice also change faster, because its periods are shorter; such a generator also smooths them.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.system import caches

Item = TypeVar("Item")

VTLN_FACTORS = np.round(np.exp(np.linspace(np.log(0.7), np.log(1 / 0.7), 29)), 4)
"""Factors among which `estimate_vtln_factor` chooses, in steps of 2.5 %."""

MIXTURE_COMPONENTS = 16
"""Gaussians in the mixture that describes a speaker's spectra."""

MAX_FRAMES = 4_000
"""Frames per speaker that a mixture is fitted to, at most."""

PROBE_STEP = 0.1
"""Change of one coefficient by which its effect is measured; log envelopes are linear in it."""


@dataclass(frozen=True)
class Voice:
    """Mel-cepstra of a speaker.

    Attributes:
        spectra: Frames from many utterances, (frames, bins).
        utterances: Some whole utterances, each (frames, bins).
        std: Standard deviation of each coefficient over all training utterances, (bins,), which
            features are divided by.
    """

    spectra: np.ndarray
    utterances: Sequence[np.ndarray]
    std: np.ndarray


def warp_matrix(factor: float, config: FeatureConfig) -> np.ndarray:
    """Return the matrix that stretches the frequency axis of spectra by a factor.

    Content at frequency f moves to factor · f. Above the last bin, and for log-mel spectra below
    the first, a spectrum continues with its outermost value. Stretched log-mel spectra include a
    stretched F0.

    Args:
        factor: Factor of the stretch; 1 changes nothing but rounding of the analysis.
        config: Settings of the analysis; they decide between mel-cepstra and log-mel spectra.

    Returns:
        Matrix, (bins, bins): `spectra @ matrix` are the stretched spectra; for mel-cepstra up to an
        additive constant.
    """
    if config.spectra == "log_mel":
        return _warp_log_mel(factor, config)
    return _warp_mel_cepstra(factor, config)


def warp_constant(factor: float, config: FeatureConfig) -> np.ndarray:
    """Return what `warp_matrix` leaves out, (bins,): `spectra @ matrix + constant` is exact."""
    if config.spectra == "log_mel":
        return np.zeros(config.bins)
    return _stretch(np.zeros((1, config.bins)), factor, config)[0]


def _warp_mel_cepstra(factor: float, config: FeatureConfig) -> np.ndarray:
    """Return the matrix that stretches WORLD's coded mel-cepstra, (bins, bins).

    The log envelope is linear in the coefficients, so a stretch is linear in them as well.

    Source: Pitz and Ney, 2005, "Vocal tract normalization equals linear transformation in cepstral
        space".
    """
    probes = np.concatenate([np.zeros((1, config.bins)), PROBE_STEP * np.eye(config.bins)])
    coded = _stretch(probes, factor, config)
    return (coded[1:] - coded[0]) / PROBE_STEP


def _stretch(mel_cepstra: np.ndarray, factor: float, config: FeatureConfig) -> np.ndarray:
    """Decode mel-cepstra, stretch the envelopes and code them again, (frames, bins) float64."""
    levels = np.log(world.decode(mel_cepstra, config))
    bins = np.arange(levels.shape[1])
    stretched = np.array([np.interp(bins / factor, bins, level) for level in levels])
    return world.encode(np.exp(stretched), config).astype(np.float64)


def _warp_log_mel(factor: float, config: FeatureConfig) -> np.ndarray:
    """Return the matrix that stretches log-mel spectra, (bins, bins).

    Values between bands are interpolated linearly on the mel scale.
    """
    librosa = caches.load_librosa()
    # The peaks of Slaney's filters have equal distances on his mel scale.
    highest_mel = librosa.hz_to_mel(config.sample_rate_hz / 2)
    peaks = np.linspace(0, highest_mel, config.mel_bins + 2)[1:-1]
    sources = librosa.hz_to_mel(librosa.mel_to_hz(peaks) / factor)
    return np.stack([np.interp(sources, peaks, band) for band in np.eye(config.mel_bins)])


def estimate_vtln_factor(voices: Mapping[str, Voice], config: FeatureConfig) -> float:
    """Estimate the ratio of B's formants to A's: the likeliest of `VTLN_FACTORS`.

    A mixture of Gaussians describes the standardized features of each speaker. The score of a
    factor adds two log-likelihoods: A's features, stretched by it, under B's mixture, and B's
    features, stretched by its inverse, under A's mixture. The estimate needs no parallel sentences.

    Args:
        voices: Mel-cepstra of the speakers "A" and "B".
        config: Settings of the analysis.

    Source: Eide and Gish, 1996, "A parametric approach to vocal tract length normalization", and
        Lee and Rose, 1996, by maximum likelihood.
    """
    # Imported here, because these imports take a second, a resumed training does not need them, and
    # conversion without TensorFlow does not have them.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    # One thread is fastest for products of a few hundred rows. Mixtures need not converge fully.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixtures = {
            name: GaussianMixture(
                MIXTURE_COMPONENTS, max_iter=30, reg_covar=1e-3, random_state=0
            ).fit(_standardize(voice.spectra))
            for name, voice in voices.items()
        }

        def log_likelihood(factor: float) -> float:
            directions = (("A", "B", factor), ("B", "A", 1 / factor))
            return sum(
                mixtures[target].score(
                    _standardize(voices[source].spectra @ warp_matrix(stretch, config))
                )
                for source, target, stretch in directions
            )

        return float(max(VTLN_FACTORS, key=log_likelihood))


def pick_evenly(items: Sequence[Item], max_count: int) -> list[Item]:
    """Pick at most `max_count` items, evenly spaced over the whole sequence."""
    count = min(len(items), max_count)
    return [items[index * len(items) // count] for index in range(count)]


def sample_frames(utterances: Sequence[np.ndarray], max_frames: int = MAX_FRAMES) -> np.ndarray:
    """Pick at most `max_frames` frames at equal distances, (frames, bins) float64."""
    frames = sum(map(len, utterances))
    stride = -(-frames // max_frames)
    return np.concatenate([utterance[::stride] for utterance in utterances]).astype(np.float64)


def _standardize(spectra: np.ndarray) -> np.ndarray:
    """Scale spectra to mean 0 and standard deviation 1 over frames."""
    return (spectra - spectra.mean(axis=0)) / np.maximum(spectra.std(axis=0), 1e-12)

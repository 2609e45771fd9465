"""What separates two voices most: the length of their vocal tracts, which stretches frequencies.

A generator that begins with that stretch has all words from its first step, and the rest to learn.
Spectra of a higher voice also move faster, for its periods are shorter; they begin smoothed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import modulation, vtln
from cyclegan_vc_tf.features.vtln import Voice, sample_frames


def vtln_kernels(
    voices: Mapping[str, Voice], factor: float, taps: int, config: FeatureConfig
) -> dict[Direction, np.ndarray]:
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
    for direction, each in ((Direction.A2B, factor), (Direction.B2A, 1 / factor)):
        voice, matrix = voices[direction.source], vtln.warp_matrix(each, config)
        deviation = (voice.spectra @ matrix).std(axis=0)
        scaled = voice.std[:, np.newaxis] * matrix / np.maximum(deviation, 1e-12)
        stretched = [utterance @ matrix for utterance in voice.utterances]
        smoothing = modulation.matching_filters(
            stretched, voices[direction.target].utterances, taps
        )
        kernels[direction] = smoothing[:, np.newaxis] * scaled
    return kernels


MAX_FRAMES = 12_000
"""Of each speaker that are paired."""

CONTEXT_OFFSETS = (-6, -3, 0, 3, 6)
"""Frames beside one, by which its neighbours are found: a sound alone is easily mistaken."""

VOICING_WEIGHT = 2.0
"""What voicing counts in a comparison; a deviation of the level, or of a coefficient that the map
gets right, counts 1."""

RIDGE = 0.01
"""Of the regression, for a pair: coefficients have a variance of 1."""

MAX_GAIN = 2.0
"""Of what is to move as the target does: pairs are never quite in time, so that maps make less
movement than there was."""


@dataclass(frozen=True)
class SpeakerFrames:
    """Utterances of one speaker, as they are compared with the other's.

    Attributes:
        spectra: Normalised mel-cepstra, each (frames, bins).
        voiced: Which of their frames are, each (frames,).
    """

    spectra: Sequence[np.ndarray]
    voiced: Sequence[np.ndarray]

    def around(self, spectra: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        """What is compared of each frame: its surroundings and their voicing.

        Args:
            spectra: These utterances', converted or not.
            weights: Of each coefficient, (bins,).

        Returns:
            (frames, offsets · (bins + 1)), of `MOST_FRAMES` at most.
        """
        compared = (
            _stack_context(
                np.column_stack([each * weights, VOICING_WEIGHT * voiced]), CONTEXT_OFFSETS
            )
            for each, voiced in zip(spectra, self.voiced, strict=True)
        )
        return sample_frames(list(compared), MAX_FRAMES)


def inca(
    kernel: np.ndarray, source: SpeakerFrames, target: SpeakerFrames, rounds: int
) -> np.ndarray:
    """A linear map learned from pairs of frames, over and over.

    In each round every frame of the source, converted, is paired with the nearest of the target,
    and every frame of the target with the nearest of those; ridge regression gives the next map
    from a frame to a frame, and a filter for each coefficient has its outputs move as the target's
    do, with the target's deviations. In the next round a coefficient counts as much as what the
    map made of it correlates with its pairs. Column 0, the level, is compared, and stays as it was.

    Args:
        kernel: What to begin with, (taps, bins, bins), of a convolution over frames.
        source: Who is converted.
        target: Who is to be heard, in other sentences.
        rounds: How often; 0 gives `kernel`.

    Returns:
        (taps, bins, bins).

    Source: Erro, Moreno and Bonafonte, 2010, "INCA algorithm for training voice conversion systems
        from nonparallel corpora", with one linear map for all frames; voicing, level and weights
        are ours.
    """
    if not rounds:
        return kernel
    from sklearn.metrics import pairwise_distances_argmin  # A second, which a resume does without.

    taps, bins, _ = kernel.shape
    seen, spoken = (sample_frames(side.spectra, MAX_FRAMES) for side in (source, target))
    level, weights = kernel[:, :, 0], np.ones(bins)
    for _ in range(rounds):
        converted = [convolve_frames(each, kernel) for each in source.spectra]
        found, wanted = source.around(converted, weights), target.around(target.spectra, weights)
        # More threads only wait for each other beside TensorFlow's.
        with threadpool_limits(1, "blas"):
            forth = pairwise_distances_argmin(found, wanted)
            back = pairwise_distances_argmin(wanted, found)
        rows = np.concatenate([seen, seen[back]])
        columns = np.concatenate([spoken[forth], spoken])
        squares = rows.T @ rows + RIDGE * len(rows) * np.eye(bins)
        matrix = np.linalg.solve(squares, rows.T @ columns)
        weights[1:] = _correlations(rows @ matrix, columns)[1:]
        kernel = _match_modulation(matrix, source.spectra, target.spectra, taps)
        kernel[:, :, 0] = level
    return kernel


def _match_modulation(
    matrix: np.ndarray, source: Sequence[np.ndarray], target: Sequence[np.ndarray], taps: int
) -> np.ndarray:
    """A map whose outputs have the target's deviations and modulation spectra, (taps, bins, bins).

    Args:
        matrix: From a frame to a frame, (bins, bins).
        source: What it is for, each (frames, bins).
        target: Whose movement is wanted.
        taps: Of the filters.
    """
    mapped = [each @ matrix for each in source]
    deviations = np.maximum(np.concatenate(mapped).std(axis=0), 1e-12)
    mapped = [each / deviations for each in mapped]
    kernel = modulation.matching_filters(mapped, target, taps, MAX_GAIN)[:, np.newaxis] * matrix
    converted = np.concatenate([convolve_frames(each, kernel) for each in source])
    return kernel / np.maximum(converted.std(axis=0), 1e-12)


def convolve_frames(utterance: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """What a convolution over frames makes of an utterance, whose ends go on as they are.

    Args:
        utterance: (frames, bins).
        kernel: (taps, bins, bins), taps odd.

    Returns:
        (frames, bins). A layer, which pads with zeros, differs at both ends.
    """
    reach = len(kernel) // 2
    beside = _stack_context(utterance, range(-reach, reach + 1))
    return beside @ kernel.reshape(-1, kernel.shape[-1])


def _stack_context(utterance: np.ndarray, offsets: Sequence[int]) -> np.ndarray:
    """Each frame with those at these offsets, (frames, offsets · bins); the ends go on."""
    frames = np.arange(len(utterance))[:, np.newaxis] + np.asarray(offsets)
    return utterance[np.clip(frames, 0, len(utterance) - 1)].reshape(len(utterance), -1)


def _correlations(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Pearson's of each column, (columns,); 0 where one of the two never changes."""
    ours, theirs = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    scale = np.sqrt(np.square(ours).sum(axis=0) * np.square(theirs).sum(axis=0))
    return (ours * theirs).sum(axis=0) / np.maximum(scale, 1e-12)

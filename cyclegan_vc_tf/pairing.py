"""Frames of two voices that sound alike, and the linear map between them: nothing is said twice.

A stretch of the frequency axis brings each frame near to what the other voice makes of the same
sound. Its nearest neighbours there are pairs to learn a better map from, which finds better pairs.
"""

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from cyclegan_vc_tf.vocal_tract import some

MOST_FRAMES = 12_000
"""Of each speaker that are paired."""

AROUND = (-4, -2, 0, 2, 4)
"""Frames beside one, by which its neighbours are found: a sound alone is easily mistaken."""

RIDGE = 0.01
"""Of the regression, for a pair: coefficients have a variance of 1."""


def refined(
    kernel: np.ndarray,
    source: Sequence[np.ndarray],
    target: Sequence[np.ndarray],
    rounds: int,
) -> np.ndarray:
    """A linear map learned from pairs of frames, over and over.

    In each round every frame of the source, converted, is paired with the nearest of the target,
    and every frame of the target with the nearest of those; ridge regression gives the next map,
    scaled so that its outputs have the target's deviations. Column 0, the level, stays as it was.

    Args:
        kernel: What to begin with, (taps, bins, bins), of a convolution over frames.
        source: Normalised mel-cepstra of utterances, each (frames, bins).
        target: Likewise, of other sentences.
        rounds: How often; 0 gives `kernel`.

    Returns:
        (taps, bins, bins).

    Source: Erro, Moreno and Bonafonte, 2010, "INCA algorithm for training voice conversion systems
        from nonparallel corpora", with one linear map for all frames.
    """
    if not rounds:
        return kernel
    from sklearn.metrics import pairwise_distances_argmin  # A second, which a resume does without.

    taps, bins, _ = kernel.shape
    reach = taps // 2
    seen = some([_beside(each, range(-reach, reach + 1)) for each in source], MOST_FRAMES)
    spoken = some(target, MOST_FRAMES)
    wanted = some([_beside(each[:, 1:], AROUND) for each in target], MOST_FRAMES)
    level = kernel[:, :, 0]
    for _ in range(rounds):
        converted = [convolved(each, kernel)[:, 1:] for each in source]
        found = some([_beside(each, AROUND) for each in converted], MOST_FRAMES)
        # More threads only wait for each other beside TensorFlow's.
        with threadpool_limits(1, "blas"):
            forth = pairwise_distances_argmin(found, wanted)
            back = pairwise_distances_argmin(wanted, found)
        rows = np.concatenate([seen, seen[back]])
        columns = np.concatenate([spoken[forth], spoken])
        squares = rows.T @ rows + RIDGE * len(rows) * np.eye(rows.shape[1])
        matrix = np.linalg.solve(squares, rows.T @ columns)
        matrix /= np.maximum((seen @ matrix).std(axis=0), 1e-12)
        kernel = matrix.reshape(taps, bins, bins)
        kernel[:, :, 0] = level
    return kernel


def convolved(utterance: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """What a convolution over frames makes of an utterance, whose ends go on as they are.

    Args:
        utterance: (frames, bins).
        kernel: (taps, bins, bins), taps odd.

    Returns:
        (frames, bins). A layer, which pads with zeros, differs at both ends.
    """
    reach = len(kernel) // 2
    beside = _beside(utterance, range(-reach, reach + 1))
    return beside @ kernel.reshape(-1, kernel.shape[-1])


def _beside(utterance: np.ndarray, offsets: Sequence[int]) -> np.ndarray:
    """Each frame with those at these offsets, (frames, offsets · bins); the ends go on."""
    frames = np.arange(len(utterance))[:, np.newaxis] + np.asarray(offsets)
    return utterance[np.clip(frames, 0, len(utterance) - 1)].reshape(len(utterance), -1)

"""How fast the trajectories of coefficients move, and filters that have them move otherwise."""

from collections.abc import Sequence

import numpy as np

WINDOW_FRAMES = 256
"""Of a modulation spectrum."""


def matching_filters(
    source: Sequence[np.ndarray],
    target: Sequence[np.ndarray],
    taps: int,
    most_gain: float = 1.0,
) -> np.ndarray:
    """Filters over frames under which trajectories move as a target's do.

    For each coefficient the symmetric filter that is 1 at 0 Hz and otherwise nearest, by least
    squares, to the square root of what the target's modulation spectrum is of the source's, where
    that is below `most_gain`. The zeroth coefficient, the level, is left as it is.

    Args:
        source: Utterances, each (frames, bins).
        target: Utterances of whatever sentences.
        taps: Length of the filters, odd.
        most_gain: With 1, movement is only smoothed away; with more, what is missing is made up
            for by so much of what is there.

    Returns:
        (taps, bins).

    Source: the idea is that of Takamichi et al., 2014, "A postfilter to modify the modulation
        spectrum in HMM-based speech synthesis".
    """
    power = [modulation_spectrum(utterances) for utterances in (source, target)]
    gain = np.minimum(np.sqrt(power[1] / np.maximum(power[0], 1e-12)), most_gain)
    gain[:, 0] = 1.0
    turns = np.pi * np.outer(np.linspace(0, 1, len(gain)), np.arange(1, taps // 2 + 1))
    # The gain of a symmetric filter is 1 + Σ 2 h_k (cos kω - 1), if it is 1 at ω = 0.
    side, *_ = np.linalg.lstsq(2 * (np.cos(turns) - 1), gain - 1, rcond=None)
    return np.concatenate([side[::-1], 1 - 2 * side.sum(axis=0, keepdims=True), side])


def modulation_spectrum(utterances: Sequence[np.ndarray]) -> np.ndarray:
    """Welch's mean of the power over utterances, (WINDOW_FRAMES // 2 + 1, bins)."""
    import scipy.signal

    longer = [
        np.pad(each - each.mean(axis=0), ((0, max(0, WINDOW_FRAMES - len(each))), (0, 0)))
        for each in utterances
    ]
    powers = [scipy.signal.welch(each, nperseg=WINDOW_FRAMES, axis=0)[1] for each in longer]
    return np.mean(powers, axis=0)

"""Modulation spectra of coefficient trajectories, and filters that match them to a target's."""

from collections.abc import Sequence

import numpy as np

WINDOW_FRAMES = 256
"""Length of the window of a modulation spectrum, in frames."""


def matching_filters(
    source: Sequence[np.ndarray],
    target: Sequence[np.ndarray],
    taps: int,
    max_gain: float = 1.0,
) -> np.ndarray:
    """Design filters over frames that match modulation spectra to a target's.

    The wanted gain at each modulation frequency is the square root of the ratio of the target's
    power to the source's, limited to `max_gain`. Each coefficient gets the symmetric filter that
    has gain 1 at 0 Hz and is closest to the wanted gain by least squares. The filter of the zeroth
    coefficient, which is the level, changes nothing.

    Args:
        source: Utterances of the source, each (frames, bins).
        target: Utterances of the target, each (frames, bins); any sentences.
        taps: Length of the filters in frames, odd.
        max_gain: Largest gain. Filters with 1 only smooth; larger values also amplify.

    Returns:
        Filters, (taps, bins).

    Source: after the idea of Takamichi et al., 2014, "A postfilter to modify the modulation
        spectrum in HMM-based speech synthesis".
    """
    source_power, target_power = (
        modulation_spectrum(utterances) for utterances in (source, target)
    )
    gain = np.minimum(np.sqrt(target_power / np.maximum(source_power, 1e-12)), max_gain)
    gain[:, 0] = 1.0
    phases = np.pi * np.outer(np.linspace(0, 1, len(gain)), np.arange(1, taps // 2 + 1))
    # The gain of a symmetric filter is 1 + Σ 2 h_k (cos kω - 1), if it is 1 at ω = 0.
    side, *_ = np.linalg.lstsq(2 * (np.cos(phases) - 1), gain - 1, rcond=None)
    return np.concatenate([side[::-1], 1 - 2 * side.sum(axis=0, keepdims=True), side])


def modulation_spectrum(utterances: Sequence[np.ndarray]) -> np.ndarray:
    """Average the power spectra of trajectories over utterances by Welch's method.

    Args:
        utterances: Trajectories, each (frames, bins).

    Returns:
        Power, (WINDOW_FRAMES // 2 + 1, bins).
    """
    import scipy.signal

    padded = [
        np.pad(
            utterance - utterance.mean(axis=0),
            ((0, max(0, WINDOW_FRAMES - len(utterance))), (0, 0)),
        )
        for utterance in utterances
    ]
    powers = [scipy.signal.welch(tracks, nperseg=WINDOW_FRAMES, axis=0)[1] for tracks in padded]
    return np.mean(powers, axis=0)

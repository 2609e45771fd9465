"""Classes of log F0, by which a network estimates F0: what it is to reach, and what it says.

Source: Kim et al., 2018, arXiv:1802.06182 (CREPE): classes of log F0 and their local average.
"""

import numpy as np

MIN_HZ, MAX_HZ = 50.0, 800.0
"""Range of the estimated F0."""

COUNT = 128
"""Classes, at equal distances in log F0."""

NEIGHBOURS = 3
"""Classes on either side of the most likely one that the estimate of F0 averages over."""


def frequencies_hz() -> np.ndarray:
    """Return the F0 of each class, (COUNT,)."""
    return np.geomspace(MIN_HZ, MAX_HZ, COUNT)


def targets(f0_hz: np.ndarray) -> np.ndarray:
    """Return the scores that the network is to reach, as probabilities.

    Args:
        f0_hz: F0, (…, frames); 0 where unvoiced.

    Returns:
        Probabilities of the classes, a Gaussian with a deviation of one class, and of voicing,
        (…, frames, COUNT + 1) float32. Unvoiced frames have only zeros.
    """
    voiced = f0_hz > 0
    step = np.log(MAX_HZ / MIN_HZ) / (COUNT - 1)
    place = np.log(np.where(voiced, f0_hz, MIN_HZ) / MIN_HZ) / step
    place = np.clip(place, 0, COUNT - 1)
    shares = np.exp(-0.5 * np.square(np.arange(COUNT) - place[..., np.newaxis]))
    shares *= voiced[..., np.newaxis] / shares.sum(-1, keepdims=True)
    return np.concatenate([shares, voiced[..., np.newaxis]], -1).astype(np.float32)


def decode(scores: np.ndarray) -> np.ndarray:
    """Return the F0 that the network estimates.

    Args:
        scores: Output of the network, (frames, COUNT + 1).

    Returns:
        F0 in Hz, (frames,) float64; 0 where voicing is less likely than not.
    """
    classes = scores[:, :COUNT].astype(np.float64)
    near = np.abs(np.arange(COUNT) - classes.argmax(1)[:, np.newaxis]) <= NEIGHBOURS
    shares = np.exp(classes - classes.max(1, keepdims=True)) * near
    log_f0 = shares @ np.log(frequencies_hz()) / shares.sum(1)
    return np.where(scores[:, COUNT] > 0, np.exp(log_f0), 0.0)

"""Long recordings in pieces, cut where they are quiet."""

from collections.abc import Iterator

import numpy as np

_WINDOWS = 10_000
"""Windows that are looked at together: squares of a few minutes are in memory at once."""


def of(samples: np.ndarray, sample_rate_hz: int, longest_s: float) -> Iterator[slice]:
    """Cuts a recording in two, and its parts again, until none is longer than `longest_s`.

    A piece is found only when the one before was taken, and from its own samples alone: those of
    pieces that were taken may be replaced meanwhile.

    Args:
        samples: (samples,).
        sample_rate_hz: Their rate.
        longest_s: Of a piece, in seconds.

    Yields:
        Where the pieces are, one after the other.
    """
    waiting = [slice(0, len(samples))]
    while waiting:
        piece = waiting.pop()
        if piece.stop - piece.start <= longest_s * sample_rate_hz:
            yield piece
            continue
        middle = piece.start + quietest_moment(samples[piece], sample_rate_hz)
        waiting += [slice(middle, piece.stop), slice(piece.start, middle)]


def quietest_moment(samples: np.ndarray, sample_rate_hz: int) -> int:
    """Where to cut a long recording: the quietest 20 ms in the middle third.

    Args:
        samples: (samples,).
        sample_rate_hz: Their rate.

    Returns:
        The index of a sample.
    """
    window = max(1, sample_rate_hz // 50)
    first, last = len(samples) // 3, 2 * len(samples) // 3
    windows = (last - first) // window
    middle = samples[first : first + windows * window].reshape(windows, window)
    energy = np.concatenate(
        [
            np.square(middle[begin : begin + _WINDOWS], dtype=np.float64).sum(axis=1)
            for begin in range(0, windows, _WINDOWS)
        ]
    )
    return first + int(np.argmin(energy)) * window + window // 2

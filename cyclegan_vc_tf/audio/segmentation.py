"""Where a long recording is cut: in its silences, and where it has none, where it is quietest."""

from collections.abc import Iterator

import numpy as np

from cyclegan_vc_tf.audio.levels import Levels
from cyclegan_vc_tf.config.corpus import CorpusConfig

MIN_SOUND_S = 0.1
"""What is shorter, with silence on both sides, is a click and no speech."""

MAX_PAUSE_S = 1.0
"""The longest silence that stays within a piece."""


def find_pieces(levels: Levels, corpus: CorpusConfig) -> list[tuple[int, int]]:
    """Pieces of a recording, none longer than `longest_piece_s`, one after the other.

    Silence is where every moment lies `silence_db` or more below the whole recording's mean
    square, for `silence_s` or longer. What lies between silences is a piece; one shorter than
    `shortest_piece_s` is joined with the next across a short silence, and otherwise takes some of
    the silence around it. Every piece keeps at most half of `silence_s` at either end. Longer
    silences are in none.

    Args:
        levels: Of the recording.
        corpus: The settings.

    Returns:
        First sample, and the one behind the last, of each; none where there are only clicks.
    """
    moments_s = levels.window_samples / levels.sample_rate_hz
    powers, margin = levels.powers, round(corpus.silence_s / 2 / moments_s)
    quiet = powers < levels.power() * 10 ** (-corpus.silence_db / 10)
    pauses = _find_runs(quiet, round(corpus.silence_s / moments_s))
    borders = np.array([0, *pauses.flat, len(quiet)]).reshape(-1, 2)
    sounds = borders[borders[:, 1] - borders[:, 0] >= MIN_SOUND_S / moments_s]
    least, most = (
        int(limit_s / moments_s) for limit_s in (corpus.shortest_piece_s, corpus.longest_piece_s)
    )
    parts = [
        part
        for begin, end in sounds
        for part in _split_sound(powers, begin, end, most - 2 * margin)
    ]
    joined = _join_short(parts, least, most - 2 * margin, round(MAX_PAUSE_S / moments_s))
    widened = _widen(joined, margin, least, len(quiet))
    return [
        (begin * levels.window_samples, min(end * levels.window_samples, levels.samples))
        for begin, end in widened
    ]


Piece = tuple[int, int]
"""First moment of a piece, and the one behind its last."""


def _find_runs(flags: np.ndarray, least: int) -> np.ndarray:
    """Where flags are set for at least so many moments, (runs, 2): first, and behind the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    return runs[runs[:, 1] - runs[:, 0] >= least]


def _split_sound(powers: np.ndarray, begin: int, end: int, most: int) -> list[Piece]:
    """A sound, cut at the quietest moment in its middle third until no part is longer than most."""
    waiting, parts = [(int(begin), int(end))], []
    while waiting:
        begin, end = waiting.pop()
        if end - begin <= most:
            parts.append((begin, end))
            continue
        third = (end - begin) // 3
        cut = begin + third + int(np.argmin(powers[begin + third : end - third]))
        waiting += [(cut, end), (begin, cut)]
    return parts


def _join_short(parts: list[Piece], least: int, most: int, most_pause: int) -> list[Piece]:
    """Joins a part that is too short with the next, or the last one with the one before."""
    joined: list[Piece] = []
    for begin, end in parts:
        if joined:
            first, last = joined[-1]
            short = last - first < least or end - begin < least
            if short and begin - last <= most_pause and end - first <= most:
                joined[-1] = first, end
                continue
        joined.append((begin, end))
    return joined


def _widen(pieces: list[Piece], margin: int, least: int, moments: int) -> list[Piece]:
    """Gives each piece some of the silence around it, but no other piece's."""
    widened = []
    for number, (begin, end) in enumerate(pieces):
        wanted = max(margin, -(-(least - (end - begin)) // 2))
        front = (begin + pieces[number - 1][1] + 1) // 2 if number else 0
        back = (end + pieces[number + 1][0] + 1) // 2 if number + 1 < len(pieces) else moments
        widened.append((max(begin - wanted, front), min(end + wanted, back)))
    return widened


_WINDOWS_PER_BLOCK = 10_000
"""Windows that are looked at together: squares of a few minutes are in memory at once."""


def split_at_quiet(samples: np.ndarray, sample_rate_hz: int, longest_s: float) -> Iterator[slice]:
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
        middle = piece.start + quietest_sample(samples[piece], sample_rate_hz)
        waiting += [slice(middle, piece.stop), slice(piece.start, middle)]


def quietest_sample(samples: np.ndarray, sample_rate_hz: int) -> int:
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
            np.square(middle[begin : begin + _WINDOWS_PER_BLOCK], dtype=np.float64).sum(axis=1)
            for begin in range(0, windows, _WINDOWS_PER_BLOCK)
        ]
    )
    return first + int(np.argmin(energy)) * window + window // 2

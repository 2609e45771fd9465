"""Segmentation of recordings: in silences, and at quiet moments where a part is too long."""

from collections.abc import Callable, Iterator

import numpy as np

from cyclegan_vc_tf.audio.levels import Levels
from cyclegan_vc_tf.config.corpus import CorpusConfig

MIN_SOUND_S = 0.1
"""Shortest sound between silences that can be speech; shorter ones are clicks."""

MAX_PAUSE_S = 1.0
"""Longest silence inside a piece, in seconds."""

Piece = tuple[int, int]
"""First moment or sample of a piece, and the one after its last."""


def find_pieces(levels: Levels, corpus: CorpusConfig) -> list[Piece]:
    """Find the pieces of a recording, in order, none longer than `longest_piece_s`.

    A silence is a run of moments that all lie `silence_db` or more below the recording's mean
    square, and lasts `silence_s` or longer. Each sound between silences is a piece. A piece shorter
    than `shortest_piece_s` is joined with the next one if the silence between them is short.
    Otherwise it is extended into the silence around it. Every piece keeps up to half of `silence_s`
    at both ends. The rest of longer silences belongs to no piece.

    Args:
        levels: Levels of the recording.
        corpus: Settings of splitting.

    Returns:
        First sample of each piece, and the one after its last. The list is empty if there are only
        clicks.
    """
    moment_s = levels.moment_samples / levels.sample_rate_hz
    powers, margin = levels.powers, round(corpus.silence_s / 2 / moment_s)
    is_quiet = powers < levels.power() * 10 ** (-corpus.silence_db / 10)
    silences = _find_runs(is_quiet, round(corpus.silence_s / moment_s))
    borders = np.array([0, *silences.flat, len(is_quiet)]).reshape(-1, 2)
    sounds = borders[borders[:, 1] - borders[:, 0] >= MIN_SOUND_S / moment_s]
    min_length, max_length = (
        int(limit_s / moment_s) for limit_s in (corpus.shortest_piece_s, corpus.longest_piece_s)
    )

    def find_quietest(begin: int, end: int) -> int:
        third = (end - begin) // 3
        return begin + third + int(np.argmin(powers[begin + third : end - third]))

    parts = [
        part
        for begin, end in sounds.tolist()
        for part in _halve(begin, end, max_length - 2 * margin, find_quietest)
    ]
    joined = _join_short(parts, min_length, max_length - 2 * margin, round(MAX_PAUSE_S / moment_s))
    widened = _widen(joined, margin, min_length, len(is_quiet))
    return [
        (begin * levels.moment_samples, min(end * levels.moment_samples, levels.samples))
        for begin, end in widened
    ]


def _halve(
    begin: int, end: int, max_length: float, find_quietest: Callable[[int, int], int]
) -> Iterator[Piece]:
    """Cut a range in two, and its parts again, until no part is longer than `max_length`.

    Preparation and conversion share this recursion, but not the powers that they cut by. For
    preparation, one table of moments covers the whole recording. For conversion, the moments of
    each middle third begin at its first sample, so its cuts depend on no table.

    Args:
        begin: First index of the range.
        end: Index after the last.
        max_length: Largest length of a part.
        find_quietest: Function from the range of a part to its quietest index near the middle.

    Yields:
        Parts in order. A part is cut only after the parts before it were taken.
    """
    pending = [(begin, end)]
    while pending:
        begin, end = pending.pop()
        if end - begin <= max_length:
            yield begin, end
            continue
        cut = find_quietest(begin, end)
        pending += [(cut, end), (begin, cut)]


def _find_runs(flags: np.ndarray, min_length: int) -> np.ndarray:
    """Find runs of at least `min_length` set flags.

    Returns:
        First index of each run and the one after its last, (runs, 2).
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    return runs[runs[:, 1] - runs[:, 0] >= min_length]


def _join_short(
    parts: list[Piece], min_length: int, max_length: int, max_pause: int
) -> list[Piece]:
    """Join a part that is too short with the next one, or the last part with the one before."""
    joined: list[Piece] = []
    for begin, end in parts:
        if joined:
            first, last = joined[-1]
            is_short = last - first < min_length or end - begin < min_length
            if is_short and begin - last <= max_pause and end - first <= max_length:
                joined[-1] = first, end
                continue
        joined.append((begin, end))
    return joined


def _widen(pieces: list[Piece], margin: int, min_length: int, moments: int) -> list[Piece]:
    """Extend each piece into the silence around it, at most halfway to the next piece."""
    widened = []
    for number, (begin, end) in enumerate(pieces):
        wanted = max(margin, -(-(min_length - (end - begin)) // 2))
        front = (begin + pieces[number - 1][1] + 1) // 2 if number else 0
        back = (end + pieces[number + 1][0] + 1) // 2 if number + 1 < len(pieces) else moments
        widened.append((max(begin - wanted, front), min(end + wanted, back)))
    return widened


_WINDOWS_PER_BLOCK = 10_000
"""Windows that are squared together, so that squares of a few minutes are in memory at once."""


def split_at_quiet(samples: np.ndarray, sample_rate_hz: int, longest_s: float) -> Iterator[slice]:
    """Cut a recording in two, and its parts again, until no piece is longer than `longest_s`.

    A piece is found from its own samples, and only after the piece before it was taken. The caller
    may therefore replace the samples of pieces that it has taken.

    Args:
        samples: Waveform, (samples,).
        sample_rate_hz: Sampling rate of the waveform.
        longest_s: Largest length of a piece, in seconds.

    Yields:
        Ranges of the pieces, in order.
    """

    def find_quietest(begin: int, end: int) -> int:
        return begin + quietest_sample(samples[begin:end], sample_rate_hz)

    for begin, end in _halve(0, len(samples), longest_s * sample_rate_hz, find_quietest):
        yield slice(begin, end)


def quietest_sample(samples: np.ndarray, sample_rate_hz: int) -> int:
    """Find the centre of the quietest 20 ms in the middle third of a recording.

    Args:
        samples: Waveform, (samples,).
        sample_rate_hz: Sampling rate of the waveform.

    Returns:
        Index of a sample.
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

"""Tests of segmentation against sounds at known times and librosa's splitting."""

from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from cyclegan_vc_tf.audio import levels, segmentation
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.system.errors import InputError

RATE_HZ = 16_000
SPLIT = CorpusConfig(split_silence=True)


def noise(sounds: list[tuple[float, float]], seconds: float, gain: float = 0.1) -> np.ndarray:
    """Make noise that is loud between given times, in seconds, and 70 dB lower elsewhere."""
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(round(seconds * RATE_HZ))
    loud = np.full(len(wave), 10 ** (-70 / 20))
    for begin_s, end_s in sounds:
        loud[round(begin_s * RATE_HZ) : round(end_s * RATE_HZ)] = 1.0
    return (gain * wave * loud).astype(np.float32)


@pytest.fixture
def cut_s(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Function that returns the pieces of a wave, in seconds."""

    def cut(wave: np.ndarray, corpus: CorpusConfig = SPLIT) -> list[tuple[float, float]]:
        soundfile.write(tmp_path / "a.wav", wave, RATE_HZ, "FLOAT")
        cuts = segmentation.find_pieces(levels.measure(tmp_path / "a.wav"), corpus)
        return [(begin / RATE_HZ, end / RATE_HZ) for begin, end in cuts]

    return cut


def near(expected: list[tuple[float, float]]) -> object:
    """Compare with a tolerance of one moment, 20 ms."""
    return [pytest.approx(each, abs=0.0201) for each in expected]


def test_a_recording_is_cut_in_its_silences(cut_s) -> None:  # type: ignore[no-untyped-def]
    """Half of --silence_s stays at both ends of a piece; 0.2 s is too short for a silence."""
    sounds = [(1.0, 4.0), (4.2, 6.0), (6.5, 9.5), (19.5, 24.0)]
    found = cut_s(noise(sounds, 25.0))
    assert found == near([(0.85, 6.15), (6.35, 9.65), (19.35, 24.15)])
    # Half of 0.5 s of silence for each of two pieces that would have more.
    wide = cut_s(noise(sounds, 25.0), replace(SPLIT, silence_s=0.45))
    assert wide == near([(0.78, 6.22), (6.28, 9.72), (19.28, 24.22)])
    finer = replace(SPLIT, silence_s=0.1, shortest_piece_s=1.5)
    assert len(cut_s(noise(sounds, 25.0), finer)) == 4


def test_librosa_finds_the_same_silences(cut_s) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    begin_s, sounds = 0.5, []
    for _ in range(20):
        length_s, pause_s = rng.uniform(2.2, 8.0), rng.uniform(0.5, 3.0)
        sounds.append((begin_s, begin_s + length_s))
        begin_s += length_s + pause_s
    wave = noise(sounds, begin_s)
    level = float(np.sqrt(np.mean(np.square(wave))))
    theirs = librosa.effects.split(wave, top_db=30, ref=level, frame_length=320, hop_length=320)
    found = cut_s(wave, replace(SPLIT, silence_s=0.32))
    inner = [(begin + 0.16, end - 0.16) for begin, end in found]
    np.testing.assert_allclose(inner, theirs / RATE_HZ, atol=0.0201)


@pytest.mark.parametrize("gain", [1e-3, 0.3])
@pytest.mark.parametrize(("silence_db", "pieces"), [(30.0, 2), (69.0, 2), (75.0, 1)])
def test_silence_is_below_the_recordings_own_level(  # type: ignore[no-untyped-def]
    cut_s, gain: float, silence_db: float, pieces: int
) -> None:
    """The gaps lie 70 dB below the sounds, which fill ten elevenths of the time."""
    wave = noise([(0, 5), (6, 11)], 11.0, gain) + 0.2 * (gain > 0.1)
    corpus = replace(SPLIT, silence_db=silence_db, longest_piece_s=12.0)
    assert len(cut_s(wave, corpus)) == pieces


def test_long_sounds_are_cut_at_their_quietest_moments(cut_s) -> None:  # type: ignore[no-untyped-def]
    wave = noise([(0.0, 20.0)], 20.0)
    for dip_s in (7.0, 12.0):
        wave[round(dip_s * RATE_HZ) : round((dip_s + 0.04) * RATE_HZ)] *= 0.01
    assert cut_s(wave) == near([(0.0, 7.02), (7.02, 12.02), (12.02, 20.0)])


def test_short_sounds_are_joined_or_widened_and_clicks_left_out(cut_s) -> None:  # type: ignore[no-untyped-def]
    joined = [(2.0, 3.0), (3.5, 5.0)]
    alone = [(12.0, 12.5)]
    click = [(20.0, 20.04)]
    last = [(30.0, 33.0), (33.4, 34.0)]
    found = cut_s(noise([*joined, *alone, *click, *last], 36.0))
    assert found == near([(1.85, 5.15), (11.25, 13.25), (29.85, 34.15)])
    assert cut_s(noise(click, 36.0)) == []


def test_nothing_is_joined_across_a_long_pause_or_to_something_too_long(cut_s) -> None:  # type: ignore[no-untyped-def]
    assert cut_s(noise([(2.0, 3.0), (4.6, 6.2)], 12.0)) == near([(1.5, 3.5), (4.4, 6.4)])
    # 9.9 s, and the silence around it would be more than 10.
    assert cut_s(noise([(1.0, 9.0), (9.5, 10.9)], 12.0)) == near([(0.85, 9.15), (9.25, 11.2)])


def test_pieces_never_overlap_nor_grow_too_long(cut_s) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(5)
    for corpus in (SPLIT, replace(SPLIT, shortest_piece_s=0.5, longest_piece_s=3.0)):
        for _ in range(10):
            edges = np.sort(rng.uniform(0, 100, rng.integers(2, 60)))
            sounds = list(zip(edges[::2], edges[1::2], strict=False))
            found = cut_s(noise(sounds, 100.0), corpus)
            flat = np.array(found).ravel()
            assert (np.diff(flat) >= 0).all() and flat[0] >= 0 and flat[-1] <= 100
            assert max(end - begin for begin, end in found) <= corpus.longest_piece_s + 1e-9
            for begin, end in sounds:
                if end - begin >= 0.3:
                    inside = [min(end, to) - max(begin, at) for at, to in found]
                    assert sum(x for x in inside if x > 0) == pytest.approx(end - begin, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"silence_db": 20.0}, "--silence_db is 20.0, and nothing is split"),
        ({"split_silence": True, "longest_piece_s": 5.0}, "--longest_piece_s is 5.0; expected at"),
        ({"split_silence": True, "silence_s": 4.0}, "--silence_s is 4.0; expected at most a third"),
    ],
)
def test_contradictory_settings_are_refused(changes: dict, message: str) -> None:
    CorpusConfig().validate()
    SPLIT.validate()
    with pytest.raises(InputError, match=message):
        CorpusConfig(**changes).validate()

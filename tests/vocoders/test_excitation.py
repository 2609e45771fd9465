"""Excitation: pulses at F0 whose harmonics are cosines of equal size, and noise."""

import numpy as np
import pytest

from cyclegan_vc_tf.vocoders import excitation

RATE_HZ = 16_000


def test_harmonics_are_the_sum_of_cosines() -> None:
    f0_hz = np.linspace(150.0, 240.0, 4000)
    turns = 0.2 + np.cumsum(f0_hz) / RATE_HZ
    found = excitation.harmonics(f0_hz, np.ones(4000, bool), turns, RATE_HZ)
    phase = 2 * np.pi * turns
    count = np.ceil(RATE_HZ / 2 / f0_hz) - 1
    expected = np.zeros(4000)
    for harmonic in range(1, int(count.max()) + 1):
        expected += np.where(harmonic <= count, np.cos(harmonic * phase), 0.0)
    np.testing.assert_allclose(found, np.sqrt(2 / count) * expected, atol=1e-6)


def steady(f0_hz: float) -> np.ndarray:
    """A second of harmonics at one F0."""
    turns = f0_hz * np.arange(1, RATE_HZ + 1) / RATE_HZ
    return excitation.harmonics(np.full(RATE_HZ, f0_hz), np.ones(RATE_HZ, bool), turns, RATE_HZ)


@pytest.mark.parametrize("f0_hz", [70.0, 103.0, 186.0, 700.0])
def test_power_is_one_at_every_f0(f0_hz: float) -> None:
    wave = steady(f0_hz)
    assert np.mean(wave**2) == pytest.approx(1.0, abs=0.02)


def test_nothing_reaches_the_nyquist_frequency() -> None:
    wave = steady(500.0)
    magnitudes = np.abs(np.fft.rfft(wave)) * 2 / RATE_HZ
    peaks = np.flatnonzero(magnitudes > 0.01)
    np.testing.assert_array_equal(peaks, np.arange(500, 8000, 500))


def test_f0_runs_between_the_middles_of_hops() -> None:
    """Worked by hand for hops of 10 samples, whose middle lies between samples 4 and 5."""
    known = np.array([100.0, 100.0, 200.0, 0.0, 0.0, 300.0, 300.0])
    f0_hz, voiced = excitation.interpolate_f0(known, 10)
    np.testing.assert_array_equal(voiced, [True] * 20 + [False] * 20 + [True] * 10)
    np.testing.assert_allclose(f0_hz[:5], 100.0)
    np.testing.assert_allclose(f0_hz[5:15], np.arange(105.0, 200.0, 10.0))
    # Beside an unvoiced frame F0 stays, so that no glide is heard.
    np.testing.assert_array_equal(f0_hz[15:25], 200.0)
    np.testing.assert_array_equal(f0_hz[25:35], 0.0)
    np.testing.assert_array_equal(f0_hz[35:], 300.0)


@pytest.mark.parametrize("frames", [1, 4, 7])
def test_pieces_make_the_excitation_of_the_whole(frames: int) -> None:
    f0_hz = np.repeat([0.0, 110.0, 150.0, 0.0, 0.0, 210.0, 0.0], [3, 5, 4, 1, 6, 9, 2])
    whole = excitation.excite(f0_hz, 64, RATE_HZ, np.random.default_rng(4))
    source = excitation.Excitation(64, RATE_HZ, np.random.default_rng(4))
    pieces = [
        source.push(np.zeros(0)),
        *(source.push(f0_hz[first : first + frames]) for first in range(0, 30, frames)),
    ]
    assert [len(each) for each in pieces[:3]] == [0, (frames - 1) * 64, frames * 64]
    found = np.concatenate([*pieces, source.finish()])
    assert whole.shape == (30 * 64, 2) and np.std(whole[:, 0]) > 0.5
    np.testing.assert_allclose(found[:, 0], whole[:, 0], atol=1e-5)
    np.testing.assert_array_equal(found[:, 1], whole[:, 1])


def test_voiced_parts_begin_with_one_phase() -> None:
    """The second part is the first one again, as if nothing had been before it."""
    part = [130.0] * 3 + [170.0] * 4
    f0_hz = np.array([0.0, 0.0, *part, 0.0, *part, 0.0])
    pulses = excitation.excite(f0_hz, 64, RATE_HZ, np.random.default_rng(4))[:, 0]
    first, second = (pulses[begin * 64 : (begin + 7) * 64] for begin in (2, 10))
    assert np.std(first) > 0.5
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_an_unvoiced_recording_is_noise_alone() -> None:
    found = excitation.excite(np.zeros(40), 256, RATE_HZ, np.random.default_rng(0))
    assert found.shape == (10_240, 2) and found.dtype == np.float32
    assert not found[:, 0].any()
    assert np.std(found[:, 1]) == pytest.approx(1.0, abs=0.03)

"""Excitation: pulses at F0 whose harmonics are cosines of equal size, and noise."""

import numpy as np
import pytest

from cyclegan_vc_tf.vocoders import excitation

RATE_HZ = 16_000


def test_harmonics_are_the_sum_of_cosines() -> None:
    f0_hz = np.linspace(150.0, 240.0, 4000)
    found = excitation.harmonics(f0_hz, np.ones(4000, bool), RATE_HZ, turns=0.2)
    phase = 2 * np.pi * (0.2 + np.cumsum(f0_hz) / RATE_HZ)
    count = np.ceil(RATE_HZ / 2 / f0_hz) - 1
    expected = np.zeros(4000)
    for harmonic in range(1, int(count.max()) + 1):
        expected += np.where(harmonic <= count, np.cos(harmonic * phase), 0.0)
    np.testing.assert_allclose(found, np.sqrt(2 / count) * expected, atol=1e-6)


@pytest.mark.parametrize("f0_hz", [70.0, 103.0, 186.0, 700.0])
def test_power_is_one_at_every_f0(f0_hz: float) -> None:
    wave = excitation.harmonics(np.full(RATE_HZ, f0_hz), np.ones(RATE_HZ, bool), RATE_HZ)
    assert np.mean(wave**2) == pytest.approx(1.0, abs=0.02)


def test_nothing_reaches_the_nyquist_frequency() -> None:
    wave = excitation.harmonics(np.full(RATE_HZ, 500.0), np.ones(RATE_HZ, bool), RATE_HZ)
    magnitudes = np.abs(np.fft.rfft(wave)) * 2 / RATE_HZ
    peaks = np.flatnonzero(magnitudes > 0.01)
    np.testing.assert_array_equal(peaks, np.arange(500, 8000, 500))


def test_f0_runs_between_the_middles_of_hops() -> None:
    f0_hz, voiced = excitation.interpolate_f0(np.array([100.0, 200.0, 0.0]), 10, 30)
    assert f0_hz[4] < 100.0 + 1e-9 and f0_hz[9] == pytest.approx(145.0)
    np.testing.assert_array_equal(voiced, [True] * 20 + [False] * 10)
    # Behind the last voiced frame F0 stays, so that no glide is heard.
    assert (f0_hz[15:] == 200.0).all()


def test_an_unvoiced_recording_is_noise_alone() -> None:
    found = excitation.excite(np.zeros(40), 256, RATE_HZ, np.random.default_rng(0))
    assert found.shape == (10_240, 2) and found.dtype == np.float32
    assert not found[:, 0].any()
    assert np.std(found[:, 1]) == pytest.approx(1.0, abs=0.03)

"""The resampler of streams, against sines at both rates."""

import numpy as np
import pytest

from cyclegan_vc_tf.audio.resampling import LowDelayResampler, make_low_delay_resampler

RATES = [(48_000, 16_000), (16_000, 48_000), (44_100, 16_000), (16_000, 44_100), (22_050, 48_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_sine_stays_a_sine_at_its_place(from_hz: int, to_hz: int) -> None:
    resampler, rng = LowDelayResampler(from_hz, to_hz), np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 1000 * np.arange(from_hz) / from_hz).astype(np.float32)
    parts, begin = [], 0
    while begin < len(wave):
        size = int(rng.integers(0, 300))
        parts.append(resampler(wave[begin : begin + size]))
        begin += size
    found = np.concatenate(parts)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(found)) / to_hz)
    np.testing.assert_allclose(found[to_hz // 20 :], expected[to_hz // 20 :], atol=2e-4)
    # It is late by 16 periods of the lower rate.
    assert abs(to_hz - len(found) - 16 * to_hz / min(from_hz, to_hz)) <= 2
    np.testing.assert_array_equal(LowDelayResampler(from_hz, to_hz)(wave), found)


def test_what_the_lower_rate_cannot_hold_is_removed() -> None:
    tone = np.sin(2 * np.pi * 9000 * np.arange(48_000) / 48_000).astype(np.float32)
    assert np.std(LowDelayResampler(48_000, 16_000)(tone)[200:]) < 1e-3


def test_state_does_not_grow() -> None:
    resampler = LowDelayResampler(44_100, 16_000)
    block = np.ones(110, np.float32)
    sizes = []
    for _ in range(1000):
        resampler(block)
        sizes.append(len(resampler._waiting))
    assert max(sizes[10:]) <= max(sizes[:10]) + 3


def test_rates_without_a_small_ratio_are_resampled_by_soxr() -> None:
    resample = make_low_delay_resampler(16_000, 47_999)
    assert not isinstance(resample, LowDelayResampler)
    assert resample(np.zeros(16_000, np.float32), True).shape == (47_999,)

"""Tests of statistics against NumPy and of the F0 map against numbers worked out by hand."""

import numpy as np
import pytest

from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics


def statistics(mean: float, deviation: float, log_f0: float, spread: float) -> Statistics:
    return Statistics(np.full(3, mean), np.full(3, deviation), log_f0, spread)


def test_moments_are_numpys_over_all_chunks() -> None:
    data = np.random.default_rng(0).normal(1e4, 0.01, (997, 24))
    chunks = np.array_split(data, [10, 11, 500])
    mean, deviation = normalization.mean_and_std(lambda: chunks)
    np.testing.assert_allclose(mean, data.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(deviation, data.std(axis=0), rtol=1e-9)


def test_moments_of_float32_are_taken_in_float64() -> None:
    data = (1e4 + np.random.default_rng(1).normal(0, 0.5, (100_000, 1))).astype(np.float32)
    mean, deviation = normalization.mean_and_std(lambda: [data])
    np.testing.assert_allclose(mean, data.astype(np.float64).mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(deviation, data.astype(np.float64).std(axis=0), rtol=1e-12)


def test_a_value_that_never_changes_is_divided_by_one() -> None:
    data = np.full((50, 2), [0.1, 3.0])
    data[:, 1] += np.arange(50)
    mean, deviation = normalization.mean_and_std(lambda: [data])
    assert deviation[0] == 0.0
    assert deviation[1] == pytest.approx(np.arange(50).std())
    one = Statistics(mean, deviation, 5.0, 1.0)
    normalized = normalization.normalize(data, one)
    assert np.isfinite(normalized).all()
    np.testing.assert_allclose(normalized[:, 0], 0.0, atol=1e-12)
    np.testing.assert_allclose(normalization.denormalize(normalized, one), data, rtol=1e-6)


def test_applied_features_have_mean_0_and_deviation_1() -> None:
    data = np.random.default_rng(2).normal(-7, 3, (500, 3))
    mean, deviation = normalization.mean_and_std(lambda: [data])
    one = Statistics(mean, deviation, 5.0, 0.2)
    normalized = normalization.normalize(data, one)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(normalized.std(axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(normalization.denormalize(normalized, one), data, atol=1e-5)


def test_undoing_takes_the_statistics_it_is_given() -> None:
    source, target = statistics(1.0, 2.0, 0, 1), statistics(10.0, 4.0, 0, 1)
    # (5 - 1) / 2 = 2 deviations above the mean; 10 + 2 · 4 = 18.
    normalized = normalization.normalize(np.full((1, 3), 5.0), source)
    np.testing.assert_allclose(normalization.denormalize(normalized, target), 18.0)


def test_f0_is_mapped_in_the_log_domain() -> None:
    low, high = statistics(0, 1, np.log(100.0), 0.1), statistics(0, 1, np.log(200.0), 0.2)
    f0_hz = np.array([0.0, 100.0, 100.0 * np.exp(0.1), 100.0 * np.exp(-0.2), 0.0])
    # One source deviation up is one target deviation up: 200 · e^0.2; two down: 200 · e^-0.4.
    expected = [0.0, 200.0, 200.0 * np.exp(0.2), 200.0 * np.exp(-0.4), 0.0]
    np.testing.assert_allclose(normalization.convert_f0(f0_hz, low, high), expected, rtol=1e-12)


def test_the_f0_map_back_undoes_the_f0_map() -> None:
    a, b = statistics(0, 1, 4.6, 0.13), statistics(0, 1, 5.3, 0.21)
    f0_hz = np.where(np.arange(50) % 3 == 0, 0.0, np.linspace(80, 300, 50))
    there = normalization.convert_f0(f0_hz, a, b)
    assert not np.allclose(there, f0_hz)
    np.testing.assert_allclose(normalization.convert_f0(there, b, a), f0_hz, rtol=1e-12)


def test_a_voice_on_one_note() -> None:
    note, low = statistics(0, 1, np.log(120.0), 0.0), statistics(0, 1, np.log(100.0), 0.15)
    f0_hz = np.array([0.0, 80.0, 100.0, 130.0])
    # Everything becomes the note; and from the note to a voice, only the mean moves.
    np.testing.assert_allclose(normalization.convert_f0(f0_hz, low, note), [0, 120, 120, 120])
    there = normalization.convert_f0(np.array([120.0, 121.0, 0.0]), note, low)
    np.testing.assert_allclose(there, [100.0, 121 / 1.2, 0.0])


def test_an_unvoiced_recording_stays_unvoiced() -> None:
    a, b = statistics(0, 1, 4.6, 0.13), statistics(0, 1, 5.3, 0.21)
    assert not normalization.convert_f0(np.zeros(9), a, b).any()

"""Tests of mel-cepstra against SPTK and against envelopes with known mel-cepstra."""

import importlib
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.signal

from cyclegan_vc_tf.features import sptk as sptk_module

RATES_HZ = (8_000, 16_000, 22_050, 44_100, 48_000)


def sptk(module: str = "pysptk") -> Any:
    """Import SPTK's binding without the warning about a package that it imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def resonances(count: int, bins: int, seed: int) -> np.ndarray:
    """Compute the power of all-pole filters with two random resonances each, (count, bins)."""
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        poles = rng.uniform(0.6, 0.97, 2) * np.exp(1j * np.pi * rng.uniform(0.05, 0.9, 2))
        denominator = np.poly([*poles, *poles.conj()]).real
        frequencies = np.linspace(0, np.pi, bins)
        _, response = scipy.signal.freqz(10.0 ** rng.uniform(-2, 1), denominator, frequencies)
        frames.append(np.abs(response) ** 2)
    return np.array(frames)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_all_pass_constant_is_sptk_s(rate_hz: int) -> None:
    expected = sptk("pysptk.util").mcepalpha(rate_hz)
    assert sptk_module.all_pass_constant(rate_hz) == expected


@pytest.mark.parametrize(
    ("rate_hz", "fft_samples", "order"),
    [
        (8_000, 512, 24),
        (16_000, 1024, 24),
        (22_050, 1024, 35),
        (44_100, 2048, 24),
        (48_000, 2048, 1),
    ],
)
def test_mel_cepstra_are_sptk_s(rate_hz: int, fft_samples: int, order: int) -> None:
    power = resonances(5, fft_samples // 2 + 1, seed=rate_hz)
    alpha = sptk("pysptk.util").mcepalpha(rate_hz)
    expected = np.array([sptk().sp2mc(frame, order, alpha) for frame in power])
    found = sptk_module.mel_cepstra(power, rate_hz, order)
    assert found.shape == (5, order + 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("rate_hz", "alpha"), [(8_000, 0.312), (16_000, 0.41), (48_000, 0.554)])
def test_cosines_on_the_warped_axis_give_their_coefficients(rate_hz: int, alpha: float) -> None:
    """By definition, log |H| is the sum of c(m) cos(m · warped frequency); constants from SPTK."""
    omega = np.linspace(0, np.pi, 1025)
    warped = omega + 2 * np.arctan2(alpha * np.sin(omega), 1 - alpha * np.cos(omega))
    expected = np.random.default_rng(3).standard_normal((4, sptk_module.DEFAULT_ORDER + 1))
    log_amplitude = expected @ np.cos(
        np.arange(sptk_module.DEFAULT_ORDER + 1)[:, np.newaxis] * warped
    )
    found = sptk_module.mel_cepstra(np.exp(2 * log_amplitude), rate_hz)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_level_is_in_the_zeroth_coefficient_alone() -> None:
    """Ten times the amplitude adds ln 10 to the zeroth coefficient."""
    power = resonances(3, 513, seed=0)
    difference = sptk_module.mel_cepstra(100 * power, 16_000) - sptk_module.mel_cepstra(
        power, 16_000
    )
    np.testing.assert_allclose(difference[:, 0], np.log(10), atol=1e-12)
    np.testing.assert_allclose(difference[:, 1:], 0, atol=1e-12)


def test_a_lower_order_truncates_the_coefficients() -> None:
    power = resonances(3, 513, seed=1)
    assert sptk_module.mel_cepstra(power, 16_000).shape == (3, 25)
    np.testing.assert_allclose(
        sptk_module.mel_cepstra(power, 16_000, 12),
        sptk_module.mel_cepstra(power, 16_000)[:, :13],
        atol=1e-12,
    )


def test_the_given_envelopes_are_not_changed() -> None:
    power = resonances(2, 257, seed=2)
    before = power.copy()
    first = sptk_module.mel_cepstra(power, 16_000)
    first[:] = 0
    np.testing.assert_array_equal(power, before)
    assert np.abs(sptk_module.mel_cepstra(power, 16_000)).max() > 0.1

"""Tests of modulation filters against noise with known filtering."""

import numpy as np
import pytest

from cyclegan_vc_tf.features import modulation


def smooth(tracks: np.ndarray) -> np.ndarray:
    """Filter each track by [1/4, 1/2, 1/4], which has the gain (1 + cos ω) / 2."""
    around = np.pad(tracks, ((1, 1), (0, 0)), mode="edge")
    return 0.25 * around[:-2] + 0.5 * around[1:-1] + 0.25 * around[2:]


def test_the_filter_from_noise_to_smoothed_noise_is_the_smoothing_filter() -> None:
    noise = [np.random.default_rng(seed).standard_normal((2000, 3)) for seed in range(40)]
    filters = modulation.matching_filters(noise, [smooth(each) for each in noise], 5)
    assert filters[:, 0] == pytest.approx([0, 0, 1, 0, 0], abs=1e-12), "the level stays"
    for column in (1, 2):
        assert filters[:, column] == pytest.approx([0, 0.25, 0.5, 0.25, 0], abs=0.01)


def test_filters_with_gain_1_never_amplify() -> None:
    noise = [np.random.default_rng(seed).standard_normal((300, 2)) for seed in range(9)]
    filters = modulation.matching_filters([smooth(each) for each in noise], noise, 5)
    assert filters == pytest.approx(np.eye(5)[:, 2:3] * np.ones(2), abs=1e-6)


def test_smoothing_is_inverted_up_to_the_largest_gain() -> None:
    """Three taps with gain 0.75 + 0.25 cos ω are inverted, up to the largest gain."""
    noise = [np.random.default_rng(seed).standard_normal((2000, 2)) for seed in range(40)]
    halved = [0.5 * each + 0.5 * smooth(each) for each in noise]
    for max_gain in (1.0, 1.5, 2.0):
        taps = modulation.matching_filters(halved, noise, 5, max_gain)[:, 1]
        omega = np.linspace(0, np.pi, 129)
        gain = taps[2] + 2 * (taps[3] * np.cos(omega) + taps[4] * np.cos(2 * omega))
        expected = np.minimum(1 / (0.75 + 0.25 * np.cos(omega)), max_gain)
        # Five taps come this near to it.
        assert gain == pytest.approx(expected, abs=0.1)
        assert gain[0] == pytest.approx(1.0)
        assert gain[-1] == pytest.approx(max_gain, abs=0.1)

"""Filters between trajectories, against noise that was filtered in a known way."""

import numpy as np
import pytest

from cyclegan_vc_tf.features import modulation


def smoothed(tracks: np.ndarray) -> np.ndarray:
    """Each track by [1/4, 1/2, 1/4]: (1 + cos ω) / 2."""
    around = np.pad(tracks, ((1, 1), (0, 0)), mode="edge")
    return 0.25 * around[:-2] + 0.5 * around[1:-1] + 0.25 * around[2:]


def test_the_filter_between_noise_and_smoothed_noise_is_what_smoothed_it() -> None:
    noise = [np.random.default_rng(seed).standard_normal((2000, 3)) for seed in range(40)]
    filters = modulation.matching_filters(noise, [smoothed(each) for each in noise], 5)
    assert filters[:, 0] == pytest.approx([0, 0, 1, 0, 0], abs=1e-12), "the level stays"
    for column in (1, 2):
        assert filters[:, column] == pytest.approx([0, 0.25, 0.5, 0.25, 0], abs=0.01)


def test_nothing_is_made_to_move_faster() -> None:
    noise = [np.random.default_rng(seed).standard_normal((300, 2)) for seed in range(9)]
    filters = modulation.matching_filters([smoothed(each) for each in noise], noise, 5)
    assert filters == pytest.approx(np.eye(5)[:, 2:3] * np.ones(2), abs=1e-6)


def test_what_was_smoothed_moves_again_as_far_as_is_allowed() -> None:
    """Three taps that halve the fastest movement: 0.75 + 0.25 cos ω is undone by 1 / that, to 2."""
    noise = [np.random.default_rng(seed).standard_normal((2000, 2)) for seed in range(40)]
    halved = [0.5 * each + 0.5 * smoothed(each) for each in noise]
    for most_gain in (1.0, 1.5, 2.0):
        moved = modulation.matching_filters(halved, noise, 5, most_gain)[:, 1]
        turns = np.linspace(0, np.pi, 129)
        gain = moved[2] + 2 * (moved[3] * np.cos(turns) + moved[4] * np.cos(2 * turns))
        expected = np.minimum(1 / (0.75 + 0.25 * np.cos(turns)), most_gain)
        # Five taps come this near to it.
        assert gain == pytest.approx(expected, abs=0.1)
        assert gain[0] == pytest.approx(1.0)
        assert gain[-1] == pytest.approx(most_gain, abs=0.1)

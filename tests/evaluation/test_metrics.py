"""Metrics against numbers computed by hand, published definitions and plain loops."""

import itertools
import math

import numpy as np
import pytest

from cyclegan_vc_tf.evaluation import metrics
from cyclegan_vc_tf.evaluation.metrics import SpeechFeatures

ORDER = 24
FRAME_RATE_HZ = 200.0
"""Frame rate of an analysis every 5 ms."""


def make_features(mel_cepstra: np.ndarray, f0_hz: np.ndarray | None = None) -> SpeechFeatures:
    return SpeechFeatures(mel_cepstra, np.zeros(len(mel_cepstra)) if f0_hz is None else f0_hz)


def walk(frames: int, seed: int) -> np.ndarray:
    """A random walk of mel-cepstra, (frames, ORDER + 1)."""
    steps = np.random.default_rng(seed).standard_normal((frames, ORDER + 1))
    return 0.1 * np.cumsum(steps, axis=0)


def one_frame(*coefficients: float) -> SpeechFeatures:
    frame = np.zeros((1, ORDER + 1))
    frame[0, : len(coefficients)] = coefficients
    return make_features(frame)


def plain_path(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """The cheapest path from the first frames to the last, with steps of one frame."""
    cost = np.full((len(one) + 1, len(other) + 1), np.inf)
    cost[0, 0] = 0.0
    for i, j in itertools.product(range(1, len(one) + 1), range(1, len(other) + 1)):
        step = math.sqrt(float(np.sum((one[i - 1] - other[j - 1]) ** 2)))
        cost[i, j] = step + min(cost[i - 1, j - 1], cost[i - 1, j], cost[i, j - 1])
    i, j = len(one), len(other)
    path = [(i - 1, j - 1)]
    while (i, j) != (1, 1):
        before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        i, j = min(before, key=lambda place: float(cost[place]))
        path.append((i - 1, j - 1))
    return path[::-1]


def test_distortion_of_one_frame_by_hand() -> None:
    """c1 differs by 0.1: 10 / ln 10 * sqrt(2 * 0.01); c2 by 0.2 too: sqrt(5) times that."""
    distortion = metrics.mel_cepstral_distortion_db(one_frame(0, 0.1), one_frame())
    assert distortion == pytest.approx(0.6141851463713754, abs=1e-12)
    both = metrics.mel_cepstral_distortion_db(one_frame(0, 0.1, -0.2), one_frame())
    assert both == pytest.approx(0.6141851463713754 * math.sqrt(5), abs=1e-12)


def test_distortion_is_a_mean_over_the_path() -> None:
    """One of two frames differs, and it is aligned twice."""
    first = np.zeros((2, ORDER + 1))
    second = np.zeros((3, ORDER + 1))
    first[1, 1], second[1:, 1] = 5.0, 5.1
    # Frames 0-0, 1-1 and 1-2 differ by 0, 0.1 and 0.1.
    expected = 0.6141851463713754 * 2 / 3
    distortion = metrics.mel_cepstral_distortion_db(make_features(first), make_features(second))
    assert distortion == pytest.approx(expected, abs=1e-12)


def test_distortion_is_zero_for_equal_recordings_and_symmetric() -> None:
    one, other = make_features(walk(60, seed=0)), make_features(walk(45, seed=1))
    assert metrics.mel_cepstral_distortion_db(one, one) == 0.0
    distance = metrics.mel_cepstral_distortion_db(one, other)
    assert distance == pytest.approx(metrics.mel_cepstral_distortion_db(other, one), rel=1e-12)
    assert distance > 1


def test_speaking_at_half_the_speed_is_no_distortion() -> None:
    one = walk(50, seed=2)
    slow = make_features(np.repeat(one, 2, axis=0))
    assert metrics.mel_cepstral_distortion_db(make_features(one), slow) == 0.0


def test_the_level_does_not_count() -> None:
    """It affects neither the distance nor the alignment."""
    one, other = walk(50, seed=3), walk(40, seed=4)
    before = metrics.mel_cepstral_distortion_db(make_features(one), make_features(other))
    louder = other.copy()
    louder[:, 0] += np.linspace(-30, 30, len(other)) ** 2
    assert metrics.mel_cepstral_distortion_db(make_features(one), make_features(louder)) == before


@pytest.mark.parametrize(("frames", "others"), [(40, 40), (30, 55), (1, 7), (7, 1), (1, 1)])
def test_paths_are_those_of_a_plain_search(frames: int, others: int) -> None:
    one, other = walk(frames, seed=frames), walk(others, seed=100 + others)
    expected = plain_path(one[:, 1:], other[:, 1:])
    ours, theirs = metrics.align(make_features(one), make_features(other))
    assert list(zip(ours.tolist(), theirs.tolist(), strict=True)) == expected
    # Kubichek's formula as pymcd has it: a constant times the mean Euclidean distance.
    distances = [float(np.linalg.norm(one[i, 1:] - other[j, 1:])) for i, j in expected]
    assert metrics.mel_cepstral_distortion_db(
        make_features(one), make_features(other)
    ) == pytest.approx(
        10.0 / math.log(10.0) * math.sqrt(2.0) * float(np.mean(distances)), rel=1e-12
    )


def test_a_path_follows_a_pause() -> None:
    """A held frame is aligned to every frame of the pause; other frames are not affected."""
    one = walk(20, seed=5)
    paused = np.concatenate([one[:8], np.repeat(one[7:8], 10, axis=0), one[8:]])
    ours, theirs = metrics.align(make_features(one), make_features(paused))
    assert ours.tolist() == [*range(8), *[7] * 10, *range(8, 20)]
    assert theirs.tolist() == list(range(30))


def contours(first: list[float], second: list[float]) -> dict[str, float | None]:
    """F0 errors of two contours that are aligned frame by frame."""
    cepstra = walk(len(first), seed=6)
    return metrics.f0_errors(
        make_features(cepstra, np.array(first)),
        make_features(cepstra, np.array(second, dtype=float)),
    )


def test_f0_errors_by_hand() -> None:
    """In octaves over 100 Hz: 0, 1, 2 and 0, 2, 1 where both are voiced; two of five are not."""
    errors = contours([100, 200, 400, 0, 150], [100, 400, 200, 120, 0])
    assert errors["log_f0_rmse"] == pytest.approx(math.log(2) * math.sqrt(2 / 3), abs=1e-12)
    # Deviations -1, 0, 1 and -1, 1, 0: their product 1, over 2.
    assert errors["log_f0_correlation"] == pytest.approx(0.5, abs=1e-12)
    assert errors["voicing_error"] == pytest.approx(2 / 5, abs=1e-15)


def test_an_octave_up_is_ln_2_and_the_same_melody() -> None:
    f0_hz = np.random.default_rng(7).uniform(80, 300, 50)
    errors = contours(f0_hz.tolist(), (2 * f0_hz).tolist())
    assert errors["log_f0_rmse"] == pytest.approx(math.log(2), abs=1e-12)
    assert errors["log_f0_correlation"] == pytest.approx(1.0, abs=1e-12)
    assert errors["voicing_error"] == 0.0


def test_an_inverted_melody_has_the_opposite_correlation() -> None:
    f0_hz = np.random.default_rng(8).uniform(80, 300, 50)
    errors = contours(f0_hz.tolist(), (100**2 / f0_hz).tolist())
    assert errors["log_f0_correlation"] == pytest.approx(-1.0, abs=1e-12)


def test_f0_that_cannot_be_compared() -> None:
    nothing = {"log_f0_rmse": None, "log_f0_correlation": None}
    assert contours([0, 0, 0], [0, 0, 0]) == {**nothing, "voicing_error": 0.0}
    assert contours([0, 100, 0, 0], [100, 0, 0, 0]) == {**nothing, "voicing_error": 0.5}
    monotone = contours([100, 100, 100], [100, 120, 150])
    assert monotone["log_f0_correlation"] is None
    # 0, ln 1.2 and ln 1.5.
    expected = math.sqrt((math.log(1.2) ** 2 + math.log(1.5) ** 2) / 3)
    assert monotone["log_f0_rmse"] == pytest.approx(expected, abs=1e-12)
    single = contours([100, 0], [50, 0])
    assert single["log_f0_correlation"] is None
    assert single["log_f0_rmse"] == pytest.approx(math.log(2), abs=1e-12)


def test_f0_is_compared_along_the_path() -> None:
    """The same melody at half the speed has no errors; frame by frame it would have some."""
    cepstra = walk(40, seed=9)
    f0_hz = np.where(np.arange(40) % 7 < 2, 0, np.random.default_rng(9).uniform(80, 300, 40))
    slow = make_features(np.repeat(cepstra, 2, axis=0), np.repeat(f0_hz, 2))
    for one, other in itertools.permutations((make_features(cepstra, f0_hz), slow)):
        errors = metrics.f0_errors(one, other)
        assert errors["log_f0_rmse"] == 0.0 and errors["voicing_error"] == 0.0
        assert errors["log_f0_correlation"] == pytest.approx(1.0, abs=1e-12)


def test_a_sine_has_its_peak_at_its_modulation_frequency() -> None:
    """Bins are 200 Hz / 256 wide, from the first on; the zeroth coefficient is left out."""
    time_s = np.arange(2000) / FRAME_RATE_HZ
    bins = {1: 3, 2: 20, 5: 64, 24: 100}
    tracks = np.zeros((2000, ORDER + 1))
    tracks[:, 0] = np.sin(2 * np.pi * 50 * FRAME_RATE_HZ / 256 * time_s)
    for coefficient, number in bins.items():
        tracks[:, coefficient] = 7 + np.sin(2 * np.pi * number * FRAME_RATE_HZ / 256 * time_s)
    levels = metrics.modulation_spectrum_db(make_features(tracks))
    assert levels.shape == (128, ORDER)
    for coefficient, number in bins.items():
        assert np.argmax(levels[:, coefficient - 1]) + 1 == number
        # A Hann window reaches one bin to either side, and there at half the amplitude.
        beside = levels[number, coefficient - 1] - levels[number - 1, coefficient - 1]
        assert beside == pytest.approx(-20 * math.log10(2), abs=0.01)


@pytest.mark.parametrize("frames", [256, 1000, 90])
def test_modulation_spectra_are_welch_s(frames: int) -> None:
    """Welch's method in plain NumPy: Hann windows of 256 frames every 128, without their mean."""
    tracks = walk(frames, seed=10)[:, 1:]
    tracks = tracks - tracks.mean(axis=0)
    tracks = np.concatenate([tracks, np.zeros((max(0, 256 - frames), ORDER))])
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256))[:, np.newaxis]
    powers = []
    for start in range(0, len(tracks) - 255, 128):
        part = tracks[start : start + 256]
        powers.append(np.abs(np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)) ** 2)
    expected = np.mean(powers, axis=0)[1:] / np.sum(window**2)
    # Both signs of a frequency count; half of the frame rate has only one.
    expected[:-1] *= 2
    found = metrics.modulation_spectrum_db(make_features(walk(frames, seed=10)))
    np.testing.assert_allclose(found, 10 * np.log10(expected), rtol=0, atol=1e-8)


def test_twice_the_swing_is_six_decibels_more_everywhere() -> None:
    """20 log10 2 = 6.0206."""
    one = walk(700, seed=11)
    levels = metrics.modulation_spectrum_db(make_features(one))
    louder = metrics.modulation_spectrum_db(make_features(2 * one))
    np.testing.assert_allclose(louder - levels, 6.020599913279624, rtol=0, atol=1e-9)
    distance = metrics.modulation_spectra_distance_db(
        [make_features(2 * one)], [make_features(one)]
    )
    assert distance == pytest.approx(6.020599913279624, abs=1e-9)
    assert metrics.modulation_spectra_distance_db([make_features(one)], [make_features(one)]) == 0.0


def test_spectra_of_several_recordings_are_averaged_in_decibels() -> None:
    """The mean of a recording and its double is 3.0103 dB higher; set sizes may differ."""
    one = make_features(walk(300, seed=12))
    double = make_features(2 * one.mel_cepstra)
    distance = metrics.modulation_spectra_distance_db([one, double], [one])
    assert distance == pytest.approx(3.010299956639812, abs=1e-9)
    assert metrics.modulation_spectra_distance_db([one], [double, one]) == pytest.approx(distance)


def test_the_distance_of_modulation_spectra_is_a_root_mean_square() -> None:
    """Six decibels more in a quarter of the coefficients are three decibels over all."""
    one = walk(300, seed=13)
    other = one.copy()
    other[:, 1:7] *= 2
    distance = metrics.modulation_spectra_distance_db([make_features(other)], [make_features(one)])
    assert distance == pytest.approx(6.020599913279624 / 2, abs=1e-9)


def test_a_constant_coefficient_has_the_lowest_power() -> None:
    still = make_features(np.ones((300, ORDER + 1)))
    levels = metrics.modulation_spectrum_db(still)
    np.testing.assert_allclose(levels, -120, atol=1e-9)


def test_variance_goes_with_the_square() -> None:
    one = make_features(walk(200, seed=14))
    ratios = metrics.global_variance_ratios([make_features(2 * one.mel_cepstra)], [one])
    assert ratios.shape == (ORDER,)
    np.testing.assert_allclose(ratios, 4.0, rtol=1e-12)


def test_variances_by_hand() -> None:
    """c1 of 0 and 2 has variance 1, c2 of 0 and 6 has 9, and their mean is 5."""
    frames = np.zeros((2, ORDER + 1))
    frames[1, :3] = 100.0, 2.0, 6.0
    swapped = frames.copy()
    swapped[:, 1:3] = frames[:, [2, 1]] + 40
    reference = make_features(np.array([[0.0] * (ORDER + 1), [1.0] * (ORDER + 1)]))
    # The reference's variances are a quarter.
    single = metrics.global_variance_ratios([make_features(frames)], [reference])
    np.testing.assert_allclose(single[:3], [4.0, 36.0, 0.0], atol=1e-12)
    several = metrics.global_variance_ratios(
        [make_features(frames), make_features(swapped)], [reference] * 3
    )
    np.testing.assert_allclose(several[:3], [20.0, 20.0, 0.0], atol=1e-12)

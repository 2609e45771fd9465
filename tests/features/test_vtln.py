"""Tests of frequency warping and of the estimate of its factor."""

import numpy as np
import pytest

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import vtln, world
from cyclegan_vc_tf.features.vtln import Voice
from cyclegan_vc_tf.training import linear_start

CONFIG = FeatureConfig()
BINS = CONFIG.sample_rate_hz / 2


def voice(formants_hz: np.ndarray) -> np.ndarray:
    """Make coded mel-cepstra of envelopes with bells at three formants, (frames, 24)."""
    hertz = np.linspace(0, BINS, world.fft_size(CONFIG) // 2 + 1)
    distances = (hertz - formants_hz[:, :, np.newaxis]) / 300.0
    log_power = 6.0 * np.exp(-0.5 * distances**2).sum(axis=1) - 10.0
    return world.encode(np.exp(log_power), CONFIG).astype(np.float64)


def peak_hz(mel_cepstra: np.ndarray) -> float:
    power = world.decode(mel_cepstra[np.newaxis], CONFIG)[0]
    return float(np.argmax(power) * BINS / (len(power) - 1))


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_formant_moves_by_the_factor(factor: float) -> None:
    """One bell at 1500 Hz, where the coefficients resolve about 100 Hz."""
    one = voice(np.array([[1500.0, 1500.0, 1500.0]]))[0]
    moved = one @ vtln.warp_matrix(factor, CONFIG)
    assert peak_hz(one) == pytest.approx(1500, abs=60)
    assert peak_hz(moved) == pytest.approx(factor * 1500, abs=100)


def test_a_factor_of_one_changes_nothing() -> None:
    # WORLD samples the mel axis anew on the way there and back, which costs up to 2 %.
    assert vtln.warp_matrix(1.0, CONFIG) == pytest.approx(np.eye(24), abs=0.03)


def formants(seed: int) -> np.ndarray:
    """Draw formants of four vowels with small variations, (frames, 3) in Hz."""
    random = np.random.default_rng(seed)
    vowels = np.array([[300, 2300, 3000], [700, 1200, 2600], [320, 800, 2300], [500, 1500, 2500]])
    return vowels[random.integers(0, 4, 1500)] * random.uniform(0.95, 1.05, (1500, 1))


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_the_factor_of_two_voices_is_found_without_parallel_speech(factor: float) -> None:
    sides = {"A": voice(formants(0)), "B": voice(factor * formants(1))}
    voices = {name: Voice(each, [each], each.std(axis=0)) for name, each in sides.items()}
    assert vtln.estimate_vtln_factor(voices, CONFIG) == pytest.approx(factor, abs=0.06)


def test_noise_gives_a_factor_and_no_warning() -> None:
    """A mixture of noise has not converged after 30 steps; warnings are errors in tests."""
    noise = np.random.default_rng(0).standard_normal((2, 1500, 24))
    voices = [Voice(each, [each], each.std(axis=0)) for each in noise]
    sides = dict(zip("AB", voices, strict=True))
    assert vtln.estimate_vtln_factor(sides, CONFIG) in vtln.VTLN_FACTORS


def test_the_initial_kernel_of_a_generator_is_the_normalized_stretch() -> None:
    """Voices with equal modulation spectra: smoothing removes only a few percent."""
    spectra = voice(formants(0))
    each = Voice(spectra, [spectra], spectra.std(axis=0))
    kernels = linear_start.vtln_kernels({"A": each, "B": each}, 1.2, 5, CONFIG)
    normalized = (spectra - spectra.mean(axis=0)) / spectra.std(axis=0)
    for kernel in kernels.values():
        assert kernel.shape == (5, 24, 24)
        # At 0 Hz, for which a filter's taps add up, it is the stretch.
        there = normalized @ kernel.sum(axis=0)
        assert there.mean(axis=0) == pytest.approx(0, abs=1e-9)
        assert there.std(axis=0) == pytest.approx(1, abs=1e-6)
    there = normalized @ kernels["A2B"].sum(axis=0)
    stretched = spectra @ vtln.warp_matrix(1.2, CONFIG)
    assert there == pytest.approx((stretched - stretched.mean(axis=0)) / stretched.std(axis=0))


def test_utterances_are_taken_evenly() -> None:
    assert vtln.pick_evenly(range(7), 7) == vtln.pick_evenly(range(7), 200) == [*range(7)]
    assert vtln.pick_evenly(range(7), 3) == [0, 2, 4]
    assert vtln.pick_evenly([], 3) == []
    # Of 201, 200; not half of them.
    assert len(set(vtln.pick_evenly(range(201), 200))) == 200


def test_frames_are_taken_from_all_over() -> None:
    utterances = [np.full((30_000, 2), float(index)) for index in range(3)]
    frames = vtln.sample_frames(utterances)
    assert len(frames) <= vtln.MAX_FRAMES
    # 90,000 frames, every 23rd, each utterance from its first on: 30,000 / 23, rounded up.
    assert np.bincount(frames[:, 0].astype(int)).tolist() == [1305, 1305, 1305]

"""Tests of augmentation against the definition of each change."""

from types import SimpleNamespace

import librosa
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import AugmentationConfig
from cyclegan_vc_tf.data.augmentation import NOISE_SNR_RANGE_DB, Augmentation, add_noise
from cyclegan_vc_tf.data.dataset import Crops, training_pairs
from cyclegan_vc_tf.features import vtln, world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.system.errors import InputError

WORLD = FeatureConfig()
LOG_MEL = FeatureConfig(spectra="log_mel", sample_rate_hz=22_050)


def bell(peak_hz: float, frames: int = 1) -> np.ndarray:
    """Make coded mel-cepstra of an envelope with one bell, 26 dB high, (frames, 24)."""
    hertz = np.linspace(0, 8000, world.fft_size(WORLD) // 2 + 1)
    power = np.exp(6.0 * np.exp(-0.5 * ((hertz - peak_hz) / 300) ** 2) - 10.0)
    return world.encode(np.tile(power, (frames, 1)), WORLD).astype(np.float64)


def band(peak_hz: float, frames: int = 1) -> np.ndarray:
    """Make log-mel spectra with one bell on the mel scale, (frames, 80)."""
    peaks = librosa.mel_frequencies(82, fmin=0, fmax=11_025)[1:-1]
    return np.tile(2 * np.exp(-0.5 * ((peaks - peak_hz) / 300) ** 2) - 4, (frames, 1))


def varied(config: FeatureConfig, spectra: np.ndarray, count: int, **flags: float) -> list:
    augmentation = Augmentation(AugmentationConfig(**flags), config)  # type: ignore[arg-type]
    return [augmentation.perturb(spectra, np.random.default_rng(seed)) for seed in range(count)]


def test_gain_is_one_factor_for_all_power() -> None:
    spectra = bell(1500, frames=3)
    before = world.decode(spectra, WORLD)
    levels = []
    for after in varied(WORLD, spectra, 200, augment_gain_db=6.0):
        ratio_db = 10 * np.log10(world.decode(after, WORLD) / before)
        assert np.ptp(ratio_db) < 0.02
        levels.append(ratio_db.mean())
    # Uniform from -6 to 6 dB: a deviation of 12 / √12.
    assert -6 <= min(levels) < -5.5 and 5.5 < max(levels) <= 6
    assert np.std(levels) == pytest.approx(3.46, abs=0.4)
    for after in varied(LOG_MEL, band(1500), 20, augment_gain_db=6.0):
        # A spectrum of magnitudes: 20 dB a decade.
        decibels = 20 * (after - band(1500))
        assert np.ptp(decibels) < 1e-9 and abs(decibels.mean()) <= 6


def test_noise_has_the_requested_ratio() -> None:
    power = np.random.default_rng(0).exponential(size=(40, 30))
    added = add_noise(power, 10.0) - power
    assert np.ptp(added) < 1e-12
    assert power.mean() / added.mean() == pytest.approx(10)


def test_noise_fills_valleys_and_leaves_peaks() -> None:
    spectra = bell(1500)
    before = world.decode(spectra, WORLD)[0]
    ratios_db = []
    for after in varied(WORLD, spectra, 60, augment_noise_snr_db=10.0):
        power = world.decode(after, WORLD)[0]
        # In the valley, above 5 kHz, most of what is there is noise, if it is loud.
        added = power[-200:].mean() - before[-200:].mean()
        ratios_db.append(10 * np.log10(before.mean() / added))
        assert 10 * np.log10(power.max() / before.max()) == pytest.approx(0, abs=0.6)
    # Coefficients are smooth where noise is flat, which costs a decibel.
    assert min(ratios_db) == pytest.approx(10, abs=1)
    assert max(ratios_db) == pytest.approx(10 + NOISE_SNR_RANGE_DB, abs=3)


@pytest.mark.parametrize(
    ("config", "spectra"), [(WORLD, bell(1500)), (LOG_MEL, band(1500))], ids=["world", "log_mel"]
)
def test_a_peak_moves_by_no_more_than_the_warp_and_both_ways(
    config: FeatureConfig, spectra: np.ndarray
) -> None:
    peaks_hz = []
    for after in varied(config, spectra, 100, augment_frequency_warp=0.2):
        if config is WORLD:
            power = world.decode(after, WORLD)[0]
            peaks_hz.append(np.argmax(power) * 8000 / (len(power) - 1))
        else:
            centres = librosa.mel_frequencies(82, fmin=0, fmax=11_025)[1:-1]
            peaks_hz.append(centres[np.argmax(after[0])])
    # 1500 Hz, a fifth less and more; the bands and coefficients resolve about 100 Hz there.
    assert min(peaks_hz) == pytest.approx(1200, abs=100)
    assert max(peaks_hz) == pytest.approx(1800, abs=100)


def test_bands_move_by_the_factor() -> None:
    moved = band(1500)[0] @ vtln.warp_matrix(1.3, LOG_MEL)
    centres = librosa.mel_frequencies(82, fmin=0, fmax=11_025)[1:-1]
    assert centres[np.argmax(moved)] == pytest.approx(1950, abs=60)
    assert vtln.warp_matrix(1.0, LOG_MEL) == pytest.approx(np.eye(80), abs=1e-9)


def test_tempo_is_the_slope_of_a_ramp() -> None:
    ramp = np.arange(400.0)[:, np.newaxis]
    augmentation = Augmentation(AugmentationConfig(augment_time_warp=0.25), WORLD)
    slopes = []
    for seed in range(200):
        crop = augmentation.cut_crop(ramp, 100, 64, np.random.default_rng(seed))
        assert crop.shape == (64, 1) and crop[0, 0] == 100
        assert np.ptp(np.diff(crop[:, 0])) < 1e-9
        slopes.append(np.diff(crop[:, 0]).mean())
    assert 0.74 < min(slopes) < 0.77 and 1.23 < max(slopes) < 1.26
    late = augmentation.cut_crop(ramp, 336, 64, np.random.default_rng(3))
    assert len(late) == 64 and late.max() <= 399


@pytest.mark.parametrize("length", [1, 2, 30, 64])
def test_short_utterances_lose_nothing_to_tempo(length: int) -> None:
    ramp = np.arange(float(length))[:, np.newaxis]
    augmentation = Augmentation(AugmentationConfig(augment_time_warp=0.25), WORLD)
    for seed in range(50):
        crop = augmentation.cut_crop(ramp, 0, 64, np.random.default_rng(seed))
        assert 1 <= len(crop) <= 64 and crop[0, 0] == 0
        # The last frame, or as near to it as a step reaches.
        assert crop[-1, 0] > length - 1 - 1.25 or len(crop) == 64


def test_masked_frames_are_one_run_of_any_length_anywhere() -> None:
    augmentation = Augmentation(AugmentationConfig(augment_mask_frames=8), WORLD)
    lengths, firsts = set(), set()
    for seed in range(500):
        crop = augmentation.mask_frames(np.ones((20, 2)), np.random.default_rng(seed))
        frames = np.flatnonzero(crop[:, 0] == 0)
        np.testing.assert_array_equal(crop[:, 0], crop[:, 1])
        lengths.add(len(frames))
        if len(frames):
            assert np.ptp(frames) == len(frames) - 1
            firsts.add(frames[0])
    assert lengths == set(range(9)) and firsts == set(range(20))


def crops(augmentation: Augmentation | None, seed: int = 0, speaker: int = 0) -> Crops:
    rng = np.random.default_rng(5)
    spectra = bell(1000, frames=90) + 0.1 * rng.standard_normal((90, 24))
    utterances = [SimpleNamespace(frames=90), SimpleNamespace(frames=20)]
    store = SimpleNamespace(spectra_of=lambda each: spectra[: each.frames].astype(np.float32))
    unit = Statistics(np.zeros(24), np.ones(24), 5.0, 0.2)
    return Crops(store, utterances, unit, 32, seed, speaker, augmentation)  # type: ignore[arg-type]


ALL = Augmentation(
    AugmentationConfig(
        augment_gain_db=6, augment_noise_snr_db=20, augment_frequency_warp=0.1,
        augment_time_warp=0.1, augment_mask_frames=8,
    ),
    WORLD,
)  # fmt: skip


def test_a_crop_is_a_function_of_seed_and_visit() -> None:
    def batches(one: Crops, first: int) -> np.ndarray:
        pairs = training_pairs(one, one, 2, first, 6)
        return np.concatenate([a.numpy() for a, _ in pairs])

    whole = batches(crops(ALL), 0)
    assert whole.shape == (12, 32, 24) and whole.dtype == np.float32
    np.testing.assert_array_equal(batches(crops(ALL), 0), whole)
    np.testing.assert_array_equal(batches(crops(ALL), 2), whole[4:])
    assert not np.array_equal(batches(crops(ALL, seed=1), 0), whole)
    assert not np.array_equal(batches(crops(None), 0), whole)


def test_seed_speaker_and_visit_each_make_a_difference_at_one_place() -> None:
    made = [
        crops(ALL, seed, speaker).read(0, 5, visit)
        for seed, speaker, visit in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    for index, one in enumerate(made):
        assert all(not np.array_equal(one, other) for other in made[:index])
    np.testing.assert_array_equal(crops(ALL).read(0, 5, 0), made[0])


def test_augmentation_without_amounts_changes_nothing() -> None:
    nothing = Augmentation(AugmentationConfig(), WORLD)
    for visit in range(8):
        number = tf.constant(visit, tf.int64)
        np.testing.assert_array_equal(crops(nothing).visit(number), crops(None).visit(number))


def test_a_mask_of_a_whole_crop_is_refused() -> None:
    config = RunConfig(augmentation=AugmentationConfig(augment_mask_frames=128))
    with pytest.raises(InputError, match="--augment_mask_frames is 128; expected fewer"):
        registry.validate_config(config)

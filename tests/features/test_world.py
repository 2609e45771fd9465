"""Tests of WORLD features against signals with known F0 and spectrum."""

import dataclasses

import numpy as np
import pytest
from conftest import voice

from cyclegan_vc_tf.audio import resampling
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.vocoders import selection

RATES_HZ = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
METHODS = ("harvest", "dio")


def pulses(f0_hz: float, seconds: float, sample_rate_hz: int) -> np.ndarray:
    """Make a band-limited pulse train: all harmonics below Nyquist with equal amplitude."""
    time_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    harmonics = np.arange(1, int(0.49 * sample_rate_hz / f0_hz) + 1)
    wave = np.cos(2 * np.pi * f0_hz * np.outer(time_s, harmonics)).sum(axis=1)
    return (0.01 * wave).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("f0_hz", [80.0, 123.4, 250.0, 400.0])
def test_the_f0_of_a_pulse_train(method: str, f0_hz: float) -> None:
    config = FeatureConfig(f0_method=method)
    found_hz, time_s = world.f0(pulses(f0_hz, 0.8, 16_000), config)
    inside = found_hz[20:-20]
    assert np.all(inside > 0)
    # One part in two hundred: an eighth of a quarter tone.
    np.testing.assert_allclose(inside, f0_hz, rtol=5e-3)
    np.testing.assert_allclose(np.diff(time_s), 0.005)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("octaves_per_s", [2.0, -1.0])
def test_the_f0_of_a_noisy_glide(method: str, octaves_per_s: float) -> None:
    """DIO alone is 1.5 % off in this noise; StoneMask brings it to 0.2 %."""
    rng = np.random.default_rng(0)
    sample_s = np.arange(12_800) / 16_000
    phase = 2 * np.pi * np.cumsum(150 * 2 ** (octaves_per_s * (sample_s - 0.4))) / 16_000
    wave = 0.01 * np.cos(np.outer(np.arange(1, 20), phase)).sum(axis=0)
    wave += 0.01 * rng.standard_normal(len(wave))
    found_hz, time_s = world.f0(wave.astype(np.float32), FeatureConfig(f0_method=method))
    error = np.abs(found_hz / (150 * 2 ** (octaves_per_s * (time_s - 0.4))) - 1)
    assert np.median(error[20:-20]) < 5e-3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_frame_counts_agree_at_every_rate(method: str, rate_hz: int) -> None:
    config = FeatureConfig(sample_rate_hz=rate_hz, f0_method=method)
    for samples in (rate_hz // 3, rate_hz // 3 + 1, int(0.4567 * rate_hz)):
        wave = voice(150.0, samples / rate_hz, seed=2, sample_rate_hz=rate_hz)[:samples]
        features = world.analyse(wave, config)
        # One frame every 5 ms, the first at time 0.
        expected = int(np.floor(len(wave) * 200 / rate_hz)) + 1
        frames = {len(features.f0_hz), len(features.spectra), len(features.aperiodicity)}
        assert frames == {expected} == {world.frame_count(len(wave), config)}
        bins = world.decode(features.spectra, config).shape[1]
        assert features.aperiodicity.shape[1] == bins
        assert len(selection.make_vocoder(config)(features, len(wave))) == len(wave)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_aperiodicity_is_the_same_twice(rate_hz: int) -> None:
    """Below 15.8 kHz, plain D4C reads uninitialized memory and differs from call to call."""
    config = FeatureConfig(sample_rate_hz=rate_hz, f0_method="dio")
    wave = voice(150.0, 0.5, seed=3, sample_rate_hz=rate_hz)
    f0_hz, time_s = world.f0(wave, config)
    first = world.aperiodicity(wave, f0_hz, time_s, config)
    waste = [np.full((500, 500), fill) for fill in (1e9, -1e9, np.nan)]
    del waste
    np.testing.assert_array_equal(first, world.aperiodicity(wave, f0_hz, time_s, config))
    assert 0 <= first.min() <= first.max() <= 1
    assert np.median(first[f0_hz > 0].mean(axis=1)) < 0.9, "a voice is not all noise"


def test_a_flat_spectrum_has_a_flat_envelope() -> None:
    config = FeatureConfig(f0_method="dio")
    wave = pulses(200.0, 0.6, 16_000)
    f0_hz, time_s = world.f0(wave, config)
    power = world.envelope(wave, f0_hz, time_s, config)[20:-20]
    level_db = 10 * np.log10(power[:, 20:-60])  # away from 0 Hz and from the last harmonic
    assert level_db.std() < 1.0


def test_ten_times_the_amplitude_is_a_hundred_times_the_power() -> None:
    config = FeatureConfig(f0_method="dio")
    wave = voice(120.0, 0.5, seed=4)
    f0_hz, time_s = world.f0(wave, config)
    loud, soft = (world.envelope(gain * wave, f0_hz, time_s, config) for gain in (1.0, 0.1))
    # All but the few bins that are so deep that WORLD's own guard against log 0 shows in them.
    assert np.mean(np.isclose(loud / soft, 100.0, rtol=1e-3)) > 0.999


def test_mel_cepstra_of_many_dimensions_give_back_the_envelope() -> None:
    config = FeatureConfig(f0_method="dio", mel_cepstra=80)
    wave = voice(120.0, 0.5, seed=5)
    f0_hz, time_s = world.f0(wave, config)
    power = world.envelope(wave, f0_hz, time_s, config)
    decoded = world.decode(world.encode(power, config), config)
    error_db = 10 * np.log10(decoded / power)
    assert np.abs(error_db[:, 5:400]).mean() < 1.0


def test_power_covers_both_sides_of_the_spectrum() -> None:
    """Parseval: an impulse of height h has the power h² in each of a transform's points."""
    config = FeatureConfig()
    impulse = np.zeros(world.fft_size(config))
    impulse[0] = 0.3
    spectrum = np.abs(np.fft.fft(impulse)) ** 2
    half = spectrum[: len(spectrum) // 2 + 1]
    flat = world.encode(np.stack([half, 4 * half]), config)
    expected = np.log([spectrum.sum(), 4 * spectrum.sum()])
    np.testing.assert_allclose(world.log_power(flat, config), expected, rtol=1e-5)


def test_power_of_a_peak_is_counted_although_it_hardly_changes_c0() -> None:
    config = FeatureConfig(mel_cepstra=60)
    bins = world.fft_size(config) // 2 + 1
    flat, peaked = np.ones(bins), np.ones(bins)
    peaked[100:110] = 1e4
    coded = world.encode(np.stack([flat, peaked]), config)
    # Twelve thousandths of the axis rise by ln 10⁴; of the power, all but a hundredth are there.
    assert coded[1, 0] - coded[0, 0] < 0.3
    power = world.decode(coded[1:], config)[0]
    both_sides = np.concatenate([power, power[-2:0:-1]])
    assert world.log_power(coded, config)[1] == pytest.approx(np.log(both_sides.sum()))
    assert both_sides.sum() > 40 * 2 * bins


def test_frames_louder_than_the_limit_are_lowered_to_it() -> None:
    config = FeatureConfig()
    coded = np.random.default_rng(0).normal(0.0, 1.0, (5, 24)).astype(np.float32)
    loud = world.log_power(coded, config)
    most = loud + np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    limited = world.limit_power(coded, most, config)
    np.testing.assert_allclose(
        world.log_power(limited, config), np.minimum(loud, most), rtol=0, atol=1e-5
    )
    np.testing.assert_array_equal(limited[2:], coded[2:])
    # The shape of an envelope stays: a factor for all of its bins.
    np.testing.assert_allclose(
        world.decode(limited[:2], config),
        world.decode(coded[:2], config) * np.exp([[-3.0], [-0.5]]),
        rtol=1e-4,
    )


def test_world_synthesizes_a_voice() -> None:
    config = FeatureConfig()
    wave = voice(120.0, 1.0, seed=6)
    features = world.analyse(wave, config)
    again = world.analyse(selection.make_vocoder(config)(features, len(wave)), config)
    both = (features.f0_hz > 0) & (again.f0_hz > 0)
    assert both.mean() > 0.9
    assert np.median(np.abs(again.f0_hz[both] / features.f0_hz[both] - 1)) < 0.005
    power, again_power = (
        np.mean(world.decode(each.spectra, config)[both], axis=0) for each in (features, again)
    )
    assert np.abs(10 * np.log10(again_power / power)[10:350]).mean() < 3.0


def test_training_needs_no_aperiodicity(monkeypatch: pytest.MonkeyPatch) -> None:
    config = FeatureConfig(f0_method="dio")
    wave = voice(120.0, 0.4, seed=7)
    features = world.analyse(wave, config)
    monkeypatch.setattr(world.pyworld, "d4c", None)
    f0_hz, mel_cepstra = world.analyse_for_training(wave, config)
    np.testing.assert_array_equal(f0_hz, features.f0_hz)
    np.testing.assert_array_equal(mel_cepstra, features.spectra)


def test_digital_silence_is_near_quiet_speech() -> None:
    """Without the floor, c0 is -36.7 for digital silence and -24 for 16-bit rounding noise."""
    config = FeatureConfig(f0_method="dio")
    rng = np.random.default_rng(8)
    rounding = (rng.uniform(-0.5, 0.5, 8000) / 2**15).astype(np.float32)
    silence = np.zeros(8000, np.float32)
    level = [world.analyse_for_training(wave, config)[1][5:-5, 0] for wave in (rounding, silence)]
    assert 0 < level[0].mean() - level[1].mean() < 10


@pytest.mark.parametrize("count", [1, 2, 79, 80, 400])
@pytest.mark.parametrize("method", METHODS)
def test_the_shortest_recordings_are_analysed(count: int, method: str) -> None:
    config = FeatureConfig(f0_method=method)
    wave = np.random.default_rng(9).standard_normal(count).astype(np.float32) / 10
    features = world.analyse(wave, config)
    assert np.isfinite(features.spectra).all()
    assert np.isfinite(selection.make_vocoder(config)(features, count)).all()


def test_a_change_of_any_setting_changes_the_features() -> None:
    """The key of a feature store depends on every setting, so none may be without effect."""
    base = FeatureConfig(f0_method="dio")
    wave = voice(160.0, 0.4, seed=10)
    f0_hz, mel_cepstra = world.analyse_for_training(wave, base)
    changes = {
        "sample_rate_hz": 22_050,
        "frame_period_ms": 4.0,
        "mel_cepstra": 30,
        "f0_method": "harvest",
        "f0_floor_hz": 165.0,
        "f0_ceiling_hz": 155.0,
    }
    assert {*changes, "spectra"} == set(base.used)
    for name, value in changes.items():
        config = dataclasses.replace(base, **{name: value})
        changed = resampling.resample(wave, 16_000, config.sample_rate_hz)
        other_f0_hz, other_mel_cepstra = world.analyse_for_training(changed, config)
        same = mel_cepstra.shape == other_mel_cepstra.shape and np.array_equal(f0_hz, other_f0_hz)
        assert not same, name

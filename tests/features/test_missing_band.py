"""Average spectra of a speaker, and the estimate of a band that a recording lacks."""

import numpy as np
import pytest

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import average, frontend, log_mel, missing_band, world
from cyclegan_vc_tf.features.normalization import Statistics

MEL_CEPSTRA = FeatureConfig(f0_method="dio")
LOG_MEL = FeatureConfig(spectra="log_mel")
CONFIGS = [MEL_CEPSTRA, LOG_MEL]


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(int(16_000 * seconds)).astype(np.float32)


def statistics_of(wave: np.ndarray, config: FeatureConfig) -> Statistics:
    _, spectra = frontend.analyse_for_training(wave, config)
    return Statistics(spectra.mean(axis=0), spectra.std(axis=0), 5.0, 0.2)


def limited(wave: np.ndarray, limit_hz: float) -> np.ndarray:
    spectrum = np.fft.rfft(wave)
    spectrum[int(limit_hz / 8_000 * len(spectrum)) :] = 0
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=["mel-cepstra", "log-mel"])
def test_the_level_of_noise_is_its_mean_square(config: FeatureConfig) -> None:
    """Without pauses, what is added for them is the spread of the estimates alone: up to 4 dB."""
    for gain_db in (-20, -50):
        found = statistics_of(10 ** (gain_db / 20) * noise(3.0), config)
        assert average.level_dbfs(found, config) == pytest.approx(gain_db + 1, abs=3.5)


@pytest.mark.parametrize("config", CONFIGS, ids=["mel-cepstra", "log-mel"])
def test_an_average_knows_whether_there_is_a_spectrum_above_a_limit(config: FeatureConfig) -> None:
    whole = statistics_of(0.1 * noise(2.0), config)
    lower = statistics_of(limited(0.1 * noise(2.0), 4_000), config)
    for limit_hz in (3_400, 4_000, 5_500):
        assert average.reaches_beyond(limit_hz, whole, config)
        assert not average.reaches_beyond(limit_hz, lower, config)


def test_envelopes_are_completed_by_the_conditional_mean() -> None:
    """Conditional mean of jointly normal values, from their covariance."""
    rng, config = np.random.default_rng(2), MEL_CEPSTRA
    mean, std = rng.normal(0, 1, 24), rng.uniform(0.3, 2, 24)
    power = world.decode(mean + std * rng.standard_normal((5, 24)), config)
    units = np.concatenate([np.zeros((1, 24)), np.eye(24)])
    offset, *columns = np.log(world.decode(units, config))
    matrix = np.array(columns).T - offset[:, None]
    hz = np.linspace(0, 8_000, power.shape[1])
    known = hz <= 4_000
    weights = 1 / (700 + hz[known])
    errors = missing_band.ERROR_VARIANCE * weights.sum() / weights
    covariance = matrix @ np.diag(std**2) @ matrix.T
    average_log = matrix @ mean + offset
    inner = covariance[np.ix_(known, known)] + np.diag(errors)
    deviations = np.log(power[:, known]) - average_log[known]
    expected = average_log[~known] + deviations @ np.linalg.solve(
        inner, covariance[np.ix_(known, ~known)]
    )
    completed = missing_band.complete_envelopes(
        power, 4_000.0, Statistics(mean, std, 5.0, 0.2), config
    )
    np.testing.assert_array_equal(completed[:, known], power[:, known])
    np.testing.assert_allclose(np.log(completed[:, ~known]), expected, atol=1e-6)


def test_bands_are_completed_from_the_octave_below() -> None:
    """Two standard deviations above the average below the limit; so are missing bands, in part."""
    mean, std = np.linspace(-2, -3, 80), np.linspace(0.4, 0.6, 80)
    found = Statistics(mean, std, 0.0, 0.0)
    bands = np.tile(mean + 2 * std, (3, 1)).astype(np.float32)
    hz = log_mel.band_centres_hz(LOG_MEL)
    limited_bands = np.where(hz > 4_000, np.float32(-5), bands)
    completed = missing_band.complete_bands(limited_bands, 4_000.0, found, LOG_MEL)
    expected = mean + 2 * missing_band.NEIGHBOUR_WEIGHT * std
    np.testing.assert_allclose(
        completed[:, hz > 4_000], np.tile(expected[hz > 4_000], (3, 1)), rtol=1e-6
    )
    np.testing.assert_array_equal(completed[:, hz < 3_800], bands[:, hz < 3_800])


@pytest.mark.parametrize("config", CONFIGS, ids=["mel-cepstra", "log-mel"])
def test_a_completed_recording_is_near_the_whole_one(config: FeatureConfig) -> None:
    """Distance in standard deviations of noise that rises and falls in level."""
    wave = 0.1 * noise(2.0) * np.repeat([1, 0.1, 0.5, 0.02], 8_000).astype(np.float32)
    found, whole = statistics_of(wave, config), frontend.analyse(wave, config).spectra

    def distance(spectra: np.ndarray) -> float:
        return float(np.sqrt(np.square((spectra - whole) / found.scale).mean()))

    lower = limited(wave, 4_000)
    completed = missing_band.analyse(lower, 3_950.0, found, config).spectra
    assert distance(completed) < 0.35 * distance(frontend.analyse(lower, config).spectra)

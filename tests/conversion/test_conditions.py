"""Conversion of recordings whose bandwidth or level is not the training's."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files, levels, resampling
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion import conditions
from cyclegan_vc_tf.conversion.conditions import Conditions
from cyclegan_vc_tf.conversion.converter import Converter, convert_file
from cyclegan_vc_tf.evaluation import metrics
from cyclegan_vc_tf.evaluation.metrics import SpeechFeatures
from cyclegan_vc_tf.features import frontend, sptk, world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.runs import run_folder

HELD_OUT = REPOSITORY / "data/demo/held_out"
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def converter() -> Converter:
    """Female to male, the direction that suffered most."""
    run = run_folder.open_run(pretrained.find("pretrained:vc1-demo"))
    return Converter.for_run(run, Direction.A2B, run.load_generator(Direction.A2B)[0])


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A held-out sentence of both speakers."""
    name = min(path.name for path in (HELD_OUT / "heart").iterdir())
    return tuple(
        audio_files.read_resampled(HELD_OUT / speaker / name, RATE_HZ)[0]
        for speaker in ("heart", "michael")
    )


def unadapted(converter: Converter, wave: np.ndarray) -> np.ndarray:
    features = converter.convert_features(frontend.analyse(wave, converter.config))
    return converter.vocode(features, len(wave))


def mcd_db(wave: np.ndarray, reference: np.ndarray, rate_hz: int) -> float:
    """Distortion at a rate, so of the band below half of it."""
    config, analysed = vc.FeatureConfig(sample_rate_hz=rate_hz, f0_method="dio"), []
    for samples in (wave, reference):
        lower = resampling.resample(samples, RATE_HZ, rate_hz)
        f0_hz, time_s = world.f0(lower, config)
        power = world.envelope(lower, f0_hz, time_s, config)
        analysed.append(SpeechFeatures(sptk.mel_cepstra(power, rate_hz), f0_hz))
    return metrics.mel_cepstral_distortion_db(*analysed)


def test_a_band_limited_recording_is_converted_about_as_well(
    converter: Converter, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    source, target = pair
    lower = resampling.resample(resampling.resample(source, RATE_HZ, 8_000), 8_000, RATE_HZ)
    whole = mcd_db(converter.convert(source), target, 8_000)
    assert mcd_db(unadapted(converter, lower), target, 8_000) > whole + 5
    converted = converter.convert(lower)
    assert mcd_db(converted, target, 8_000) < whole + 1
    assert len(converted) == len(lower)
    # The band limit stays: above it, nothing is as loud as 60 dB below the rest.
    power = np.square(np.abs(np.fft.rfft(converted)))
    above = int(4_400 / 8_000 * len(power))
    assert power[above:].sum() < 1e-6 * power.sum()


def test_a_model_of_band_limited_speech_takes_it_as_it_is(pair: tuple[np.ndarray, ...]) -> None:
    lower = resampling.resample(resampling.resample(pair[0], RATE_HZ, 8_000), 8_000, RATE_HZ)
    config = vc.FeatureConfig(f0_method="dio")
    _, spectra = frontend.analyse_for_training(lower, config)
    trained = Statistics(spectra.mean(axis=0), spectra.std(axis=0), 5.0, 0.2)
    assert conditions.examine(lower, trained, config) == Conditions()
    _, spectra = frontend.analyse_for_training(pair[0], config)
    trained = Statistics(spectra.mean(axis=0), spectra.std(axis=0), 5.0, 0.2)
    assert conditions.examine(lower, trained, config).limit_hz == pytest.approx(3_900, abs=100)


def test_ordinary_recordings_are_not_changed(
    converter: Converter, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """Levels of up to 8 dB from the training's; every bit is that of the plain conversion."""
    for gain_db in (-8, 0, 8):
        wave = pair[0] * np.float32(10 ** (gain_db / 20))
        assert conditions.examine(wave, converter.source, converter.config) == Conditions()
    np.testing.assert_array_equal(converter.convert(pair[0]), unadapted(converter, pair[0]))


@pytest.mark.parametrize("doublings", [-10, -4, 3])
def test_level_costs_nothing(
    converter: Converter, pair: tuple[np.ndarray, np.ndarray], doublings: int
) -> None:
    """Scaling by a power of two is exact, so the conversion is the scaled one, bit for bit."""
    expected = converter.convert(pair[0]) * np.float32(2.0**doublings)
    scaled = pair[0] * np.float32(2.0**doublings)
    np.testing.assert_array_equal(converter.convert(scaled), expected)


def test_a_gain_brings_the_level_near_the_trainings(
    converter: Converter, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    level = levels.speech_level_dbfs(pair[0], RATE_HZ)
    for gain_db in range(-70, 31, 5):
        wave = pair[0] * np.float32(10 ** (gain_db / 20))
        found = conditions.examine(wave, converter.source, converter.config)
        moved = levels.speech_level_dbfs(wave * found.gain, RATE_HZ)
        assert abs(moved - level) < (3.1 + 1.6 if found.gain != 1 else 10 + 1.6)
        assert np.log2(found.gain) % 1 == 0
    silence = np.zeros(RATE_HZ, np.float32)
    assert conditions.examine(silence, converter.source, converter.config) == Conditions()


def test_features_are_analysed_as_for_a_conversion(
    converter: Converter, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    quiet = pair[0] * np.float32(2.0**-6)
    np.testing.assert_array_equal(
        converter.analyse(quiet).spectra, frontend.analyse(pair[0], converter.config).spectra
    )


def test_a_file_of_a_lower_rate_is_named_in_a_warning(
    converter: Converter, pair: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", resampling.resample(pair[0], RATE_HZ, 8_000), 8_000)
    warnings: list[str] = []
    convert_file(
        converter, tmp_path / "a.wav", tmp_path / "b.wav", keep_sample_rate=True, warnings=warnings
    )
    assert len(warnings) == 1 and warnings[0].startswith("has nothing above 3.9 kHz, unlike ")
    assert soundfile.info(tmp_path / "b.wav").samplerate == 8_000


def test_samples_of_a_lower_rate_are_warned_about(pair: tuple[np.ndarray, np.ndarray]) -> None:
    lower = resampling.resample(pair[0], RATE_HZ, 8_000)
    with pytest.warns(UserWarning, match=r"^the recording has nothing above 3\.9 kHz"):
        converted = vc.load("pretrained:vc1-demo").convert(lower, 8_000, "A2B")
    assert len(converted) == len(lower)

"""WORLD's analysis as a stream, against the analysis of whole recordings."""

import numpy as np
import pytest
from conftest import REPOSITORY, voice

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.world_windows import StreamingAnalyser


def analyse(samples: np.ndarray, config: FeatureConfig, lookahead: int) -> list[np.ndarray]:
    """Analyse samples as a stream; return F0, spectra and aperiodicity of whole blocks."""
    analyser, begin = StreamingAnalyser(config, 4, lookahead), 0
    found = []
    while begin + (needed := analyser.needed_samples) <= len(samples):
        found.append(analyser.push(samples[begin : begin + needed]))
        begin += needed
    return [
        np.concatenate([getattr(each, name) for each in found])
        for name in ("f0_hz", "spectra", "aperiodicity")
    ]


@pytest.mark.parametrize(("rate_hz", "f0_hz"), [(16_000, 120.0), (16_000, 230.0), (22_050, 120.0)])
def test_a_stream_has_the_features_of_the_recording(rate_hz: int, f0_hz: float) -> None:
    config = FeatureConfig(f0_method="dio", sample_rate_hz=rate_hz)
    wave = voice(f0_hz, 2.0, seed=3, sample_rate_hz=rate_hz)
    expected = world.analyse(wave, config)
    found, spectra, aperiodicity = analyse(wave, config, round(0.025 * rate_hz))
    # The first frames have no history.
    frames = slice(30, len(found))
    reference = expected.f0_hz[frames]
    both = (found[frames] > 0) & (reference > 0)
    assert np.mean((found[frames] > 0) == (reference > 0)) > 0.97
    assert np.mean(both) > 0.9
    assert np.median(np.abs(np.log2(found[frames][both] / reference[both]))) < 0.001
    assert np.max(np.abs(np.log2(found[frames][both] / reference[both]))) < 0.1
    distances = np.abs(spectra[frames] - expected.spectra[frames])[both]
    assert np.median(distances) < 0.01
    differences = np.abs(aperiodicity[frames] - expected.aperiodicity[frames])[both]
    assert np.median(differences) < 0.02


def test_a_continued_window_finds_voicing_without_looking_ahead() -> None:
    """The analysis sees 15 ms, where DIO alone discards the last 35 ms of a window."""
    config = FeatureConfig(f0_method="dio")
    wave = voice(120.0, 2.0, seed=3)
    found, _, _ = analyse(wave, config, 240)
    assert np.mean(found[30:] > 0) > 0.95


def test_the_voicing_of_speech_is_that_of_the_recording() -> None:
    """Of both voices of the demo. A window that went on in silence would differ in 5 %."""
    config, wrong = FeatureConfig(f0_method="dio"), []
    for path in ("heart/089.flac", "michael/089.flac"):
        wave, _ = audio_files.read(REPOSITORY / "data/demo/held_out" / path)
        found, _, _ = analyse(wave, config, 400)
        expected = world.analyse(wave, config).f0_hz[: len(found)]
        wrong.append(np.mean((found > 0) != (expected > 0)))
    assert np.mean(wrong) < 0.03


def test_harvest_is_replaced_by_dio() -> None:
    wave = voice(120.0, 0.6, seed=3)
    by_dio = analyse(wave, FeatureConfig(f0_method="dio"), 400)
    by_harvest = analyse(wave, FeatureConfig(f0_method="harvest"), 400)
    np.testing.assert_array_equal(by_dio[0], by_harvest[0])


def test_silence_is_analysed() -> None:
    f0_hz, spectra, _ = analyse(np.zeros(8000, np.float32), FeatureConfig(), 400)
    assert not f0_hz.any()
    assert np.isfinite(spectra).all()


def test_state_does_not_grow() -> None:
    analyser = StreamingAnalyser(FeatureConfig(), 4, 400)
    size = analyser._window.nbytes
    rng = np.random.default_rng(0)
    for _ in range(50):
        analyser.push(rng.standard_normal(analyser.needed_samples).astype(np.float32))
    assert analyser._window.nbytes == size
    assert analyser.needed_samples == 320

"""Tests of levels against NumPy over whole arrays and hand-placed samples."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import voice

from cyclegan_vc_tf.audio import audio_files, levels

RATE_HZ = 16_000
WINDOW = 320


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use blocks with borders inside moments."""
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", 1000)


def write_and_measure(path: Path, samples: np.ndarray, subtype: str = "FLOAT") -> levels.Levels:
    soundfile.write(path, samples, RATE_HZ, subtype)
    return levels.measure(path)


def test_moments_equal_numpy(tmp_path: Path, small_blocks: None) -> None:
    wave = voice(120.0, 1.0, seed=3)[:15_800] + 0.25
    found = write_and_measure(tmp_path / "a.wav", np.stack([wave, 0.5 * wave], 1))
    mean = 0.75 * wave.astype(np.float64)
    moments = [mean[begin : begin + WINDOW] for begin in range(0, len(mean), WINDOW)]
    assert (found.samples, found.moment_samples, len(moments[-1])) == (15_800, WINDOW, 120)
    np.testing.assert_allclose(found.powers, [moment.var() for moment in moments], atol=1e-8)
    np.testing.assert_allclose(found.power(), mean.var(), rtol=1e-6)
    np.testing.assert_allclose(found.power(slice(3, 50)), mean[3 * WINDOW :].var(), rtol=1e-6)
    np.testing.assert_allclose(found.power(slice(3, 7)), mean[960:2240].var(), rtol=1e-6)
    np.testing.assert_allclose(found.deviation, np.abs(mean - mean.mean()).max(), rtol=1e-6)


def test_the_power_of_a_tone_is_half_its_squared_amplitude(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE_HZ) / RATE_HZ)
    assert write_and_measure(tmp_path / "a.wav", tone - 0.3).power() == pytest.approx(
        0.125, rel=1e-5
    )


def test_a_recording_near_its_mean_is_silent(tmp_path: Path, small_blocks: None) -> None:
    """`Levels.is_silent` agrees with `audio_files.is_silent`."""
    for peak in (0.5e-4, 2e-4):
        wave = np.full(5000, 0.1, np.float32)
        wave[3210] += peak
        found = write_and_measure(tmp_path / "a.wav", wave)
        assert found.is_silent == audio_files.is_silent(wave) == (peak < 1e-4)


@pytest.mark.parametrize("block", [2, 3, 999, 1000, 2**21])
def test_clipping_is_two_or_more_at_full_scale_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", block)
    wave = np.zeros((2000, 2))
    wave[5, 0] = 1.0  # A peak, as a normalised recording has it.
    wave[319:321, 1] = 1.0  # Two, at the border of moments 0 and 1.
    wave[998:1002, 0] = -1.0  # Four, at the border of a block, all in moment 3.
    wave[1400:1402, 0], wave[1401:1403, 1] = 1.0, -1.0  # Three, in one channel or the other.
    wave[1500, 0], wave[1501, 1] = 1.0, 1.0  # One in each.
    wave[1999] = 1.0
    found = write_and_measure(tmp_path / "a.wav", wave, "PCM_16")
    assert found.clipped.tolist() == [1, 1, 0, 4, 3, 0, 0]


@pytest.mark.parametrize(
    "subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "ULAW", "ALAW", "FLOAT", "DOUBLE"]
)
def test_full_scale_is_known_for_every_coding(tmp_path: Path, subtype: str) -> None:
    wave = np.zeros(400)
    wave[100:110] = 1.0
    wave[200:207] = -1.0
    wave[300:310] = 0.9
    assert write_and_measure(tmp_path / "a.wav", wave, subtype).clipped.sum() == 17


def test_files_that_are_not_audio_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(audio_files.AudioError, match="cannot be read as audio"):
        levels.measure(tmp_path / "a.wav")


@pytest.mark.parametrize("count", [1, 2, 3, 20, 21, 22, 101, 1000])
def test_a_percentile_is_numpys(count: int) -> None:
    values = np.random.default_rng(count).standard_normal(count) ** 2
    for percent in (0, 5, 50, 95, 100):
        assert levels._percentile(values, percent) == np.percentile(values, percent)

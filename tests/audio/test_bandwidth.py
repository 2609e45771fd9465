"""Band limits of recordings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from conftest import REPOSITORY

from cyclegan_vc_tf.audio import audio_files, bandwidth, levels, resampling

RATE_HZ = 16_000
RECORDINGS = [
    path
    for name in ("heart", "michael")
    for path in sorted((REPOSITORY / "data/demo/train" / name).iterdir())[::16]
]
TELEPHONE = scipy.signal.firwin(255, [300, 3400], fs=RATE_HZ, pass_zero=False)


def through(rate_hz: int) -> Callable[[np.ndarray], np.ndarray]:
    """Resampling to a rate and back."""
    return lambda wave: resampling.resample(
        resampling.resample(wave, RATE_HZ, rate_hz), rate_hz, RATE_HZ
    )


def mp3(wave: np.ndarray, folder: Path) -> np.ndarray:
    """Coding at the lowest bit rate, where the encoder drops high frequencies."""
    soundfile.write(folder / "a.mp3", wave, RATE_HZ, compression_level=0.99)
    return audio_files.read(folder / "a.mp3")[0]


def test_speech_with_its_whole_band_has_no_limit() -> None:
    """Sentences, and excerpts of 0.2 s to 2 s that may hold no consonant with high frequencies."""
    rng = np.random.default_rng(0)
    for path in RECORDINGS:
        wave, _ = audio_files.read_resampled(path, RATE_HZ)
        excerpts = [wave, (np.round(wave * 327) / 32767).astype(np.float32)]
        for seconds in (0.2, 0.4, 1.0, 2.0):
            samples = int(seconds * RATE_HZ)
            begins = rng.integers(0, len(wave) - samples, 6)
            excerpts += [wave[begin : begin + samples] for begin in begins]
        assert {bandwidth.find_limit_hz(excerpt, RATE_HZ) for excerpt in excerpts} == {None}


@pytest.mark.parametrize(
    ("change", "lowest_hz", "highest_hz"),
    [
        (through(8_000), 3_700, 4_000),
        (through(11_025), 5_100, 5_513),
        (through(12_000), 5_500, 6_000),
        (lambda wave: scipy.signal.fftconvolve(wave, TELEPHONE, "same"), 3_300, 3_600),
        (lambda wave: 0.01 * through(8_000)(wave), 3_700, 4_000),
    ],
    ids=["8 kHz", "11 kHz", "12 kHz", "telephone", "8 kHz, quiet"],
)
def test_limits_are_found(
    change: Callable[[np.ndarray], np.ndarray], lowest_hz: float, highest_hz: float
) -> None:
    for path in RECORDINGS:
        wave = change(audio_files.read_resampled(path, RATE_HZ)[0])
        for excerpt in (wave, wave[8_000:16_000]):
            limit_hz = bandwidth.find_limit_hz(excerpt, RATE_HZ)
            assert limit_hz is not None and lowest_hz <= limit_hz <= highest_hz


def test_the_low_pass_of_an_mp3_encoder_is_found(tmp_path: Path) -> None:
    wave = mp3(audio_files.read_resampled(RECORDINGS[0], RATE_HZ)[0], tmp_path)
    limit_hz = bandwidth.find_limit_hz(wave, RATE_HZ)
    assert limit_hz is not None and 3_500 < limit_hz < 5_500


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("share", [0.45, 0.7])
def test_the_limit_of_noise_is_where_its_spectrum_was_set_to_zero(
    rate_hz: int, share: float
) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(4 * rate_hz))
    spectrum[int(share * len(spectrum)) :] = 0
    wave = np.fft.irfft(spectrum).astype(np.float32)
    limit_hz = bandwidth.find_limit_hz(wave, rate_hz)
    assert limit_hz == pytest.approx(share * rate_hz / 2, abs=130)


@pytest.mark.parametrize("samples", [0, 1, 300, 16_000])
def test_silence_has_no_limit(samples: int) -> None:
    assert bandwidth.find_limit_hz(np.zeros(samples, np.float32), RATE_HZ) is None


def test_blocks_give_the_limit_of_the_whole() -> None:
    wave = through(8_000)(audio_files.read_resampled(RECORDINGS[0], RATE_HZ)[0])
    whole, parts = bandwidth.BandMeter(RATE_HZ), bandwidth.BandMeter(RATE_HZ)
    whole.add(wave)
    for part in np.array_split(wave, [1, 700, 5_000, 5_001, 30_000]):
        parts.add(part)
    np.testing.assert_allclose(parts.power, whole.power, rtol=1e-9)


def test_levels_know_the_limit_of_a_file(tmp_path: Path) -> None:
    wave, _ = audio_files.read_resampled(RECORDINGS[0], RATE_HZ)
    lower = through(8_000)(wave)
    soundfile.write(tmp_path / "low.wav", resampling.resample(wave, RATE_HZ, 8_000), 8_000)
    soundfile.write(tmp_path / "limited.flac", lower, RATE_HZ)
    soundfile.write(tmp_path / "whole.flac", wave, RATE_HZ)
    limits = {
        name: levels.measure(tmp_path / name).limit_hz
        for name in ("low.wav", "limited.flac", "whole.flac")
    }
    assert limits["low.wav"] == 4_000 and limits["whole.flac"] == 8_000
    assert 3_700 < limits["limited.flac"] < 4_000


def test_low_pass_keeps_what_lies_below_and_removes_what_lies_above() -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    below, above = (np.sin(2 * np.pi * hz * time_s).astype(np.float32) for hz in (3_800, 4_400))
    passed = resampling.low_pass(below + above, RATE_HZ, 3_900.0)
    assert len(passed) == RATE_HZ
    np.testing.assert_allclose(passed[2_000:-2_000], below[2_000:-2_000], atol=2e-3)


def test_the_level_of_speech_leaves_pauses_out() -> None:
    noise = np.random.default_rng(0).standard_normal(4 * RATE_HZ).astype(np.float32)
    loud, quiet = 0.1 * noise[: RATE_HZ * 2], 1e-4 * noise[RATE_HZ * 2 :]
    for wave in (loud, np.concatenate([quiet, loud, quiet])):
        assert levels.speech_level_dbfs(wave, RATE_HZ) == pytest.approx(-20, abs=0.2)
    assert levels.speech_level_dbfs(np.zeros(RATE_HZ, np.float32), RATE_HZ) == -np.inf
    assert levels.speech_level_dbfs(noise[:10], RATE_HZ) == -np.inf

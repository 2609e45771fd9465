"""Tests of audio files in every format against the written samples."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import voice

from cyclegan_vc_tf.audio import audio_files, resampling
from cyclegan_vc_tf.system.errors import InputError

FORMATS = [
    ("wav", "PCM_U8", 1.1 / 128),
    ("wav", "PCM_16", 1.1 / 2**15),
    ("wav", "PCM_24", 1.1 / 2**23),
    ("wav", "PCM_32", 1e-7),
    ("wav", "FLOAT", 0.0),
    ("wav", "DOUBLE", 0.0),
    ("flac", "PCM_16", 1.1 / 2**15),
    ("flac", "PCM_24", 1.1 / 2**23),
    ("aiff", "PCM_16", 1.1 / 2**15),
]
"""Ending, subtype and largest error, which is a quantisation step."""


@pytest.mark.parametrize(("ending", "subtype", "step"), FORMATS)
def test_lossless_formats_give_back_their_samples(
    tmp_path: Path, ending: str, subtype: str, step: float
) -> None:
    samples = voice(120.0, 0.3, seed=1)
    soundfile.write(tmp_path / f"a.{ending}", samples, 16_000, subtype=subtype)
    read, sample_rate_hz = audio_files.read(tmp_path / f"a.{ending}")
    assert (read.dtype, read.ndim, sample_rate_hz) == (np.float32, 1, 16_000)
    assert np.max(np.abs(read - samples)) <= step


@pytest.mark.parametrize(
    ("ending", "format_", "rate_hz"), [("ogg", "OGG", 22_050), ("mp3", "MP3", 44_100)]
)
def test_lossy_formats_keep_the_frequency(
    tmp_path: Path, ending: str, format_: str, rate_hz: int
) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(rate_hz) / rate_hz)
    soundfile.write(tmp_path / f"a.{ending}", tone, rate_hz, format=format_)
    read, sample_rate_hz = audio_files.read(tmp_path / f"a.{ending}")
    spectrum = np.abs(np.fft.rfft(read * np.hanning(len(read))))
    assert sample_rate_hz == rate_hz
    assert np.argmax(spectrum) * rate_hz / len(read) == pytest.approx(440.0, abs=1.0)


def test_channels_are_averaged(tmp_path: Path) -> None:
    channels = np.array([[0.5, -0.25, 0.5], [0.0, 0.5, 0.25]], np.float32)
    soundfile.write(tmp_path / "a.wav", channels, 48_000, subtype="FLOAT")
    read, _ = audio_files.read(tmp_path / "a.wav")
    np.testing.assert_allclose(read, [0.25, 0.25], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_samples_are_refused(tmp_path: Path, bad: float) -> None:
    samples = np.zeros(1600, np.float32)
    samples[800] = bad
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(
        audio_files.AudioError, match=r"NaN or infinite samples, the first at 0\.050 s"
    ):
        audio_files.read(tmp_path / "a.wav")


def test_files_that_are_not_audio_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not audio at all")
    (tmp_path / "nothing.wav").write_bytes(b"")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(audio_files.AudioError, match="cannot be read as audio"):
        audio_files.read(tmp_path / "text.wav")
    with pytest.raises(audio_files.AudioError, match="cannot be read as audio"):
        audio_files.read(tmp_path / "nothing.wav")
    with pytest.raises(audio_files.AudioError, match="has no samples"):
        audio_files.read(tmp_path / "empty.wav")
    with pytest.raises(audio_files.AudioError, match="cannot be opened \\(No such file"):
        audio_files.read(tmp_path / "absent.wav")


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(44_100, 16_000), (16_000, 44_100), (8_000, 48_000), (22_050, 24_000)]
)
def test_resampling_keeps_a_tone(from_hz: int, to_hz: int) -> None:
    def tone(rate_hz: int) -> np.ndarray:
        return np.sin(2 * np.pi * 1000.0 * np.arange(rate_hz) / rate_hz).astype(np.float32)

    resampled = resampling.resample(tone(from_hz), from_hz, to_hz)
    assert len(resampled) == to_hz
    middle = slice(to_hz // 10, -to_hz // 10)
    np.testing.assert_allclose(resampled[middle], tone(to_hz)[middle], atol=2e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 441, 997])
def test_resampled_lengths_are_rounded(count: int) -> None:
    resampled = resampling.resample(np.ones(count, np.float32), 44_100, 16_000)
    assert len(resampled) == max(1, round(count * 16_000 / 44_100))


def test_writing_scales_samples_that_would_clip(tmp_path: Path) -> None:
    assert audio_files.write(tmp_path / "a.wav", np.array([0.5, -2.0, 1.0]), 16_000) == 2.0
    read, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(read, [0.25, -1.0, 0.5], atol=1e-4)
    assert audio_files.write(tmp_path / "b.wav", np.array([0.5, -0.9]), 16_000) == 0.9
    read, _ = soundfile.read(tmp_path / "b.wav")
    np.testing.assert_allclose(read, [0.5, -0.9], atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    audio_files.write(tmp_path / "a.wav", np.array([0.5]), 16_000)
    before = (tmp_path / "a.wav").read_bytes()
    with pytest.raises(OSError, match="cannot be written"):
        audio_files.write(tmp_path / "a.wav", np.array([0.1]), -1)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_only_audio_is_found(tmp_path: Path) -> None:
    for name in ("b.WAV", "a/c.flac", "notes.txt", ".hidden.wav", ".git/x.wav", "a/._c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert audio_files.find(tmp_path) == ["a/c.flac", "b.WAV"]
    with pytest.raises(InputError, match="is a file; expected a folder"):
        audio_files.find(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="does not exist"):
        audio_files.find(tmp_path / "absent")


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "voice" / "deep").mkdir(parents=True)
    (tmp_path / "voice" / "a.wav").touch()
    (tmp_path / "voice" / "deep" / "b.wav").touch()
    (tmp_path / "voice" / "deep" / "back").symlink_to(tmp_path / "voice")
    (tmp_path / "voice" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    assert audio_files.find(tmp_path / "voice") == ["a.wav", "deep/b.wav"]


def test_a_folder_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):  # type: ignore[no-untyped-def]
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"locked cannot be read \(Permission denied\)"):
        audio_files.find(tmp_path)


def test_a_recording_below_80_db_is_silent_at_any_offset() -> None:
    hum = np.sin(np.arange(1000) / 10)
    assert audio_files.is_silent(0.25 + 0.9e-4 * hum)
    assert not audio_files.is_silent(0.25 + 1.2e-4 * hum)


@pytest.mark.parametrize("loud", [100, 999])
def test_a_sound_in_any_block_is_not_silence(loud: int, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.zeros(1000, np.float32)
    samples[loud] = 0.01
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", 300)
    assert not audio_files.is_silent(samples)


@pytest.mark.parametrize("rate_hz", [16_000, 32_000, 44_100])
@pytest.mark.parametrize("samples", [2**12, 2**12 + 1, 11_293, 3 * 2**12 - 1, 50_000])
def test_blocks_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate_hz: int, samples: int
) -> None:
    """Reading, resampling and writing in blocks equal soxr over the whole recording.

    Edge cases: 11,293 samples at 44.1 kHz become 4097 at 16 kHz, one more than a block, and then
    11,292 at 44.1 kHz. 4097 samples at 32 kHz become 2048.5 at 16 kHz, which soxr rounds up.
    """
    wave = 8 * np.resize(voice(110.0, 1.0, 1, rate_hz), samples)
    soundfile.write(tmp_path / "a.wav", np.stack([wave, 0.5 * wave], 1), rate_hz, "FLOAT")
    results = []
    for block in (2**30, 2**12):
        monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", block)
        samples_read, recording = audio_files.read_resampled(tmp_path / "a.wav", 16_000)
        peak = audio_files.write_resampled(tmp_path / "b.wav", samples_read, 16_000, recording)
        results.append((samples_read.tobytes(), peak, (tmp_path / "b.wav").read_bytes()))
        assert recording == audio_files.AudioInfo(rate_hz, samples)
        assert soundfile.info(tmp_path / "b.wav").frames == samples
        expected = soxr.resample(0.75 * wave, rate_hz, 16_000, "HQ")[: len(samples_read)]
        np.testing.assert_allclose(samples_read[: len(expected)], expected, atol=1e-6)
        assert len(samples_read) == round(samples * 16_000 / rate_hz)
        assert peak > 1.0
    assert results[0] == results[1]


def test_a_lossy_coding_is_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.mp3", voice(110.0, 2.0, 1), 16_000)
    whole, _ = audio_files.read(tmp_path / "a.mp3")
    slower = soxr.resample(whole, 16_000, 8_000, "HQ")
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", 2**12)
    np.testing.assert_array_equal(audio_files.read(tmp_path / "a.mp3")[0], whole)
    np.testing.assert_array_equal(soundfile.read(tmp_path / "a.mp3", dtype="float32")[0], whole)
    np.testing.assert_array_equal(audio_files.read_resampled(tmp_path / "a.mp3", 8_000)[0], slower)


def test_a_nan_sample_is_found_in_a_later_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = np.zeros(16_000, np.float32)
    wave[12_000] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, 16_000, "FLOAT")
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", 2**12)
    with pytest.raises(audio_files.AudioError, match=r"first at 0\.750 s"):
        audio_files.read(tmp_path / "a.wav")
    with pytest.raises(audio_files.AudioError, match="NaN"):
        audio_files.write(tmp_path / "b.wav", wave, 16_000)


def test_a_duration_is_read_from_the_header(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(11_025), 22_050)
    (tmp_path / "b.wav").write_text("no audio")
    assert audio_files.duration_s(tmp_path / "a.flac") == 0.5
    assert (
        audio_files.duration_s(tmp_path / "b.wav")
        == audio_files.duration_s(tmp_path / "c.wav")
        == 0.0
    )

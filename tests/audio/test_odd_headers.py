"""Headers that would fill the memory or take hours."""

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cyclegan_vc_tf.audio import audio_files, headers


@pytest.mark.parametrize("rate_hz", [1, 999, 1_000_001, 2**31 - 1])
def test_a_rate_of_no_speech_is_refused(tmp_path: Path, rate_hz: int) -> None:
    """A minute at 1 Hz is sixty samples, and was resampled to a million."""
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = struct.pack("<I", rate_hz)
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(audio_files.AudioError, match=f"sampling rate of {rate_hz} Hz; expected"):
        audio_files.read(tmp_path / "a.wav")


def test_many_channels_are_read_in_short_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block of 1024 channels had 8 GB."""
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (3000, 64)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    with audio_files.open_audio(tmp_path / "a.wav") as sound:
        assert audio_files.block_samples(sound) * 64 == audio_files.BLOCK_SAMPLES * 8
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", 4096)
    read, rate_hz = audio_files.read(tmp_path / "a.wav")
    np.testing.assert_allclose(read, samples.mean(axis=1), atol=1e-6)
    assert rate_hz == 16_000
    at_8_khz, _ = audio_files.read_resampled(tmp_path / "a.wav", 8_000)
    assert len(at_8_khz) == 1500


def test_channels_that_overflow_in_their_average_are_refused(tmp_path: Path) -> None:
    """Their sum is infinite in float32; NumPy's warning is not lost on the user's screen."""
    soundfile.write(tmp_path / "a.wav", np.full((100, 2), 3e38, np.float32), 16_000, "FLOAT")
    with pytest.raises(audio_files.AudioError, match="NaN or infinite"):
        audio_files.read(tmp_path / "a.wav")


def test_samples_that_overflow_in_sums_are_refused(tmp_path: Path) -> None:
    """Their mean overflowed with a warning of NumPy's, and resampling made them infinite."""
    samples = np.full(4000, 0.1, np.float32)
    samples[1600] = 3e38
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    with pytest.raises(audio_files.AudioError, match=r"above 1e\+10 times .* first at 0\.100 s"):
        audio_files.read(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", samples.clip(0, 1) * 2**31, 16_000, "FLOAT")
    assert audio_files.read(tmp_path / "b.wav")[0].max() == 2**31


FRAME = b"\xff\xfb\x90\x00" + b"\0" * 413
"""Frame of an mp3 file."""


@pytest.mark.parametrize(
    ("content", "limit_s"),
    [
        (b"RIFF\0\0\0\0WAVE" + bytes(40 << 20), 0.5),
        (FRAME * 2 + b"\xff" * (40 << 20), 4.0),
    ],
    ids=["chunks without names", "sync bytes"],
)
def test_junk_is_left_early(tmp_path: Path, content: bytes, limit_s: float) -> None:
    """Each chunk and byte took a step of Python: 1.6 s and 27 s of CPU time."""
    (tmp_path / "a").write_bytes(content)
    begin = time.process_time()
    headers.examine(tmp_path / "a")
    assert time.process_time() - begin < limit_s


def test_mp3_without_sound_is_not_called_missing(tmp_path: Path) -> None:
    """The message of libsndfile is that such a file does not exist."""
    (tmp_path / "a.mp3").write_bytes(b"\xff\xfb\x90\x00" * 500)
    with pytest.raises(audio_files.AudioError, match="no sound can be decoded"):
        audio_files.read(tmp_path / "a.mp3")

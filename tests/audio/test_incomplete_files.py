"""Tests of piped, unclosed and truncated audio files against the written samples."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import voice

from cyclegan_vc_tf.audio import audio_files, headers, levels

RATE_HZ = 44_100
WAVE = voice(120.0, 4.0, seed=1, sample_rate_hz=RATE_HZ)


def split_frames(mp3: bytes) -> list[bytes]:
    """Split an mp3 file without tags, MPEG 1 at 44.1 kHz, into frames by their bit rates."""
    rates = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    frames, position = [], 0
    while position < len(mp3):
        third = mp3[position + 2]
        size = 144_000 * rates[(third >> 4) - 1] // 44_100 + (third >> 1 & 1)
        frames.append(mp3[position : position + size])
        position += size
    return frames


@pytest.fixture
def variable_mp3(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Path and samples of an mp3 file with variable bit rate, a Xing header and noise first."""
    noise = 0.3 * np.random.default_rng(0).standard_normal(RATE_HZ // 2)
    wave = np.concatenate([noise, WAVE, 1e-3 * WAVE])
    path = tmp_path / "whole.mp3"
    with soundfile.SoundFile(
        path, "w", RATE_HZ, 1, "MPEG_LAYER_III", format="MP3", bitrate_mode="VARIABLE",
        compression_level=0.3,
    ) as file:  # fmt: skip
        file.write(wave)
    assert b"Xing" in path.read_bytes()[:100]
    return path, soundfile.read(path, dtype="float32")[0]


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)], ids=["", "id3"])
@pytest.mark.parametrize("tail", [b"", b"TAG" + bytes(125), b"junk\xff\xfb\x90"])
def test_a_piped_mp3_is_read_to_its_end(
    variable_mp3: tuple[Path, np.ndarray], tmp_path: Path, tag: bytes, tail: bytes
) -> None:
    """An encoder that writes into a pipe leaves out the first frame, with the number of frames."""
    whole, expected = variable_mp3
    frames = split_frames(whole.read_bytes())
    piped = tmp_path / "piped.mp3"
    piped.write_bytes(tag + b"".join(frames[1:]) + tail)
    assert soundfile.info(piped).frames < 0.9 * len(expected), "libsndfile's estimate is wrong"
    read, recording = audio_files.read_resampled(piped)
    # Decoders drop their own delay of 529 samples; the encoder's 576 are in no header here.
    np.testing.assert_array_equal(read[576:][: len(expected)], expected)
    assert recording.samples == len(read) == 1152 * (len(frames) - 1) - 529
    assert recording.warnings == ()
    assert levels.measure(piped).samples == len(read)


def test_an_mp3_with_a_length_or_a_constant_bit_rate_is_left_to_libsndfile(
    variable_mp3: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    constant = tmp_path / "constant.mp3"
    soundfile.write(constant, WAVE, RATE_HZ, bitrate_mode="CONSTANT", compression_level=0.5)
    without = tmp_path / "without.mp3"
    without.write_bytes(b"".join(split_frames(constant.read_bytes())[1:]))
    for path in (variable_mp3[0], constant, without):
        assert headers.examine(path).replacement == b""
        read, recording = audio_files.read_resampled(path)
        np.testing.assert_array_equal(read, soundfile.read(path, dtype="float32")[0])
        assert recording.warnings == ()


def with_data_length(wav: bytes, length: int, total: int | None = None) -> bytes:
    """Return a wav file with changed lengths in its headers."""
    changed, place = bytearray(wav), wav.index(b"data") + 4
    changed[place : place + 4] = struct.pack("<I", length)
    if total is not None:
        changed[4:8] = struct.pack("<I", total)
    return bytes(changed)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("length", "total"),
    [(0, 0), (0, 36), (0, None), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF000, 0x7FFFF024)],
)
def test_a_wav_that_was_not_closed_is_read_to_its_end(
    tmp_path: Path, length: int, total: int | None, channels: int
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.repeat(WAVE[:, np.newaxis], channels, 1), RATE_HZ)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    path.write_bytes(with_data_length(path.read_bytes(), length, total))
    read, recording = audio_files.read_resampled(path)
    np.testing.assert_allclose(read, expected.mean(axis=1), atol=1e-7)
    assert recording == audio_files.AudioInfo(RATE_HZ, len(WAVE))


def test_a_wav_of_no_samples_with_other_chunks_stays_empty(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE_HZ)
    empty = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(empty + b"LIST\x0c\0\0\0INFOISFT\0\0\0\0")
    with pytest.raises(audio_files.AudioError, match="has no samples"):
        audio_files.read(tmp_path / "a.wav")


@pytest.mark.parametrize("ending", ["wav", "aiff", "ogg", "opus", "mp3"])
def test_a_file_that_is_cut_short_is_used_and_named(tmp_path: Path, ending: str) -> None:
    path, rate_hz = tmp_path / f"a.{ending}", 48_000
    options = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
    soundfile.write(path, np.resize(WAVE, 4 * rate_hz), rate_hz, **options)
    whole, recording = audio_files.read_resampled(path)
    assert recording.warnings == () and len(whole) == 4 * rate_hz
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    read, recording = audio_files.read_resampled(path)
    assert rate_hz < len(read) < 3 * rate_hz
    np.testing.assert_allclose(read[:rate_hz], whole[:rate_hz], atol=1e-6)
    (warning,) = recording.warnings
    read_s = len(read) / rate_hz
    stated = f"the first {read_s:.2f} s of 4.00 s are used"
    expected = stated if ending == "mp3" else f"the {read_s:.2f} s that it has are used"
    assert warning == f"is cut short; {expected}"
    assert levels.measure(path).warnings == recording.warnings


def test_a_piped_mp3_that_is_cut_short_is_used_and_named(
    variable_mp3: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    whole, expected = variable_mp3
    frames = split_frames(whole.read_bytes())
    piped = tmp_path / "piped.mp3"
    piped.write_bytes(b"".join(frames[1:101]) + frames[101][:50])
    read, recording = audio_files.read_resampled(piped)
    assert len(read) == 100 * 1152 - 529
    np.testing.assert_array_equal(read[576:], expected[: len(read) - 576])
    assert recording.warnings == (f"is cut short; the {len(read) / RATE_HZ:.2f} s that it has "
                                  "are used",)  # fmt: skip


@pytest.mark.parametrize("block", [2**21, 10_007])
@pytest.mark.parametrize("rate_hz", [0, 16_000])
def test_channels_that_cancel_are_not_averaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, rate_hz: int
) -> None:
    """A balanced line recorded as stereo: the right channel is the inverted left, and louder."""
    soundfile.write(tmp_path / "a.wav", np.stack([0.9 * WAVE, -WAVE], 1), RATE_HZ, "FLOAT")
    soundfile.write(tmp_path / "right.wav", -WAVE, RATE_HZ, "FLOAT")
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", block)
    read, recording = audio_files.read_resampled(tmp_path / "a.wav", rate_hz)
    expected, _ = audio_files.read_resampled(tmp_path / "right.wav", rate_hz)
    np.testing.assert_array_equal(read, expected)
    assert recording.warnings == (
        "has channels that cancel each other in their average; channel 2 is used alone",
    )
    measured = levels.measure(tmp_path / "a.wav")
    alone = levels.measure(tmp_path / "right.wav")
    assert measured.channel == 1 and measured.warnings == recording.warnings
    np.testing.assert_array_equal(measured.powers, alone.powers)


def test_channels_that_differ_are_averaged_without_a_warning(tmp_path: Path) -> None:
    """Cases: one channel silent, independent channels, an echo, inverted at half the level."""
    other = voice(190.0, 4.0, seed=2, sample_rate_hz=RATE_HZ)
    sides = {
        "silent": 0 * WAVE,
        "independent": other,
        "late": np.roll(WAVE, 300),
        "half": -WAVE / 2,
    }
    for name, right in sides.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.stack([WAVE, right], 1), RATE_HZ, "FLOAT")
        read, recording = audio_files.read_resampled(path)
        np.testing.assert_allclose(read, (WAVE + right) / 2, atol=1e-6)
        assert recording.warnings == () and levels.measure(path).channel is None
    soundfile.write(tmp_path / "none.wav", np.zeros((RATE_HZ, 2)), RATE_HZ)
    assert audio_files.read_resampled(tmp_path / "none.wav")[1].warnings == ()


@pytest.mark.parametrize(
    "content", [b"ID3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"\xff\xfb", b"RIFF....WAVE", b"OggS"]
)
def test_a_file_of_a_few_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.raises(audio_files.AudioError, match="cannot be read as audio"):
        audio_files.read(tmp_path / "a.mp3")


def test_formats_that_cannot_be_read_are_found_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyclegan_vc_tf.audio.av_files.is_available", lambda: False)
    for name in ("b.wav", "c.M4A", "sub/d.webm", "e.txt", ".f.m4a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert audio_files.find(tmp_path) == ["b.wav"]
    names = audio_files.find_unreadable(tmp_path)
    assert names == ["c.M4A", "sub/d.webm"]
    assert audio_files.describe_unreadable(names) == (
        "2 files are not used, because their format cannot be read: c.M4A, sub/d.webm; pip "
        "install -e '.[av]', or convert them to wav or flac"
    )
    assert audio_files.describe_unreadable([]) == ""

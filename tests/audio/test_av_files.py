"""Recordings that PyAV decodes. Their files are written by PyAV, too."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from conftest import run_command, run_here, voice

from cyclegan_vc_tf.audio import audio_files, av_files, levels

RATE_HZ, SECONDS = 16_000, 2.0


def write(
    path: Path, codec: str, rate_hz: int = RATE_HZ, layout: str = "mono", video: bool = False
) -> np.ndarray:
    """Write a voice, and return its samples."""
    wave = voice(120.0, SECONDS, seed=1, sample_rate_hz=rate_hz)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        if video:
            pictures = container.add_stream("mpeg4", rate=25, width=64, height=64)
            for _ in range(75):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
                container.mux(pictures.encode(picture))
            container.mux(pictures.encode(None))
        channels = len(stream.codec_context.layout.channels)
        frame = av.AudioFrame.from_ndarray(np.tile(wave, (channels, 1)), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate_hz, stream.codec_context.frame_size or 1024
        )
        for converted in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return wave


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "layout"),
    [
        ("a.m4a", "aac", 44_100, "stereo"),
        ("a.mp4", "aac", 16_000, "mono"),
        ("a.webm", "libopus", 48_000, "mono"),
        ("a.mkv", "flac", 22_050, "stereo"),
        ("a.mov", "alac", 44_100, "mono"),
        ("a.wv", "wavpack", 16_000, "mono"),
    ],
)
def test_lengths_are_exact_and_nothing_is_delayed(
    tmp_path: Path, name: str, codec: str, rate_hz: int, layout: str
) -> None:
    """What encoders add in front and behind is left out."""
    wave = write(tmp_path / name, codec, rate_hz, layout)
    samples, recording = audio_files.read_resampled(tmp_path / name)
    assert recording == audio_files.AudioInfo(rate_hz, len(wave))
    assert levels.measure(tmp_path / name).samples == len(wave)
    # The best shift is none; lossy codings are near.
    inner = slice(1_000, len(wave) - 1_000)
    correlations = [
        np.corrcoef(wave[inner], np.roll(samples, shift)[inner])[0, 1] for shift in range(-50, 51)
    ]
    assert np.argmax(correlations) == 50 and max(correlations) > 0.97
    assert audio_files.duration_s(tmp_path / name) == pytest.approx(SECONDS, abs=0.02)


def test_raw_aac_has_what_its_encoder_added(tmp_path: Path) -> None:
    """The format has no room to state it."""
    wave = write(tmp_path / "a.aac", "aac", 44_100)
    samples, _ = audio_files.read(tmp_path / "a.aac")
    assert len(wave) <= len(samples) <= len(wave) + 3 * 1024


def test_the_sound_of_a_video_is_read(tmp_path: Path) -> None:
    """The pictures last longer, which does not count."""
    wave = write(tmp_path / "a.mp4", "aac", 44_100, video=True)
    samples, recording = audio_files.read_resampled(tmp_path / "a.mp4")
    assert len(samples) == len(wave) and recording.warnings == ()


def test_a_video_without_sound_is_named(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, width=64, height=64)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode(None))
    with pytest.raises(audio_files.AudioError, match=r"cannot be read as audio \(it has no sound"):
        audio_files.read(tmp_path / "a.mp4")


def test_a_coding_without_a_decoder_is_refused(tmp_path: Path) -> None:
    """A VOC file whose only block has no coding; in a process that a fault of FFmpeg may end."""
    path = tmp_path / "sound.flac"
    path.write_bytes(
        b"Creative Voice File\x1a\x1a\0\0\0"
        + bytes.fromhex("40420f00000022560000100204000000000000")
    )
    code = (
        "import sys; from pathlib import Path; from cyclegan_vc_tf.audio import audio_files\n"
        "try: audio_files.read(Path(sys.argv[1]))\n"
        "except audio_files.AudioError as error: print(error)"
    )
    done = run_command("-c", code, path)
    assert done.returncode == 0, done.stderr
    assert "cannot be read as audio" in done.stdout


def test_blocks_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.m4a", "aac", 44_100)
    whole, _ = audio_files.read(tmp_path / "a.m4a")
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", 5_000)
    np.testing.assert_array_equal(audio_files.read(tmp_path / "a.m4a")[0], whole)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    """An m4a file has its index at its end; the other formats are read up to the cut."""
    for name, codec, message in (
        ("a.m4a", "aac", None),
        ("a.webm", "libopus", "is cut short; the first "),
        ("a.aac", "aac", "is cut short; the "),
    ):
        path = tmp_path / name
        write(path, codec, 48_000)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        if message is None:
            with pytest.raises(audio_files.AudioError, match=r"input; it may be cut short\)$"):
                audio_files.read(path)
            continue
        samples, recording = audio_files.read_resampled(path)
        (warning,) = recording.warnings
        assert warning.startswith(message) and 0.5 < len(samples) / 48_000 < 1.5


def test_damaged_parts_are_silent_and_named(tmp_path: Path) -> None:
    """What comes after them stays at its time."""
    path = tmp_path / "a.m4a"
    wave = write(path, "aac", 44_100)
    content = bytearray(path.read_bytes())
    begin = content.find(b"mdat")
    for place in range(begin + 4_000, begin + 12_000, 37):
        content[place] ^= 0xA5
    path.write_bytes(content)
    samples, recording = audio_files.read_resampled(path)
    assert len(samples) == len(wave)
    (warning,) = recording.warnings
    assert warning.startswith("is damaged; ") and "could not be decoded" in warning
    assert np.corrcoef(samples[-20_000:], wave[-20_000:])[0, 1] > 0.97


def test_a_wav_file_that_is_something_else_is_read(tmp_path: Path) -> None:
    """Telephones name some files so."""
    wave = write(tmp_path / "a.m4a", "aac")
    (tmp_path / "a.m4a").rename(tmp_path / "a.wav")
    assert len(audio_files.read(tmp_path / "a.wav")[0]) == len(wave)
    (tmp_path / "b.wav").write_text("no sound")
    with pytest.raises(audio_files.AudioError, match=r"as audio \(Format not recognised\)$"):
        audio_files.read(tmp_path / "b.wav")


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{}'\n"


@pytest.mark.parametrize(("name", "text"), [("b.mp4", HLS), ("b.m3u8", HLS), ("b.mp4", CONCAT)])
def test_a_playlist_opens_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """FFmpeg plays the last one, if it is not told otherwise."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.ts", "aac")
    (tmp_path / name).write_text(text.format("a.ts"))
    with pytest.raises(audio_files.AudioError, match="cannot be read as audio"):
        audio_files.read(tmp_path / name)


def test_files_are_found_where_pyav_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.m4a", "b.wav", "c.txt", "d.mp2"):
        (tmp_path / name).write_bytes(b"")
    assert audio_files.find(tmp_path) == ["a.m4a", "b.wav", "d.mp2"]
    assert audio_files.find_unreadable(tmp_path) == []
    monkeypatch.setattr(av_files, "is_available", lambda: False)
    assert audio_files.find(tmp_path) == ["b.wav", "d.mp2"]
    assert audio_files.find_unreadable(tmp_path) == ["a.m4a"]
    with pytest.raises(audio_files.AudioError, match=r"pip install -e '\.\[av\]' to read more"):
        audio_files.read(tmp_path / "a.m4a")


def test_a_layer_2_file_is_read_by_libsndfile(tmp_path: Path) -> None:
    wave = write(tmp_path / "a.mp2", "mp2", 44_100)
    samples, recording = audio_files.read_resampled(tmp_path / "a.mp2")
    assert len(wave) <= len(samples) < len(wave) + 2 * 1152 and recording.warnings == ()


def test_prepare_and_convert_take_them(tmp_path: Path) -> None:
    """Two recordings of a speaker, one m4a and one webm, beside a cut one."""
    folder = tmp_path / "phone"
    folder.mkdir()
    write(folder / "a.m4a", "aac", 44_100)
    write(folder / "b.webm", "libopus", 48_000)
    content = (folder / "a.m4a").read_bytes()
    (folder / "c.m4a").write_bytes(content[: len(content) // 2])
    prepared = run_here(
        "prepare", f"--source_dir={folder}", f"--target_dir={folder}", "--f0_method=dio",
        "--held_out_fraction=0", f"--features_dir={tmp_path}/features", "--workers=1",
    )  # fmt: skip
    assert prepared.returncode == 0, prepared.stderr
    assert prepared.stdout.startswith("phone: 2 training utterances")
    assert "skipped c.m4a: cannot be read as audio" in prepared.stdout
    done = run_here(
        "convert.py", "--run_dir=pretrained:vc1-demo", "--direction=A2B", f"--input={folder}",
        f"--output={tmp_path}/out", "--keep_sample_rate",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f"failed: {folder}/c.m4a cannot be read as audio" in done.stdout
    for name, rate_hz in (("a", 44_100), ("b", 48_000)):
        info = soundfile.info(tmp_path / "out" / f"{name}.wav")
        assert (info.frames, info.samplerate) == (SECONDS * rate_hz, rate_hz)


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.wav"])
def test_a_file_without_content_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """PyAV printed the traceback of a seek before the beginning."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(audio_files.AudioError, match="cannot be read as audio"):
        audio_files.read(tmp_path / name)
    assert capsys.readouterr() == ("", "")

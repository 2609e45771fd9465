"""The command live: files, pipes, and devices of a made-up sounddevice."""

import io
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import run_here
from live_runs import NO_ADAPTATION

from cyclegan_vc_tf.serving import devices, session, sinks, sources
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError

RUN = "--run_dir=pretrained:vc1-demo"
SPEECH = Path("data/demo/held_out/heart/089.flac")


class Delay:
    """Pipeline that returns its input 32 samples later."""

    block_samples = 16
    lookahead_samples = 16
    shift_samples = 16
    adaptation = NO_ADAPTATION

    def __init__(self) -> None:
        self.needed_samples = 32
        self._queue = np.zeros(16, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return a block of 16 samples."""
        self.needed_samples = 16
        queue = np.concatenate([self._queue, samples])
        output, self._queue = queue[:16], queue[16:]
        return output


class PortAudioError(Exception):
    """Error of PortAudio."""


class Sound:
    """Made-up duplex stream, whose thread exchanges periods at real pace."""

    latency = (0.01, 0.02)
    active = True

    def __init__(self, module: "SoundDevice", options: dict[str, Any]) -> None:
        self.module, self.options = module, options
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._exchange)

    def __enter__(self) -> "Sound":
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _exchange(self) -> None:
        period, rate_hz = self.options["blocksize"], self.options["samplerate"]
        for index, status in enumerate(self.module.statuses):
            begin = index * period
            received = self.module.microphone[begin : begin + period, np.newaxis]
            played = np.full((period, 1), np.nan, np.float32)
            self.options["callback"](received, played, period, None, status)
            self.module.loudspeaker.append(played[:, 0])
            time.sleep(period / rate_hz)
        self._stop.wait()


class SoundDevice(SimpleNamespace):
    """Made-up module sounddevice."""

    PortAudioError = PortAudioError

    def __init__(self, names: list[str], periods: int = 0) -> None:
        quiet = SimpleNamespace(input_overflow=False, output_underflow=False)
        super().__init__(names=names, statuses=[quiet] * periods, loudspeaker=[])
        rng = np.random.default_rng(0)
        self.microphone = (0.1 * rng.standard_normal(160 * periods)).astype(np.float32)

    def query_devices(self, kind: str | None = None) -> Any:
        """Return the devices; the default of a kind is an error without any."""
        if kind and not self.names:
            raise PortAudioError("no default device")
        return [
            {
                "name": name,
                "max_input_channels": 1,
                "max_output_channels": 2,
                "default_samplerate": 48_000.0,
            }
            for name in self.names
        ]

    def Stream(self, **options: Any) -> Sound:
        """Open a duplex stream, but not at 8 kHz."""
        if options["samplerate"] == 8000:
            raise PortAudioError("Invalid sample rate")
        return Sound(self, options)


def install(monkeypatch: pytest.MonkeyPatch, module: Any) -> Any:
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def refusal(*arguments: str | Path) -> str:
    done = run_here("live", *arguments)
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_a_recording_keeps_its_length_and_its_rate(tmp_path: Path) -> None:
    wave, rate_hz = soundfile.read(SPEECH)
    output, record = tmp_path / "live.wav", tmp_path / "record.wav"
    done = run_here(
        "live", RUN, f"--input={SPEECH}", f"--output={output}", f"--record={record}",
        "--seconds=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "delay of the conversion 65 ms" in done.stdout
    converted, converted_hz = soundfile.read(output)
    assert (len(converted), converted_hz) == (rate_hz, rate_hz)
    # The power limit keeps converted speech about as loud as its source.
    assert 0.3 < np.std(converted) / np.std(wave[:rate_hz]) < 2.0
    np.testing.assert_array_equal(soundfile.read(record)[0], converted)


def test_raw_samples_are_read_and_written() -> None:
    wave = np.array([0.5, -0.25, 2.0, -2.0], np.float32)
    for name, expected in (("f32le", wave), ("s16le", [0.5, -0.25, 32767 / 32768, -1.0])):
        file = io.BytesIO()
        sink = sinks.RawSink(file, name)
        sink.write(wave)
        assert sink.clipped == (2 if name == "s16le" else 0)
        file.seek(0)
        chunks = list(sources.read_raw(file, name, 3))
        assert [len(chunk) for chunk in chunks] == [3, 1]
        np.testing.assert_allclose(np.concatenate(chunks), expected)


def test_a_wav_file_is_clipped_and_says_so(tmp_path: Path) -> None:
    with sinks.open_wav(tmp_path / "a.wav", 16_000) as sink:
        sink.write(np.array([0.5, 1.5, -2.0], np.float32))
        sink.write(np.array([1.25], np.float32))
    samples, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(samples, [0.5, 1.0, -1.0, 1.0], atol=1 / 32768)
    assert sink.clipped == 3


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"\0\0\0", "s16le", "inside a sample"),
        (np.array([np.inf], "<f4").tobytes(), "f32le", "NaN or infinite"),
    ],
)
def test_damaged_raw_samples_are_refused(data: bytes, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(sources.read_raw(io.BytesIO(data), name, 10))


class Kept:
    """Sink that keeps samples."""

    clipped = 0

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []

    def write(self, samples: np.ndarray) -> None:
        """Keep samples."""
        self.parts.append(samples)


@pytest.mark.parametrize("samples", [7, 40, 1000])
def test_a_session_returns_each_sample_at_its_place(samples: int) -> None:
    wave = np.arange(samples, dtype=np.float32)
    sink = Kept()
    chunks = np.array_split(wave, 3)
    tally = session.convert(Stream(Delay(), 16_000), chunks, sink)
    np.testing.assert_array_equal(np.concatenate(sink.parts), wave)
    assert (tally.samples, tally.chunks) == (samples, 3)


def test_real_pace_counts_what_is_late() -> None:
    """A pipeline that needs 30 ms for a block misses a slack of 5 ms."""
    pipeline = Delay()
    push = pipeline.push

    def slow(samples: np.ndarray) -> np.ndarray:
        time.sleep(0.03)
        return push(samples)

    pipeline.push = slow  # type: ignore[method-assign]
    stream = Stream(pipeline, 16_000)
    chunks = [np.zeros(160, np.float32)] * 3
    begin_s = time.perf_counter()
    tally = session.convert(stream, chunks, Kept(), slack_ms=5.0)
    assert time.perf_counter() - begin_s >= 0.03
    assert tally.underruns == tally.late == 3


def test_devices_are_found_by_number_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, SoundDevice(["USB Mic", "USB Headset", "Built-in"]))
    assert devices.find_device("headset", "input") == 1
    assert devices.find_device("2", "output") == 2
    assert devices.find_device("", "output") is None
    assert len(devices.list_devices()) == 3
    for wanted, message in (("usb", "2 input devices"), ("hdmi", "no input"), ("9", "no input")):
        with pytest.raises(InputError, match=message):
            devices.find_device(wanted, "input")


def test_devices_that_cannot_be_used_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, SoundDevice([]))
    assert "no sound device" in refusal(RUN)
    assert "no sound device" in refusal("--list_devices")
    install(monkeypatch, None)
    assert "install the extra" in refusal("--list_devices")

    class Finder:
        """Finder of a sounddevice without PortAudio."""

        def find_spec(self, name: str, *rest: Any) -> None:
            """Raise what sounddevice raises."""
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert "install PortAudio" in refusal("--list_devices")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=a.wav"], "without --output"),
        (["--input=none.wav", "--output=b.wav"], "is not a file"),
        ([f"--input={SPEECH}", f"--output={SPEECH}"], "is the recording"),
        ([f"--input={SPEECH}", "--output=b.wav", "--rate_hz=8000"], "--rate_hz has no effect"),
        (["--realtime"], "without --input"),
        ([f"--input={SPEECH}", "--output=b.wav", "--block_frames=6"], "multiple of 4"),
    ],
)
def test_flags_that_contradict_are_one_line(arguments: list[str], message: str) -> None:
    assert message in refusal(RUN, *arguments)


def duplex(stream: Stream, slack_ms: float = 10.0) -> devices.Duplex:
    return devices.Duplex(stream, None, None, 10.0, slack_ms)


def test_the_loudspeaker_plays_what_the_microphone_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later by a period, the slack and the stream's delay, whatever the threads do."""
    module = install(monkeypatch, SoundDevice(["a"], periods=30))
    tried = duplex(Stream(Delay(), 16_000), slack_ms=100.0)
    tally = tried.run(lambda *values: None, lambda: len(module.loudspeaker) == 30)
    played = np.concatenate(module.loudspeaker)
    delay = 160 + 1600 + 48
    assert tried.latency_ms == pytest.approx(30.0)
    if not tally.underruns:
        np.testing.assert_allclose(played[delay:], module.microphone[: len(played) - delay])
    assert not played[:delay].any()


def test_late_samples_are_left_out_and_the_delay_stays() -> None:
    """Without a thread: three exchanges before the first conversion, and 160 of slack."""
    tried = duplex(Stream(Delay(), 16_000), slack_ms=10.0)
    ok = SimpleNamespace(input_overflow=False, output_underflow=False)
    wave = np.arange(1, 1601, dtype=np.float32) / 2000
    heard = []

    def exchange(index: int) -> None:
        played = np.zeros((160, 1), np.float32)
        tried._exchange(wave[160 * index : 160 * index + 160, np.newaxis], played, 160, None, ok)
        heard.append(played[:, 0])

    for index in range(4):
        exchange(index)
    assert tried.tally.underruns == 2
    for _ in range(4):
        tried._convert_next(lambda *values: None)
    for index in range(4, 8):
        exchange(index)
        tried._convert_next(lambda *values: None)
    delay = 320 + 48
    played = np.concatenate(heard)
    np.testing.assert_array_equal(played[640:], wave[640 - delay : 1280 - delay])


def test_flags_of_the_driver_are_counted() -> None:
    tried = duplex(Stream(Delay(), 16_000))
    bad = SimpleNamespace(input_overflow=True, output_underflow=True)
    tried._exchange(np.zeros((160, 1), np.float32), np.zeros((160, 1), np.float32), 160, None, bad)
    assert (tried.tally.overflows, tried.tally.underruns) == (1, 1)


def test_sound_that_cannot_be_converted_in_time_is_dropped() -> None:
    """At most half a second waits."""
    tried = duplex(Stream(Delay(), 16_000))
    ok = SimpleNamespace(input_overflow=False, output_underflow=False)
    for _ in range(60):
        played = np.zeros((160, 1), np.float32)
        tried._exchange(np.zeros((160, 1), np.float32), played, 160, None, ok)
    assert tried.tally.overflows == 10


def test_a_rate_that_a_device_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, SoundDevice(["a"]))
    tried = duplex(Stream(Delay(), 8000))
    with pytest.raises(InputError, match="cannot be opened at 8000 Hz"):
        tried.run(lambda *values: None, lambda: True)

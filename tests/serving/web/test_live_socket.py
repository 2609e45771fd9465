"""Connection of a live conversion: samples, refusals, limits, and the end of a session."""

import gc
import json
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import voice
from live_runs import NO_ADAPTATION, make_mel_run
from starlette.applications import Starlette
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.serving.web import live_session, live_socket
from cyclegan_vc_tf.serving.web.live_session import Chunk, LiveSession, LiveSessions, Report
from cyclegan_vc_tf.serving.web.services import Services
from cyclegan_vc_tf.serving.web.workspace import Workspace
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import neural, vocoder_folders

DEMO = vc.demo_corpus_dir() / "held_out" / "heart" / "089.flac"

CHOICES = {
    "run": "pretrained:vc1-demo", "direction": "A2B", "vocoder": "world_limited", "f0": "convert",
    "semitones": 0, "adapt": False, "rate_hz": 16_000,
}  # fmt: skip

WAIT_S = 300.0


class Echo:
    """Pipeline that returns its input."""

    block_samples = needed_samples = 64
    lookahead_samples = shift_samples = 0
    adaptation = NO_ADAPTATION

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return a block."""
        return samples


def echo() -> Stream:
    """Return a stream that converts nothing, with a delay of 64 samples."""
    return Stream(Echo(), 16_000)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Yield what is behind a page that allows one live conversion; no thread is left."""
    workspace = Workspace(tmp_path)
    made = Services(WebConfig(runs_dir=str(tmp_path / "runs"), max_live=1), workspace)
    yield made
    made.live.close()
    workspace.close()
    assert len(made.live) == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "live"]


@pytest.fixture
def client(services: Services) -> TestClient:
    """Return a browser's side of the connection, without a password."""
    app: Any = Starlette(routes=live_socket.routes(services))
    app.auth = None
    return TestClient(app, "http://127.0.0.1:7860")


def connect(client: TestClient, **headers: str) -> WebSocketTestSession:
    """Open a connection as this page does, or with other headers."""
    return client.websocket_connect(
        "ws://127.0.0.1:7860/live/socket", headers={"origin": "http://127.0.0.1:7860", **headers}
    )


def hear(connection: WebSocketTestSession, kind: str) -> dict[str, Any]:
    """Return the next text of a kind, and pass by what comes before it."""
    while True:
        message = connection.receive()
        assert message["type"] == "websocket.send", message
        if message.get("text") and json.loads(message["text"])["kind"] == kind:
            return json.loads(message["text"])


def hear_chunk(connection: WebSocketTestSession) -> Chunk:
    """Return the next converted frame."""
    while True:
        message = connection.receive()
        assert message["type"] == "websocket.send", message
        if message.get("bytes"):
            return live_socket.decode(message["bytes"])


def refusal(client: TestClient, first: str | bytes, *frames: bytes) -> str:
    """Return the reason that ends a session."""
    with connect(client) as connection:
        connection.send_bytes(first) if isinstance(first, bytes) else connection.send_text(first)
        if frames:
            hear(connection, "started")
        for frame in frames:
            connection.send_bytes(frame)
        reason = hear(connection, "ended")["reason"]
        assert connection.receive()["type"] == "websocket.close"
    return reason


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait until a function returns true."""
    deadline_s = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_frames_are_converted_as_by_a_stream(client: TestClient, rate_hz: int) -> None:
    samples = audio_files.read(DEMO)[0][8000:16_000]
    samples = np.interp(np.arange(0, len(samples), 16_000 / rate_hz), np.arange(8000), samples)
    chunks = np.array_split(samples.astype(np.float32), 40)
    with connect(client) as connection:
        connection.send_json({**CHOICES, "direction": "B2A", "semitones": 2, "rate_hz": rate_hz})
        started = hear(connection, "started")
        found, position = [], 7
        for chunk in chunks:
            # One frame after the other: none waits.
            connection.send_bytes(live_socket.encode(Chunk(position, chunk)))
            converted = hear_chunk(connection)
            assert converted.position == position
            found.append(converted.samples)
            position += len(chunk)
    stream = vc.load("pretrained:vc1-demo").stream("B2A", rate_hz, semitones=2)
    assert started["delay_samples"] == stream.delay_samples
    assert started["rate_hz"] == rate_hz and not started["running_norms"]
    assert not started["is_listening"]
    expected = np.concatenate([stream.push(chunk) for chunk in chunks])
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert np.abs(expected).max() > 0.01


def test_a_run_of_log_mel_spectra_takes_a_vocoder_that_was_trained_here(
    services: Services, client: TestClient
) -> None:
    name = "pretrained:vocoder-demo"
    features = neural.load(vocoder_folders.find(name)).features
    run = make_mel_run(services.runs.runs_dir / "mel", features)
    samples = audio_files.read(DEMO)[0][8000:16_000]
    with connect(client) as connection:
        connection.send_json({**CHOICES, "run": "mel", "vocoder": name})
        hear(connection, "started")
        connection.send_bytes(live_socket.encode(Chunk(0, samples)))
        found = hear_chunk(connection).samples
    expected = vc.load(run.path, vocoder=name).stream("A2B", 16_000).push(samples)
    np.testing.assert_array_equal(found, expected)
    reason = refusal(client, json.dumps({**CHOICES, "run": "mel", "vocoder": "griffin_lim"}))
    assert "needs whole recordings" in reason


def test_a_conversion_adapts_where_that_was_chosen(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames are those of a stream that listens as long; a text says when it has adapted."""
    monkeypatch.setattr(live_socket, "ADAPT_AFTER_S", 1.0)
    chunks = np.array_split(audio_files.read(DEMO)[0][: 3 * 16_000], 30)
    with connect(client) as connection:
        connection.send_json({**CHOICES, "direction": "B2A", "adapt": True})
        assert hear(connection, "started")["is_listening"]
        found, texts = [], []
        for chunk in chunks:
            connection.send_bytes(live_socket.encode(Chunk(0, chunk)))
            while not (message := connection.receive()).get("bytes"):
                texts.append(json.loads(message["text"])["kind"])
            found.append(live_socket.decode(message["bytes"]).samples)
    assert texts.count("adapted") == 1
    stream = vc.load("pretrained:vc1-demo").stream("B2A", 16_000, adapt_after_s=1.0)
    expected = np.concatenate([stream.push(chunk) for chunk in chunks])
    np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "http://127.0.0.1:7861"},
        {"origin": "http://127.0.0.1"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:7860", "host": "elsewhere.example"},
        {"origin": "http://127.0.0.1:7860@elsewhere.example"},
    ],
)
def test_pages_of_others_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect), connect(client, **headers):
        pass


def test_a_server_before_this_one_names_the_host(client: TestClient) -> None:
    with connect(
        client, **{"origin": "https://voices.example", "x-forwarded-host": "voices.example"}
    ) as connection:
        connection.send_text("")
        hear(connection, "ended")


def test_users_without_the_password_are_refused(client: TestClient) -> None:
    app: Any = client.app
    app.auth, app.cookie_id, app.tokens = {"anna": "secret"}, "x", {"token": "anna"}
    for cookie in ("", "access-token-x=guess", "access-token-y=token"):
        with pytest.raises(WebSocketDisconnect), connect(client, cookie=cookie):
            pass
    for cookie in ("access-token-x=token", "a=b; access-token-unsecure-x=token"):
        with connect(client, cookie=cookie) as connection:
            connection.send_text("")
            hear(connection, "ended")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run": "../outside"}, "is not a run in"),
        ({"run": "none"}, "is not a run in"),
        ({"run": ""}, "no run is chosen"),
        ({"run": "mel"}, "mel converts log-mel spectra, and no vocoder for them that works live"),
        ({"direction": "C2D"}, "received direction C2D; expected A2B or B2A"),
        (
            {"vocoder": "melgan:../../x.npz"},
            "received vocoder 'melgan:../../x.npz'; expected WORLD",
        ),
        ({"f0": "x"}, "received f0 x; expected convert or keep"),
        ({"semitones": 99}, "received semitones 99"),
        ({"semitones": float("nan")}, "received semitones nan"),
        ({"rate_hz": 5}, "received a sample rate of 5 Hz; expected 8000 to 192000"),
        ({"rate_hz": 10**9}, "received sample_rate_hz"),
        ({"rate_hz": None}, "choices that cannot be read"),
        ({"semitones": "x" * 20_000}, "choices of 2"),
    ],
)
def test_wrong_choices_are_named(
    services: Services, client: TestClient, changes: dict[str, Any], reason: str
) -> None:
    mel = services.runs.runs_dir / "mel"
    mel.mkdir()
    run_files.write_settings(mel, mel, vc.preset("mask"))
    assert reason in refusal(client, json.dumps({**CHOICES, **changes}))
    wait_until(lambda: len(services.live) == 0)


@pytest.mark.parametrize("first", ["", "no json", "[]", "5", "[" * 9000, b"binary"])
def test_other_texts_are_refused(client: TestClient, first: str | bytes) -> None:
    assert "choices that cannot be read" in refusal(client, first)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "frame of 0 bytes"),
        (bytes(4), "frame of 4 bytes"),
        (bytes(9), "frame of 9 bytes"),
        (bytes(4 * 16_386), "frame of 65544 bytes; expected a position and 1 to 16384 samples"),
        (bytes(4) + np.float32(np.nan).tobytes(), "NaN or infinite"),
    ],
)
def test_wrong_frames_end_the_session(
    services: Services,
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    frame: bytes,
    reason: str,
) -> None:
    monkeypatch.setattr(live_socket, "_open_stream", lambda services, choices: echo())
    assert reason in refusal(client, json.dumps(CHOICES), frame)
    wait_until(lambda: len(services.live) == 0)


def test_the_end_of_a_connection_frees_everything(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[weakref.ref[Stream]] = []

    def open_stream(services: Services, choices: dict[str, Any]) -> Stream:
        stream = echo()
        streams.append(weakref.ref(stream))
        return stream

    monkeypatch.setattr(live_socket, "_open_stream", open_stream)
    for _ in range(3):
        # A page that starts again at once waits for its own session to end.
        with connect(client) as connection:
            connection.send_json(CHOICES)
            hear(connection, "started")
            connection.send_bytes(live_socket.encode(Chunk(0, np.ones(64, np.float32))))
            hear_chunk(connection)
            assert len(services.live) == 1
    wait_until(lambda: len(services.live) == 0)

    def is_freed() -> bool:
        gc.collect()
        return all(stream() is None for stream in streams)

    wait_until(is_freed)


def test_more_sessions_than_allowed_are_refused(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_socket, "_open_stream", lambda services, choices: echo())
    with connect(client) as first:
        first.send_json(CHOICES)
        hear(first, "started")
        assert refusal(client, json.dumps(CHOICES)) == (
            "1 live conversions run already, as many as this page allows (--max_live); wait until "
            "one ends, then start again."
        )
        first.send_bytes(live_socket.encode(Chunk(0, np.ones(64, np.float32))))
        assert hear_chunk(first).samples.shape == (64,)


def test_scripts_and_nothing_else_are_sent(client: TestClient) -> None:
    for name in live_socket.SCRIPTS:
        answer = client.get(f"/live/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(
            "text/javascript"
        )
        # No address of another host.
        assert not re.search(r"(https?|wss?)://", answer.text)
    for name in ("server.py", "../server.py", "%2e%2e/server.py", "accessibility.js", ""):
        assert client.get(f"/live/{name}").status_code == 404


class Recorder:
    """Receiver of a session's messages."""

    def __init__(self) -> None:
        self.messages: list[Chunk | Report] = []

    def __call__(self, message: Chunk | Report) -> None:
        """Take a message."""
        self.messages.append(message)

    def reports(self, kind: str) -> list[dict[str, Any]]:
        """Return the values of the reports of a kind."""
        return [
            each.values
            for each in self.messages
            if isinstance(each, Report) and each.kind == kind
        ]  # fmt: skip

    def samples(self) -> int:
        """Return the number of converted samples."""
        return sum(len(each.samples) for each in self.messages if isinstance(each, Chunk))


def test_a_slow_machine_leaves_out_the_oldest_and_says_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_session, "REPORT_EVERY_S", 0.0)
    go_on, heard = threading.Event(), Recorder()

    class Slow(Echo):
        def push(self, samples: np.ndarray) -> np.ndarray:
            assert go_on.wait(WAIT_S)
            return samples

    session = LiveSession(lambda: Stream(Slow(), 16_000), heard, 1000.0)
    session.start()
    wait_until(lambda: bool(heard.reports("started")))
    # Twenty seconds while the first chunk is converted, of which half a second may wait.
    session.push(Chunk(0, np.zeros(160, np.float32)))
    wait_until(lambda: not session._waiting)
    for index in range(1, 2001):
        session.push(Chunk(160 * index, np.full(160, index / 2000, np.float32)))
    assert sum(len(chunk.samples) for chunk in session._waiting) == 8000
    go_on.set()
    wait_until(lambda: heard.samples() == 160 + 8000)
    session.stop()
    assert session.join(WAIT_S)
    assert heard.reports("report")[-1]["dropped_ms"] == 1000 * 1950 * 160 / 16_000
    # The newest were kept.
    chunks = [each for each in heard.messages if isinstance(each, Chunk)]
    assert [chunk.position for chunk in chunks[1:]] == [160 * index for index in range(1951, 2001)]
    assert heard.reports("ended") == [{"reason": ""}]


def test_time_and_silence_end_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "MAX_SILENT_S", 0.05)
    heard = Recorder()
    session = LiveSession(echo, heard, 1000.0)
    session.start()
    assert session.join(WAIT_S)
    assert heard.reports("ended") == [{"reason": "No sound arrived for 0.05 s; start again."}]
    monkeypatch.setattr(live_session, "MAX_SILENT_S", WAIT_S)
    session = LiveSession(echo, heard, 0.0)
    session.start()
    wait_until(lambda: len(heard.reports("started")) == 2)
    time.sleep(0.01)
    session.push(Chunk(0, np.zeros(160, np.float32)))
    assert session.join(WAIT_S)
    assert heard.reports("ended")[1]["reason"].startswith("A live conversion lasts at most 0 s")


def test_a_session_runs_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread alone: the page's other work is not in a hurry."""
    asked: list[threading.Thread] = []
    monkeypatch.setattr(
        live_session.processor, "prefer_thread", lambda: asked.append(threading.current_thread())
    )
    heard = Recorder()
    session = LiveSession(echo, heard, 1000.0)
    session.start()
    wait_until(lambda: bool(heard.reports("started")))
    session.stop()
    assert session.join(WAIT_S)
    assert asked == [session._thread]


def test_failures_end_a_session_with_a_sentence() -> None:
    def refuse() -> Stream:
        raise InputError("a run\nis damaged")

    heard, sessions = Recorder(), LiveSessions(1, 1000.0)
    assert sessions.open(refuse, heard).join(WAIT_S)
    assert heard.reports("ended") == [{"reason": "a run is damaged"}]
    wait_until(lambda: len(sessions) == 0)
    sessions.close()
    with pytest.raises(InputError, match="is being closed"):
        sessions.open(echo, heard)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_program_ends_a_session_too() -> None:
    def fail() -> Stream:
        raise ZeroDivisionError

    heard, sessions = Recorder(), LiveSessions(1, 1000.0)
    assert sessions.open(fail, heard).join(WAIT_S)
    reason = "The conversion failed (ZeroDivisionError); start again."
    assert heard.reports("ended") == [{"reason": reason}]
    wait_until(lambda: len(sessions) == 0)


def test_a_slow_network_leaves_out_samples_and_no_report() -> None:
    conversation: Any = live_socket._Conversation(
        SimpleNamespace(), SimpleNamespace()  # type: ignore[arg-type]
    )  # fmt: skip
    for _ in range(1000):
        conversation._put(Chunk(0, voice(120, 0.01, seed=1)))
    conversation._put(Report("ended", {}))
    assert conversation._unsent.qsize() == live_socket.MAX_UNSENT + 1

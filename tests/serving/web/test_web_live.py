"""Tab Live in a real browser: a microphone that plays a sentence, and what the player plays."""

import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from live_runs import make_mel_run
from playwright.sync_api import Browser, Playwright, WebSocket, expect, sync_playwright
from web_server import WAIT_MS, WebServer, browser_path
from web_visitor import Visitor, launch

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.serving.web import live_socket
from cyclegan_vc_tf.vocoders import neural, vocoder_folders

DEMO = vc.demo_corpus_dir() / "held_out" / "heart" / "089.flac"
VOCODER = "pretrained:vocoder-demo"
RATE_HZ = 16_000
WINDOW = 640
LOUD = 0.01
"""Root mean square of a window of 40 ms that is looked for, full scale 1."""

RECORDER = """
(() => {
  const code = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process(inputs) {
      if (inputs[0][0]) this.port.postMessage(inputs[0][0].slice());
      return true;
    }
  })`;
  const recorder = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const addModule = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (address) {
    await addModule.call(this, recorder);
    return addModule.call(this, address);
  };
  window.heard = [];
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...others) {
    if (target instanceof AudioDestinationNode) {
      const node = new AudioWorkletNode(this.context, "recorder");
      node.port.onmessage = ({ data }) => { window.heard.push(...data); };
      connect.call(this, node);
      connect.call(node, target);
    }
    return connect.call(this, target, ...others);
  };
})();
"""
"""Script that keeps what goes to the loudspeaker in `heard`."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sentence of the demo corpus for the microphone."""
    path = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    samples, rate_hz = soundfile.read(DEMO)
    soundfile.write(path, soxr.resample(samples, rate_hz, 48_000), 48_000)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Yield a server that allows one live conversion."""
    browser_path()
    started = WebServer(tmp_path_factory.mktemp("web"), "--max_live=1").start()
    yield started
    assert started.stop() == 0
    assert "Traceback" not in (started.folder / "errors.txt").read_text()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Yield Playwright, which one thread starts once."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright, spoken: Path) -> Iterator[Browser]:
    """Yield Chromium with a microphone that is allowed."""
    started = launch(playwright, spoken)
    yield started
    started.close()


class Speaker(Visitor):
    """One user at the tab Live; frames of the connection are recorded."""

    def __init__(self, browser: Browser, server: WebServer, **options: object) -> None:
        super().__init__(browser, server, **options)
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.started: list[dict[str, object]] = []
        self.page.on("websocket", self._record)
        self.tab("Live")
        expect(self.page.locator("#live-direction label")).to_have_count(2, timeout=WAIT_MS)

    def _record(self, connection: WebSocket) -> None:
        assert connection.url == self.server.address.replace("http", "ws") + "live/socket"
        connection.on("framesent", lambda frame: self._take(frame, self.sent))
        connection.on("framereceived", lambda frame: self._take(frame, self.received))

    def _take(self, frame: bytes | str, frames: list[bytes]) -> None:
        if isinstance(frame, bytes):
            frames.append(frame)
        elif "started" in frame:
            self.started.append(json.loads(frame))

    def start(self) -> None:
        """Start, and wait until speech is converted."""
        self.page.click("#live-start")
        self.see("#live-state", "Converting. Speak.")

    def wait_for_frames(self, seconds: float) -> None:
        """Wait until converted speech of a duration has arrived."""
        while sum(len(frame) - 4 for frame in self.received) / 4 < seconds * RATE_HZ:
            # Events arrive while Playwright waits.
            self.page.wait_for_timeout(200)

    def number(self, name: str) -> float:
        """Return a measurement that the page shows."""
        return float(self.page.inner_text(f"#live-{name}"))


@pytest.fixture
def speaker(browser: Browser, server: WebServer) -> Iterator[Speaker]:
    """Yield a user; no request left this machine, and no script failed."""
    user = Speaker(browser, server)
    yield user
    user.context.close()
    user.check()


def matching_windows(heard: np.ndarray, expected: np.ndarray) -> tuple[int, int]:
    """Count loud windows of a recording, and those that are a part of the expected samples.

    A window is a part where its normalised cross-correlation with the samples exceeds 0.999.
    """
    power = np.convolve(expected.astype(np.float64) ** 2, np.ones(WINDOW), "valid")
    spectrum = np.fft.rfft(expected, 2 * len(expected))
    loud = found = 0
    for begin in range(0, len(heard) - WINDOW, WINDOW):
        window = heard[begin : begin + WINDOW]
        if np.sqrt(np.mean(window**2)) < LOUD:
            continue
        loud += 1
        reversed_spectrum = np.conj(np.fft.rfft(window, 2 * len(expected)))
        products = np.fft.irfft(spectrum * reversed_spectrum)[: len(power)]
        similarity = products / np.sqrt(np.sum(window**2) * np.maximum(power, 1e-9))
        found += similarity.max() > 0.999
    return loud, found


def test_what_is_played_is_the_conversion_of_what_was_spoken(speaker: Speaker) -> None:
    page = speaker.page
    page.add_init_script(RECORDER)
    speaker.sent.clear()
    page.reload()
    expect(page.locator("#convert-direction label")).to_have_count(2, timeout=WAIT_MS)
    speaker.tab("Live")
    page.locator("#live-direction").get_by_text("A to B").click()
    page.locator("#live-semitones input[type=number]").fill("1")
    page.locator("button:visible", has_text="More").click()
    # A busy machine has long pauses.
    page.locator("#live-buffer input[type=number]").fill("500")
    speaker.start()
    speaker.wait_for_frames(6.0)
    page.wait_for_timeout(1500)
    assert 65 + 300 < speaker.number("delay") < 60_000
    page.click("#live-stop")
    speaker.see("#live-state", "Stopped.")
    assert speaker.errors == []
    # What the server returned is the stream's output for what the browser sent.
    sent = {chunk.position: chunk.samples for chunk in map(live_socket.decode, speaker.sent)}
    received = [live_socket.decode(frame) for frame in speaker.received]
    stream = vc.load("pretrained:vc1-demo").stream("A2B", RATE_HZ, semitones=1)
    expected = np.concatenate([stream.push(sent[chunk.position]) for chunk in received])
    converted = np.concatenate([chunk.samples for chunk in received])
    np.testing.assert_allclose(converted, expected, atol=1e-4)
    spoken = np.concatenate([sent[chunk.position] for chunk in received])
    assert np.sqrt(np.mean(spoken**2)) > LOUD < np.sqrt(np.mean(converted**2))
    # What was played is what the server returned.
    heard = np.asarray(page.evaluate("window.heard"), np.float32)
    loud, found = matching_windows(heard, converted)
    assert found >= 25 and found > loud / 2, (loud, found)
    # The oracle sees other speech.
    assert matching_windows(heard, spoken)[1] < found / 10


def test_the_conversion_adapts_to_the_voice_that_speaks(speaker: Speaker) -> None:
    """The microphone's voice is not the one that B to A was trained with."""
    page = speaker.page
    page.locator("#live-direction").get_by_text("B to A").click()
    page.locator("#live-adapt input").check()
    page.click("#live-start")
    speaker.see("#live-state", "Converting. Speak: the conversion will adapt to your voice.")
    speaker.see("#live-state", "Converting, adapted to your voice.")
    speaker.wait_for_frames(live_socket.ADAPT_AFTER_S + 2)
    page.click("#live-stop")
    speaker.see("#live-state", "Stopped.")
    sent = {chunk.position: chunk.samples for chunk in map(live_socket.decode, speaker.sent)}
    received = [live_socket.decode(frame) for frame in speaker.received]
    voices = vc.load("pretrained:vc1-demo")
    converted = np.concatenate([chunk.samples for chunk in received])
    for after_s, is_equal in ((live_socket.ADAPT_AFTER_S, True), (0.0, False)):
        stream = voices.stream("B2A", RATE_HZ, adapt_after_s=after_s)
        expected = np.concatenate([stream.push(sent[chunk.position]) for chunk in received])
        assert np.allclose(converted, expected, atol=1e-4) == is_equal


def test_a_run_of_log_mel_spectra_is_converted_by_a_trained_vocoder(
    browser: Browser, tmp_path: Path
) -> None:
    own = WebServer(tmp_path)
    make_mel_run(own.runs / "mel", neural.load(vocoder_folders.find(VOCODER)).features)
    own.start()
    try:
        user = Speaker(browser, own)
        # The run comes before the pretrained voices. Its spectra have F0 in them.
        expect(user.page.locator("#live-vocoder input")).to_have_value(VOCODER, timeout=WAIT_MS)
        expect(user.page.locator("#live-semitones")).to_be_hidden(timeout=WAIT_MS)
        user.start()
        user.wait_for_frames(2.0)
        user.page.click("#live-stop")
        user.see("#live-state", "Stopped.")
        sent = {chunk.position: chunk.samples for chunk in map(live_socket.decode, user.sent)}
        received = [live_socket.decode(frame) for frame in user.received]
        stream = vc.load(own.runs / "mel", vocoder=VOCODER).stream("A2B", RATE_HZ)
        expected = np.concatenate([stream.push(sent[chunk.position]) for chunk in received])
        converted = np.concatenate([chunk.samples for chunk in received])
        assert np.std(converted) > 1e-4
        np.testing.assert_allclose(converted, expected, atol=1e-4)
        user.page.locator("#live-run input").click()
        user.page.get_by_role("option", name="pretrained:vc1-demo").click()
        expect(user.page.locator("#live-vocoder input")).to_have_value(
            "WORLD, no frame louder than its source", timeout=WAIT_MS
        )
        expect(user.page.locator("#live-semitones")).to_be_visible(timeout=WAIT_MS)
        user.context.close()
        user.check()
    finally:
        assert own.stop() == 0


def test_as_many_users_as_allowed_and_stop_frees_the_place(
    speaker: Speaker, browser: Browser, server: WebServer
) -> None:
    speaker.start()
    other = Speaker(browser, server)
    other.page.click("#live-start")
    other.see("#live-state", "1 live conversions run already, as many as this page allows")
    speaker.wait_for_frames(0.5)
    speaker.page.click("#live-stop")
    speaker.see("#live-state", "Stopped.")
    other.start()
    # A new start takes the place of the user's own session.
    other.start()
    other.wait_for_frames(0.5)
    # A closed page frees its place too.
    other.context.close()
    other.check()
    speaker.start()


def test_a_slow_machine_and_a_killed_server_are_named(browser: Browser, tmp_path: Path) -> None:
    own = WebServer(tmp_path).start()
    try:
        user = Speaker(browser, own)
        user.start()
        user.wait_for_frames(0.5)
        # Two seconds without any time for the server.
        own.process.send_signal(signal.SIGSTOP)
        user.page.wait_for_timeout(2000)
        own.process.send_signal(signal.SIGCONT)
        user.see("#live-warning", "too slow for live conversion at the moment:")
        assert user.number("dropped") > 0 and user.number("underruns") > 0
        port = own.port
        own.kill()
        user.see("#live-state", "The connection to the server was lost. Start again when")
        own.start(port)
        user.start()
        user.context.close()
        user.check()
    finally:
        assert own.stop() == 0


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("NotFoundError", "No microphone was found. Connect one"),
        ("NotReadableError", "The microphone does not answer. End other programs"),
        ("AbortError", "The sound could not be opened: made up."),
    ],
)
def test_a_microphone_that_fails_is_named(speaker: Speaker, fault: str, sentence: str) -> None:
    speaker.page.evaluate(
        "fault => { navigator.mediaDevices.getUserMedia = async () => "
        "{ throw new DOMException('made up', fault); }; }",
        fault,
    )
    speaker.page.click("#live-start")
    speaker.see("#live-state", sentence)


def test_a_microphone_that_is_unplugged_is_named(speaker: Speaker) -> None:
    speaker.page.evaluate(
        "() => { const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (wanted) => window.microphone = "
        "await get(wanted); }"
    )
    speaker.start()
    speaker.page.evaluate("window.microphone.getTracks()[0].dispatchEvent(new Event('ended'))")
    speaker.see("#live-state", "The microphone was disconnected. Connect it, then start again.")
    assert speaker.page.evaluate("window.microphone.getTracks()[0].readyState") == "ended"


def test_a_browser_that_cannot_resample_leaves_it_to_the_server(speaker: Speaker) -> None:
    """As Firefox: it reads a microphone at its own rate alone."""
    speaker.page.evaluate(
        "() => { const make = AudioContext.prototype.createMediaStreamSource;"
        "AudioContext.prototype.createMediaStreamSource = function (stream) {"
        "if (this.sampleRate < 40000) throw new DOMException('rate', 'NotSupportedError');"
        "return make.call(this, stream); }; }"
    )
    speaker.start()
    speaker.wait_for_frames(1.0)
    assert speaker.started[-1]["rate_hz"] in (44_100, 48_000)
    samples = np.concatenate([live_socket.decode(frame).samples for frame in speaker.received])
    assert np.abs(samples).max() > LOUD


def test_permission_login_and_secure_origin(
    playwright: Playwright, spoken: Path, tmp_path: Path
) -> None:
    """A page for other machines: with a password, and without https from elsewhere."""
    own = WebServer(tmp_path, "--host=0.0.0.0", "--auth=anna:secret").start()
    elsewhere = "--host-resolver-rules=MAP elsewhere.example 127.0.0.1"
    browser = launch(playwright, spoken, elsewhere, asks=True)
    try:
        assert handshake(own, own.address.rstrip("/")) == 403
        for host, sentence in (
            ("elsewhere.example", "only to pages at https or on this machine"),
            ("127.0.0.1", "The microphone was refused. Allow it for this page"),
        ):
            page = browser.new_page()
            page.set_default_timeout(WAIT_MS)
            page.goto(f"http://{host}:{own.port}/")
            page.get_by_label("username").fill("anna")
            page.get_by_label("password").fill("secret")
            page.get_by_role("button", name="Login").click()
            page.get_by_role("tab", name="Live", exact=True).click()
            expect(page.locator("#live-direction label")).to_have_count(2, timeout=WAIT_MS)
            page.click("#live-start")
            expect(page.locator("#live-state")).to_contain_text(sentence, timeout=WAIT_MS)
        page.context.grant_permissions(["microphone"])
        page.click("#live-start")
        expect(page.locator("#live-state")).to_contain_text("Converting.", timeout=WAIT_MS)
    finally:
        browser.close()
        assert own.stop() == 0


def handshake(server: WebServer, origin: str) -> int:
    """Ask for a WebSocket without a browser, and return the status: 101 where it is opened."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": origin,
    }  # fmt: skip
    connection.request("GET", "/live/socket", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_pages_of_others_open_no_connection(server: WebServer, browser: Browser) -> None:
    assert handshake(server, server.address.rstrip("/")) == 101
    assert handshake(server, "https://elsewhere.example") == 403
    context = browser.new_context()
    page = context.new_page()
    opened = page.evaluate(
        "address => new Promise(resolve => { const socket = new WebSocket(address);"
        "socket.onopen = () => resolve(true); socket.onerror = () => resolve(false); })",
        server.address.replace("http", "ws") + "live/socket",
    )
    context.close()
    assert not opened


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_the_tab_is_accessible_while_it_runs(
    browser: Browser, server: WebServer, scheme: str, width: int
) -> None:
    user = Speaker(browser, server, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = user.page
    # By the keyboard alone.
    page.locator("#live-run input").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "live-start":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    user.see("#live-state", "Converting. Speak.")
    expect(page.locator("#live-state")).to_have_attribute("role", "status")
    assert page.evaluate("document.activeElement.id") == "live-start"
    assert user.accessibility_faults() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    user.context.close()
    user.check()

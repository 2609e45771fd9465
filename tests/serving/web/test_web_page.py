"""The page in a real browser: every tab, the microphone, wrong files, a killed server.

Every request of every page is recorded: none may go to another host.
"""

import http.client
import json
import re
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
import soundfile
from conftest import voice, write_voices
from playwright.sync_api import Browser, expect, sync_playwright
from web_server import LIMITS, WAIT_MS, WebServer, browser_path, wait_until
from web_visitor import Visitor, launch

from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.serving.web import pictures, trainings

SPOKEN_F0_HZ = 150.0

TINY = (
    "--channels=4 --residual_blocks=1 --crop_frames=16 --batch_size=2 --inca_iterations=0 "
    "--decay_start=20 --decay_steps=10 --log_every=10 --checkpoint_every=100000"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Yield a server with low limits; nothing temporary is left at its end."""
    browser_path()
    started = WebServer(tmp_path_factory.mktemp("web"), *LIMITS).start()
    yield started
    assert started.stop() == 0
    assert list(started.temporary.glob("cyclegan-vc-web-*")) == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Yield Chromium with a microphone that plays a made-up voice, without a user's profile."""
    spoken = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    soundfile.write(spoken, voice(SPOKEN_F0_HZ, 4.0, seed=3, sample_rate_hz=48_000), 48_000)
    with sync_playwright() as playwright:
        started = launch(playwright, spoken)
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser, server: WebServer) -> Iterator[Visitor]:
    """Yield a user; no request left this machine, and no script failed."""
    user = Visitor(browser, server)
    yield user
    user.context.close()
    user.check()


@pytest.fixture
def speech(tmp_path: Path) -> dict[str, Path]:
    """Return recordings, usable and not."""
    paths = {name: tmp_path / name for name in ("a.wav", "b.flac", "long.wav", "broken.wav")}
    for name, seconds in (("a.wav", 1.0), ("b.flac", 0.8), ("long.wav", 6.0)):
        soundfile.write(paths[name], voice(120, seconds, seed=1), 16_000)
    paths["broken.wav"].write_bytes(b"RIFF and nothing else")
    paths["notes.txt"] = tmp_path / "notes.txt"
    paths["notes.txt"].write_text("hello")
    return paths


def test_several_files_are_converted_and_bad_ones_named(
    visitor: Visitor, speech: dict[str, Path], tmp_path: Path
) -> None:
    page = visitor.page
    page.click("#convert-start")
    expect(page.get_by_text("nothing to convert")).to_be_visible(timeout=WAIT_MS)
    visitor.upload("convert-files", *speech.values())
    page.locator("#convert-direction").get_by_text("B to A").click()
    page.locator("#convert-semitones input[type=number]").fill("-3")
    page.click("#convert-start")
    visitor.see("#convert-table", re.compile(r"a\.wav\s*converted"))
    visitor.see("#convert-table", re.compile(r"b\.flac\s*converted"))
    visitor.see("#convert-table", "lasts 6 s; expected at most 5 s")
    visitor.see("#convert-table", re.compile(r"broken\.wav\s*not converted\s*cannot be read"))
    visitor.see("#convert-table", "ends in .txt")
    for place in ("#convert-spectrograms img", "#convert-f0-contours img"):
        expect(page.locator(place)).to_be_visible(timeout=WAIT_MS)
    source, converted = visitor.sound("#convert-source"), visitor.sound("#convert-converted")
    assert len(source) == len(converted) == 16_000
    assert np.abs(converted).max() > 0.01
    with page.expect_download(timeout=WAIT_MS) as one:
        page.click("#convert-download")
    assert one.value.suggested_filename == "a.wav"
    with wave.open(str(one.value.path())) as written:
        assert (written.getframerate(), written.getnframes()) == (16_000, 16_000)
    with page.expect_download(timeout=WAIT_MS) as every:
        page.click("#convert-download-all")
    with zipfile.ZipFile(every.value.path()) as archive:
        assert archive.namelist() == ["a.wav", "b.wav"]
    # Another result is chosen.
    page.locator("#convert-chosen input").click()
    page.get_by_role("option", name="b.flac").click()
    wait_until(lambda: len(visitor.sound("#convert-source")) == 12_800, "b.flac is shown")
    # The files of a session end with its page.
    assert len(visitor.server.session_folders()) >= 1
    page.close()
    wait_until(lambda: not visitor.server.session_folders(), "files of the session are removed")


def test_the_microphone_is_recorded_and_converted(visitor: Visitor) -> None:
    page = visitor.page
    page.locator("#convert-microphone").get_by_role("button", name="Record").click()
    page.wait_for_timeout(2500)
    page.locator("#convert-microphone").get_by_role("button", name="Stop").first.click()
    expect(page.locator("#convert-microphone .waveform-container, #convert-microphone audio").first
           ).to_be_attached(timeout=WAIT_MS)  # fmt: skip
    page.wait_for_timeout(1000)
    page.click("#convert-start")
    visitor.see("#convert-table", re.compile(r"\.wav\s*converted"))
    heard = visitor.sound("#convert-source")
    with wave.open(str(visitor.server.folder / "heard.wav")) as recorded:
        rate_hz = recorded.getframerate()
    config = vars(pictures.F0_CONFIG) | {"sample_rate_hz": rate_hz}
    f0_hz, _ = world.f0(heard, type(pictures.F0_CONFIG)(**config))
    # The microphone's voice, which glides by a tenth.
    assert abs(np.median(f0_hz[f0_hz > 0]) / SPOKEN_F0_HZ - 1) < 0.1


def test_two_users_do_not_meet(visitor: Visitor, browser: Browser, tmp_path: Path) -> None:
    other = Visitor(browser, visitor.server)
    lengths = {}
    for user, seconds in ((visitor, 1.0), (other, 0.5)):
        path = tmp_path / str(seconds) / "same name.wav"
        path.parent.mkdir()
        soundfile.write(path, voice(120, seconds, seed=1), 16_000)
        user.upload("convert-files", path)
        user.page.click("#convert-start")
        lengths[user] = round(seconds * 16_000)
    for user, length in lengths.items():
        user.see("#convert-table", re.compile(r"same name\.wav\s*converted"))
        expect(user.page.locator("#convert-f0-contours img")).to_be_visible(timeout=WAIT_MS)
        assert len(user.sound("#convert-source")) == len(user.sound("#convert-converted")) == length
    other.context.close()
    wait_until(lambda: len(visitor.server.session_folders()) == 1, "one session is left")


def test_the_keyboard_alone_is_enough(visitor: Visitor, speech: dict[str, Path]) -> None:
    page = visitor.page
    visitor.upload("convert-files", speech["a.wav"])

    def press_until(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement?.matches(s)", selector):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    press_until("#convert-direction input[value=B2A]")
    page.keyboard.press("Space")
    expect(page.locator("#convert-direction input").nth(1)).to_be_checked(timeout=WAIT_MS)
    press_until("#convert-start")
    page.keyboard.press("Enter")
    visitor.see("#convert-table", re.compile(r"a\.wav\s*converted"))
    page.reload()
    expect(page.locator("#convert-direction label")).to_have_count(2, timeout=WAIT_MS)
    press_until("[role=tab]")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#train-start")).to_be_visible(timeout=WAIT_MS)


def start_training(visitor: Visitor, name: str, steps: int) -> None:
    """Fill in the form of the tab Train, and start."""
    page = visitor.page
    visitor.tab("Train")
    for speaker, f0_hz, count in (("A", 110.0, 6), ("B", 210.0, 5)):
        folder = visitor.server.folder / f"recordings {speaker}"
        if not folder.exists():
            write_voices(folder, f0_hz, count)
        page.get_by_label(f"Folder of speaker {speaker}").fill(str(folder))
    page.get_by_label("Name of the new run").fill(name)
    page.locator("#train-steps textarea, #train-steps input").fill(str(steps))
    if not page.get_by_label("Further flags").is_visible():
        page.locator("button:visible", has_text="More").click()
    page.get_by_label("Further flags").fill(f"{TINY} --convert_every=100")
    page.click("#train-start")


def process_of(server: WebServer, name: str) -> psutil.Process:
    """Return the process of a training."""
    record = json.loads((server.runs / ".web" / name / trainings.PROCESS_FILE).read_text())
    return psutil.Process(record["pid"])


def test_a_training_outlives_page_and_server_and_goes_on(
    visitor: Visitor, browser: Browser
) -> None:
    server, page = visitor.server, visitor.page
    visitor.tab("Train")
    page.get_by_label("Name of the new run").fill("../out")
    page.click("#train-start")
    expect(page.get_by_text("received the name '../out'")).to_be_visible(timeout=WAIT_MS)
    start_training(visitor, "first", 1_000_000)
    visitor.see("#train-progress", re.compile(r"running: step [1-9]\d* of 1000000"))
    # The page is closed and opened again.
    page.close()
    page = visitor.open()
    visitor.tab("Train")
    visitor.see("#train-progress", re.compile(r"first: running: step"))
    expect(page.locator("#train-losses img")).to_be_visible(timeout=WAIT_MS)
    # Samples of held-out recordings, while it runs.
    expect(page.locator("#train-spectrograms img")).to_be_visible(timeout=WAIT_MS)
    assert np.abs(visitor.sound("#train-converted")).max() > 0.001
    # The server is killed: the page says so, the training goes on.
    training, port = process_of(server, "first"), server.port
    server.kill()
    lost = page.get_by_text("Connection to the server was lost").first
    expect(lost).to_be_visible(timeout=WAIT_MS)
    assert training.is_running() and training.status() != psutil.STATUS_ZOMBIE
    server.start(port)
    # The page finds the new server by itself, and loads again.
    expect(lost).to_be_hidden(timeout=WAIT_MS)
    page.close()
    page = visitor.open()
    visitor.tab("Train")
    visitor.see("#train-progress", "first: running")
    page.click("#train-stop")
    visitor.see("#train-progress", re.compile(r"first: stopped at step \d+ of 1000000"))
    stopped = re.search(r"step (\d+) of", page.inner_text("#train-progress"))
    assert stopped is not None
    steps = int(stopped[1]) + 20
    page.get_by_label("Go on up to step").fill(str(steps))
    page.click("#train-go-on")
    visitor.see("#train-progress", f"first: finished: {steps} steps")
    # What the preparation found about the recordings.
    expect(page.locator("#train-found-A img, #train-found-B img")).to_have_count(2, timeout=WAIT_MS)


def test_runs_are_inspected_evaluated_published_and_deleted(visitor: Visitor) -> None:
    page, runs = visitor.page, visitor.server.runs
    visitor.tab("Runs")
    visitor.see("#runs-facts", "2 generators of")
    visitor.see("#runs-problems", "in order")
    page.click("#runs-evaluate")
    frame = page.frame_locator("#runs-report iframe")
    expect(frame.get_by_text("first").first).to_be_visible(timeout=WAIT_MS)
    page.click("#runs-tensorboard")
    link = page.locator("#runs-address a")
    expect(link).to_be_visible(timeout=WAIT_MS)
    address = str(link.get_attribute("href"))
    assert urlsplit(address).hostname == "127.0.0.1"
    assert visitor.context.request.get(address).ok
    page.locator("button:visible", has_text=re.compile("^Publish")).first.click()
    page.get_by_label("About these voices").fill("Made-up voices.")
    page.get_by_label("Name of the copy").fill("copy")
    page.click("#runs-publish")
    visitor.see("#runs-answer", "Published step")
    with page.expect_download(timeout=WAIT_MS) as archive:
        page.click("#runs-published")
    with zipfile.ZipFile(archive.value.path()) as opened:
        assert {"card.md", "weights.npz"} <= set(opened.namelist())
    page.locator("button:visible", has_text=re.compile("^Delete")).first.click()
    page.click("#runs-delete")
    visitor.see("#runs-question", "Delete first with")
    page.click("#runs-keep")
    expect(page.locator("#runs-confirm")).to_be_hidden(timeout=WAIT_MS)
    assert (runs / "first").exists()
    page.click("#runs-delete")
    page.click("#runs-confirm")
    visitor.see("#runs-answer", "Deleted first")
    assert not (runs / "first").exists() and (runs / "copy" / "weights.npz").exists()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 375)])
def test_every_tab_is_accessible_and_fits(
    browser: Browser, server: WebServer, speech: dict[str, Path], scheme: str, width: int
) -> None:
    user = Visitor(browser, server, color_scheme=scheme, viewport={"width": width, "height": 800})
    user.upload("convert-files", speech["a.wav"], speech["notes.txt"])
    user.page.click("#convert-start")
    expect(user.page.locator("#convert-f0-contours img")).to_be_visible(timeout=WAIT_MS)
    for tab, place in (("Convert", "#convert-start"), ("Live", "#live-start"),
                       ("Train", "#train-start"), ("Runs", "#runs-facts pre")):  # fmt: skip
        user.tab(tab)
        expect(user.page.locator(place)).to_be_visible(timeout=WAIT_MS)
        user.page.wait_for_timeout(500)
        assert user.accessibility_faults() == []
        assert user.page.evaluate("document.documentElement.scrollWidth") <= width
    user.context.close()


def request(
    server: WebServer, path: str, body: bytes | None = None, **headers: str
) -> http.client.HTTPResponse:
    """Send a request with any path and headers, as a browser would not."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_files_outside_and_foreign_hosts_are_refused(server: WebServer, tmp_path: Path) -> None:
    run = server.runs / "secret" / "config.json"
    run.parent.mkdir(parents=True, exist_ok=True)
    run.write_text("{}")
    inside_out = server.runs / ".." / "errors.txt"
    for path in ("/etc/passwd", run, inside_out, "../../etc/passwd", Path(__file__)):
        assert request(server, f"/gradio_api/file={path}").status in (403, 404)
    answer = request(server, "/")
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    assert request(server, "/", Host="elsewhere.example").status == 400
    run.unlink()
    run.parent.rmdir()


def test_a_large_upload_is_refused(server: WebServer) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
        + bytes(1_200_000)
        + b"\r\n--x--\r\n"
    )
    header = {"Content-Type": "multipart/form-data; boundary=x"}
    assert request(server, "/gradio_api/upload", body, **header).status == 413


def test_another_address_asks_for_a_password(tmp_path: Path, browser: Browser) -> None:
    open_server = WebServer(tmp_path, "--host=0.0.0.0", "--auth=anna:secret").start()
    try:
        assert request(open_server, "/config").status == 401
        assert request(open_server, "/gradio_api/file=/etc/passwd").status == 401
        context = browser.new_context()
        page = context.new_page()
        page.goto(open_server.address)
        page.get_by_label("username").fill("anna", timeout=WAIT_MS)
        page.get_by_label("password").fill("secret")
        page.get_by_role("button", name="Login").click()
        expect(page.locator("#convert-start")).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("tab", name="Train", exact=True).click()
        # Folders on the machine are not offered to other machines.
        expect(page.locator("#train-source-files")).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#train-source-dir")).to_be_hidden()
        context.close()
    finally:
        assert open_server.stop() == 0

"""A user of the page in Chromium: browser, tabs, files, faults of accessibility."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import soundfile
from axe_playwright_python.sync_playwright import Axe
from browsers import FLAGS
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect
from web_server import WAIT_MS, WebServer, browser_path

ALLOWED = "--use-fake-ui-for-media-stream"
"""Flag of Chromium that allows every page the microphone."""


def launch(playwright: Playwright, spoken: Path, *flags: str, asks: bool = False) -> Browser:
    """Start Chromium without a user's profile, with a microphone that plays a recording.

    Args:
        playwright: Playwright.
        spoken: Recording, which is repeated.
        flags: Further flags; by default the microphone is allowed.
        asks: Whether it has to be a browser that asks its user for permissions.
    """
    return playwright.chromium.launch(
        executable_path=browser_path(asks),
        args=[
            *FLAGS,
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={spoken}",
            *(flags or [ALLOWED]),
        ],
    )  # fmt: skip


class Visitor:
    """One user with an open page; requests and errors of the page are recorded.

    Args:
        browser: The browser.
        server: Server of the page.
        options: Options of the browser's context.
    """

    def __init__(self, browser: Browser, server: WebServer, **options: object) -> None:
        self.context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
        self.context.set_default_timeout(WAIT_MS)
        self.server = server
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page: Page = self.open()

    def open(self) -> Page:
        """Open the page."""
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(self.server.address)
        expect(self.page.locator("#convert-direction label")).to_have_count(2, timeout=WAIT_MS)
        return self.page

    def upload(self, field: str, *files: Path) -> None:
        """Upload files, and wait until their names are listed."""
        self.page.set_input_files(f"#{field} input[type=file]", [str(path) for path in files])
        for path in files:
            expect(self.page.locator(f"#{field}")).to_contain_text(path.stem, timeout=WAIT_MS)

    def tab(self, name: str) -> None:
        """Choose a tab."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def see(self, place: str, text: str | re.Pattern[str]) -> None:
        """Wait until a place of the page has a text."""
        expect(self.page.locator(place)).to_contain_text(text, timeout=WAIT_MS)

    def sound(self, place: str) -> np.ndarray:
        """Return the sound of a player, (samples,) at the rate that is drawn."""
        link = self.page.locator(f"{place} a[download]").first
        expect(link).to_have_attribute("href", re.compile("http"), timeout=WAIT_MS)
        answer = self.context.request.get(str(link.get_attribute("href")))
        path = self.server.folder / "heard.wav"
        path.write_bytes(answer.body())
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        assert answer.ok and rate_hz > 0
        return samples[:, 0]

    def accessibility_faults(self) -> list[tuple[str, str]]:
        """Return rule and element of each serious fault that axe finds."""
        found = Axe().run(self.page).response["violations"]
        return [
            (rule["id"], node["html"][:200])
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    def check(self) -> None:
        """Assert that no request left this machine, and that no script failed."""
        hosts = {urlsplit(url).netloc for url in self.requests if url.startswith(("http", "ws"))}
        assert hosts == {f"127.0.0.1:{self.server.port}"}
        assert self.errors == []

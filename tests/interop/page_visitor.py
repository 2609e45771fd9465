"""An exported page on a web server of Python, open in Chromium."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import soundfile
from browsers import WAIT_MS
from playwright.sync_api import Browser, expect


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Handler of a static folder that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Ignore a request."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback, as any web server would; yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class PageVisitor:
    """Visitor of an exported page; requests and errors are recorded.

    Args:
        browser: The browser.
        address: Address of the page.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self.address = address
        self.context = browser.new_context()
        self.context.set_default_timeout(WAIT_MS)
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page = self.context.new_page()
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda each: self.errors.append(each.text)
                     if each.type == "error" else None)  # fmt: skip
        self.page.goto(address)
        self.see("Choose a recording of speech.")

    def see(self, text: str) -> None:
        """Wait until the status has a text."""
        expect(self.page.locator("#status")).to_contain_text(text, timeout=WAIT_MS)

    def convert(self, recording: Path, direction: str = "A2B") -> None:
        """Choose a recording and a direction, and begin the conversion."""
        self.page.set_input_files("#recording", str(recording))
        self.page.locator(f"input[value={direction}]").check()
        self.page.get_by_role("button", name="Convert").click()

    def download(self, path: Path) -> tuple[np.ndarray, int]:
        """Download the result; return samples and sampling rate."""
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Download").click()
        download.value.save_as(path)
        return soundfile.read(path, dtype="float32")

    def call(self, module: str, code: str, argument: Any = None) -> Any:
        """Run a function of JavaScript on a module of the page, and return its result.

        Args:
            module: File of the module.
            code: Function of the module and of the argument.
            argument: Value that JSON can hold.
        """
        script = f"async (argument) => ({code})(await import('./{module}'), argument)"
        return self.page.evaluate(script, argument)

    def close(self) -> None:
        """Assert that no request left this machine and no script failed, and close the page."""
        hosts = {urlsplit(url).netloc for url in self.requests if url.startswith(("http", "ws"))}
        self.context.close()
        assert hosts == {urlsplit(self.address).netloc}
        assert self.errors == []

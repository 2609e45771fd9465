"""Chromium of the system, driven by playwright; no browser is downloaded."""

import os
import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None
)
"""Chromium without windows of its own, if it is there: pages take half the processor time in it."""

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Flags without which Chromium asks other hosts, or does not start as root."""

WAIT_MS = 300_000
"""Time that a busy machine may take for anything on a page."""


def browser_path() -> str:
    """Return the browser; without one a test is skipped, and fails under CI."""
    if CHROMIUM is None:
        refuse("no Chromium on the PATH: apt-get install chromium-headless-shell")
    return str(CHROMIUM)


def refuse(reason: str) -> None:
    """Skip a test that lacks a program, or fail it under CI."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

"""Chromium of the system, driven by playwright; no browser is downloaded."""

import os
import shutil
from typing import NoReturn

import pytest

WINDOWLESS = ("chromium-headless-shell",)
"""Chromium without windows of its own, in which pages take half the processor time."""

COMPLETE = ("chromium", "google-chrome")
"""Chromium that also asks its user for permissions."""

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Flags without which Chromium asks other hosts, or does not start as root."""

WAIT_MS = 300_000
"""Time that a busy machine may take for anything on a page."""


def browser_path(asks: bool = False) -> str:
    """Return the browser; without one a test is skipped, and fails under CI.

    Args:
        asks: Whether it has to be one that asks its user for permissions.
    """
    for name in COMPLETE if asks else (*WINDOWLESS, *COMPLETE):
        if path := shutil.which(name):
            return path
    return refuse("no Chromium on the PATH: apt-get install chromium chromium-headless-shell")


def refuse(reason: str) -> NoReturn:
    """Skip a test that lacks a program, or fail it under CI."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

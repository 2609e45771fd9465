"""Requests to stop: by which signal, how often, in which thread, and without a terminal."""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import REPOSITORY

from cyclegan_vc_tf.system import signals
from cyclegan_vc_tf.system.signals import StopSignal, raise_on_signals, stop_request


@pytest.fixture(autouse=True)
def handlers() -> Iterator[dict]:
    """Set Python's own handlers, also where whoever runs the tests ignores signals."""
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_request_sets_the_event(number: signal.Signals) -> None:
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    with stop_request() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
    assert before == {number: signal.getsignal(number) for number in signals.SIGNALS}


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_request_acts_as_before(first: signal.Signals, second: signal.Signals) -> None:
    raise_on_signals()
    with pytest.raises(StopSignal) as raised, stop_request() as stop:
        signal.raise_signal(first)
        assert stop.is_set()
        signal.raise_signal(second)
    assert raised.value.number == second


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGHUP])
def test_a_closed_terminal_is_reported_twice_without_harm(first: signal.Signals) -> None:
    raise_on_signals()
    with stop_request() as stop:
        signal.raise_signal(first)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
    assert stop.is_set()
    with pytest.raises(StopSignal) as raised:
        signal.raise_signal(signal.SIGHUP)
    assert raised.value.number == signal.SIGHUP


def test_a_request_that_interrupts_the_handler_of_another_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        signals, "_leave_closed_terminal", lambda: signal.raise_signal(signal.SIGHUP)
    )
    with stop_request() as stop:
        signal.raise_signal(signal.SIGHUP)
        assert stop.is_set()


def test_nohup_is_obeyed() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_on_signals()
    with stop_request() as stop:
        signal.raise_signal(signal.SIGHUP)
        assert not stop.is_set()
    signal.raise_signal(signal.SIGHUP)


def test_other_threads_install_no_handler() -> None:
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    found: list[object] = []

    def work() -> None:
        try:
            raise_on_signals()
            with stop_request() as stop:
                found.append({number: signal.getsignal(number) for number in signals.SIGNALS})
                found.append(stop.is_set())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before, False]
    assert before == {number: signal.getsignal(number) for number in signals.SIGNALS}


SCRIPT = """
import fcntl, sys, termios, time
from pathlib import Path
from cyclegan_vc_tf.system import signals

if sys.stdout.isatty():
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)
signals.raise_on_signals()
with signals.stop_request() as stop:
    print("begun", flush=True)
    end = time.monotonic() + 60
    while not stop.is_set() and time.monotonic() < end:
        time.sleep(0.01)
    print("stopped", flush=True)
    print("stopped", file=sys.stderr, flush=True)
Path(sys.argv[1]).write_text(f"saved {stop.is_set()}")
"""


@contextmanager
def start(output: int, errors: int, path: Path) -> Iterator[subprocess.Popen]:
    """Run the script as the leader of a session, which writes `path` when it was stopped."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, path], stdout=output, stderr=errors, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_output_to_a_closed_terminal_is_discarded(tmp_path: Path) -> None:
    """The system sends SIGHUP to the leader of a session when its terminal closes."""
    ours, theirs = pty.openpty()
    with start(theirs, theirs, tmp_path / "saved") as process:
        os.close(theirs)
        assert os.read(ours, 5) == b"begun"
        os.close(ours)
        assert process.wait(60) == 0
    assert (tmp_path / "saved").read_text() == "saved True"


def test_output_to_a_file_is_kept(tmp_path: Path) -> None:
    with start(subprocess.PIPE, subprocess.PIPE, tmp_path / "saved") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGHUP)
        assert process.communicate(timeout=60) == ("stopped\n", "stopped\n")
    assert (tmp_path / "saved").read_text() == "saved True"

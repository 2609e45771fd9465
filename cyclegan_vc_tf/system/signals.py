"""Requests to stop: Ctrl-C, SIGTERM, and SIGHUP, which a closed terminal sends.

Python runs handlers in the main thread alone. In another thread these functions install none.
"""

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal(BaseException):
    """A signal asked the process to stop, outside of a `stop_request`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_on_signals() -> None:
    """Make every request to stop raise `StopSignal` from now on."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        _leave_closed_terminal()
        raise StopSignal(number)

    _install(dict.fromkeys(_current_handlers(), stop))


class StopRequest:
    """Whether somebody has asked the process to stop.

    Nothing here takes a lock. An event of `threading` takes one while it is set and while somebody
    waits for it, and a handler that interrupts this waits for the lock for ever.
    """

    def __init__(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether a request was made."""
        return self._is_set

    def set(self) -> None:
        """Make the request."""
        self._is_set = True


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Yield what the first request to stop sets.

    A second Ctrl-C or SIGTERM acts as before this block. Another SIGHUP does nothing: the shell
    and the system may both report the closed terminal.
    """
    stop, before = StopRequest(), _current_handlers()

    def ask(number: int, frame: FrameType | None) -> None:
        # Another request may interrupt this handler.
        if stop.is_set():
            return
        stop.set()
        _leave_closed_terminal()
        _install({number: each for number, each in before.items() if number != signal.SIGHUP})

    _install(dict.fromkeys(before, ask))
    try:
        yield stop
    finally:
        _install(before)


def _current_handlers() -> dict[int, Any]:
    """Return the handlers of all signals that this thread may handle."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    # `nohup` lets a process outlive its terminal.
    if handlers[signal.SIGHUP] == signal.SIG_IGN:
        del handlers[signal.SIGHUP]
    # None is a handler that is not Python's, which could not be restored.
    return {number: handler for number, handler in handlers.items() if handler is not None}


def _install(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _leave_closed_terminal() -> None:
    """Discard further output to a terminal that is closed, where printing would fail."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream)
                os.close(nowhere)

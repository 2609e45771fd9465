"""Worker processes that put questions to their parent, and whose death costs one item alone."""

import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, NoReturn, TypeVar

from cyclegan_vc_tf import workers

Item = TypeVar("Item")
Result = TypeVar("Result")

Ask = Callable[[Any], Any]
"""Puts a question to the parent process, and gives its answer."""


def each(
    task: Callable[[Item, Ask], Result],
    items: Iterable[Item],
    processes: int,
    answer: Callable[[Any], Any],
) -> Generator[tuple[Item, Result | None], None, None]:
    """Does a task for each item in worker processes, and answers what they ask meanwhile.

    Closed early, it ends the workers, who first come to the end of their `finally` clauses. An
    error of a task is raised here.

    Args:
        task: Of an item, and of what asks; it is pickled, as are items, results and questions.
        items: What to do it for.
        processes: How many workers.
        answer: What is asked is answered by this, in this process, one question at a time.

    Yields:
        Each item as it is done, and its result; or None where its worker died of it.
    """
    waiting = deque(items)
    busy: dict[Connection, tuple[BaseProcess, Item]] = {}
    ended: list[BaseProcess] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < processes:
                _hire(task, waiting.popleft(), busy)
            for end in set(busy).intersection(wait(list(busy))):
                process, item = busy[end]
                message = _message(end)
                if message is not None and message[0] == "question":
                    _send(end, answer(message[1]))
                    continue
                if message is not None and waiting:
                    busy[end] = process, waiting.popleft()
                    _send(end, busy[end][1])
                else:
                    del busy[end]
                    end.close()
                    ended.append(process)
                if message is not None and message[0] == "error":
                    raise message[1]
                yield item, None if message is None else message[1]
    finally:
        for process, _ in busy.values():
            process.terminate()
            ended.append(process)
        for process in ended:
            process.join()


def _hire(
    task: Callable[[Item, Ask], Any],
    item: Item,
    busy: dict[Connection, tuple[BaseProcess, Item]],
) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, task), daemon=True)
    # Starts along with the first worker otherwise, and lets the signals through before that does.
    resource_tracker.ensure_running()
    # Until it has begun, a worker takes no notice of a Ctrl-C, which reaches it too.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        process.start()
        busy[ours] = process, item
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    # Or the death of the worker would not be seen.
    theirs.close()
    _send(ours, item)


def _send(end: Connection, content: Any) -> None:
    """Sends to a worker; that it has died is seen when nothing comes back."""
    with suppress(BrokenPipeError, ConnectionResetError):
        end.send(content)


def _message(end: Connection) -> tuple[str, Any] | None:
    """What a worker says; None if it has died."""
    try:
        return end.recv()
    except (EOFError, ConnectionResetError):
        return None


def _serve(end: Connection, task: Callable[[Any, Ask], Any]) -> None:
    """A worker: does the task for what it is sent, until there is no more."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    def ask(question: Any) -> Any:
        end.send(("question", question))
        return end.recv()

    signal.signal(signal.SIGTERM, stop)
    workers.begin()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    while True:
        try:
            item = end.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            message = "result", task(item, ask)
        except Exception as error:  # The parent raises it.
            message = "error", error
        end.send(message)

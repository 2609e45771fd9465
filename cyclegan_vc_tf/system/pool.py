"""Worker processes: each does one item at a time, and may ask its parent questions."""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType, ModuleType
from typing import Any, Generic, NoReturn, TypeVar

from cyclegan_vc_tf.system.caches import prepare_numba_cache
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.signals import SIGNALS

MAX_STOP_S = 30.0
"""Seconds that a worker has for its `finally` clauses when it is stopped; then it is killed."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Ask = Callable[[Any], Any]
"""Function that sends a question to the parent process and returns the answer."""

_MAIN_MODULE_LOCK = threading.Lock()


@dataclass(frozen=True)
class Outcome(Generic[Item, Result]):
    """Result of one item.

    Attributes:
        item: The item.
        survived: Whether the task returned; False where its worker process died.
        result: Return value of the task; None where the worker died.
    """

    item: Item
    survived: bool
    result: Result | None = None


class RemoteTraceback(Exception):
    """Traceback of an error in a worker process; the cause of the error in the parent."""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def map_tasks(
    task: Callable[..., Result],
    items: Iterable[Item],
    processes: int,
    answer: Callable[[Any], Any] | None = None,
    *,
    retry: bool = False,
) -> Generator[Outcome[Item, Result], None, None]:
    """Run a task on each item in worker processes; the death of a worker costs its item alone.

    Workers never import the caller's main module, so a script needs no main guard. Where no
    process can be started, this process does the work. An error of a task is raised here. A
    generator that is closed early stops its workers, which first run their `finally` clauses.

    Args:
        task: Function of an item, or with `answer` of an item and an `Ask`. Workers import it
            from its module. Task, items, results, questions and answers are sent to processes.
        items: Items to work on.
        processes: Number of workers.
        answer: Function that answers questions in this process, one at a time.
        retry: Whether an item whose worker died is tried once more, after all others and in a
            process of its own.

    Yields:
        The outcome of each item, in the order in which they end.
    """
    waiting, died = deque(items), deque[Item]()
    with closing(_map_in_workers(task, waiting, processes, answer)) as outcomes:
        for outcome in outcomes:
            if outcome.survived or not retry:
                yield outcome
            else:
                died.append(outcome.item)
    # Items are still waiting only where no process can be started.
    while waiting:
        item = waiting.popleft()
        yield Outcome(item, True, task(item) if answer is None else task(item, answer))
    while died:
        alone = deque([died.popleft()])
        with closing(_map_in_workers(task, alone, 1, answer)) as outcomes:
            yield from outcomes
        # An item that killed a process is never tried in this one.
        yield from (Outcome(item, False) for item in alone)


def _map_in_workers(
    task: Callable[..., Result],
    waiting: deque[Item],
    processes: int,
    answer: Callable[[Any], Any] | None,
) -> Generator[Outcome[Item, Result], None, None]:
    """Take items from `waiting` until it is empty or no process can be started."""
    workers: list[_Worker[Item]] = []
    ended: list[_Worker[Item]] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < processes:
                try:
                    workers.append(_Worker(task, asks=answer is not None))
                except (OSError, RuntimeError):
                    processes = len(workers)
                else:
                    workers[-1].give(waiting.popleft())
            if not workers:
                return
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                kind, content = worker.receive()
                if kind == "taken":
                    worker.has_taken_item = worker.has_begun = True
                    continue
                if kind == "question" and answer is not None:
                    worker.send(answer(content))
                    continue
                item = worker.item
                if kind == "result" and waiting:
                    worker.give(waiting.popleft())
                else:
                    workers.remove(worker)
                    worker.connection.close()
                    ended.append(worker)
                if kind == "error":
                    error, text = content
                    raise error from RemoteTraceback(text)
                if kind == "result":
                    yield Outcome(item, True, content)
                elif worker.has_taken_item:
                    yield Outcome(item, False)
                else:
                    waiting.appendleft(item)
                    # Where a process dies before it begins, another one would die too.
                    processes -= not worker.has_begun
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in ended + workers:
            worker.join()


class _Worker(Generic[Item]):
    """Worker process as its parent sees it.

    Args:
        task: Task that it runs on each item.
        asks: Whether the task asks questions.

    Attributes:
        process: The process.
        connection: Parent's end of the pipe.
        item: Item that was sent last.
        has_taken_item: Whether the worker received that item.
        has_begun: Whether the worker ever received an item.

    Raises:
        OSError: The system refuses another process.
        RuntimeError: This process may not start others.
    """

    item: Item

    def __init__(self, task: Callable[..., Any], *, asks: bool) -> None:
        if multiprocessing.current_process().daemon or not sys.executable:
            raise RuntimeError("this process may not start others")
        # A task that needs librosa refuses by itself where no folder can be written.
        with suppress(InputError):
            prepare_numba_cache()
        context = multiprocessing.get_context("spawn")
        self.has_taken_item = self.has_begun = False
        self.connection, remote = context.Pipe()
        self.process = context.Process(target=_serve, args=(remote, task, asks), daemon=True)
        # The first worker would start it otherwise, and it unblocks the signals before the start.
        resource_tracker.ensure_running()
        # A terminal sends its signals to workers too, which ignore them only once they have begun.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            with _hidden_main_module():
                self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            # The death of the worker closes the pipe only if no other process has this end.
            remote.close()

    def give(self, item: Item) -> None:
        """Send the next item."""
        self.item, self.has_taken_item = item, False
        self.send(item)

    def send(self, content: Any) -> None:
        """Send an item or an answer; the death of the worker shows when nothing comes back."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(content)

    def receive(self) -> tuple[str, Any]:
        """Return the kind and content of the next message; the kind is `died` after the last."""
        try:
            return self.connection.recv()
        # Other errors of the system are messages that end in the middle.
        except (EOFError, OSError):
            return "died", None

    def join(self) -> None:
        """Wait for the end of the process; kill it if it does not end."""
        self.process.join(MAX_STOP_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


@contextmanager
def _hidden_main_module() -> Iterator[None]:
    """Hide the main module from processes that start meanwhile.

    A spawned process imports its parent's main module. A script without a main guard would run
    once more in it; a script from standard input cannot be imported at all.
    """
    with _MAIN_MODULE_LOCK:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _serve(connection: Connection, task: Callable[..., Any], asks: bool) -> None:
    """Run a task, in a worker process, on each item that the parent sends."""

    def ask(question: Any) -> Any:
        connection.send(("question", question))
        return connection.recv()

    _prepare_worker()
    while True:
        try:
            item = connection.recv()
            connection.send(("taken", None))
        except (EOFError, ConnectionError):
            return
        try:
            connection.send(("result", task(item, ask) if asks else task(item)))
        except Exception as error:  # The parent raises it.
            connection.send(("error", (error, traceback.format_exc())))


def _prepare_worker() -> None:
    """Leave Ctrl-C and a closed terminal to the parent, and end when the parent ends."""
    parent = multiprocessing.parent_process()

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    def follow_parent() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=follow_parent, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

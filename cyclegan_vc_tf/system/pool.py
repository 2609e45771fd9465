"""Worker processes that end with their parent, and whose death costs one task alone."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for_futures
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, NoReturn, TypeVar

QUEUED_PER_WORKER = 4
"""Tasks handed to each worker ahead of time."""

Item = TypeVar("Item")


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def map_tasks(
    task: Callable[[Item], None], items: Iterable[Item], processes: int
) -> Iterator[tuple[Item, bool]]:
    """Does a task for each item in worker processes.

    Where a worker dies (out of memory, or a fault in a library), every item that was under way
    is tried again in a process of its own.

    Args:
        task: A function of a module, which the workers import.
        items: What to do it for.
        processes: How many workers.

    Yields:
        Each item as it is done, and True; or False where it kills even a process of its own.
    """
    waiting, under_way = deque(items), deque[Item]()
    while waiting or under_way:
        if under_way:
            item = under_way.popleft()
            yield item, any(True for _ in _map_until_death(task, deque([item]), 1, deque()))
        else:
            for item in _map_until_death(task, waiting, processes, under_way):
                yield item, True


def _map_until_death(
    task: Callable[[Item], None],
    waiting: deque[Item],
    processes: int,
    under_way: deque[Item],
) -> Iterator[Item]:
    """Does what is waiting; when a worker dies, ends, with what was begun in `under_way`."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=init_worker)
    running: dict[Future, Item] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes * QUEUED_PER_WORKER:
                # A pool that is broken by now refuses it, and it goes on waiting.
                running[pool.submit(task, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait_for_futures(running, return_when=FIRST_COMPLETED).done:
                future.result()
                yield running.pop(future)
    except BrokenProcessPool:
        under_way.extend(running.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def init_worker() -> None:
    """Makes a worker leave interrupts to its parent, and end when its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


Result = TypeVar("Result")

Ask = Callable[[Any], Any]
"""Puts a question to the parent process, and gives its answer."""


def map_with_answers(
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
                _start_worker(task, waiting.popleft(), busy)
            for end in set(busy).intersection(wait(list(busy))):
                process, item = busy[end]
                message = _receive(end)
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


def _start_worker(
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


def _receive(end: Connection) -> tuple[str, Any] | None:
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
    init_worker()
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

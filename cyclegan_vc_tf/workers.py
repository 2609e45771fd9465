"""Worker processes that end with their parent, and whose death costs one task alone."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

QUEUED = 4
"""Tasks handed to each worker ahead of time."""

Item = TypeVar("Item")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def each(
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
            yield item, any(True for _ in _until_one_dies(task, deque([item]), 1, deque()))
        else:
            for item in _until_one_dies(task, waiting, processes, under_way):
                yield item, True


def _until_one_dies(
    task: Callable[[Item], None],
    waiting: deque[Item],
    processes: int,
    under_way: deque[Item],
) -> Iterator[Item]:
    """Does what is waiting; when a worker dies, ends, with what was begun in `under_way`."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=begin)
    running: dict[Future, Item] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes * QUEUED:
                # A pool that is broken by now refuses it, and it goes on waiting.
                running[pool.submit(task, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                yield running.pop(future)
    except BrokenProcessPool:
        under_way.extend(running.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def begin() -> None:
    """Makes a worker leave interrupts to its parent, and end when its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

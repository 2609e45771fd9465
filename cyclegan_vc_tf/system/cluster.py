"""Tasks on the workers of a Dask cluster, in the manner of `pool.map_tasks`.

The scheduler knows a bounded number of tasks at a time. Each result is fetched as soon as it is
there, so neither scheduler nor workers keep results.
"""

import asyncio
import queue
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from typing import Any, TypeVar

import cyclegan_vc_tf
from cyclegan_vc_tf.system.caches import prepare_numba_cache
from cyclegan_vc_tf.system.errors import InputError, single_line
from cyclegan_vc_tf.system.pool import Outcome
from cyclegan_vc_tf.system.scheduler import CHECK_S, Workers, connect, lost

FETCHERS = 4
"""Number of results that are fetched at a time."""

MAX_FETCH_S = 60.0
"""Seconds after which the fetching of a result is begun again."""

PACKAGES = ("numpy", "scipy", "librosa", "pyworld", "soundfile", "soxr", "av")
"""Packages that results depend on, beside this one."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_ONE_AT_A_TIME = threading.Lock()


def map_tasks(
    task: Callable[[Item], Result],
    items: Iterable[Item],
    address: str,
    report: Callable[[str], None] = lambda text: None,
) -> Generator[Outcome[Item, Result], None, None]:
    """Run a task on each item on the workers of a cluster; a dying worker costs no other item.

    Dask gives an item to another worker when its worker dies, up to its setting
    `distributed.scheduler.allowed-failures`. Other items of the same worker count as failures too,
    so an item beyond that is tried once more, after all others and alone.

    Args:
        task: Function of an item, which workers import from its module.
        items: Items to work on.
        address: Address of the scheduler, or its file.
        report: Called with the number of workers whenever it changes.

    Yields:
        The outcome of each item, in the order in which they end.

    Raises:
        InputError: Dask is not installed, the scheduler does not answer or ends, there is no
            worker, or software on a worker differs.
    """
    died = []
    with connect(address) as client:
        for outcome in _map_on_workers(client, address, task, items, report):
            if outcome.survived:
                yield outcome
            else:
                died.append(outcome.item)
        for item in died:
            yield from _map_on_workers(client, address, task, [item], report)


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of this process that results depend on; empty for a missing package."""
    found = {"cyclegan_vc_tf": cyclegan_vc_tf.__version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


def _map_on_workers(
    client: Any,
    address: str,
    task: Callable[[Item], Result],
    items: Iterable[Item],
    report: Callable[[str], None],
) -> Generator[Outcome[Item, Result], None, None]:
    """Run a task on each item; an item beyond the allowed failures has not survived."""
    from distributed.scheduler import KilledWorker

    own, workers = versions(), Workers(client, address, report)
    waiting, running = deque(items), dict[Any, tuple[Any, Item]]()
    with _fetchers() as (finished, fetched):
        while waiting or running:
            while waiting and len(running) < workers.max_tasks:
                item = waiting.popleft()
                future = client.submit(_run, own, task, item, pure=False)
                running[future.key] = future, item
                future.add_done_callback(finished.put)
            workers.check()
            try:
                future, result, error = fetched.get(timeout=CHECK_S)
            except queue.Empty:
                continue
            _, item = running.pop(future.key)
            future.release()
            if error is None:
                workers.has_worked()
                yield Outcome(item, True, result)
            elif isinstance(error, KilledWorker):
                yield Outcome(item, False)
            else:
                raise _explain(error, address) from error


@contextmanager
def _fetchers() -> Iterator[tuple[queue.SimpleQueue, queue.SimpleQueue]]:
    """Yield a queue for finished futures, and one of them with their results or errors.

    A result of a worker that has just ended is fetched until another worker has repeated its item,
    which takes long: others are fetched meanwhile.
    """
    finished, fetched = queue.SimpleQueue[Any](), queue.SimpleQueue[Any]()

    def fetch() -> None:
        while (future := finished.get()) is not None:
            try:
                fetched.put((future, future.result(timeout=MAX_FETCH_S), None))
            except (Exception, asyncio.CancelledError) as error:
                # Python 3.10 has two of them.
                is_late = isinstance(error, TimeoutError | asyncio.TimeoutError)
                if is_late and future.status != "error":
                    finished.put(future)
                else:
                    fetched.put((future, None, error))

    try:
        for _ in range(FETCHERS):
            # A daemon: it may wait for a scheduler that has ended.
            threading.Thread(target=fetch, daemon=True).start()
        yield finished, fetched
    finally:
        for _ in range(FETCHERS):
            finished.put(None)


def _explain(error: BaseException, address: str) -> BaseException:
    """Return what to raise for an error of a task: its own, or one that says what to do.

    Args:
        error: Error that the task's future raised.
        address: Address of the scheduler.
    """
    if isinstance(error, InputError):
        return error
    if isinstance(error, CancelledError | asyncio.CancelledError):
        return lost(address)
    text = single_line(str(error.__cause__ or error))
    if isinstance(error, ImportError) or "deserializ" in str(error) or "get attribute" in text:
        return InputError(
            f"--scheduler {address} or one of its workers cannot load a task ({text}); expected "
            f"cyclegan_vc_tf {cyclegan_vc_tf.__version__} where they run"
        )
    if isinstance(error, OSError):
        return InputError(
            f"a worker of --scheduler {address} failed ({text}); see its log, and repeat the "
            "command, which goes on from what is finished"
        )
    return error


def _run(expected: Mapping[str, str], task: Callable[[Item], Result], item: Item) -> Result:
    """Run a task in a worker, one at a time whatever its number of threads.

    Raises:
        InputError: A version differs from the client's.
    """
    own = versions()
    # A client of another version may name other packages.
    differing = [
        f"{name} {own.get(name) or 'missing'} instead of {expected.get(name) or 'none'}"
        for name in {**expected, **own}
        if own.get(name) != expected.get(name)
    ]
    if differing:
        raise InputError(
            f"a worker of --scheduler on {socket.gethostname()} has {', '.join(differing)}; "
            "expected equal versions on all machines"
        )
    # A task that needs librosa refuses by itself where no folder can be written.
    with suppress(InputError):
        prepare_numba_cache()
    with _ONE_AT_A_TIME:
        return task(item)

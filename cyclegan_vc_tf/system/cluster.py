"""Tasks on the workers of a Dask cluster, in the manner of `pool.map_tasks`.

The scheduler knows a bounded number of tasks at a time. Each result is fetched as soon as it is
there, so neither scheduler nor workers keep results.
"""

import asyncio
import logging
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import cyclegan_vc_tf
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.caches import prepare_numba_cache
from cyclegan_vc_tf.system.errors import InputError, single_line
from cyclegan_vc_tf.system.pool import Outcome

INSTALL = "pip install 'cyclegan-vc-tf[cluster]'"
"""Command that installs Dask."""

MAX_CONNECT_S = 30.0
"""Seconds in which a scheduler has to answer."""

MAX_IDLE_S = 600.0
"""Seconds without any worker after which the work is given up."""

CHECK_S = 1.0
"""Seconds between two looks at the scheduler and the number of its workers."""

TASKS_PER_THREAD = 2
"""Number of tasks that the scheduler knows per thread of its workers."""

MIN_TASKS = 64
"""Number of tasks that the scheduler knows at least, by which clusters that adapt start workers."""

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
    with _connect(address) as client:
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


@contextmanager
def _connect(address: str) -> Iterator[Any]:
    """Yield a client of a scheduler.

    Raises:
        InputError: Dask is not installed, or the scheduler does not answer.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise InputError(
            f"--scheduler is {address}, and Dask is not installed; {INSTALL}"
        ) from error
    with _silence(distributed.__name__):
        try:
            found = _read_address(address)
            # A client that finds no scheduler may wait without a limit. In a notebook, this thread
            # has an event loop of its own.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _greet(found)).result()
            client = distributed.Client(
                found, timeout=MAX_CONNECT_S, set_as_default=False, name="cyclegan_vc_tf"
            )
        except Exception as error:
            reason = single_line(str(error)) or f"nothing within {MAX_CONNECT_S:.0f} s"
            raise InputError(
                f"--scheduler {address} does not answer ({reason}); expected the address of a "
                "running Dask scheduler, such as tcp://HOST:8786"
            ) from error
        try:
            yield client
        finally:
            # A scheduler that has ended cannot be told.
            with suppress(Exception):
                client.close(timeout=5)


@contextmanager
def _silence(package: str) -> Iterator[None]:
    """Silence the loggers of a package, which tell of every lost connection with a traceback."""
    loggers = [
        logging.getLogger(name)
        for name in list(logging.root.manager.loggerDict)
        if name.split(".")[0] == package
    ]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


async def _greet(address: str) -> None:
    """Ask who answers at an address.

    Raises:
        Exception: Nobody answers within `MAX_CONNECT_S`, or the address is not one.
        ValueError: It is not a scheduler.
    """
    from distributed import Security, rpc

    arguments = Security().get_connection_args("client")
    async with rpc(address, connection_args=arguments, timeout=MAX_CONNECT_S) as server:
        identity = await asyncio.wait_for(server.identity(), MAX_CONNECT_S)
    if identity["type"] != "Scheduler":
        raise ValueError(f"it is a {identity['type']}")


def _read_address(address: str) -> str:
    """Return the address in a scheduler's file, or the address itself.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not a scheduler's.
    """
    if not address.endswith(".json"):
        return address
    found = files.read_json(Path(address))
    if not (isinstance(found, dict) and isinstance(found.get("address"), str)):
        raise ValueError("the file has no address")
    return found["address"]


def _map_on_workers(
    client: Any,
    address: str,
    task: Callable[[Item], Result],
    items: Iterable[Item],
    report: Callable[[str], None],
) -> Generator[Outcome[Item, Result], None, None]:
    """Run a task on each item; an item beyond the allowed failures has not survived."""
    from distributed.scheduler import KilledWorker

    own, workers = versions(), _Workers(client, address, report)
    waiting, ended = deque(items), queue.SimpleQueue[Any]()
    running: dict[Any, tuple[Any, Item]] = {}
    while waiting or running:
        while waiting and len(running) < workers.max_tasks:
            item = waiting.popleft()
            future = client.submit(_run, own, task, item, pure=False)
            running[future.key] = future, item
            future.add_done_callback(ended.put)
        workers.check()
        try:
            future = ended.get(timeout=CHECK_S)
        except queue.Empty:
            continue
        _, item = running[future.key]
        try:
            result = future.result(timeout=MAX_CONNECT_S)
        except KilledWorker:
            outcome = Outcome[Item, Result](item, False)
        except InputError:
            raise
        except Exception as error:
            if future.status == "pending":
                # The worker died before its result was fetched, and another one works on it.
                future.add_done_callback(ended.put)
                continue
            raise _explain(error, future.status, address) from error
        else:
            workers.has_worked()
            outcome = Outcome(item, True, result)
        del running[future.key]
        future.release()
        yield outcome


class _Workers:
    """Workers of a scheduler.

    Args:
        client: Client of the scheduler.
        address: Address of the scheduler, for errors.
        report: Called with the number of workers whenever it changes.

    Attributes:
        max_tasks: Number of tasks that the scheduler may know.
    """

    def __init__(self, client: Any, address: str, report: Callable[[str], None]) -> None:
        self.client, self.address, self.report = client, address, report
        self.max_tasks = MIN_TASKS
        self.count = -1
        self.checked_s = -CHECK_S
        self.busy_s = time.monotonic()

    def has_worked(self) -> None:
        """Note that a result has come."""
        self.busy_s = time.monotonic()

    def check(self) -> None:
        """Look after scheduler and workers, at most once per `CHECK_S`.

        Raises:
            InputError: The scheduler has ended, or there is no worker for `MAX_IDLE_S`.
        """
        now_s = time.monotonic()
        if now_s - self.checked_s < CHECK_S:
            return
        self.checked_s = now_s
        try:
            threads = self.client.nthreads()
        except Exception as error:
            raise _lost(self.address) from error
        if self.client.status != "running":
            raise _lost(self.address)
        if threads:
            self.busy_s = now_s
        elif now_s - self.busy_s > MAX_IDLE_S:
            raise InputError(
                f"--scheduler {self.address} has no worker for {MAX_IDLE_S / 60:.0f} minutes; "
                "start workers and repeat the command, which goes on from what is finished"
            )
        self.max_tasks = max(MIN_TASKS, TASKS_PER_THREAD * sum(threads.values()))
        if len(threads) != self.count:
            self.count = len(threads)
            self.report(f"workers={self.count}" if self.count else "waiting for workers")


def _lost(address: str) -> InputError:
    """Return the error of a scheduler that has ended."""
    return InputError(
        f"--scheduler {address} does not answer any more; start it and its workers again and "
        "repeat the command, which goes on from what is finished"
    )


def _explain(error: Exception, status: str, address: str) -> Exception:
    """Return what to raise for an error of a task: its own, or one that says what to do.

    Args:
        error: Error that the task's future raised.
        status: Status of the future.
        address: Address of the scheduler.
    """
    if status in ("cancelled", "lost"):
        return _lost(address)
    text = str(error)
    if isinstance(error, ImportError) or "deserializ" in text or "Can't get attribute" in text:
        return InputError(
            f"--scheduler {address} or one of its workers cannot load a task "
            f"({single_line(str(error.__cause__ or error))}); expected cyclegan_vc_tf "
            f"{cyclegan_vc_tf.__version__} where they run"
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

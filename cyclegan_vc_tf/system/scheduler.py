"""Connection to a Dask scheduler, and the number of its workers."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, single_line

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


@contextmanager
def connect(address: str) -> Iterator[Any]:
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


class Workers:
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
            raise lost(self.address) from error
        if self.client.status != "running":
            raise lost(self.address)
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


def lost(address: str) -> InputError:
    """Return the error of a scheduler that has ended."""
    return InputError(
        f"--scheduler {address} does not answer any more; start it and its workers again and "
        "repeat the command, which goes on from what is finished"
    )

"""Workers that ask: every item is done once, whoever dies, and nothing is left when stopped."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from cyclegan_vc_tf.system import pool
from cyclegan_vc_tf.system.pool import Ask

# Not conftest's: workers import this module, and would import TensorFlow with it.
REPOSITORY = Path(__file__).parents[2]


def squared(number: int, ask: Ask) -> tuple[int, int]:
    """Asks for the square; 3 kills its process, 5 raises."""
    if number == 3:
        os._exit(9)
    if number == 5:
        raise ValueError("no 5")
    return ask(number), os.getpid()


def test_questions_are_answered_here_and_a_death_costs_one_item() -> None:
    here: list[int] = []

    def answer(number: int) -> int:
        here.append(number)
        return number**2

    numbers = [0, 1, 2, 3, 4, 6, 7, 8]
    done = dict(pool.map_with_answers(squared, numbers, 2, answer))
    assert done.pop(3) is None
    assert {number: result[0] for number, result in done.items() if result} == {
        number: number**2 for number in numbers if number != 3
    }
    assert sorted(here) == [0, 1, 2, 4, 6, 7, 8]
    assert os.getpid() not in {result[1] for result in done.values() if result}
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("processes", [1, 2])
def test_there_are_as_many_workers_as_asked_for(processes: int) -> None:
    """They go on to the next item: starting one costs more than most items."""
    done = list(pool.map_with_answers(squared, [0, 1, 2, 4, 6], processes, abs))
    assert len({result[1] for _, result in done if result}) == processes


def test_an_answer_to_who_died_meanwhile_goes_nowhere() -> None:
    asked: list[int] = []

    def answer(number: int) -> int:
        asked.append(number)
        if number == 1:
            for worker in multiprocessing.active_children():
                worker.kill()
                worker.join()
        return number**2

    done = dict(pool.map_with_answers(squared, [1, 2], 1, answer))
    assert asked == [1, 2]
    assert done[1] is None and done[2] is not None and done[2][0] == 4


def test_an_error_of_a_task_is_the_callers_and_ends_the_workers() -> None:
    with pytest.raises(ValueError, match="no 5"):
        list(pool.map_with_answers(squared, [5, 1, 2], 2, abs))
    assert not multiprocessing.active_children()


def waits(folder: Path, number: int, ask: Ask) -> None:
    """Asks, then waits for ever, and leaves a file behind when it is ended."""
    try:
        ask(number)
        time.sleep(600)
    finally:
        (folder / str(number)).touch()


def test_workers_that_are_ended_come_to_the_end_of_their_finally(tmp_path: Path) -> None:
    def stop(number: int) -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(pool.map_with_answers(partial(waits, tmp_path), [1], 1, stop))
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert time.monotonic() - begun < 60
    assert not multiprocessing.active_children()


TASK = """
import os, time
from pathlib import Path

here = Path(__file__).parent
(here / f"{os.getpid()} imported").touch()
time.sleep(1)

def task(item, ask):
    (here / f"{os.getpid()} begun").touch()
    time.sleep(0.5)
    (here / f"{os.getpid()} went on").touch()
    time.sleep(600)
"""

PARENT = """
import signal
import a_task
from cyclegan_vc_tf.system import pool

if __name__ == "__main__":
    # As in a terminal, also where whoever runs the tests ignores Ctrl-C, which is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        list(pool.map_with_answers(a_task.task, [1], 1, abs))
    except KeyboardInterrupt:
        print("stopped", signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen]:
    """A process, in a group of its own, whose worker has a second to import and then waits."""
    (folder / "a_task.py").write_text(TASK)
    (folder / "parent.py").write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, folder / "parent.py"],
        env={**os.environ, "PYTHONPATH": f"{folder}:{REPOSITORY}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as parent:  # fmt: skip
        try:
            yield parent
        finally:
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def worker_of(parent: subprocess.Popen, folder: Path, sign: str) -> int:
    """The worker's number, once it has given a sign."""
    signs: list[int] = []

    def seen() -> bool:
        numbers = [int(path.name.split()[0]) for path in folder.glob(f"* {sign}")]
        signs[:] = [number for number in numbers if number != parent.pid]
        assert parent.poll() is None
        return bool(signs)

    until(seen)
    return signs[0]


def until(seen: Callable[[], bool]) -> None:
    """Waits for something to be seen."""
    end = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_running(number: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("sign", ["imported", "begun"])
def test_a_ctrl_c_reaches_a_worker_by_its_parent_alone(tmp_path: Path, sign: str) -> None:
    """A terminal sends it to both, and also while the worker has not begun."""
    with started(tmp_path) as parent:
        worker = worker_of(parent, tmp_path, sign)
        os.kill(worker, signal.SIGINT)
        assert worker_of(parent, tmp_path, "went on") == worker
        parent.send_signal(signal.SIGINT)
        output, errors = parent.communicate(timeout=120)
    assert (output, errors) == ("stopped set()\n", "")
    assert not is_running(worker)


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    with started(tmp_path) as parent:
        worker = worker_of(parent, tmp_path, "begun")
        parent.kill()
        until(lambda: not is_running(worker))

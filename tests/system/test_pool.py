"""Process pool: every item is done once, whichever worker dies, and no worker is left behind."""

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cyclegan_vc_tf.system import pool
from cyclegan_vc_tf.system.pool import Ask, Outcome

# Not conftest's: workers import this module, and would import TensorFlow with it.
REPOSITORY = Path(__file__).parents[2]


def touch(folder: Path, number: int) -> None:
    """Leave a file behind; the number 3 kills its process."""
    (folder / str(number)).touch()
    if number == 3:
        os._exit(9)


@pytest.mark.parametrize("retry", [False, True])
def test_an_item_that_kills_its_worker_costs_itself_alone(tmp_path: Path, retry: bool) -> None:
    done = list(pool.map_tasks(partial(touch, tmp_path), range(40), 2, retry=retry))
    numbers = sorted((outcome.item, outcome.survived) for outcome in done)
    assert numbers == [(number, number != 3) for number in range(40)]
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(40)}


def die_once(folder: Path, number: int) -> int:
    """Return the process number; the item 1 kills the first process that takes it."""
    marker = folder / "died"
    if number == 1 and not marker.exists():
        marker.touch()
        os._exit(9)
    return os.getpid()


def test_an_item_is_tried_once_more_after_the_others_and_alone(tmp_path: Path) -> None:
    done = list(pool.map_tasks(partial(die_once, tmp_path), range(6), 2, retry=True))
    assert all(outcome.survived for outcome in done)
    assert sorted(outcome.item for outcome in done) == list(range(6))
    *others, last = done
    assert last.item == 1
    assert last.result not in {outcome.result for outcome in others}


def test_an_item_that_a_dead_worker_never_received_goes_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker is killed after its first result, before the next item is sent to it."""
    receive, killed = pool._Worker.receive, []

    def receive_and_kill(worker: pool._Worker) -> tuple[str, Any]:
        message = receive(worker)
        if message[0] == "result" and not killed:
            killed.append(worker.item)
            worker.process.kill()
            worker.process.join()
        return message

    monkeypatch.setattr(pool._Worker, "receive", receive_and_kill)
    done = list(pool.map_tasks(abs, [-1, -2, -3], 1))
    assert done == [Outcome(-1, True, 1), Outcome(-2, True, 2), Outcome(-3, True, 3)]
    assert killed == [-1]


def test_a_message_that_ends_in_the_middle_is_a_death() -> None:
    ours, theirs = multiprocessing.Pipe()
    # Four bytes of length come before a message (multiprocessing/connection.py).
    os.write(theirs.fileno(), struct.pack("!i", 100) + b"begun")
    theirs.close()
    worker = pool._Worker.__new__(pool._Worker)
    worker.connection = ours
    assert worker.receive()[0] == "died"


def fail(number: int) -> None:
    """Raise an error."""
    raise ValueError(f"no {number}")


def test_an_error_of_a_task_is_the_callers_and_ends_the_workers() -> None:
    with pytest.raises(ValueError, match="no 0") as raised:
        list(pool.map_tasks(fail, range(1), 1))
    assert "in fail" in str(raised.value.__cause__), "the worker's traceback is kept"
    with pytest.raises(ValueError, match="no 5"):
        list(pool.map_tasks(square, [5, 1, 2], 2, abs))
    assert not multiprocessing.active_children()


def lock(number: int) -> object:
    """Return a value that cannot be sent to another process."""
    return threading.Lock()


def test_a_result_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(TypeError, match="lock"):
        list(pool.map_tasks(lock, [1], 1))


def square(number: int, ask: Ask) -> tuple[int, int]:
    """Ask for the square; 3 kills its process, 5 raises."""
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
    outcomes = list(pool.map_tasks(square, numbers, 2, answer))
    done = {outcome.item: outcome.result for outcome in outcomes}
    assert [outcome.item for outcome in outcomes if not outcome.survived] == [3]
    assert done.pop(3) is None
    assert {number: result[0] for number, result in done.items() if result} == {
        number: number**2 for number in numbers if number != 3
    }
    assert sorted(here) == [0, 1, 2, 4, 6, 7, 8]
    assert os.getpid() not in {result[1] for result in done.values() if result}
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("processes", [1, 2])
def test_there_are_as_many_workers_as_asked_for(processes: int) -> None:
    """Workers go on to the next item: a start costs more than most items."""
    done = list(pool.map_tasks(square, [0, 1, 2, 4, 6], processes, abs))
    assert len({outcome.result[1] for outcome in done if outcome.result}) == processes


def test_an_answer_to_a_dead_worker_goes_nowhere() -> None:
    asked: list[int] = []

    def answer(number: int) -> int:
        asked.append(number)
        if number == 1:
            for worker in multiprocessing.active_children():
                worker.kill()
                worker.join()
        return number**2

    outcomes = list(pool.map_tasks(square, [1, 2], 1, answer))
    done = {outcome.item: outcome.result for outcome in outcomes}
    assert asked == [1, 2]
    assert done[1] is None and done[2] is not None and done[2][0] == 4


def wait_for_ever(folder: Path, number: int, ask: Ask) -> None:
    """Ask, then wait for ever; leave a file behind when it is ended, and 2 goes on waiting."""
    try:
        ask(number)
        time.sleep(600)
    finally:
        (folder / str(number)).touch()
        if number == 2:
            time.sleep(600)


@pytest.mark.parametrize("number", [1, 2])
def test_workers_that_are_stopped_reach_the_end_of_their_finally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A worker whose `finally` does not end is killed."""

    def stop(question: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pool, "MAX_STOP_S", {1: 60.0, 2: 5.0}[number])
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(pool.map_tasks(partial(wait_for_ever, tmp_path), [number], 1, stop))
    assert [path.name for path in tmp_path.iterdir()] == [str(number)]
    assert time.monotonic() - begun < 60
    assert not multiprocessing.active_children()


def pids(numbers: list[int]) -> list[int]:
    """Map a few items, and return the process of each."""
    return [outcome.result[1] for outcome in pool.map_tasks(square, numbers, 2, abs)]


def send_pids(numbers: list[int], connection: Any) -> None:
    connection.send((os.getpid(), pids(numbers)))


def test_a_daemonic_process_which_may_start_none_does_the_work_itself() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=send_pids, args=([1, 2], theirs), daemon=True)
    process.start()
    assert ours.poll(60)
    own, found = ours.recv()
    process.join()
    assert found == [own, own]


def test_a_worker_that_dies_before_it_begins_costs_no_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where Python is part of another program."""
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", b"/bin/false")
    assert pids([1, 2, 4]) == [os.getpid()] * 3
    assert not multiprocessing.active_children()


SCRIPT = """
import os, resource
import a_task
from cyclegan_vc_tf.system import pool

if {limited}:
    # Room for the file descriptors of one pipe and no process.
    free = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, free + 2))
done = list(pool.map_tasks(a_task.pid, range(4), 2))
own = os.getpid()
print(sorted(outcome.item for outcome in done), {{outcome.result == own for outcome in done}})
"""


@pytest.mark.parametrize("way", ["file", "module", "-c", "standard input"])
@pytest.mark.parametrize("limited", [False, True])
def test_a_script_needs_no_main_guard(tmp_path: Path, way: str, limited: bool) -> None:
    """Where the system refuses processes, the script's own does the work."""
    (tmp_path / "a_task.py").write_text("import os\n\ndef pid(item):\n    return os.getpid()\n")
    script = SCRIPT.format(limited=limited)
    (tmp_path / "a_script.py").write_text(script)
    arguments = {
        "file": ["a_script.py"], "module": ["-m", "a_script"], "-c": ["-c", script],
        "standard input": ["-"],
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *arguments[way]], input=script, cwd=tmp_path, capture_output=True,
        text=True, timeout=60, env={**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"[0, 1, 2, 3] {{{limited}}}\n", "")


def test_the_main_module_is_hidden_from_workers_alone() -> None:
    main = sys.modules["__main__"]
    assert all(outcome.survived for outcome in pool.map_tasks(abs, [1], 1))
    assert sys.modules["__main__"] is main


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

# As in a terminal, also where whoever runs the tests ignores Ctrl-C, which is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    list(pool.map_tasks(a_task.task, [1], 1, abs))
except KeyboardInterrupt:
    print("stopped", signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen]:
    """Start a process, in a group of its own, whose worker imports for a second and then waits."""
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
    """Return the worker's process number, once it has given a sign."""
    signs: list[int] = []

    def seen() -> bool:
        numbers = [int(path.name.split()[0]) for path in folder.glob(f"* {sign}")]
        signs[:] = [number for number in numbers if number != parent.pid]
        assert parent.poll() is None
        return bool(signs)

    until(seen)
    return signs[0]


def until(seen: Callable[[], bool]) -> None:
    """Wait for something to be seen."""
    end = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_running(number: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("sign", ["imported", "begun"])
def test_signals_of_a_terminal_reach_a_worker_by_its_parent_alone(
    tmp_path: Path, sign: str
) -> None:
    """A terminal sends them to both, and also while the worker has not begun."""
    with started(tmp_path) as parent:
        worker = worker_of(parent, tmp_path, sign)
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGHUP)
        assert worker_of(parent, tmp_path, "went on") == worker
        parent.send_signal(signal.SIGINT)
        output, errors = parent.communicate(timeout=120)
    # What starts the tests may block signals, and processes inherit that.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert (output, errors) == (f"stopped {blocked}\n", "")
    assert not is_running(worker)


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    with started(tmp_path) as parent:
        worker = worker_of(parent, tmp_path, "begun")
        parent.kill()
        until(lambda: not is_running(worker))

"""Workers: every task is done once, whoever dies meanwhile."""

import os
from collections import deque
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest

from cyclegan_vc_tf.system import pool


def note(folder: Path, number: int) -> None:
    """Leaves a file behind; the number 3 kills its process."""
    (folder / str(number)).touch()
    if number == 3:
        os._exit(9)


def test_a_deadly_task_costs_itself_alone(tmp_path: Path) -> None:
    done = list(pool.map_tasks(partial(note, tmp_path), range(40), 2))
    assert sorted(done) == [(number, number != 3) for number in range(40)]
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(40)}


class BrokenAtOnce:
    """A pool whose worker died before the second task was handed over."""

    def __init__(self, *arguments: object, **options: object) -> None:
        self.tasks = 0

    def submit(self, task: object, item: int) -> Future:
        """Takes one task, which never ends."""
        self.tasks += 1
        if self.tasks > 1:
            raise BrokenProcessPool
        return Future()

    def shutdown(self, **options: object) -> None:
        """Nothing is running."""


def test_a_task_that_a_broken_pool_refuses_goes_on_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "ProcessPoolExecutor", BrokenAtOnce)
    waiting, under_way = deque(range(3)), deque[int]()
    assert list(pool._map_until_death(fail, waiting, 1, under_way)) == []
    assert (list(under_way), list(waiting)) == ([0], [1, 2])


def fail(number: int) -> None:
    """Raises."""
    raise ValueError(f"no {number}")


def test_an_error_of_a_task_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no 0"):
        list(pool.map_tasks(fail, range(1), 1))

"""Workers: every task is done once, whoever dies meanwhile."""

import os
from functools import partial
from pathlib import Path

import pytest

from cyclegan_vc_tf import workers


def note(folder: Path, number: int) -> None:
    """Leaves a file behind; the number 3 kills its process."""
    (folder / str(number)).touch()
    if number == 3:
        os._exit(9)


def test_a_deadly_task_costs_itself_alone(tmp_path: Path) -> None:
    done = dict(workers.each(partial(note, tmp_path), range(9), 2))
    assert done == {number: number != 3 for number in range(9)}
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(9)}


def fail(number: int) -> None:
    """Raises."""
    raise ValueError(f"no {number}")


def test_an_error_of_a_task_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no 0"):
        list(workers.each(fail, range(1), 1))

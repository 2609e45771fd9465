"""Workers that ask: every item is done once, whoever dies, and nothing is left when stopped."""

import multiprocessing
import os
import time
from functools import partial
from pathlib import Path

import pytest

from cyclegan_vc_tf import dialogue
from cyclegan_vc_tf.dialogue import Ask


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
    done = dict(dialogue.each(squared, numbers, 2, answer))
    assert done.pop(3) is None
    assert {number: result[0] for number, result in done.items() if result} == {
        number: number**2 for number in numbers if number != 3
    }
    assert sorted(here) == [0, 1, 2, 4, 6, 7, 8]
    assert os.getpid() not in {result[1] for result in done.values() if result}
    assert not multiprocessing.active_children()


def test_an_error_of_a_task_is_the_callers_and_ends_the_workers() -> None:
    with pytest.raises(ValueError, match="no 5"):
        list(dialogue.each(squared, [5, 1, 2], 2, abs))
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
        list(dialogue.each(partial(waits, tmp_path), [1], 1, stop))
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert time.monotonic() - begun < 60
    assert not multiprocessing.active_children()

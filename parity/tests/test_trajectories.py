"""Trainings in both frameworks, step by step."""

import numpy as np
import pytest
import torch

from parity.demo import Demo
from parity.precision import precision
from parity.tolerances import count_roundings
from parity.trainings.runs import nudge, train
from parity.trainings.trajectories import (
    EXACT,
    SHALLOW,
    SLACK,
    Envelope,
    batches,
    envelope,
    exact,
    relative,
    untrained,
)


def test_a_hundred_steps_in_float64(corpus: Demo) -> None:
    apart = exact(corpus)
    for steps, tolerance in EXACT.items():
        assert apart[:steps].max() <= tolerance


def test_tolerances_are_the_effect_of_a_nudge_times_the_roundings(corpus: Demo) -> None:
    """On another machine one rounding has another effect, of this size."""
    with precision("float64"):
        seen = batches(corpus, SHALLOW, 100, "float64")
        run = untrained(SHALLOW, "float64")
        initial, plain = run.state(), train(run, seen)
        effects = []
        for seed in range(2):
            run.restore(initial)
            nudge(run, seed)
            effects.append(relative(train(run, seen), plain))
    for steps, tolerance in EXACT.items():
        explained = count_roundings(128 * 24) * np.max([effect[:steps] for effect in effects])
        assert explained / 5 < tolerance < 25 * explained


def test_another_adam_is_seen_at_once(corpus: Demo) -> None:
    """With `torch.optim.Adam` on the other side, only the place of epsilon differs."""
    apart = exact(corpus, steps=5, optimizer=torch.optim.Adam)
    assert apart[0] < 1e-14
    assert apart[-1] > 1e-9


@pytest.mark.parametrize(
    ("dtype", "steps", "window", "nudges"), [("float64", 100, 10, 3), ("float32", 150, 25, 3)]
)
def test_beyond_that_the_frameworks_part_as_one_parts_from_itself(
    corpus: Demo, dtype: str, steps: int, window: int, nudges: int
) -> None:
    found = envelope(corpus, dtype, steps, window, nudges)
    assert found.within.shape == (steps // window, (nudges + 1) * nudges // 2)
    assert found.across.shape == (steps // window, nudges + 1)
    assert found.inside().all(), (found.within, found.across)
    # Training is chaotic: a nudge of one rounding grows by more than 1,000, for all pairs.
    assert found.within[-1].min() > 1000 * np.finfo(dtype).eps


def test_another_adam_leaves_the_envelope_at_once(corpus: Demo) -> None:
    # At step 10 an absolute difference is so near zero that one nudge changes its sign, and with it
    # a gradient: that jump would hide the effect of another Adam.
    found = envelope(corpus, "float64", steps=9, window=9, nudges=2, optimizer=torch.optim.Adam)
    assert not found.inside().any()
    assert np.median(found.across) > SLACK * found.within.max()


def test_an_envelope_is_left_upwards_and_downwards() -> None:
    within = np.array([[1.0, 2.0, 3.0]] * 5)
    across = np.array(
        [[2.0, 2.5, 9.9], [1.0, 4.0, 9.9], [25.1, 25.2, 25.3], [0.1, 0.14, 0.9], [np.nan] * 3]
    )
    found = Envelope(np.arange(5), within, across)
    assert found.strictly_inside().tolist() == [True, False, False, False, False]
    assert found.inside().tolist() == [True, True, False, False, False]
    assert found.failures()[0] == (
        "median relative gap 25 of the losses between the frameworks up to step 2, expected "
        "between 0.14 and 21"
    )
    assert len(found.failures()) == 3

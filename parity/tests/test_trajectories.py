"""Trainings in both frameworks, step by step."""

import numpy as np
import pytest
import torch

from parity.demo import Demo
from parity.trainings.trajectories import EXACT, SLACK, Envelope, envelope, exact


def test_a_hundred_steps_in_float64(corpus: Demo) -> None:
    apart = exact(corpus)
    for steps, tolerance in EXACT.items():
        assert apart[:steps].max() <= tolerance


def test_another_adam_is_seen_at_once(corpus: Demo) -> None:
    """The same comparison with `torch.optim.Adam`: epsilon's place alone."""
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
    # Chaos: from a rounding to a thousand times more, and more. The closest pair at the beginning:
    # at step 10 of this training an absolute difference is so near zero that one nudge turns its
    # sign, and with it a gradient.
    assert found.within[-1].min() > 1000 * found.within[0].min()


def test_another_adam_leaves_the_envelope_at_once(corpus: Demo) -> None:
    # Before step 10, see above, whose jump would hide what another Adam does.
    found = envelope(corpus, steps=9, window=9, nudges=2, optimizer=torch.optim.Adam)
    assert not found.inside().any()
    assert np.median(found.across) > SLACK * found.within.max()


def test_an_envelope_is_left_upwards_and_downwards() -> None:
    within = np.array([[1.0, 2.0, 3.0]] * 5)
    across = np.array(
        [[2.0, 2.5, 9.9], [1.0, 4.0, 9.9], [9.1, 9.2, 9.3], [0.1, 0.3, 0.9], [np.nan] * 3]
    )
    found = Envelope(np.arange(5), within, across)
    assert found.strictly_inside().tolist() == [True, False, False, False, False]
    assert found.inside().tolist() == [True, True, False, False, False]

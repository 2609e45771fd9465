"""The benchmark of XLA: two kinds of steps, their difference, and a process that takes too long."""

from dataclasses import replace

import pytest

from benchmarks import xla
from benchmarks.xla import Steps


def test_a_row_compares_both_kinds_of_steps() -> None:
    own = Steps(20.0, 2.0, {"loss/cycle_A": 0.5, "loss/generator": 4.0})
    compiled = Steps(90.0, 3.0, {"loss/cycle_A": 0.5, "loss/generator": 4.004})
    row = xla.format_row("vc1", own, compiled, 600.0)
    assert row == "| vc1 | 20.0 | 90.0 | 2.000 | 3.000 | 1.50 | 1.0e-03 |"
    late = xla.format_row("mask", own, None, 600.0)
    assert late == "| mask | 20.0 | not within 600 s | 2.000 |  |  |  |"
    assert xla.difference(own, replace(own)) == 0.0


def test_steps_are_made_in_a_process(capsys: pytest.CaptureFixture[str]) -> None:
    """The process of TensorFlow's own step; a compilation takes minutes."""
    made = xla.measure(600.0, "vc1", 2, "float32", 2, 0)
    assert made is not None and made.first_s > made.step_s > 0
    assert {"loss/adversarial_A2B", "loss/generator"} <= set(made.losses)
    assert xla.measure(0.1, "vc1", 2, "float32", 2, 1) is None

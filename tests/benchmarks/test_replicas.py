"""Benchmarks of several replicas: the arithmetic by hand, and one measurement."""

import re

import pytest
from conftest import run_command

from benchmarks import replicas


def test_a_ring_sends_each_gradient_almost_twice() -> None:
    """8 replicas send 2 · 7 / 8 of 800 MB over 1 GB/s: 1.4 s."""
    assert replicas.all_reduce_s(800e6, 8, 1e9) == pytest.approx(1.4)
    assert replicas.all_reduce_s(800e6, 1, 1e9) == 0


def test_efficiency_and_the_batch_that_reaches_it() -> None:
    """With 1 s of operations per crop and 1.4 s of sending, 6 crops reach 6 / 7.4 = 0.81."""
    assert replicas.efficiency(1.0, 1.4) == pytest.approx(1 / 2.4)
    assert replicas.crops_for(1.0, 1.4, 0.8) == 6
    assert replicas.crops_for(1.0, 0.1, 0.8) == 1


def test_a_step_is_measured() -> None:
    """One device: networks of 4 channels, whose gradients have 4 bytes per weight."""
    done = run_command(
        "-m", "benchmarks.replicas", "--channels=4", "--steps=2", "--batch=2", "--only=one device"
    )
    assert done.returncode == 0, done.stderr
    row = re.search(r"^\| one device \| (\S+) \| (\S+) \| 0 \|$", done.stdout, re.MULTILINE)
    assert row, done.stdout
    assert float(row[1]) > 0
    assert 0.1 < float(row[2]) < 10
    assert "Medians of 2 steps of vc1 with 2 crops." in done.stdout

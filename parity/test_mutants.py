"""Every fault put into this project is seen by the cases."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from parity import faults, mutants
from parity.case import Case, one
from parity.cases import CASES, discriminator, generator
from parity.mutants import Mutant
from parity.twins import NORMED_BIASES, SMALL

ALL = [*mutants.in_parts(), *mutants.in_networks()]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_is_seen(mutant: Mutant) -> None:
    assert mutant.cases
    assert not mutants.survives(mutant)


@pytest.mark.parametrize("make", [generator, discriminator])
def test_layers_that_are_replaced_by_themselves_are_not_seen(make: Callable) -> None:
    """What kills the mutants is the fault, not the way it is put in."""
    pair = make(SMALL, 24)
    names = [layer.name for layer in pair.ours().layers[1:]]
    for name in names:
        pair = mutants.with_a_fault(pair, name, faults.unbroken)
    case = Case("replaced", (), pair, one((1, 32, 24)), network=True, zero_gradients=NORMED_BIASES)
    assert len(names) >= 14
    assert mutants.survives(Mutant("none", (case,), ExitStack))


def test_each_layer_of_both_networks_is_broken() -> None:
    names = {mutant.name for mutant in ALL}
    blocks = ["down_1", "down_2", "residual_1", "up_1", "up_2"]
    for block in blocks:
        for part in ("conv", "norm", "gate"):
            assert f"generator: {block}_{part}" in names
    assert {"generator: up_1_shuffle", "generator: residual_1_add"} <= names
    assert {"discriminator: block_4_norm", "discriminator: scores"} <= names
    assert SMALL.residual_blocks == 2


def test_every_part_is_broken() -> None:
    covered = {name for case in CASES for name in case.covers}
    whole_networks = {"generators.vc1_generator", "discriminators.vc1_discriminator"}
    assert covered - whole_networks == set(mutants.PARTS)

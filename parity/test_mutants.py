"""Every fault put into this project is seen by the cases."""

import pytest

from parity import faults, mutants
from parity.cases import CASES
from parity.mutants import Mutant
from parity.twins import SMALL

ALL = [*mutants.in_parts(), *mutants.in_networks()]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_is_seen(mutant: Mutant) -> None:
    assert mutant.cases
    assert not mutants.survives(mutant)


@pytest.mark.parametrize(
    "mutant", mutants.in_networks(faults.unbroken), ids=lambda mutant: mutant.name
)
def test_a_layer_that_is_replaced_by_itself_is_not_seen(mutant: Mutant) -> None:
    """What kills the mutants is the fault, not the way it is put in."""
    assert mutants.survives(mutant)


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

"""Every fault put into this project is seen by the cases."""

import pytest

from parity import mutants
from parity.cases import CASES
from parity.mutants import Mutant
from parity.twins import SMALL

ALL = [*mutants.in_parts(), *mutants.in_networks()]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_is_seen(mutant: Mutant) -> None:
    assert mutant.cases
    assert not mutants.survives(mutant)


def test_nothing_is_seen_where_nothing_is_wrong() -> None:
    """What kills the mutants is the fault, not the comparison."""
    for mutant in ALL:
        if mutant.name == "generator: input_conv":
            whole = [case for case in CASES if case.name == "generator, small"]
            assert mutants.survives(Mutant("none", tuple(whole), mutant.fault))


def test_each_layer_of_both_networks_is_broken() -> None:
    names = {mutant.name for mutant in ALL}
    blocks = ["down_1", "down_2", "residual_1", "up_1", "up_2"]
    for block in blocks:
        for part in ("conv", "norm", "gate"):
            assert f"generator: {block}_{part}" in names
    assert {"generator: up_1_shuffle", "generator: residual_1_add"} <= names
    assert {"discriminator: block_4_norm", "discriminator: scores"} <= names
    assert SMALL.residual_blocks == 2


def test_every_part_that_is_learned_through_is_broken() -> None:
    covered = {name for case in CASES for name in case.covers}
    whole_networks = {"generators.vc1_generator", "discriminators.vc1_discriminator"}
    elsewhere = {"normalization.Statistics", "conversion.Converter"}
    assert covered - whole_networks - elsewhere == set(mutants.PARTS)

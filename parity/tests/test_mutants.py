"""Mutants: the cases detect every fault put into this project."""

from contextlib import ExitStack

import keras
import pytest

from cyclegan_vc_tf.models import registry
from parity.cases.case import Case
from parity.cases.catalogue import CASES
from parity.cases.network_cases import generator, inputs
from parity.cases.twins import zero_gradients
from parity.mutation import faults, mutants
from parity.mutation.broken_parts import PARTS
from parity.mutation.mutants import Mutant

ALL = [*mutants.mutants_of_parts(), *mutants.mutants_of_networks()]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_is_seen(mutant: Mutant) -> None:
    assert mutant.cases
    assert not mutants.survives(mutant)


@pytest.mark.parametrize("network", mutants.NETWORKS[:-1], ids=lambda each: each[2].variant)
def test_layers_that_are_replaced_by_themselves_are_not_seen(network: tuple) -> None:
    """Mutants fail because of the fault, not because of the way it is put in."""
    _, make, config, bins = network
    pair = make(config, bins)
    names = [
        layer.name for layer in pair.ours().layers if not isinstance(layer, keras.layers.InputLayer)
    ]
    for name in names:
        pair = mutants.with_a_fault(pair, name, faults.unchanged_call)
    shape = (1, 32, bins)
    shapes = inputs(config, shape) if make is generator else ((shape,),)
    case = Case("replaced", (), pair, shapes, network=True, zero_gradients=zero_gradients(config))
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
    for part in (
        "fold",
        "fold_norm",
        "unfold_conv",
        "unfold_norm",
        "unfold_tfan_gamma",
        "masked",
        "up_1_shuffle",
        "up_2_tfan_hidden_3_conv",
        "up_2_norm",
        "bins_cut",
    ):
        assert f"2-D generator: {part}" in names
    assert {"2-D discriminator: block_5_conv", "2-D discriminator: scores"} <= names


def test_every_part_is_broken() -> None:
    covered = {name for case in CASES for name in case.covers}
    whole_networks = {
        f"{kind}s.{getattr(variant, kind).__name__}"
        for kind in ("generator", "discriminator")
        for variant in registry.VARIANTS.values()
    }
    assert covered - whole_networks == set(PARTS)

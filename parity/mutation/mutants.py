"""Faults put into this project on purpose: a suite that lets one pass proves nothing."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import keras

from parity.cases.case import Case
from parity.cases.catalogue import CASES
from parity.cases.compare import compare
from parity.cases.network_cases import discriminator, generator, inputs
from parity.cases.pairs import Networks
from parity.cases.twins import SMALL, SMALLER, zero_gradients
from parity.mutation import faults
from parity.mutation.broken_parts import PARTS
from parity.mutation.faults import Fault


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        name: What it does.
        cases: Which cases have to see it.
        fault: Puts it in, for as long as the context lasts.
    """

    name: str
    cases: tuple[Case, ...]
    fault: Fault


def survives(mutant: Mutant) -> bool:
    """Whether all comparisons pass with the fault in place."""
    with mutant.fault():
        return all(
            row.passed for case in mutant.cases for row in compare(case, case.dtypes[0])
        )  # fmt: skip


def in_parts() -> list[Mutant]:
    """Each part broken in several ways; its quick cases have to see it."""
    return [
        Mutant(
            f"{name}: {what}",
            tuple(case for case in CASES if name in case.covers and not case.slow),
            fault,
        )
        for name, ways in PARTS.items()
        for what, fault in ways.items()
    ]


NETWORKS = (
    ("generator", generator, replace(SMALL, residual_blocks=1), 24),
    ("discriminator", discriminator, replace(SMALL, residual_blocks=1), 24),
    ("2-D generator", generator, SMALLER["vc3"], 22),
    ("2-D generator", generator, SMALLER["vc2"], 22),
    ("2-D generator", generator, SMALLER["mask"], 22),
    ("2-D discriminator", discriminator, SMALLER["vc2"], 22),
)
"""Kind, how it is built, settings, bins."""


def in_networks() -> list[Mutant]:
    """Each layer of all networks broken in turn; one that several variants have, in the first."""
    found: dict[str, Mutant] = {}
    for kind, make, config, bins in NETWORKS:
        pair = make(config, bins)
        shape = (1, 32, bins)
        for layer in pair.ours().layers:
            name = f"{kind}: {layer.name}"
            if isinstance(layer, keras.layers.InputLayer) or name in found:
                continue
            case = Case(
                f"{kind} with a broken {layer.name}",
                (),
                with_a_fault(pair, layer.name, faults.broken),
                inputs(config, shape) if make is generator else ((shape,),),
                network=True,
                dtypes=("float64",),
                zero_gradients=zero_gradients(config),
            )
            # The fault is in the case itself.
            found[name] = Mutant(name, (case,), ExitStack)
    return list(found.values())


def with_a_fault(
    pair: Networks, name: str, fault: Callable[[keras.layers.Layer], Callable]
) -> Networks:
    """A network with one layer of its Keras side replaced."""

    def ours() -> keras.Model:
        model = pair.ours()
        layer = model.get_layer(name)
        layer.call = fault(layer)
        return model

    return replace(pair, ours=ours)

"""Mutants: faults put into this project one at a time, and the cases that have to detect them."""

import functools
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
    """A fault and its cases.

    Attributes:
        name: Description of the fault.
        cases: Cases that have to detect it.
        fault: Function that returns a context in which the fault exists.
    """

    name: str
    cases: tuple[Case, ...]
    fault: Fault


def survives(mutant: Mutant) -> bool:
    """Return whether all comparisons pass with the fault in place."""
    for case in mutant.cases:
        tolerances = training_tolerances(case) if case.nudged else None
        with mutant.fault():
            if not all(row.passed for row in compare(case, case.dtypes[0], tolerances)):
                return False
    return True


@functools.cache
def training_tolerances(case: Case) -> dict[str, float]:
    """Return the tolerances of a training by kind, measured without a fault."""
    return {row.kind: row.tolerance for row in compare(case, case.dtypes[0])}


def mutants_of_parts() -> list[Mutant]:
    """Return the faults of all parts. Quick cases of the part have to detect them."""
    return [
        Mutant(
            f"{name}: {description}",
            tuple(case for case in CASES if name in case.covers and not case.slow),
            fault,
        )
        for name, faults_of_part in PARTS.items()
        for description, fault in faults_of_part.items()
    ]


NETWORKS = (
    ("generator", generator, replace(SMALL, residual_blocks=1), 24),
    ("discriminator", discriminator, replace(SMALL, residual_blocks=1), 24),
    ("2-D generator", generator, SMALLER["vc3"], 22),
    ("2-D generator", generator, SMALLER["vc2"], 22),
    ("2-D generator", generator, SMALLER["mask"], 22),
    ("2-D discriminator", discriminator, SMALLER["vc2"], 22),
)
"""Networks whose layers are broken: kind, builder, settings, bins."""


def mutants_of_networks() -> list[Mutant]:
    """Return a fault for each layer. Layers of several variants are broken in the first one."""
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
                with_a_fault(pair, layer.name, faults.broken_call),
                inputs(config, shape) if make is generator else ((shape,),),
                network=True,
                dtypes=("float64",),
                zero_gradients=zero_gradients(config),
            )
            # The case itself contains the fault, so no context is needed.
            found[name] = Mutant(name, (case,), ExitStack)
    return list(found.values())


def with_a_fault(
    pair: Networks, name: str, fault: Callable[[keras.layers.Layer], Callable]
) -> Networks:
    """Replace the call of one layer on the Keras side of a network."""

    def ours() -> keras.Model:
        model = pair.ours()
        layer = model.get_layer(name)
        broken = fault(layer)
        # Keras 3 calls dense layers with `training`.
        layer.call = lambda inputs, training=None: broken(inputs)
        return model

    return replace(pair, ours=ours)

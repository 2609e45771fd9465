"""Faults put into this project on purpose: a suite that lets one pass proves nothing."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf import layers, losses, normalization, optimizer, torch_weights, trainer
from cyclegan_vc_tf.conversion import Converter
from cyclegan_vc_tf.trainer import Trainer
from parity import faults
from parity.case import Case
from parity.cases import CASES, discriminator, generator
from parity.compare import compare
from parity.faults import Fault, in_adam, in_layouts, in_norms, layer_call, patch
from parity.pairs import Networks
from parity.twins import NORMED_BIASES, SMALL


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


_GATE, _SHUFFLE = layers.GatedLinearUnit, layers.PixelShuffle1D

PARTS: dict[str, dict[str, Fault]] = {
    "layers.GatedLinearUnit": {
        "the gate first": layer_call(_GATE, faults.swapped_gate),
        "SiLU": layer_call(_GATE, faults.silu),
        "no gradient through the gate": layer_call(_GATE, faults.gate_without_gradient),
    },
    "layers.PixelShuffle1D": {
        "channel-major": layer_call(_SHUFFLE, faults.channel_major),
        "a view": layer_call(_SHUFFLE, faults.view),
    },
    "layers.instance_norm": {
        "epsilon a tenth larger": patch(
            layers, "instance_norm", lambda original, epsilon, name: original(1.1 * epsilon, name)
        ),
        "affine dropped": in_norms(faults.no_affine),
        "offset dropped": in_norms(faults.no_offset),
        "statistics over the batch": in_norms(faults.over_the_batch),
        "no gradient through the statistics": in_norms(faults.moments_without_gradient),
    },
    "layers.Convolutions": {
        "the other padding": patch(layers.Convolutions, "__call__", faults.other_padding),
        "1-D kernels reversed": in_layouts(
            ("kernel", 3), lambda kernel: torch_weights.conv1d_kernel_to_torch(kernel[::-1])
        ),
        "2-D kernels reversed": in_layouts(
            ("kernel", 4), lambda kernel: torch_weights.conv2d_kernel_to_torch(kernel[::-1])
        ),
    },
    "layers.symmetric_padding": {
        "shifted by one": patch(layers, "symmetric_padding", faults.shifted_padding),
    },
    "losses.least_squares_loss": {
        "the other target": patch(
            losses,
            "least_squares_loss",
            lambda original, scores, target: original(scores, 1.0 - target),
        ),
        "summed": patch(
            losses, "least_squares_loss", lambda original, *given: 48.0 * original(*given)
        ),
        "half the gradient": patch(losses, "least_squares_loss", faults.half_gradient),
    },
    "losses.discriminator_loss": {
        "not halved": patch(
            losses, "discriminator_loss", lambda original, *given: 2.0 * original(*given)
        ),
        "real for fake": patch(
            losses, "discriminator_loss", lambda original, real, fake: original(fake, real)
        ),
    },
    "losses.l1_loss": {
        "squared": patch(
            losses, "l1_loss", lambda original, a, b: tf.reduce_mean(tf.square(a - b), (1, 2))
        ),
        "half the gradient": patch(losses, "l1_loss", faults.half_gradient),
    },
    "normalization.apply": {
        "variance for deviation": patch(
            normalization,
            "apply",
            lambda original, x, of: original(x, replace(of, deviation=of.deviation**2)),
        ),
    },
    "normalization.undo": {
        "no mean": patch(
            normalization,
            "undo",
            lambda original, x, of: original(x, replace(of, mean=0.0 * of.mean)),
        ),
    },
    "normalization.moments": {
        "a deviation that is too large": patch(
            normalization,
            "moments",
            lambda original, chunks: (original(chunks)[0], 1.001 * original(chunks)[1]),
        ),
    },
    "normalization.convert_f0": {
        "speakers swapped": patch(
            normalization,
            "convert_f0",
            lambda original, f0_hz, source, target: original(f0_hz, target, source),
        ),
    },
    "optimizer.Adam": {
        "epsilon ten times larger": in_adam("epsilon", lambda epsilon: 10.0 * epsilon),
        "no bias correction": in_adam("beta2_power", lambda power: 0.0 * power),
        "beta1 0.9": in_adam("beta1", lambda beta1: beta1 + 0.4),
        "uphill": in_adam("grad", lambda gradient: -gradient),
    },
    "optimizer.linear_decay": {
        "a step late": patch(
            optimizer, "linear_decay", lambda original, step, *rest: original(step - 1, *rest)
        ),
        "start for length": patch(
            optimizer,
            "linear_decay",
            lambda original, step, initial, start, length: original(step, initial, length, start),
        ),
    },
    "conversion.Converter": {
        "a frame late": patch(
            Converter,
            "convert_mel_cepstra",
            lambda original, self, x: np.roll(original(self, x), 1, axis=0),
        ),
        "no padding": patch(np, "pad", lambda original, array, *rest, **named: array),
    },
    "normalization.Statistics": {
        "divided by nothing": lambda: mock.patch.object(
            normalization.Statistics, "scale", property(lambda self: self.deviation + 1e-9)
        ),
    },
    "trainer.Trainer": {
        "cycle weight doubled": patch(
            Trainer,
            "loss_weights",
            lambda original, self: {**original(self), "cycle": 2.0 * original(self)["cycle"]},
        ),
        "identity loss without end": patch(
            Trainer,
            "loss_weights",
            lambda original, self: {**original(self), "identity": tf.constant(5.0, tf.float64)},
        ),
        "rates that do not fall": patch(
            Trainer,
            "learning_rates",
            lambda original, self: {
                "generator": tf.constant(5e-4, tf.float64),
                "discriminator": tf.constant(2e-4, tf.float64),
            },
        ),
        "decay begins when it should end": patch(
            trainer,
            "linear_decay",
            lambda original, step, initial, start, length: original(step, initial, length, start),
        ),
        "rates swapped": patch(
            Trainer,
            "learning_rates",
            lambda original, self: dict(
                zip(("discriminator", "generator"), original(self).values(), strict=True)
            ),
        ),
        "speakers swapped": patch(
            Trainer, "loss_terms", lambda original, self, a, b: original(self, b, a)
        ),
        "no gradient through cycle and identity": patch(
            losses,
            "l1_loss",
            lambda original, a, b: tf.stop_gradient(original(a, b)) + 0.0 * b[:, 0, 0],
        ),
    },
}
"""Faults in the parts, under the public name whose cases have to see them."""


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


def in_networks() -> list[Mutant]:
    """Each layer of both networks broken in turn."""
    found = []
    for kind, make in (("generator", generator), ("discriminator", discriminator)):
        pair = make(replace(SMALL, residual_blocks=1), 24)
        for layer in pair.ours().layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            case = Case(
                f"{kind} with a broken {layer.name}",
                (),
                with_a_fault(pair, layer.name, faults.broken),
                (((1, 32, 24),),),
                network=True,
                dtypes=("float64",),
                zero_gradients=NORMED_BIASES,
            )
            # The fault is in the case itself.
            found.append(Mutant(f"{kind}: {layer.name}", (case,), ExitStack))
    return found


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

"""Faults in the parts of this project."""

from dataclasses import replace
from unittest import mock

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.interop import public_layouts, public_melgan
from cyclegan_vc_tf.models import generators, layers, torch_weights
from cyclegan_vc_tf.training import losses, optimizer, trainer
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import melgan
from parity.mutation import faults
from parity.mutation.faults import Fault, in_adam, in_layouts, in_norms, layer_call, patch
from parity.mutation.vocoder_parts import VOCODER_PARTS

_GATE, _SHUFFLE = layers.GatedLinearUnit, layers.PixelShuffle1D

PARTS: dict[str, dict[str, Fault]] = {
    **VOCODER_PARTS,
    "layers.GatedLinearUnit": {
        "the gate first": layer_call(_GATE, faults.swapped_gate),
        "SiLU": layer_call(_GATE, faults.silu),
        "no gradient through the gate": layer_call(_GATE, faults.gate_without_gradient),
    },
    "layers.gate": {
        "a gated linear unit for SiLU": patch(
            layers, "gate", lambda original, kind, name: original("glu", name)
        ),
        "SiLU for a gated linear unit": patch(
            layers, "gate", lambda original, kind, name: original("silu", name)
        ),
    },
    "layers.PixelShuffle1D": {
        "channel-major": layer_call(_SHUFFLE, faults.channel_major),
        "a view": layer_call(_SHUFFLE, faults.view),
    },
    "layers.PixelShuffle2D": {
        "channel-major": layer_call(layers.PixelShuffle2D, faults.channel_major_2d),
    },
    "layers.NearestResize": {
        "positions rounded down": layer_call(layers.NearestResize, faults.corners),
    },
    "layers.BinsByFrames": {
        "bins reversed": layer_call(
            layers.BinsByFrames,
            lambda layer, inputs: (
                [tf.reverse(tf.transpose(inputs, (0, 2, 1, 3)), [1])] * layer.uses
            ),
        ),
        "a use without gradient": layer_call(layers.BinsByFrames, faults.use_without_gradient),
    },
    "layers.InstanceNormalization": {
        "no gradient through the statistics": layer_call(
            layers.InstanceNormalization,
            lambda layer, inputs: faults.moments_without_gradient(layer, layer, inputs),
        ),
    },
    "layers.MaskFrames": {
        "nothing hidden": layer_call(layers.MaskFrames, faults.not_blanked),
        "the mask first": layer_call(layers.MaskFrames, faults.mask_first),
        "no mask backward": layer_call(layers.MaskFrames, faults.mask_without_gradient),
    },
    "generators.linear_skip_output": {
        "features as they are": patch(
            generators, "linear_skip_output", lambda original, generator, features: features
        ),
    },
    "generators.set_linear_skip": {
        "kernel reversed": patch(
            generators,
            "set_linear_skip",
            lambda original, generator, kernel: original(generator, kernel[::-1]),
        ),
    },
    "generators.generate": {
        "no mask": patch(
            trainer,
            "generate",
            lambda original, model, x, mask=None, **named: original(model, x, None, **named),
        ),
    },
    "layers.instance_norm": {
        "epsilon a tenth larger": patch(
            layers,
            "instance_norm",
            lambda original, epsilon, name, affine=True: original(1.1 * epsilon, name, affine),
        ),
        "affine dropped": in_norms(faults.no_affine),
        "offset dropped": in_norms(faults.no_offset),
        "statistics over the batch": in_norms(faults.over_the_batch),
        "no gradient through the statistics": in_norms(faults.moments_without_gradient),
    },
    "layers.Convolutions": {
        "the other padding": patch(layers.Convolutions, "__call__", faults.other_padding),
        "1-D kernels reversed": in_layouts(
            ("kernel", 3),
            to_torch=lambda kernel: torch_weights.conv1d_kernel_to_torch(kernel[::-1]),
        ),
        "2-D kernels reversed": in_layouts(
            ("kernel", 4),
            to_torch=lambda kernel: torch_weights.conv2d_kernel_to_torch(kernel[::-1]),
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
    "losses.self_regularization_loss": {
        "absolute": patch(
            losses,
            "self_regularization_loss",
            lambda original, a, b: tf.reduce_mean(tf.abs(a - b), (1, 2)),
        ),
        "half the gradient": patch(losses, "self_regularization_loss", faults.half_gradient),
    },
    "losses.l1_loss": {
        "squared": patch(
            losses, "l1_loss", lambda original, a, b: tf.reduce_mean(tf.square(a - b), (1, 2))
        ),
        "half the gradient": patch(losses, "l1_loss", faults.half_gradient),
    },
    "normalization.normalize": {
        "variance for deviation": patch(
            normalization,
            "normalize",
            lambda original, x, speaker: original(x, replace(speaker, std=speaker.std**2)),
        ),
    },
    "normalization.denormalize": {
        "no mean": patch(
            normalization,
            "denormalize",
            lambda original, x, speaker: original(x, replace(speaker, mean=0.0 * speaker.mean)),
        ),
    },
    "normalization.mean_and_std": {
        "a deviation that is too large": patch(
            normalization,
            "mean_and_std",
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
    "converter.Converter": {
        "a frame late": patch(
            Converter,
            "convert_spectra",
            lambda original, self, x: np.roll(original(self, x), 1, axis=0),
        ),
        "no padding": patch(np, "pad", lambda original, array, *rest, **named: array),
    },
    "normalization.Statistics": {
        "divided by nothing": lambda: mock.patch.object(
            normalization.Statistics, "scale", property(lambda self: self.std + 1e-9)
        ),
    },
    "melgan.melgan_generator": {
        "another slope": patch(melgan, "leaky_relu", lambda original, x: tf.maximum(x, 0.01 * x)),
        "dilations that are ignored": patch(
            melgan,
            "melgan_generator",
            lambda original, **named: original(
                **{**named, "dilations": (1,) * len(named["dilations"])}
            ),
        ),
    },
    "public_layouts.concat_value_and_gate": {
        "the gate first": patch(
            public_layouts,
            "concat_value_and_gate",
            lambda original, weights: original(weights[::-1]),
        ),
    },
    "public_layouts.interleave_value_and_gate": {
        "value and gate end to end": patch(
            public_layouts,
            "interleave_value_and_gate",
            lambda original, weights: public_layouts.concat_value_and_gate(weights),
        ),
    },
    "public_layouts.channel_to_block_major": {
        "block-major already": patch(
            public_layouts, "channel_to_block_major", lambda original, weights: weights[0]
        ),
    },
    "public_weights.translate": {
        "kernels reversed": in_layouts(
            ("kernel", 3),
            to_keras=lambda weight: torch_weights.conv1d_kernel_to_keras(weight[..., ::-1]),
        ),
        "norms' scales lost": in_layouts(("gamma", 1), to_keras=np.ones_like),
    },
    "public_melgan.from_public_state": {
        "lengths that are ignored": patch(
            public_melgan,
            "fold_weight_norm",
            lambda original, state: original(
                {
                    key: np.ones_like(value) if key.endswith("weight_g") else value
                    for key, value in state.items()
                }
            ),
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
            Trainer, "loss_terms", lambda original, self, a, b, *masks: original(self, b, a, *masks)
        ),
        "no second step for the generators": patch(
            Trainer,
            "loss_terms",
            lambda original, self, *given: without_second_step(*original(self, *given)),
        ),
        "no gradient through cycle and identity": patch(
            losses,
            "l1_loss",
            lambda original, a, b: tf.stop_gradient(original(a, b)) + 0.0 * b[:, 0, 0],
        ),
    },
}
"""Faults by the public name of a part. Cases that cover the name have to detect them."""


def without_second_step(
    terms: dict, discriminator_terms: dict, scores: dict
) -> tuple[dict, dict, dict]:
    """Remove the gradient of the two-step adversarial loss to the generators."""
    kept = {
        name: tf.stop_gradient(term) if name in ("adversarial_A2B2A", "adversarial_B2A2B") else term
        for name, term in terms.items()
    }
    return kept, discriminator_terms, scores

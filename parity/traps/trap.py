"""A trap: a difference between TensorFlow and PyTorch that a port gets wrong easily."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import torch

from cyclegan_vc_tf.models import layers
from cyclegan_vc_tf.models.torch_weights import conv1d_kernel_to_torch, conv2d_kernel_to_torch
from parity.cases.compare import difference
from parity.precision import precision
from parity.tolerances import tolerance
from parity.trainings.runs import channels_last

Distances = tuple[float, float]
"""Distances of the right form and of the wrong way."""

EXACT = 0.0
"""Tolerance of a form that only moves values."""

ROUNDED = tolerance("float64")
"""Tolerance of a form that computes a part in float64."""


@dataclass(frozen=True)
class Trap:
    """A difference between the frameworks, or a habit of one, that causes errors in a port.

    Attributes:
        name: Name in reports.
        wrong_way: Form that is easily written and wrong.
        measure: Function that returns the distances of the right form and of the wrong way from
            this project's result, over its largest value. Where the project has no such part, they
            are distances from TensorFlow's result.
        tolerance: Largest distance of the right form.
        at_least: Smallest distance of the wrong way. A suite that sees less could not tell the two
            apart.
    """

    name: str
    wrong_way: str
    measure: Callable[[], tuple[float, float]]
    tolerance: float
    at_least: float


def distances(ours: tf.Tensor | np.ndarray, right: torch.Tensor, wrong: torch.Tensor) -> Distances:
    """Return the distances of two channels-first results from a channels-last one.

    Distances are relative to the largest value of `ours`.
    """
    expected = np.asarray(ours)
    return (
        difference(channels_last(right), expected)[1],
        difference(channels_last(wrong), expected)[1],
    )


def convolve(inputs: np.ndarray, kernel: np.ndarray, stride: tuple[int, ...]) -> tf.Tensor:
    """Convolve without bias as this project does, in float64, padded as TensorFlow pads."""
    with precision("float64"):
        given = keras.Input((*[None] * len(stride), inputs.shape[-1]))
        make = layers.Convolutions("trap", 0, "same")
        model = keras.Model(given, make(given, kernel.shape[-1], kernel.shape[:-2], stride, "conv"))
        model.set_weights([kernel, np.zeros(kernel.shape[-1])])
        return model(inputs)


def random_array(*shape: int) -> np.ndarray:
    """Draw normally distributed values, which are equal at each call."""
    return np.random.default_rng(0).standard_normal(shape)


def conv1d_weight(kernel: np.ndarray) -> torch.Tensor:
    """Convert (frames, in, out) to (out, in, frames)."""
    return torch.from_numpy(conv1d_kernel_to_torch(kernel).copy())


def conv2d_weight(kernel: np.ndarray) -> torch.Tensor:
    """Convert (rows, columns, in, out) to (out, in, rows, columns)."""
    return torch.from_numpy(conv2d_kernel_to_torch(kernel).copy())

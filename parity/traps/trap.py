"""Where TensorFlow and PyTorch part ways: the right form beside the one that is easily written."""

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
from parity.trainings.runs import channels_last

Distances = tuple[float, float]
"""From this project's result, or TensorFlow's where it has no such part: the right form's, and the
wrong way's."""


@dataclass(frozen=True)
class Trap:
    """A difference between the frameworks, or a habit of one, that code falls for.

    Attributes:
        name: In reports.
        wrong_way: What is easily written.
        measure: Gives two distances from this project's result, or TensorFlow's where the project
            has no such part, each over its largest value: the right form's and the wrong way's.
        tolerance: The right form's distance is at most this.
        at_least: The wrong way's is at least this, or the suite could not tell them apart.
    """

    name: str
    wrong_way: str
    measure: Callable[[], tuple[float, float]]
    tolerance: float
    at_least: float


def distances(ours: tf.Tensor | np.ndarray, right: torch.Tensor, wrong: torch.Tensor) -> Distances:
    """Distances of two channels-first results from a channels-last one, over its largest value."""
    expected = np.asarray(ours)
    return (
        difference(channels_last(right), expected)[1],
        difference(channels_last(wrong), expected)[1],
    )


def convolved(inputs: np.ndarray, kernel: np.ndarray, stride: tuple[int, ...]) -> tf.Tensor:
    """This project's convolution without bias, in float64, padded as TensorFlow pads."""
    with precision("float64"):
        start = keras.Input((*[None] * len(stride), inputs.shape[-1]))
        make = layers.Convolutions("trap", 0, "same")
        model = keras.Model(start, make(start, kernel.shape[-1], kernel.shape[:-2], stride, "conv"))
        model.set_weights([kernel, np.zeros(kernel.shape[-1])])
        return model(inputs)


def random_array(*shape: int) -> np.ndarray:
    """Normally distributed, always the same."""
    return np.random.default_rng(0).standard_normal(shape)


def conv1d_weight(kernel: np.ndarray) -> torch.Tensor:
    """(frames, in, out) → (out, in, frames)."""
    return torch.from_numpy(conv1d_kernel_to_torch(kernel).copy())


def conv2d_weight(kernel: np.ndarray) -> torch.Tensor:
    """(rows, columns, in, out) → (out, in, rows, columns)."""
    return torch.from_numpy(conv2d_kernel_to_torch(kernel).copy())

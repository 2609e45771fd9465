"""The benchmarks count and measure what they say."""

import re

import keras
import numpy as np
import tensorflow as tf
from conftest import run_command

from benchmarks.variants import floating_point_operations


def test_operations_of_a_convolution_and_its_gradients_are_those_of_the_formula() -> None:
    """Forward, and twice backward: 2 · frames · kernel · channels in · channels out each."""
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.Conv1D(8, 5, padding="same", use_bias=False)(inputs))
    features = tf.constant(np.ones((2, 16, 3), np.float32))

    @tf.function
    def forward(features: tf.Tensor) -> tf.Tensor:
        return model(features)

    @tf.function
    def both(features: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(features)
            outputs = model(features)
        return tape.gradient(outputs, [features, *model.trainable_variables])

    once = 2 * (2 * 16) * 5 * 3 * 8
    assert floating_point_operations(forward, features) == once
    assert floating_point_operations(both, features) == 3 * once


def test_the_table_of_a_variant() -> None:
    done = run_command("-m", "benchmarks.variants", "--variant=vc1", "--steps=1")
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    found = re.fullmatch(
        r"\| vc1 \| 128 x 24 \| 38\.1 M \| 21\.8 M x 2 \| (\d+) \| (\S+) \| (\S+) \|", line
    )
    assert found, line
    # 92 for one product a weight; the profiler counts both losses' ways through a discriminator.
    assert 80 < int(found[1]) < 130
    assert 0 < float(found[2]) <= 60


def test_what_cannot_be_measured_is_refused() -> None:
    done = run_command("-m", "benchmarks.variants", "--steps=0")
    assert done.returncode == 2
    assert "--steps is 0; expected at least 1" in done.stderr

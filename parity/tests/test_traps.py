"""Traps: the right form equals this project's result, and the wrong way does not."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

from cyclegan_vc_tf.models import layers
from parity.precision import precision
from parity.traps.catalogue import TRAPS, Finding, measure_trap
from parity.traps.layer_traps import stride_2
from parity.traps.trap import ROUNDED, Trap


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: f"{trap.name}: {trap.wrong_way}")
def test_the_right_form_is_equal_and_the_wrong_way_is_not(trap: Trap) -> None:
    finding = measure_trap(trap)
    assert finding.passed, finding


def test_symmetric_padding_at_stride_2_is_right_for_odd_lengths() -> None:
    """A test at one length would miss the difference."""
    right, symmetric = stride_2(17)
    assert max(right, symmetric) <= ROUNDED


def test_another_initialiser_in_the_networks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    (trap,) = (each for each in TRAPS if each.name == "initialiser")
    normal = keras.initializers.RandomNormal(stddev=0.05, seed=0)
    monkeypatch.setattr(layers.Convolutions, "initializer", lambda self, name: normal)
    with warnings.catch_warnings():
        # Keras warns that one object draws equal numbers at each call.
        warnings.simplefilter("ignore", UserWarning)
        assert measure_trap(trap).right > trap.tolerance


def test_a_trap_that_cannot_tell_them_apart_fails() -> None:
    trap = Trap("made up", "the same", lambda: (0.0, 0.0), tolerance=0.0, at_least=0.1)
    assert not measure_trap(trap).passed
    assert not Finding(trap, 0.1, 0.2).passed
    assert not Finding(trap, np.nan, 0.2).passed
    assert not Finding(trap, 0.0, np.nan).passed


def test_of_one_frame_tensorflow_keeps_the_offset_and_pytorch_raises() -> None:
    with precision("float64"):
        ours = layers.instance_norm(1e-6, "norm")
        ours.build((None, None, 3))
        ours.set_weights([np.full(3, 2.0), np.array([1.0, 2.0, 3.0])])
        outputs = ours(tf.constant(np.random.default_rng(0).standard_normal((1, 1, 3))))
    np.testing.assert_array_equal(outputs, [[[1.0, 2.0, 3.0]]])
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        torch.nn.InstanceNorm1d(3, affine=True)(torch.zeros(1, 3, 1))

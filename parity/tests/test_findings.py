"""Statements of docs/notes/findings.md on geometry and gates, measured."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.discriminators import vc1_discriminator
from cyclegan_vc_tf.models.generators import vc1_generator
from cyclegan_vc_tf.training import losses
from parity.cases.twins import SMALL
from parity.companion.vc1 import Discriminator, Gated, Generator, Residual
from parity.traps.catalogue import TRAPS


def test_what_the_findings_name_exists() -> None:
    here = Path(__file__).parent
    text = (here.parents[1] / "docs" / "notes" / "findings.md").read_text(encoding="utf-8")
    sources = [(here / name).read_text() for name in re.findall(r"`(test_\w+\.py)", text)]
    named = re.findall(r"::(test_\w+)", text)
    assert len(named) > 15
    for name in named:
        assert any(f"def {name}(" in source for source in sources), name
    traps = {f"{trap.name}: {trap.wrong_way}" for trap in TRAPS}
    listed = re.findall(r"\[([^\]]+: [^\]]+)\]", text)
    assert len(listed) > 10
    assert set(listed) <= traps


def without_norms(module: nn.Module) -> nn.Module:
    """Remove instance norms, which make every output depend on every frame."""
    for each in module.modules():
        if isinstance(each, Gated):
            each.norm = nn.Identity()
        if isinstance(each, Residual):
            each.norm = each.out_norm = nn.Identity()
    return module.double()


def field(module: nn.Module, shape: tuple[int, int], pick: object) -> tuple[int, int]:
    """Return the extent, bins and frames, of the inputs that one output depends on."""
    torch.manual_seed(0)
    inputs = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    pick(without_norms(module)(inputs)).backward()  # type: ignore[operator]
    seen = np.argwhere(inputs.grad[0].numpy() != 0)
    bins, frames = seen.max(axis=0) - seen.min(axis=0) + 1
    return int(bins), int(frames)


def test_the_discriminator_is_a_patch_gan() -> None:
    """24 bins and 128 frames give 6 x 8 scores, each of a patch of 29 bins by 31 frames.

    Worked backwards, frames: kernel 3 at stride 2 four times, 3, 7, 15, 31; bins: kernel 6, then 3
    at stride 2 twice, then 3: 6, 13, 27, 29.
    """
    scores = vc1_discriminator("discriminator", 24, SMALL, 0)(np.zeros((1, 128, 24), np.float32))
    assert scores.shape == (1, 6, 8, 1)
    assert Discriminator(24, SMALL)(torch.zeros(1, 24, 128)).shape == (1, 1, 6, 8)
    tall = Discriminator(96, SMALL)
    assert field(tall, (96, 256), lambda out: out[0, 0, 12, 8]) == (29, 31)


def test_a_sigmoid_leaves_no_gradient_of_a_fake_that_is_found_out() -> None:
    """(s - 1)² at s = sigmoid(x) has the slope 2 (s - 1) s (1 - s), and at s = x 2 (x - 1)."""
    found = []
    for last in (tf.identity, tf.sigmoid):
        score = tf.constant(np.full((1, 1, 1, 1), -10.0))
        with tf.GradientTape() as tape:
            tape.watch(score)
            loss = losses.least_squares_loss(last(score), 1.0)
        found.append(abs(tape.gradient(loss, score).numpy().item()))
    s = 1 / (1 + np.exp(10.0))
    np.testing.assert_allclose(found, [22.0, 2 * (1 - s) * s * (1 - s)], rtol=1e-9)
    assert found[1] < 1e-4


@pytest.mark.parametrize(
    ("kernels", "frames"), [(("15", "5", "5", "3", "5", "5", "15"), 159), (("3",) * 7, 117)]
)
def test_how_far_a_generator_sees(kernels: tuple[str, ...], frames: int) -> None:
    """Frames that output frame 256 depends on through the convolutions alone.

    Worked backwards for the paper's kernels: 15 frames; shuffle: 8 of twice the length; kernel 5:
    12; shuffle: 6 of four times; kernel 5: 10; six blocks of two kernels of 3: 34; kernel 5 at
    stride 2: 71, and again: 145; kernel 15: 159. With kernels of 3: 3, 2, 4, 2, 4, 28, 57, 115,
    117.
    """
    config = replace(SMALL, residual_blocks=6, generator_kernels=kernels)
    bins, seen = field(Generator(24, config), (24, 512), lambda out: out[0, 0, 256])
    assert (bins, seen) == (24, frames)


def test_lengths_come_out_as_the_next_multiple_of_4() -> None:
    """Two halvings round up, and two doublings keep the result: 130 frames become 132."""
    ours = vc1_generator("generator", 24, SMALL, 0)
    twin = Generator(24, SMALL)
    for frames, expected in ((128, 128), (129, 132), (130, 132), (131, 132), (132, 132)):
        assert ours(np.zeros((1, frames, 24), np.float32)).shape[1] == expected
        assert twin(torch.zeros(1, 24, frames)).shape[2] == expected


def test_a_cycle_of_another_length_cannot_be_compared() -> None:
    real, cycled = tf.zeros((1, 130, 24)), tf.zeros((1, 132, 24))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        losses.l1_loss(real, cycled)


def test_a_1_d_convolution_is_a_2_d_one_that_spans_all_bins() -> None:
    rng = np.random.default_rng(0)
    inputs, kernel = rng.standard_normal((2, 16, 24)), rng.standard_normal((5, 24, 7))
    one = tf.nn.conv1d(inputs, kernel, stride=1, padding="VALID")
    # Bins become rows, and the kernel has one row per bin.
    picture = np.moveaxis(inputs, -1, 1)[..., np.newaxis]
    two = tf.nn.conv2d(
        picture, np.moveaxis(kernel, 1, 0)[:, :, np.newaxis, :], strides=1, padding="VALID"
    )
    np.testing.assert_allclose(two[:, 0], one, rtol=0, atol=1e-12)


def test_only_a_2_d_convolution_answers_a_shifted_pattern_with_a_shifted_answer() -> None:
    rng = np.random.default_rng(0)
    inputs = np.zeros((1, 16, 24))
    inputs[..., 8:14] = rng.standard_normal((1, 16, 6))
    shifted = np.roll(inputs, 1, axis=2)
    picture, moved = inputs[..., np.newaxis], shifted[..., np.newaxis]
    kernel = rng.standard_normal((5, 5, 1, 7))
    answer, other = (tf.nn.conv2d(x, kernel, 1, "SAME").numpy() for x in (picture, moved))
    np.testing.assert_allclose(np.roll(answer, 1, axis=2), other, atol=1e-12)
    # In one dimension bins are channels with separate weights, and the answers are unrelated.
    kernel = rng.standard_normal((5, 24, 700))
    answer, other = (tf.nn.conv1d(x, kernel, 1, "SAME").numpy() for x in (inputs, shifted))
    assert abs(np.corrcoef(answer.ravel(), other.ravel())[0, 1]) < 0.3


def test_kernels_of_5_and_15_in_weights() -> None:
    """Weights of the paper's kernels and of kernels of 3, at the paper's width.

    12 · 24 · 256 + 2 · (128 · 512 + 256 · 1024 + 512 · 2048 + 512 · 1024) + 12 · 256 · 24 weights.
    """
    weights = [
        vc1_generator("generator", 24, NetworkConfig(generator_kernels=kernels), 0).count_params()
        for kernels in (("15", "5", "5", "3", "5", "5", "15"), ("3",) * 7)
    ]
    assert weights[0] == 38_055_704
    assert weights[0] - weights[1] == 3_948_544

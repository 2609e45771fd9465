"""Weights copied to a torch module and back."""

import numpy as np
import pytest
import torch

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.models.torch_weights import load_state, to_state
from parity.cases.network_cases import discriminator, generator
from parity.cases.pairs import Networks
from parity.cases.twins import SMALL
from parity.companion.vc1 import Conv
from parity.trainings.runs import match

NETWORKS = {"generator": generator(SMALL, 24), "discriminator": discriminator(SMALL, 24)}


@pytest.mark.parametrize("pair", NETWORKS.values(), ids=NETWORKS.keys())
def test_through_a_torch_file_and_back_is_bit_exact(pair: Networks, tmp_path: object) -> None:
    model, other, twin = pair.ours(), pair.ours(), pair.twin()
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    match(twin, model)
    path = f"{tmp_path}/weights.pt"
    torch.save(twin.state_dict(), path)
    state = torch.load(path, weights_only=True)
    load_state(other, {key: value.numpy() for key, value in state.items()})
    for expected, received in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(expected.view(np.int32), received.view(np.int32))


@pytest.mark.parametrize("pair", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_companion_has_just_the_keys_and_shapes_of_the_port(pair: Networks) -> None:
    ours = {key: value.shape for key, value in to_state(pair.ours()).items()}
    twins = {key: tuple(value.shape) for key, value in pair.twin().state_dict().items()}
    assert ours == twins


def test_the_companion_has_the_papers_number_of_parameters() -> None:
    """Calculated by hand from the paper's figure, as for the port's networks."""
    for make, expected in ((generator, 38_055_704), (discriminator, 21_837_825)):
        module = make(NetworkConfig(), 24).twin()
        assert sum(each.numel() for each in module.parameters()) == expected


PAPER = {
    # Figure 4: kernel, channels before the gate.
    "input_conv": (256, 24, 15),
    "down.0.conv": (512, 128, 5),
    "down.1.conv": (1024, 256, 5),
    **{f"residual.{i}.conv": (1024 * 2, 512, 3) for i in range(6)},
    **{f"residual.{i}.out_conv": (512, 1024, 3) for i in range(6)},
    "up.0.conv": (2048, 512, 5),
    "up.1.conv": (1024, 512, 5),
    "output_conv": (24, 256, 15),
    "block.0.conv": (256, 1, 3, 3),
    "block.1.conv": (512, 128, 3, 3),
    "block.2.conv": (1024, 256, 3, 3),
    "block.3.conv": (2048, 512, 6, 3),
    "scores": (1, 1024),
}


def test_by_default_the_companion_is_the_papers_figure() -> None:
    """Numbers are literal, not read from this project's settings."""
    config = NetworkConfig()
    modules = generator(config, 24).twin(), discriminator(config, 24).twin()
    shapes = {
        key.removesuffix(".weight"): tuple(value.shape)
        for module in modules
        for key, value in module.state_dict().items()
        if value.ndim > 1
    }
    assert shapes == PAPER
    norms = [each for module in modules for each in module.modules() if hasattr(each, "affine")]
    assert len(norms) == 2 + 6 * 2 + 2 + 3
    assert {(each.eps, each.affine) for each in norms} == {(1e-6, True)}


@pytest.mark.parametrize(
    ("kernel", "stride", "zeros"),
    # As in public PyTorch code; kernel 6 at stride 1 pads 3 and cuts one.
    [(15, 1, 7), (5, 2, 2), (5, 1, 2), (3, 1, 1), (3, 2, 1), (6, 1, 3)],
)
def test_symmetric_padding_in_literal_numbers(kernel: int, stride: int, zeros: int) -> None:
    conv = Conv(torch.nn.Conv1d, (2, 3), (kernel,), (stride,), "symmetric").double()
    inputs = torch.randn(1, 2, 20, dtype=torch.float64)
    expected = torch.nn.functional.conv1d(inputs, conv.weight, conv.bias, stride, zeros)
    torch.testing.assert_close(conv(inputs), expected[..., : -(-20 // stride)])


def test_a_module_that_differs_is_not_matched() -> None:
    with pytest.raises(RuntimeError, match=r"Missing key|Unexpected key|size mismatch"):
        match(generator(SMALL, 25).twin(), generator(SMALL, 24).ours())

"""Weights in a torch module and back."""

import numpy as np
import pytest
import torch

from cyclegan_vc_tf.config import NetworkConfig
from cyclegan_vc_tf.torch_weights import load_state, to_state
from parity.cases import discriminator, generator
from parity.pairs import Networks
from parity.runs import match
from parity.twins import SMALL

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
    """Worked out by hand from the paper's figure, as for the port's own networks."""
    for make, expected in ((generator, 38_055_704), (discriminator, 21_837_825)):
        module = make(NetworkConfig(), 24).twin()
        assert sum(each.numel() for each in module.parameters()) == expected


def test_a_module_that_differs_is_not_matched() -> None:
    with pytest.raises(RuntimeError, match=r"Missing key|Unexpected key|size mismatch"):
        match(generator(SMALL, 25).twin(), generator(SMALL, 24).ours())

"""Weights between Keras and torch layouts, without torch."""

import keras
import numpy as np
import pytest
from conftest import SMALL_NETWORK

from cyclegan_vc_tf.models import torch_weights
from cyclegan_vc_tf.models.discriminators import vc1_discriminator
from cyclegan_vc_tf.models.generators import vc1_generator

BUILDERS = {"generator": vc1_generator, "discriminator": vc1_discriminator}


def build(kind: str, seed: int = 0) -> keras.Model:
    model = BUILDERS[kind](kind, 24, SMALL_NETWORK, seed)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(each.shape) for each in model.get_weights()])
    return model


@pytest.mark.parametrize("kind", BUILDERS)
def test_there_and_back_is_bit_exact(kind: str) -> None:
    model, other = build(kind, 0), build(kind, 1)
    state = torch_weights.to_state(model)
    torch_weights.load_state(other, state)
    for expected, received in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(expected.view(np.int32), received.view(np.int32))
    again = torch_weights.to_state(other)
    assert all(
        np.array_equal(state[key].view(np.int32), again[key].view(np.int32)) for key in state
    )


def test_every_axis_goes_where_torch_has_it() -> None:
    """torch: conv weights are (out, in, positions…), linear ones (out, in)."""
    generator, discriminator = build("generator"), build("discriminator")
    kernel = generator.get_layer("down_1_conv").kernel.numpy()
    weight = torch_weights.to_state(generator)["down.0.conv.weight"]
    frames, fan_in, fan_out = kernel.shape
    assert weight.shape == (fan_out, fan_in, frames)
    assert weight[3, 1, 4] == kernel[4, 1, 3]
    state = torch_weights.to_state(discriminator)
    kernel = discriminator.get_layer("block_4_conv").kernel.numpy()
    assert state["block.3.conv.weight"][7, 5, 4, 1] == kernel[4, 1, 5, 7]
    np.testing.assert_array_equal(
        state["scores.weight"], discriminator.get_layer("scores").kernel.numpy().T
    )
    norm = discriminator.get_layer("block_2_norm")
    np.testing.assert_array_equal(state["block.1.norm.weight"], norm.gamma)
    np.testing.assert_array_equal(state["block.1.norm.bias"], norm.beta)


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("input_conv", "input_conv"),
        ("down_1_conv", "down.0.conv"),
        ("residual_12_out_norm", "residual.11.out_norm"),
        ("scores", "scores"),
    ],
)
def test_modules_are_counted_from_zero(layer: str, module: str) -> None:
    assert torch_weights.companion_module(layer) == module


def unread(state: dict) -> None:
    state["stray.weight"] = np.zeros(3, np.float32)


def unset(state: dict) -> None:
    del state["up.1.norm.bias"]


def another_shape(state: dict) -> None:
    state["down.0.conv.weight"] = state["down.0.conv.weight"].transpose(1, 0, 2)


def another_type(state: dict) -> None:
    state["down.0.conv.bias"] = state["down.0.conv.bias"].astype(np.float64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unread, r"keys unread: stray\.weight"),
        (unset, r"variables unset: up_2_norm/beta \(up\.1\.norm\.bias\)"),
        (
            another_shape,
            r"down\.0\.conv\.weight is float32\[4, 16, 5\], expected float32\[16, 4, 5\]",
        ),
        (another_type, r"down\.0\.conv\.bias is float64\[16\], expected float32\[16\]"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(change: object, said: str) -> None:
    model, other = build("generator", 0), build("generator", 1)
    state = torch_weights.to_state(other)
    change(state)  # type: ignore[operator]
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"does not fit generator; .*{said}"):
        torch_weights.load_state(model, state)
    for expected, received in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(expected, received)


def test_variables_of_one_address_are_refused() -> None:
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)], name="inner")
    model = keras.Model(inputs, inner(inputs), name="outer")
    with pytest.raises(ValueError, match="outer has two variables inner/kernel"):
        torch_weights.to_state(model)


def test_a_weight_of_an_unknown_kind_is_refused() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.PReLU(name="slope")(inputs))
    with pytest.raises(ValueError, match=r"no torch layout is known for slope/alpha with 1 axes"):
        torch_weights.to_state(model)

"""The 2-1-2-D networks: sizes worked out by hand, and the effects of their options."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.generators import generate
from cyclegan_vc_tf.system.errors import InputError

VARIANTS = [variant for variant in PRESETS if variant != "vc1"]


def settings(variant: str, bins: int, **changes: object) -> RunConfig:
    """Settings of a paper with another number of bins and changed networks."""
    paper = PRESETS[variant]
    name = "mel_cepstra" if paper.features.spectra == "mel_cepstra" else "mel_bins"
    features = dataclasses.replace(paper.features, **{name: bins})  # type: ignore[arg-type]
    network = dataclasses.replace(paper.network, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(paper, features=features, network=network)


def small(variant: str, bins: int = 12, **changes: object) -> RunConfig:
    return settings(variant, bins, **{"channels": 2, "residual_blocks": 1, **changes})


def generator(config: RunConfig) -> keras.Model:
    build = registry.VARIANTS[config.network.variant].generator
    return build("generator", config.features.bins, config.network, 0)


def discriminator(config: RunConfig) -> keras.Model:
    build = registry.VARIANTS[config.network.variant].discriminator
    return build("discriminator", config.features.bins, config.network, 0)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def conv(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * inputs * outputs + outputs


def generator_parameters(rows: int, inputs: int) -> dict[str, int]:
    """Kernel x channels in x channels out, gate included, plus biases; norms: two per channel."""
    residual = conv(3, 256, 1024) + 2 * 1024 + conv(3, 512, 256) + 2 * 256
    return {
        "input": conv(5 * 15, inputs, 256),
        "down": conv(25, 128, 512) + 2 * 512 + conv(25, 256, 512) + 2 * 512,
        "fold": conv(1, 256 * rows, 256) + 2 * 256,
        "residual": 6 * residual,
        "unfold": conv(1, 256, 256 * rows),
        "unfold norm": 2 * 256 * rows,
        "up": conv(25, 256, 2048) + conv(25, 256, 1024),
        "up norms": 2 * 512 + 2 * 256,
        "output": conv(5 * 15, 128, 1),
    }


def test_vc2s_networks_have_their_number_of_parameters() -> None:
    """36 bins are 9 rows when they are folded."""
    expected = sum(generator_parameters(9, 1).values())
    assert expected == 32_900_993
    assert generator(PRESETS["vc2"]).count_params() == expected
    blocks = conv(9, 1, 256) + conv(9, 128, 512) + conv(9, 256, 1024) + conv(9, 512, 2048)
    last = conv(5, 1024, 2048) + conv(3, 1024, 1)
    expected = blocks + last + 2 * (512 + 1024 + 2048 + 2048)
    assert expected == 22_894_593
    assert discriminator(PRESETS["vc2"]).count_params() == expected


def test_masks_generator_has_one_input_channel_more() -> None:
    expected = sum(generator_parameters(20, 2).values())
    assert generator(PRESETS["mask"]).count_params() == expected == 34_370_433


def test_vc3s_norms_are_convolutions_of_the_spectrogram() -> None:
    """Three of width 128, then gamma and beta: kernel 5 in 1-D, 5 x 5 in 2-D."""
    parts = generator_parameters(20, 1)
    flat = conv(5, 80, 128) + 2 * conv(5, 128, 128) + 2 * conv(5, 128, 256 * 20)
    first = conv(25, 1, 128) + 2 * conv(25, 128, 128) + 2 * conv(25, 128, 512)
    second = conv(25, 1, 128) + 2 * conv(25, 128, 128) + 2 * conv(25, 128, 256)
    replaced = parts["unfold norm"] + parts["up norms"]
    expected = sum(parts.values()) - replaced + flat + first + second
    assert expected == 47_681_025
    assert generator(PRESETS["vc3"]).count_params() == expected
    wider = PRESETS["vc3"].network.discriminator_kernels
    assert wider[4] == "2x5", "VC2's 1 x 5, twice as many bins"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("bins", [24, 34, 36, 80, 128])
def test_any_number_of_bins(variant: str, bins: int) -> None:
    config = small(variant, bins)
    generator_model, discriminator_model = generator(config), discriminator(config)
    for frames in (4, 64):
        assert generate(generator_model, noise(2, frames, bins)).shape == (2, frames, bins)
        # Strides of 2 three times; SAME padding rounds up.
        expected = (2, -(-bins // 8), -(-frames // 8), 1)
        assert discriminator_model(noise(2, frames, bins)).shape == expected


def test_the_patch_gan_of_the_paper_is_5_by_16() -> None:
    assert discriminator(small("vc2", 36))(noise(1, 128, 36)).shape == (1, 5, 16, 1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_bins_are_filled_up_behind_the_last_one_and_cut_there(variant: str) -> None:
    """34 bins give the output of 36 bins whose last two are zero, with equal weights."""
    few, many = generator(small(variant, 34)), generator(small(variant, 36))
    many.set_weights(few.get_weights())
    features = noise(1, 16, 34, seed=1)
    filled = np.pad(features, ((0, 0), (0, 0), (0, 2)))
    expected = generate(many, filled)[..., :34]
    np.testing.assert_allclose(generate(few, features), expected, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variable_takes_part(variant: str) -> None:
    """Every block that is built is called."""
    config = small(variant, 10)
    mask = np.ones((2, 32, 1), np.float32)
    mask[:, 3:9] = 0
    for model in (generator(config), discriminator(config)):
        inputs = tf.constant(noise(2, 32, 10))
        with tf.GradientTape() as tape:
            outputs = generate(model, inputs, tf.constant(mask), training=True)
            loss = tf.reduce_sum(tf.square(outputs - noise(*outputs.shape, seed=3)))
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            assert gradient is not None, variable.name
            # Constants in front of a norm have a true gradient of zero.
            if not any(name in variable.name for name in ("bias", "beta")):
                assert np.max(np.abs(gradient)) > 0, variable.name


def test_folding_is_channel_major() -> None:
    """Channel c of row h becomes channel c · rows + h: with one weight, one value goes through."""
    model = generator(small("vc2", 16))
    fold = keras.Model(model.input, model.get_layer("fold").output)
    before = keras.Model(model.input, model.get_layer("down_2_gate").output)
    features = noise(1, 16, 16)
    rows, channels = 4, 4
    picture, folded = before(features).numpy(), fold(features).numpy()
    assert picture.shape == (1, rows, 4, channels) and folded.shape == (1, 4, rows * channels)
    for row in range(rows):
        for channel in range(channels):
            np.testing.assert_array_equal(
                folded[0, :, channel * rows + row], picture[0, row, :, channel]
            )
    unfold = keras.Model(model.get_layer("unfold").input, model.get_layer("unfold_order").output)
    np.testing.assert_array_equal(unfold(folded), picture)


def test_an_adaptive_norm_begins_near_the_norm_and_follows_the_spectrogram() -> None:
    model = generator(small("vc3", 16))
    outputs = [model.get_layer(f"up_1_tfan_{part}").output for part in ("norm", "offset", "gamma")]
    parts = keras.Model(model.input, outputs)
    normalized, adapted, gamma = (each.numpy() for each in parts(noise(1, 16, 16)))
    np.testing.assert_allclose(normalized.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.var(axis=(1, 2)), 1, rtol=1e-2)
    assert np.mean(np.sign(adapted) == np.sign(normalized)) > 0.5
    assert model.get_layer("up_1_tfan_gamma").bias.numpy().min() == 1.0
    assert gamma.std(axis=(1, 2)).min() > 0, "another scale at each place"
    # Gamma depends on the spectrogram alone.
    silent = parts(np.zeros((1, 16, 16), np.float32))[2].numpy()
    assert np.abs(silent - silent[:, :1, :1]).max() < 1e-6


def test_hidden_frames_have_no_influence_but_through_the_mask() -> None:
    model = generator(small("mask"))
    features, mask = noise(1, 16, 12), np.ones((1, 16, 1), np.float32)
    mask[0, 5:9] = 0
    other = features.copy()
    other[0, 5:9] = 7.0
    hidden = generate(model, features, mask)
    np.testing.assert_array_equal(hidden, generate(model, other, mask))
    assert not np.allclose(hidden, generate(model, features), atol=1e-4)
    np.testing.assert_array_equal(
        generate(model, features), generate(model, features, np.ones_like(mask))
    )


def test_raw_scores_unless_a_sigmoid_is_asked_for() -> None:
    raw, squashed = (
        discriminator(small("vc2", discriminator_sigmoid=sigmoid)) for sigmoid in (False, True)
    )
    squashed.set_weights(raw.get_weights())
    scores = raw(10 * noise(4, 64, 12)).numpy()
    assert scores.min() < 0 or scores.max() > 1
    np.testing.assert_allclose(
        squashed(10 * noise(4, 64, 12)), 1 / (1 + np.exp(-scores)), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", 4),
        ("generator_widths", (1, 2, 3, 4, 2, 1)),
        ("generator_kernels", ("3x3", "5x5", "5x5", "3", "5x5", "5x5", "5x15")),
        ("residual_blocks", 0),
        ("tfan_layers", 1),
        ("tfan_kernel", 3),
        ("tfan_width", 2),
        ("padding", "symmetric"),
        ("norm_epsilon", 1e-1),
        ("up_norm_epsilon", 1e-1),
        ("gate", "silu"),
    ],
)
def test_options_of_the_generator_matter(option: str, value: object) -> None:
    features = noise(1, 16, 12, seed=2)
    changed = generator(small("vc3", **{option: value}))
    assert changed(features).shape == features.shape
    assert not np.allclose(generator(small("vc3"))(features), changed(features), atol=1e-4)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("generator_kernels", ("15", "5", "5", "3", "5", "5", "15"), "expected the form of vc2"),
        ("generator_kernels", ("5x15",), "has 1 values; expected the 7 of vc2, such as 5x15,5x5"),
        ("discriminator_widths", (1, 2, 4), "has 3 values; expected the 5 of vc2"),
        ("discriminator_widths", (1, 2, 4, 8), "discriminator_kernels has 6 .* expected the 5 of"),
        ("discriminator_kernels", ("3x3",) * 5 + ("1x-3",), "1x-3; expected the form of vc2"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(
    option: str, value: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        registry.validate_config(small("vc2", **{option: value}))


def test_a_discriminators_last_block_can_be_left_out_as_public_code_does() -> None:
    """Conv2d(1 → 128), 256, 512, 1024, all 3x3, SiLU; 1x3 to one score: no 1x5 is called."""
    config = small(
        "vc2",
        channels=128,
        gate="silu",
        discriminator_widths=(1, 2, 4, 8),
        discriminator_kernels=("3x3",) * 4 + ("1x3",),
    )
    registry.validate_config(config)
    blocks = conv(9, 1, 128) + conv(9, 128, 256) + conv(9, 256, 512) + conv(9, 512, 1024)
    expected = blocks + conv(3, 1024, 1) + 2 * (256 + 512 + 1024)
    assert discriminator(config).count_params() == expected == 6_202_881
    assert discriminator(config)(noise(1, 64, 12)).shape == (1, 2, 8, 1)


def test_settings_of_another_variant_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"--tfan_layers is 2, and vc2 does not have it; .*variant=vc3"
    ):
        registry.validate_config(small("vc2", tfan_layers=2))
    registry.validate_config(small("vc3", tfan_layers=2))
    course = dataclasses.replace(PRESETS["vc3"].training, mask_fraction=0.2)
    with pytest.raises(InputError, match=r"--mask_fraction is 0\.2, and vc3 does not have it"):
        registry.validate_config(dataclasses.replace(small("vc3"), training=course))
    registry.validate_config(dataclasses.replace(small("mask"), training=course))


def test_each_paper_can_be_built_and_is_in_the_family() -> None:
    assert PRESETS.keys() == registry.VARIANTS.keys()
    for variant, paper in PRESETS.items():
        assert paper.network.variant == variant
        registry.validate_config(paper)
    assert NetworkConfig() == PRESETS["vc1"].network

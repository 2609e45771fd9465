"""Generators and discriminators: sizes worked out by hand from the paper's figure."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from conftest import SMALL_NETWORK

from cyclegan_vc_tf.config import training
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS, define_run_flags
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.generators import LINEAR_SKIP_FRAMES
from cyclegan_vc_tf.system.errors import InputError


def generator(network: NetworkConfig = SMALL_NETWORK, bins: int = 24) -> keras.Model:
    run = RunConfig(network=network, features=FeatureConfig(mel_cepstra=bins))
    return registry.build_generators(run)["A2B"]


def discriminator(network: NetworkConfig = SMALL_NETWORK, bins: int = 24) -> keras.Model:
    run = RunConfig(network=network, features=FeatureConfig(mel_cepstra=bins))
    return registry.build_discriminators(run)["A"]


def conv(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * inputs * outputs + outputs


def test_the_papers_generator_has_its_number_of_parameters() -> None:
    """Kernel x channels in x channels out, gate included, plus biases; norms: two per channel."""
    down = conv(5, 128, 512) + 2 * 512 + conv(5, 256, 1024) + 2 * 1024
    residual = conv(3, 512, 2048) + 2 * 2048 + conv(3, 1024, 512) + 2 * 512
    up = conv(5, 512, 2048) + 2 * 1024 + conv(5, 512, 1024) + 2 * 512
    expected = conv(15, 24, 256) + down + 6 * residual + up + conv(15, 256, 24)
    assert expected == 38_055_704
    assert generator(NetworkConfig()).count_params() == expected


def test_the_papers_discriminator_has_its_number_of_parameters() -> None:
    blocks = conv(9, 1, 256) + conv(9, 128, 512) + conv(9, 256, 1024) + conv(18, 512, 2048)
    expected = blocks + 2 * (512 + 1024 + 2048) + conv(1, 1024, 1)
    assert expected == 21_837_825
    assert discriminator(NetworkConfig()).count_params() == expected


def geometry(model: keras.Model) -> list[tuple]:
    """Name, kernel, strides and channels of each convolution, in order."""
    layers = [layer for layer in model.layers if "_conv" in layer.name and "pad" not in layer.name]
    return [(each.name, each.kernel_size, each.strides, each.filters) for each in layers]


def test_the_geometry_of_the_papers_figure() -> None:
    """Channels are twice the figure's, because the gate is counted."""
    convolutions = geometry(generator(NetworkConfig()))
    assert convolutions[:3] == [
        ("input_conv", (15,), (1,), 256),
        ("down_1_conv", (5,), (2,), 512),
        ("down_2_conv", (5,), (2,), 1024),
    ]
    for index in range(6):
        assert convolutions[3 + 2 * index : 5 + 2 * index] == [
            (f"residual_{index + 1}_conv", (3,), (1,), 2048),
            (f"residual_{index + 1}_out_conv", (3,), (1,), 512),
        ]
    assert convolutions[15:] == [
        ("up_1_conv", (5,), (1,), 2048),
        ("up_2_conv", (5,), (1,), 1024),
        ("output_conv", (15,), (1,), 24),
    ]
    assert geometry(discriminator(NetworkConfig())) == [
        ("block_1_conv", (3, 3), (1, 2), 256),
        ("block_2_conv", (3, 3), (2, 2), 512),
        ("block_3_conv", (3, 3), (2, 2), 1024),
        ("block_4_conv", (6, 3), (1, 2), 2048),
    ]


@pytest.mark.parametrize("frames", [4, 8, 64, 128, 132])
@pytest.mark.parametrize("bins", [24, 25, 36])
def test_shapes(frames: int, bins: int) -> None:
    features = np.zeros((2, frames, bins), np.float32)
    assert generator(bins=bins)(features).shape == (2, frames, bins)
    # Strides: bins by 1, 2, 2, 1; frames by 2 four times; SAME padding rounds up.
    rows, columns = -(-bins // 4), -(-frames // 16)
    assert discriminator(bins=bins)(features).shape == (2, rows, columns, 1)


def test_the_patch_gan_of_the_paper_is_6_by_8() -> None:
    assert discriminator()(np.zeros((1, 128, 24), np.float32)).shape == (1, 6, 8, 1)


@pytest.mark.parametrize("build", [generator, discriminator])
def test_every_variable_takes_part(build: object) -> None:
    """Every block that is built is called."""
    model = build()  # type: ignore[operator]
    inputs = tf.constant(np.random.default_rng(0).standard_normal((2, 32, 24)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(inputs, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        # A bias in front of an instance norm has a true gradient of zero.
        if "bias" not in variable.name:
            assert np.max(np.abs(gradient)) > 0, variable.name


def test_a_residual_block_adds_to_its_input() -> None:
    """A block whose second norm is zero has no effect."""
    with_block = generator()
    without = generator(dataclasses.replace(SMALL_NETWORK, residual_blocks=0))
    for layer in without.layers:
        layer.set_weights(with_block.get_layer(layer.name).get_weights())
    features = np.random.default_rng(4).standard_normal((1, 16, 24)).astype(np.float32)
    assert not np.allclose(with_block(features), without(features), atol=1e-3)
    norm = with_block.get_layer("residual_1_out_norm")
    norm.set_weights([np.zeros(16), np.zeros(16)])
    np.testing.assert_allclose(with_block(features), without(features), atol=1e-5)


def test_every_layer_has_a_name_of_its_own() -> None:
    names = [layer.name for layer in generator().layers]
    assert "down_1_conv" in names and "residual_1_out_norm" in names and "up_2_shuffle" in names
    assert not [name for name in names if name[-1].isdigit() and "_" not in name]


def test_scores_are_raw_unless_a_sigmoid_is_asked_for() -> None:
    features = 10 * np.random.default_rng(1).standard_normal((4, 64, 24)).astype(np.float32)
    raw, squashed = (
        discriminator(dataclasses.replace(SMALL_NETWORK, discriminator_sigmoid=sigmoid))
        for sigmoid in (False, True)
    )
    squashed.set_weights(raw.get_weights())
    scores = raw(features).numpy()
    assert scores.min() < 0 or scores.max() > 1
    np.testing.assert_allclose(squashed(features), 1 / (1 + np.exp(-scores)), rtol=1e-5)


def test_the_best_known_pytorch_reimplementation_can_be_sized() -> None:
    """Up blocks half as wide, an output kernel of 5, scale and offset in the down blocks alone."""
    network = NetworkConfig(
        generator_widths=(1, 2, 4, 8, 2, 1),
        generator_kernels=("15", "5", "5", "3", "5", "5", "5"),
        norm_affine="down",
    )
    down = conv(5, 128, 512) + 2 * 512 + conv(5, 256, 1024) + 2 * 1024
    residual = conv(3, 512, 2048) + conv(3, 1024, 512)
    up = conv(5, 512, 1024) + conv(5, 256, 512)
    expected = conv(15, 24, 256) + down + 6 * residual + up + conv(5, 128, 24)
    model = generator(network)
    assert model.count_params() == expected == 33_356_056
    affine = [layer.name for layer in model.layers if "norm" in layer.name and layer.weights]
    assert affine == ["down_1_norm", "down_2_norm"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", 8),
        ("generator_widths", (1, 2, 4, 8, 2, 1)),
        ("generator_kernels", ("5", "5", "5", "3", "5", "5", "15")),
        ("residual_blocks", 2),
        ("padding", "symmetric"),
        ("norm_epsilon", 1e-1),
        ("up_norm_epsilon", 1e-1),
        ("gate", "silu"),
    ],
)
def test_options_of_the_generator_matter(option: str, value: object) -> None:
    features = np.random.default_rng(2).standard_normal((1, 16, 24)).astype(np.float32)
    changed = generator(dataclasses.replace(SMALL_NETWORK, **{option: value}))
    assert changed(features).shape == features.shape
    assert not np.allclose(generator()(features), changed(features), atol=1e-4)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", 8),
        ("discriminator_widths", (1, 1, 1, 2)),
        ("discriminator_kernels", ("3x3", "3x3", "3x3", "3x3")),
        ("padding", "symmetric"),
        ("norm_epsilon", 1e-1),
        ("gate", "silu"),
    ],
)
def test_options_of_the_discriminator_matter(option: str, value: object) -> None:
    features = np.random.default_rng(3).standard_normal((1, 16, 24)).astype(np.float32)
    changed = discriminator(dataclasses.replace(SMALL_NETWORK, **{option: value}))
    assert not np.allclose(discriminator()(features), changed(features), atol=1e-4)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        (
            "generator_widths",
            (1, 2),
            "--generator_widths has 2 values; expected the 6 of vc1",
        ),
        (
            "discriminator_kernels",
            ("3x3", "3", "3x3", "6x3"),
            "is 3x3,3,3x3,6x3; expected the form of vc1",
        ),
        ("discriminator_kernels", ("3x3", "0x3", "3x3", "6x3"), "is 3x3,0x3,3x3,6x3; expected"),
    ],
)
def test_networks_that_cannot_be_built_are_refused(
    option: str, value: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        registry.validate_config(RunConfig(network=NetworkConfig(**{option: value})))  # type: ignore[arg-type]


def test_crops_of_no_multiple_of_4_are_refused() -> None:
    with pytest.raises(InputError, match="--crop_frames is 130; expected a multiple of 4"):
        registry.validate_config(RunConfig(training=training.TrainingConfig(crop_frames=130)))


def test_presets_registry_and_flag_have_the_same_variants() -> None:
    values = flags.FlagValues()
    define_run_flags(values)
    assert list(registry.VARIANTS) == list(PRESETS) == list(values["variant"].parser.enum_values)


def test_an_unknown_variant_is_refused() -> None:
    config = RunConfig(network=dataclasses.replace(SMALL_NETWORK, variant="vc9"))
    with pytest.raises(InputError, match="--variant is vc9; expected one of vc1, vc2, vc3, mask"):
        registry.validate_config(config)


def test_the_linear_skip_leaves_the_level_alone() -> None:
    """Output = kernel * input + learned part, of which bin 0 is dropped: by NumPy."""
    model = generator(dataclasses.replace(SMALL_NETWORK, vtln_init=True))
    plain = generator()
    for layer in plain.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    rng = np.random.default_rng(6)
    features = rng.standard_normal((1, 16, 24)).astype(np.float32)
    kernel = rng.standard_normal((LINEAR_SKIP_FRAMES, 24, 24)).astype(np.float32)
    model.get_layer("linear_skip").set_weights([kernel])
    padded = np.pad(features[0], ((2, 2), (0, 0)))
    skipped = sum(padded[i : i + 16] @ kernel[i] for i in range(5))
    learned = plain(features).numpy()[0]
    learned[:, 0] = 0.0
    np.testing.assert_allclose(model(features)[0], skipped + learned, atol=1e-4)


def test_networks_beyond_the_memory_are_refused() -> None:
    """They filled the memory: the process was killed, or TensorFlow ended in a traceback."""
    config = RunConfig(network=dataclasses.replace(SMALL_NETWORK, channels=65_536))
    with pytest.raises(InputError, match="parameters of 4 bytes, more than the"):
        registry.build_networks(config, ["generator_A2B"])

"""Layers compared with NumPy, SciPy, `tf.reshape` and layers of Keras."""

import keras
import numpy as np
import pytest
import scipy.signal
import tensorflow as tf

from cyclegan_vc_tf.models import layers


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_value_comes_first_and_the_gate_second() -> None:
    inputs = rng().standard_normal((2, 5, 6))
    expected = inputs[..., :3] / (1 + np.exp(-inputs[..., 3:]))
    outputs = layers.GatedLinearUnit(dtype="float64")(inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-12)


def test_the_shuffle_of_a_hand_worked_example() -> None:
    # Frame 0 holds channels 0 to 3, frame 1 holds 4 to 7: each becomes two frames of two.
    inputs = np.arange(8.0).reshape(1, 2, 4)
    outputs = layers.PixelShuffle1D()(inputs)
    np.testing.assert_array_equal(outputs, [[[0, 1], [2, 3], [4, 5], [6, 7]]])


@pytest.mark.parametrize(("batch", "frames", "channels"), [(1, 1, 4), (3, 7, 12), (2, 32, 8)])
def test_the_shuffle_is_the_reshape_of_the_tensorflow_1_port(
    batch: int, frames: int, channels: int
) -> None:
    inputs = rng().standard_normal((batch, frames, channels))
    outputs = layers.PixelShuffle1D(dtype="float64")(inputs)
    expected = tf.reshape(inputs, (batch, 2 * frames, channels // 2))
    np.testing.assert_array_equal(outputs, expected)
    # Channel j·C/2 + k of frame w is channel k of frame 2w + j.
    for j in range(2):
        half = inputs[:, :, j * channels // 2 : (j + 1) * channels // 2]
        np.testing.assert_array_equal(outputs[:, j::2], half)


def test_the_shuffle_that_public_ports_do_is_another_function() -> None:
    inputs = rng().standard_normal((1, 6, 8))
    viewed = inputs.transpose(0, 2, 1).reshape(1, 4, 12).transpose(0, 2, 1)
    outputs = layers.PixelShuffle1D(dtype="float64")(inputs)
    assert np.max(np.abs(outputs - viewed)) > 1


def test_the_shuffle_refuses_channels_it_cannot_share_out() -> None:
    with pytest.raises(ValueError, match=r"multiple of 4 channels\. Received: 6"):
        layers.PixelShuffle1D()(np.zeros((1, 3, 6)))


@pytest.mark.parametrize("shape", [(2, 9, 6), (3, 4, 5, 6), (1, 1, 8)])
def test_instance_norm_is_numpys_and_keras_group_norm(shape: tuple[int, ...]) -> None:
    keras.mixed_precision.set_global_policy("float64")
    try:
        ours = layers.instance_norm(1e-3, "norm")
        inputs = rng().standard_normal(shape) * 3 + 2
        ours.build(shape)
        gamma, beta = rng().standard_normal((2, shape[-1]))
        ours.set_weights([gamma, beta])
        theirs = keras.layers.GroupNormalization(groups=-1, epsilon=1e-3)
        theirs.build(shape)
        theirs.set_weights([gamma, beta])
        axes = tuple(range(1, len(shape) - 1))
        mean = inputs.mean(axis=axes, keepdims=True)
        variance = inputs.var(axis=axes, keepdims=True)
        expected = gamma * (inputs - mean) / np.sqrt(variance + 1e-3) + beta
        outputs = ours(inputs)
        assert outputs.dtype == tf.float64
        np.testing.assert_allclose(outputs, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(theirs(inputs), expected, rtol=1e-10, atol=1e-12)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_instance_norm_of_one_frame_is_its_offset() -> None:
    norm = layers.instance_norm(1e-6, "norm")
    norm.build((1, 1, 4))
    norm.set_weights([np.full(4, 2.0), np.arange(4.0)])
    np.testing.assert_allclose(norm(rng().standard_normal((1, 1, 4)))[0, 0], np.arange(4.0))


def test_instance_norm_stays_in_float32_under_bfloat16() -> None:
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        norm = layers.instance_norm(1e-6, "norm")
        assert (norm.compute_dtype, norm.variable_dtype) == ("float32", "float32")
    finally:
        keras.mixed_precision.set_global_policy("float32")


def correlate(inputs: np.ndarray, kernel: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """Convolve (rows, columns, channels) with strides and without padding, by SciPy."""
    outputs = [
        sum(
            scipy.signal.correlate(inputs[..., i], kernel[..., i, o], mode="valid")
            for i in range(kernel.shape[2])
        )
        for o in range(kernel.shape[3])
    ]
    return np.stack(outputs, axis=-1)[:: stride[0], :: stride[1]]


def same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pad by TensorFlow's documented rule: the smaller half in front."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize(
    ("kernel", "stride", "symmetric"),
    [
        ((3, 3), (1, 2), ((1, 1), (1, 1))),
        ((3, 3), (2, 2), ((1, 1), (1, 1))),
        # An even kernel at stride 1: 3 on both sides, and the last row of the output is cut.
        ((6, 3), (1, 2), ((3, 2), (1, 1))),
        ((5, 15), (1, 1), ((2, 2), (7, 7))),
    ],
)
@pytest.mark.parametrize("size", [(12, 16), (11, 17)])
@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_convolutions_pad_as_they_say(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    symmetric: tuple[tuple[int, int], tuple[int, int]],
    size: tuple[int, int],
    padding: layers.Padding,
) -> None:
    image = keras.Input((*size, 2))
    outputs = layers.Convolutions("network", 0, padding)(image, 3, kernel, stride, "conv")
    model = keras.Model(image, outputs)
    weights, bias = rng().standard_normal((*kernel, 2, 3)), rng().standard_normal(3)
    model.set_weights([weights, bias])
    inputs = rng().standard_normal((*size, 2))
    zeros = symmetric
    if padding == "same":
        zeros = tuple(same_padding(*each) for each in zip(size, kernel, stride, strict=True))
    expected = correlate(np.pad(inputs, (*zeros, (0, 0))), weights, stride) + bias
    np.testing.assert_allclose(model(inputs[np.newaxis])[0], expected, rtol=1e-4, atol=1e-4)


def test_every_layer_has_its_own_seed() -> None:
    def kernel(network: str, layer: str, seed: int) -> np.ndarray:
        initializer = layers.Convolutions(network, seed, "same").initializer(layer)
        return initializer((3, 4, 8)).numpy()

    first = kernel("generator_A2B", "input_conv", 0)
    np.testing.assert_array_equal(first, kernel("generator_A2B", "input_conv", 0))
    for other in (
        kernel("generator_B2A", "input_conv", 0),
        kernel("generator_A2B", "output_conv", 0),
        kernel("generator_A2B", "input_conv", 1),
    ):
        assert not np.array_equal(first, other)
    # Glorot: uniform within sqrt(6 / (fan_in + fan_out)).
    assert np.max(np.abs(first)) <= np.sqrt(6 / (3 * 4 + 3 * 8))


@pytest.mark.parametrize(("bins", "frames"), [(1, 1), (3, 5), (4, 2)])
def test_the_shuffle_in_two_dimensions(bins: int, frames: int) -> None:
    """Channel (2i + j)·C/4 + k of bin h, frame w is channel k of bin 2h + i, frame 2w + j."""
    inputs = rng().standard_normal((2, bins, frames, 12))
    outputs = layers.PixelShuffle2D(dtype="float64")(inputs).numpy()
    assert outputs.shape == (2, 2 * bins, 2 * frames, 3)
    for i in range(2):
        for j in range(2):
            quarter = inputs[..., 3 * (2 * i + j) : 3 * (2 * i + j) + 3]
            np.testing.assert_array_equal(outputs[:, i::2, j::2], quarter)


def test_resizing_takes_the_nearest_by_the_centres() -> None:
    """2 of 8 frames have their centres in the third and the seventh; 2 of 3 are 0 and 2."""
    frames = np.arange(8.0).reshape(1, 8, 1)
    resized = layers.NearestResize()((frames, np.zeros((1, 2, 5))))
    np.testing.assert_array_equal(resized[0, :, 0], [2, 6])
    picture = np.arange(24.0).reshape(1, 3, 8, 1)
    resized = layers.NearestResize()((picture, np.zeros((1, 2, 2, 7))))
    np.testing.assert_array_equal(resized[0, :, :, 0], [[2, 6], [18, 22]])
    same = layers.NearestResize()((picture, np.zeros((1, 3, 8, 7))))
    np.testing.assert_array_equal(same, picture)


def test_masked_frames_are_zero_and_the_mask_stands_beside_them() -> None:
    features = np.arange(1.0, 7.0).reshape(1, 3, 2)
    mask = np.array([[[1.0], [0.0], [1.0]]])
    outputs = layers.MaskFrames()((features, mask)).numpy()
    np.testing.assert_array_equal(outputs[0, :, :, 0], [[1, 2], [0, 0], [5, 6]])
    np.testing.assert_array_equal(outputs[0, :, :, 1], [[1, 1], [0, 0], [1, 1]])


def test_a_norm_without_scale_and_offset_has_no_weights() -> None:
    plain = layers.instance_norm(1e-6, "norm", affine=False)
    inputs = 3 + 2 * rng().standard_normal((2, 50, 3)).astype(np.float32)
    outputs = plain(inputs).numpy()
    assert plain.weights == []
    np.testing.assert_allclose(outputs.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.std(axis=1), 1, rtol=1e-4)


def test_a_bias_begins_where_it_is_told_to() -> None:
    convolve = layers.Convolutions("network", 0, "same")
    for bias in (0.0, 1.0):
        inputs = keras.Input((None, 2))
        model = keras.Model(inputs, convolve(inputs, 3, (5,), (1,), "conv", bias=bias))
        np.testing.assert_array_equal(model.get_layer("conv").bias, bias)

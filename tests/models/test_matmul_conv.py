"""Convolutions as products against TensorFlow's own, and kernels used more than once."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from bfloat16_instructions import NEEDS_ROUNDING

from cyclegan_vc_tf.models import conv_windows, matmul_conv
from cyclegan_vc_tf.models.layers import Convolutions
from cyclegan_vc_tf.models.matmul_conv import MatmulContext
from cyclegan_vc_tf.system import processor

GEOMETRIES = [
    ((9,), (3,), (1,), "same"),
    ((8,), (5,), (2,), "same"),
    ((7,), (4,), (3,), "same"),
    ((8,), (1,), (1,), "same"),
    ((9,), (2,), (3,), "same"),
    ((10,), (3,), (2,), "valid"),
    ((10,), (2,), (3,), "valid"),
    ((5, 8), (3, 3), (2, 2), "same"),
    ((6, 7), (6, 3), (1, 2), "same"),
    ((7, 9), (3, 4), (2, 3), "valid"),
]


def normal(*shape: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize(("sizes", "kernel", "strides", "padding"), GEOMETRIES)
def test_windows_times_kernel_is_the_convolution(
    sizes: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...], padding: str
) -> None:
    """Outputs and both gradients, in float64."""
    inputs, weights = normal(2, *sizes, 3), normal(*kernel, 3, 4, seed=1)
    axes = conv_windows.conv_axes(sizes, kernel, strides, padding)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([inputs, weights])
        theirs = tf.nn.convolution(inputs, weights, strides, padding.upper())
        matrix = tf.reshape(weights, (-1, 4))
        ours = matmul_conv.matmul(conv_windows.extract_windows(inputs, axes), matrix)
        ours = tf.reshape(ours, theirs.shape)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    upstream = normal(*theirs.shape, seed=2)
    for source in (inputs, weights):
        found = tape.gradient(ours, source, upstream)
        expected = tape.gradient(theirs, source, upstream)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_the_product_is_taken_where_a_kernel_is_large_beside_its_rows() -> None:
    """Sizes of the 2017 paper: residual blocks yes, first layers no, large batches no."""

    def faster(batch: int, frames: int, kernel: int, channels_in: int, channels_out: int) -> bool:
        axes = conv_windows.conv_axes((frames,), (kernel,), (1,), "same")
        return matmul_conv.is_matmul_faster(batch, axes, channels_in, channels_out)

    assert faster(1, 32, 3, 512, 2048)
    assert faster(2, 128, 5, 512, 1024)
    assert not faster(1, 128, 15, 24, 256)
    assert not faster(1, 128, 15, 256, 24)
    assert not faster(16, 32, 3, 512, 2048)
    assert not faster(1, 64, 3, 64, 64)


def network() -> keras.Model:
    """Return a network whose convolutions are products up to 16 rows per batch."""
    inputs = keras.Input((None, 32))
    convolve = Convolutions("network", 0, "same")
    hidden = convolve(inputs, 32, (3,), (1,), "first")
    return keras.Model(inputs, convolve(hidden, 32, (3,), (2,), "second"))


def loss_of(model: keras.Model, *batches: tf.Tensor) -> tf.Tensor:
    return tf.add_n([tf.reduce_sum(tf.square(model(batch))) for batch in batches])


def gradients(products: MatmulContext, *batches: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    model = network()
    with products.in_use():
        loss = loss_of(model, *batches)
    return loss, products.gradients(loss, model.trainable_variables)


@pytest.mark.parametrize(
    "sizes",
    [(1,), (1, 1), (1, 2, 1), (2, 1, 4), (4,)],
    ids=["one use", "two uses", "three", "two of one kind and one of the other", "no product"],
)
def test_a_kernel_s_gradient_is_that_of_all_its_uses(
    sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients by a tape through TensorFlow's convolutions alone are the reference."""
    batches = [
        tf.cast(normal(size, 8, 32, seed=seed), tf.float32) for seed, size in enumerate(sizes)
    ]
    loss, found = gradients(MatmulContext(), *batches)
    monkeypatch.setattr(matmul_conv, "MAX_ROWS", -1)
    model = network()
    with tf.GradientTape() as tape:
        expected_loss = loss_of(model, *batches)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-5)
    expected = tape.gradient(expected_loss, model.trainable_variables)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_a_variable_that_has_no_part_in_a_loss_has_no_gradient() -> None:
    used, unused, products = network(), network(), MatmulContext()
    batch = tf.cast(normal(1, 8, 32), tf.float32)
    with products.in_use():
        loss, other = loss_of(used, batch), loss_of(unused, batch)
        both_losses = loss + other
    both = used.trainable_variables + unused.trainable_variables
    found = products.gradients(loss, both)
    assert [each is None for each in found] == [False] * 4 + [True] * 4
    assert not any(each is None for each in products.gradients(both_losses, both))


@pytest.mark.parametrize("size", [1, 4], ids=["products", "no products"])
def test_gradients_since_a_mark_go_no_further_back(size: int) -> None:
    """Variables of what comes before have none; others have those of the whole, bit for bit."""
    before, behind, products = network(), network(), MatmulContext()
    batch = tf.cast(normal(size, 8, 32), tf.float32)
    with products.in_use():
        hidden = before(batch)
        matmul_conv.mark()
        loss = loss_of(behind, hidden)
    whole = products.gradients(loss, behind.trainable_variables)
    part = products.gradients(loss, behind.trainable_variables, since_mark=True)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any(x is None for x in products.gradients(loss, before.trainable_variables))
    found = products.gradients(loss, before.trainable_variables, since_mark=True)
    assert [each is None for each in found] == [True] * 4


def test_what_is_called_afterwards_is_the_tape_s_again() -> None:
    model, batch = network(), tf.cast(normal(1, 8, 32), tf.float32)
    with MatmulContext().in_use():
        loss_of(model, batch)
    with tf.GradientTape() as tape:
        loss = loss_of(model, batch)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert not any(each is None for each in gradients)


def bfloat16(values: np.ndarray) -> np.ndarray:
    """Round to 8 bits of mantissa, ties to even, by hand on the bits."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("native", [False, pytest.param(True, marks=NEEDS_ROUNDING)])
@pytest.mark.parametrize("size", [1, 4], ids=["product", "convolution"])
def test_mixed_bfloat16_rounds_what_is_multiplied_and_nothing_else(
    native: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy on numbers rounded by hand is the reference, with bfloat16 instructions or not."""
    monkeypatch.setattr(processor, "has_bfloat16", lambda: native)
    inputs = keras.Input((None, 32))
    model = keras.Model(inputs, Convolutions("network", 0, "same")(inputs, 32, (1,), (1,), "one"))
    batch = normal(size, 8, 32).numpy().astype(np.float32)
    kernel, _ = model.get_weights()
    products = MatmulContext("mixed_bfloat16")
    with products.in_use():
        outputs = model(tf.constant(batch))
        loss = tf.reduce_sum(outputs)
    assert outputs.dtype == tf.float32
    exact = bfloat16(batch).astype(np.float64) @ bfloat16(kernel[0]).astype(np.float64)
    # A sum close to the middle of two bfloat16 numbers may be rounded to the other one.
    np.testing.assert_allclose(outputs, bfloat16(exact), rtol=2**-7, atol=1e-6)
    assert np.mean(np.asarray(outputs) == bfloat16(exact)) > 0.99
    np.testing.assert_array_equal(outputs, bfloat16(outputs.numpy()))
    (of_kernel, of_bias) = products.gradients(loss, model.trainable_variables)
    assert of_kernel.dtype == of_bias.dtype == tf.float32
    expected = np.repeat(bfloat16(batch).sum((0, 1), dtype=np.float64)[:, np.newaxis], 32, 1)
    np.testing.assert_allclose(of_kernel[0], expected, rtol=2**-7, atol=2**-7)


@pytest.mark.parametrize(
    ("sizes", "kernel", "strides"),
    [
        ((6, 2), (6, 3), (1, 2)),
        ((12, 1), (6, 2), (2, 2)),
        ((8, 1), (5, 5), (1, 2)),
        ((1,), (5,), (2,)),
        ((6, 4), (6, 3), (1, 2)),
    ],
)
@pytest.mark.parametrize("channels", [3, 24])
def test_bfloat16_of_one_position_is_that_of_the_definition(
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    channels: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Outputs and gradients against TensorFlow's in float64, of numbers rounded by hand.

    Where the last axis has one output, oneDNN's convolutions in bfloat16 read other memory.
    """
    monkeypatch.setattr(processor, "has_bfloat16", lambda: True)
    positions = keras.Input((*sizes, channels))
    convolve = Convolutions("network", 0, "same")
    model = keras.Model(positions, convolve(positions, 16, kernel, strides, "one"))
    batch = tf.constant(bfloat16(normal(1, *sizes, channels).numpy()))
    weights = bfloat16(model.get_weights()[0])
    for _ in range(3):
        products = MatmulContext("mixed_bfloat16")
        with products.in_use():
            outputs = model(batch)
            loss = tf.reduce_sum(outputs)
        exact = tf.Variable(weights.astype(np.float64))
        with tf.GradientTape() as tape:
            theirs = tf.nn.convolution(tf.cast(batch, tf.float64), exact, strides, "SAME")
            total = tf.reduce_sum(theirs)
        np.testing.assert_allclose(outputs, theirs, rtol=0, atol=2**-7 * np.abs(theirs).max())
        expected = tape.gradient(total, exact).numpy()
        found = products.gradients(loss, model.trainable_variables)[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=2**-7 * np.abs(expected).max())


def test_float32_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "has_bfloat16", lambda: True)
    values = tf.constant([1.0 + 2**-20])
    assert MatmulContext("float32").round_factor(values) is values


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512f avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx512f", False)],
)
def test_a_processor_s_instructions_are_read_of_its_flags(
    flags: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = f"model name : made up\nflags\t\t: {flags}\nbugs : avx512_bf16\n"
    read: Callable[..., str] = lambda *given, **options: about  # noqa: E731
    monkeypatch.setattr(processor.Path, "read_text", read)
    assert processor.has_bfloat16() == expected

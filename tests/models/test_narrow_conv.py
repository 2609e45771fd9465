"""Convolutions with few channels on one side against TensorFlow's own, and where they are used."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from bfloat16_instructions import NEEDS_ROUNDING
from optimized_graphs import optimized_nodes

from cyclegan_vc_tf.models import narrow_conv
from cyclegan_vc_tf.models.conv_windows import conv_axes
from cyclegan_vc_tf.models.layers import Convolutions
from cyclegan_vc_tf.models.matmul_conv import Conv1D, Conv2D, MatmulContext
from cyclegan_vc_tf.system import processor

AT_STRIDE_1 = [
    ((9,), (3,)),
    ((7,), (4,)),
    ((3,), (15,)),
    ((5, 8), (3, 3)),
    ((6, 17), (5, 15)),
    ((1, 7), (1, 4)),
    ((3, 9), (6, 2)),
]
"""Sizes of inputs and kernels; the third and the last kernel are larger than the inputs."""

STRIDED = [
    ((5, 8), (3, 3), (1, 1)),
    ((6, 9), (5, 15), (1, 1)),
    ((9, 8), (5, 5), (2, 2)),
    ((7, 10), (3, 3), (1, 2)),
    ((8, 7), (6, 4), (3, 2)),
]
"""Sizes of inputs and kernels, and strides, over two axes."""


def normal(*shape: int, seed: int = 0, dtype: Any = np.float64) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), dtype)


def fits(sizes: tuple[int, ...], kernel: tuple[int, ...], padding: str) -> bool:
    return padding == "same" or all(
        size >= window for size, window in zip(sizes, kernel, strict=True)
    )


def compare(ours: Any, theirs: Any, inputs: tf.Tensor, kernel: tf.Tensor, atol: float) -> None:
    """Compare outputs and both gradients of two convolutions."""
    found = []
    for convolve in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = convolve(inputs, kernel)
        upstream = normal(*outputs.shape, seed=2, dtype=outputs.dtype)
        found.append([outputs, *tape.gradient(outputs, [inputs, kernel], upstream)])
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


@pytest.mark.parametrize(("dtype", "atol"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("few", [1, 3])
def test_planes_to_few_channels_are_the_convolution(
    few: int, padding: str, dtype: str, atol: float
) -> None:
    tested = [each for each in AT_STRIDE_1 if fits(*each, padding)]
    assert len(tested) >= 5
    for sizes, window in tested:
        axes = conv_axes(sizes, window, [1] * len(window), padding)
        compare(
            lambda inputs, kernel, axes=axes: narrow_conv.convolve_to_few(inputs, kernel, axes),
            lambda inputs, kernel: tf.nn.convolution(inputs, kernel, padding=padding.upper()),
            normal(2, *sizes, 5, dtype=dtype),
            normal(*window, 5, few, seed=1, dtype=dtype),
            atol,
        )


@pytest.mark.parametrize(("dtype", "atol"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("few", [1, 3])
def test_a_convolution_of_few_channels_has_tensorflow_s_gradients(
    few: int, padding: str, dtype: str, atol: float
) -> None:
    tested = [each for each in STRIDED if fits(*each[:2], padding)]
    assert len(tested) >= 4
    for sizes, window, strides in tested:
        axes = conv_axes(sizes, window, strides, padding)
        compare(
            lambda inputs, kernel, axes=axes: narrow_conv.convolve_from_few(inputs, kernel, axes),
            lambda inputs, kernel, strides=strides: tf.nn.conv2d(
                inputs, kernel, strides, padding.upper()
            ),
            normal(2, *sizes, few, dtype=dtype),
            normal(*window, few, 5, seed=1, dtype=dtype),
            atol,
        )


def gradient_operations(layer: Any, shape: tuple[int, ...]) -> set[str]:
    """Names of the operations in the optimised graph of a layer and both of its gradients."""
    layer.build((None, *shape[1:]))
    products = MatmulContext()

    @tf.function
    def step(inputs: tf.Tensor) -> list[tf.Tensor]:
        with products.in_use():
            products._tapes[0].watch(inputs)
            loss = tf.reduce_sum(tf.square(layer(inputs)))
        of_inputs = products._tapes[0].gradient(loss, inputs)
        return [of_inputs, *products.gradients(loss, layer.trainable_variables)]

    return {node.op for node in optimized_nodes(step, normal(*shape, dtype=tf.float32))}


SLOW = {
    "few outputs": "Conv2DBackpropFilter",
    "few inputs": "Conv2DBackpropInput",
}
"""Operation of TensorFlow that takes long for a kind of convolution."""


@pytest.mark.parametrize(
    ("kind", "layer", "shape", "is_narrow"),
    [
        ("few outputs", Conv2D(1, (5, 15), padding="same"), (1, 20, 24, 8), True),
        ("few outputs", Conv2D(4, (3, 3), padding="valid"), (1, 20, 24, 8), True),
        ("few outputs", Conv1D(1, 3, padding="same"), (1, 24, 8), True),
        ("few outputs", Conv2D(8, (3, 3), padding="same"), (1, 20, 24, 8), False),
        ("few outputs", Conv2D(1, (3, 3), strides=2, padding="same"), (1, 20, 24, 8), False),
        ("few inputs", Conv2D(8, (5, 15), padding="same"), (1, 20, 24, 2), True),
        ("few inputs", Conv2D(8, (3, 3), strides=2, padding="valid"), (1, 20, 24, 1), True),
        ("few inputs", Conv2D(8, (3, 3), padding="same"), (1, 20, 24, 8), False),
    ],
)
def test_few_channels_choose_planes(
    kind: str, layer: Any, shape: tuple[int, ...], is_narrow: bool
) -> None:
    found = gradient_operations(layer, shape)
    slow = {name for name in found if SLOW[kind] in name}
    assert bool(slow) != is_narrow
    # Grappler makes such sums of chains of additions; their order depends on thread timing.
    assert not {"AccumulateNV2"} & found


def bfloat16(values: Any) -> np.ndarray:
    return tf.cast(tf.cast(values, tf.bfloat16), tf.float64).numpy()


@pytest.mark.parametrize(
    ("channels_in", "channels_out", "native"),
    [
        (32, 1, False),
        (32, 1, True),
        (1, 32, False),
        pytest.param(1, 32, True, marks=NEEDS_ROUNDING),
    ],
)
def test_mixed_bfloat16_rounds_factors_and_results_alone(
    channels_in: int, channels_out: int, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Partial sums are not rounded: TensorFlow's convolution of rounded factors in float64."""
    monkeypatch.setattr(processor, "has_bfloat16", lambda: native)
    inputs = keras.Input((None, None, channels_in))
    convolve = Convolutions("network", 0, "same")
    model = keras.Model(inputs, convolve(inputs, channels_out, (5, 15), (1, 1), "one"))
    batch = normal(1, 20, 16, channels_in, dtype=np.float32)
    upstream = normal(1, 20, 16, channels_out, seed=1, dtype=np.float32)
    kernel, _ = model.get_weights()
    products = MatmulContext("mixed_bfloat16")
    with products.in_use():
        products._tapes[0].watch(batch)
        outputs = model(batch)
        loss = tf.reduce_sum(outputs * upstream)
    of_batch = products._tapes[0].gradient(loss, batch)
    of_kernel, _ = products.gradients(loss, model.trainable_variables)
    factors = [tf.constant(bfloat16(each)) for each in (batch, kernel)]
    with tf.GradientTape() as tape:
        tape.watch(factors)
        exact = tf.nn.conv2d(*factors, 1, "SAME")
    expected = tape.gradient(exact, factors, tf.constant(bfloat16(upstream)))
    for ours, theirs in zip([outputs, of_batch, of_kernel], [exact, *expected], strict=True):
        assert ours.dtype == tf.float32
        # Half of the last place of 8 bits; sums in float32 may fall to the other side of a half.
        np.testing.assert_allclose(ours, theirs, rtol=2**-8, atol=1e-4)
        assert np.mean(np.asarray(ours) == bfloat16(theirs)) > 0.99

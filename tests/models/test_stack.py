"""Two stacks, one code: equal networks and checkpoints, and no method that Keras goes round."""

import contextlib
import functools
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import REPOSITORY
from network_summary import SUMMARY, summarize

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import layers, matmul_conv, registry, stack
from cyclegan_vc_tf.models.matmul_conv import Conv1D, Conv2D, MatmulContext
from cyclegan_vc_tf.models.registry import VARIANTS
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import melgan


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_networks_and_checkpoints_are_those_of_the_reference_stack(
    variant: str, tmp_path: Path
) -> None:
    """Initial values to the bit, order of variables, and keys. `network_summary.py` lists them."""
    expected = json.loads(SUMMARY.read_text())
    found = summarize(variant, tmp_path)
    assert found == {name: expected[name] for name in expected if name.startswith(f"{variant}/")}


CONVOLUTIONS = [(Conv1D, (1, 8, 32)), (Conv2D, (1, 1, 8, 32))]


@pytest.mark.parametrize(("kind", "shape"), CONVOLUTIONS)
@pytest.mark.parametrize("in_context", [False, True])
def test_a_large_convolution_in_float32_is_a_product(
    kind: Any, shape: tuple[int, ...], in_context: bool
) -> None:
    """Keras 3's `Conv1D.call` does not ask `convolution_op`; only the speed would show it."""
    layer = kind(256, 1, padding="same")
    layer.build((None, *shape[1:]))
    context = MatmulContext()

    @tf.function
    def convolve(inputs: tf.Tensor) -> tf.Tensor:
        if in_context:
            with context.in_use():
                return layer(inputs)
        return layer(inputs)

    inputs = tf.constant(normal(*shape))
    operations = {
        each.type for each in convolve.get_concrete_function(inputs).graph.get_operations()
    }
    assert "BatchMatMulV2" in operations
    assert not {name for name in operations if name.startswith("Conv")}
    kernel, bias = layer.get_weights()
    expected = normal(*shape).astype(np.float64) @ kernel.reshape(kernel.shape[-2:]) + bias
    np.testing.assert_allclose(convolve(inputs), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", [{"use_bias": False}, {"activation": "relu"}, {}])
@pytest.mark.parametrize(
    ("kind", "theirs"), [(Conv1D, keras.layers.Conv1D), (Conv2D, keras.layers.Conv2D)]
)
def test_a_convolution_is_keras_convolution(kind: Any, theirs: Any, options: dict) -> None:
    """Bias and activation too, which `call` adds itself."""
    shape = (1, 8, 32) if kind is Conv1D else (1, 4, 8, 32)
    ours, expected = (
        kind(16, 3, padding="same", **options),
        theirs(16, 3, padding="same", **options),
    )
    for layer in (ours, expected):
        layer.build((None, *shape[1:]))
    weights = [0.1 * normal(*each.shape) for each in ours.get_weights()]
    ours.set_weights(weights)
    expected.set_weights(weights)
    np.testing.assert_allclose(ours(normal(*shape)), expected(normal(*shape)), rtol=1e-4, atol=1e-5)


def test_instance_norm_answers_half_precision_in_float32() -> None:
    """Without `autocast`, Keras 3 answers bfloat16 in bfloat16, up to 0.0074 off."""
    norm = layers.instance_norm(1e-6, "norm")
    norm.build((None, None, 8))
    norm.set_weights([1 + 0.1 * normal(8), normal(8)])
    inputs = tf.cast(normal(2, 50, 8), tf.bfloat16)
    outputs, expected = norm(inputs), norm(tf.cast(inputs, tf.float32))
    assert outputs.dtype == tf.float32
    np.testing.assert_array_equal(outputs, expected)


def test_instance_norm_is_the_base_layer_of_this_stack() -> None:
    """Addons on the reference stack, Keras 3 otherwise, with the gradient TensorFlow derives."""
    ours = layers.InstanceNormalization(epsilon=1e-3)
    theirs = stack.InstanceNormalization(epsilon=1e-3)
    inputs, upstream = tf.constant(normal(2, 9, 6)), tf.constant(normal(2, 9, 6)[::-1].copy())
    found = []
    for layer in (ours, theirs):
        layer.build((None, None, 6))
        layer.set_weights([1 + 0.1 * normal(6), normal(6)])
        weights = [stack.plain(each) for each in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        found.append([outputs, *tape.gradient(outputs, [inputs, *weights], upstream)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


LAYERS = [
    kind
    for module in (layers, matmul_conv, melgan)
    for kind in vars(module).values()
    if inspect.isclass(kind)
    and issubclass(kind, keras.layers.Layer)
    and kind.__module__ == module.__name__
]
"""Layers of this project."""

EXAMPLES: dict[str, tuple[Callable[[], Any], Any]] = {
    "GatedLinearUnit": (layers.GatedLinearUnit, (1, 6, 8)),
    "PixelShuffle1D": (layers.PixelShuffle1D, (1, 6, 8)),
    "PixelShuffle2D": (layers.PixelShuffle2D, (1, 4, 6, 8)),
    "NearestResize": (layers.NearestResize, [(1, 16, 3), (1, 4, 5)]),
    "BinsByFrames": (lambda: layers.BinsByFrames(uses=3), (1, 4, 6, 2)),
    "MaskFrames": (layers.MaskFrames, [(1, 4, 6), (1, 4, 1)]),
    "InstanceNormalization": (layers.InstanceNormalization, (1, 6, 8)),
    "Conv1D": (lambda: Conv1D(16, 1), (1, 6, 8)),
    "Conv2D": (lambda: Conv2D(16, 1), (1, 4, 6, 8)),
    "ReflectionPadding1D": (lambda: melgan.ReflectionPadding1D(2), (1, 6, 8)),
}
"""How each layer is made, and a shape of its inputs."""


def overridden(kind: type) -> set[str]:
    """Methods of a layer that this project wrote for somebody in Keras to call."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("cyclegan_vc_tf.")]
    theirs = [each for each in kind.__mro__ if each not in ours]
    return {
        name
        for each in ours
        for name, value in vars(each).items()
        if inspect.isfunction(value)
        and any(name in vars(other) for other in theirs)
        and name != "__init__"
    }


def use(layer: Any, shape: Any) -> None:
    """Build a model of a layer, run it, and make it anew of its settings."""
    many = isinstance(shape, list)
    inputs = [keras.Input(each[1:]) for each in (shape if many else [shape])]
    model = keras.Model(inputs, layer(inputs if many else inputs[0]))
    arrays = [tf.constant(normal(*each)) for each in (shape if many else [shape])]
    given = arrays if many else arrays[0]
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for one, other in zip(
        tf.nest.flatten(model(given)), tf.nest.flatten(again(given)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    symbolic = [tuple(each.shape) for each in tf.nest.flatten(model.outputs)]
    real = [tuple(each.shape) for each in tf.nest.flatten(model(given))]
    assert [each[1:] for each in symbolic] == [each[1:] for each in real]
    computed = layer.compute_output_shape(shape)
    computed = computed if isinstance(computed, list) else [computed]
    assert [tuple(each) for each in computed] == real


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_what_a_layer_overrides_is_called(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base class that stops calling one of these would go round it without a word."""
    called = set()

    def watch(name: str, method: Callable) -> Callable:
        # Keras reads the names of the arguments.
        @functools.wraps(method)
        def watched(*arguments: Any, **options: Any) -> Any:
            called.add(name)
            return method(*arguments, **options)

        return watched

    make, shape = EXAMPLES[kind.__name__]
    names = overridden(kind)
    for name in names - {"call"}:
        monkeypatch.setattr(kind, name, watch(name, getattr(kind, name)))
    # Keras reads the arguments of `call` when a layer is made.
    layer = make()
    layer.call = watch("call", layer.call)
    use(layer, shape)
    assert called == names
    assert "call" in names


def test_every_layer_has_an_example() -> None:
    assert {kind.__name__ for kind in LAYERS} == set(EXAMPLES)


def small_run(variant: str) -> RunConfig:
    preset = PRESETS[variant]
    return replace(preset, network=replace(preset.network, channels=2, residual_blocks=1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_network_is_made_anew_of_its_settings(variant: str) -> None:
    for name, network in registry.build_networks(small_run(variant)).items():
        again = keras.Model.from_config(network.get_config())
        again.set_weights(network.get_weights())
        given = [tf.constant(normal(1, 64, each.shape[-1])) for each in network.inputs]
        given = given if len(given) > 1 else given[0]
        np.testing.assert_array_equal(network(given), again(given), err_msg=name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_symbolic_outputs_have_the_shapes_and_types_of_computed_ones(variant: str) -> None:
    """Networks are built from what layers say of their outputs; this is what they compute."""
    config = replace(
        PRESETS[variant], network=replace(PRESETS[variant].network, channels=4, residual_blocks=1)
    )
    for network in registry.build_networks(config).values():
        symbolic = [tensor for layer in network.layers for tensor in tf.nest.flatten(layer.output)]
        every_layer = keras.Model(network.inputs, symbolic)
        widths = [tensor.shape[-1] for tensor in network.inputs]
        short, long = (
            tf.nest.flatten(every_layer([normal(batch, frames, width) for width in widths]))
            for batch, frames in ((2, 32), (3, 64))
        )
        for expected, one, other in zip(symbolic, short, long, strict=True):
            # An axis is open where its size follows from the batch or from the frames.
            sizes = zip(one.shape, other.shape, strict=True)
            assert tuple(expected.shape) == tuple(a if a == b else None for a, b in sizes)
            assert tf.as_dtype(expected.dtype) == one.dtype


def test_a_plain_variable_is_tensorflow_s() -> None:
    layer = Conv1D(4, 1)
    layer.build((None, None, 2))
    kernel = stack.plain(layer.kernel)
    assert isinstance(kernel, tf.Variable)
    assert stack.plain(kernel) is kernel
    kernel.assign(tf.ones_like(kernel))
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones((1, 2, 4)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_networks_without_values_have_the_shapes_of_others(variant: str) -> None:
    config = small_run(variant)
    expected = Trainer(config)
    with stack.without_values():
        found = Trainer(config)
    for name, network in expected.networks.items():
        shapes = [
            [(stack.weight_name(each), tuple(each.shape)) for each in model.weights]
            for model in (network, found.networks[name])
        ]
        assert shapes[0] == shapes[1]
        assert network.count_params() == found.networks[name].count_params()


@pytest.mark.parametrize("has_values", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_that_say_their_shapes_are_not_run_to_build_a_network(
    variant: str, has_values: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To run them takes half to three quarters of the time of building."""

    def call(layer: keras.layers.Layer, inputs: Any) -> None:
        pytest.fail(f"{layer.name} was run on {inputs}")

    for layer in (Conv1D, Conv2D, layers.InstanceNormalization, layers.GatedLinearUnit):
        monkeypatch.setattr(layer, "call", call)
    with contextlib.nullcontext() if has_values else stack.without_values():
        registry.build_generators(small_run(variant))
        registry.build_discriminators(small_run(variant))


def test_networks_without_values_take_no_memory() -> None:
    """A kernel of 1 x 65,536 x 65,536 weights would take 17 GB."""
    with stack.without_values():
        features = keras.Input((8, 2**16))
        model = keras.Model(features, Conv1D(2**16, 1, use_bias=False)(features))
    assert model.count_params() == 2**32


def test_other_threads_build_and_call_networks_beside_those_without_values() -> None:
    """In a plain graph, Keras 2 gives all layers of the process the classes of TensorFlow 1."""
    given = tf.constant(normal(1, 8, 3))

    def build() -> keras.Model:
        positions = keras.Input((None, 3))
        return keras.Model(positions, Conv1D(4, 3, padding="same", name="one")(positions))

    model = build()
    expected = model(given).shape
    with stack.without_values():
        build()
        with ThreadPoolExecutor(1) as other:
            assert other.submit(model, given).result().shape == expected
            assert other.submit(lambda: build()(given)).result().shape == expected


def test_layers_before_a_layer_are_found() -> None:
    inputs = keras.Input((None, 4), name="one")
    left, right = Conv1D(4, 1, name="left")(inputs), Conv1D(4, 1, name="right")(inputs)
    both = keras.layers.Add(name="both")
    keras.Model(inputs, both([left, right]))
    assert [each.name for each in stack.layers_before(both)] == ["left", "right"]
    assert stack.layers_before(left._keras_history[0])[0].name == "one"
    assert stack.layers_before(inputs._keras_history[0]) == []


def test_the_name_of_the_stack_follows_from_python() -> None:
    """An environment that was installed past the pins is told by its Keras alone."""
    code = (
        "import sys; from cyclegan_vc_tf.models import stack; "
        "print(stack.NAME, 'tensorflow_addons' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    name, addons = done.stdout.split()
    assert (name, addons) in {("reference", "True"), ("living", "False")}
    if sys.version_info >= (3, 12):
        assert name == "living"

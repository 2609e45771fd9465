"""What differs between the two supported stacks of packages. No other module asks which it is.

- Reference stack, Python 3.10 and 3.11: TensorFlow 2.15.1, Keras 2.15, TensorFlow Addons, NumPy 1.
- Living stack, Python 3.12 and later: TensorFlow 2.21, Keras 3, NumPy 2.

The differences:

- Instance normalisation: Addons does not import beside Keras 3, whose group normalisation computes
  the same function. Keras 3 leaves its inputs in half precision unless `autocast` is set.
- Variables: Keras 3 wraps TensorFlow's variable, which checkpoints, gradients and raw operations
  need. See `plain`.
- Checkpoints: Keras 3 names the parts of a model otherwise than Keras 2. See `make_checkpoint`.
- Graph of layers: Keras 3 has other attributes. See `layers_before`.
- Shapes of outputs: Keras 3 asks a layer for them, Keras 2 runs it. See `ShapesByRule`.
- Networks without values: Keras 2 is not safe in a plain graph. See `without_values`.
- Legacy optimisers: Keras 3 has none. The parity suite compares them where they exist.

Messages of TensorFlow's import are kept in `system.startup`, in one way on both stacks.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

IS_REFERENCE = keras.__version__.startswith("2.")
"""Whether this is the reference stack."""

NAME = "reference" if IS_REFERENCE else "living"
"""Name of the stack in reports."""

HAS_LEGACY_OPTIMIZERS = IS_REFERENCE
"""Whether `keras.optimizers.legacy` has optimisers."""


class ShapesByRule:
    """Mixin of layers that say by `compute_output_shape` what shapes their outputs have.

    Keras 3 asks them. Keras 2 runs each layer in a graph of its own, whenever a network is built:
    half of the time that this takes. With the mixin it asks them too. A layer without a rule of
    its own is called a second time by Keras 2, which leaves a wrong connection in the network.
    """

    if IS_REFERENCE:

        def _infer_output_signature(
            self, inputs: Any, args: tuple, kwargs: dict[str, Any], input_masks: Any
        ) -> Any:
            """Return the symbolic outputs of symbolic inputs, and make the layer's weights."""
            masks = [mask for mask in tf.nest.flatten(input_masks) if mask is not None]
            layer: Any = super()
            if masks or args or kwargs:
                return layer._infer_output_signature(inputs, args, kwargs, input_masks)
            with tf.name_scope(layer._name_scope()):
                layer._maybe_build(inputs)
            layer._set_save_spec(inputs, args, kwargs)
            found = self.compute_output_shape(  # type: ignore[attr-defined]
                tf.nest.map_structure(lambda tensor: tuple(tensor.shape), inputs)
            )
            kind = type(tf.nest.flatten(inputs)[0])
            dtype = self.compute_dtype  # type: ignore[attr-defined]
            shapes = found if isinstance(found, list) else [found]
            outputs = [kind(tf.TensorSpec(shape, dtype)) for shape in shapes]
            return outputs if isinstance(found, list) else outputs[0]


class Layer(ShapesByRule, keras.layers.Layer):
    """Layer of this package. It defines `compute_output_shape`."""


if IS_REFERENCE:
    with warnings.catch_warnings():
        # Addons warns of its end of life at import; the living stack does without it.
        warnings.filterwarnings("ignore", "(?s).*TensorFlow Addons .TFA. has ended", UserWarning)
        import tensorflow_addons as tfa

    class InstanceNormalization(ShapesByRule, tfa.layers.InstanceNormalization):
        """Instance normalisation of TensorFlow Addons, which has no rule for its shape."""

        def compute_output_shape(self, input_shape: Any) -> Any:
            """Return the shape of the input."""
            return input_shape

else:

    class InstanceNormalization(keras.layers.GroupNormalization):  # type: ignore[no-redef]
        """Keras 3's group normalisation with one channel per group.

        Args:
            options: Options of `keras.layers.GroupNormalization`.
        """

        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "groups": -1})
            # Without it, inputs of less precision than the layer's stay as they are.
            self.autocast = True


def plain(variable: Any) -> tf.Variable:
    """Return TensorFlow's variable of a Keras variable, which in Keras 2 is that variable.

    Args:
        variable: Variable of a Keras layer, or of TensorFlow.
    """
    return variable if isinstance(variable, tf.Variable) else variable.value


@contextmanager
def without_values() -> Iterator[None]:
    """Build networks in the block whose weights have shapes and no values.

    They take no memory and cannot run. TensorFlow is not eager in the block.
    """
    if not IS_REFERENCE:
        with tf.Graph().as_default():
            yield
        return
    # In a plain graph, Keras 2 gives all classes of layers the base classes of TensorFlow 1, for
    # every thread. A network that another thread builds or calls meanwhile fails.
    with FuncGraph("without_values").as_default(), tf.variable_creator_scope(_declare):
        yield


def _declare(_: Callable, **options: Any) -> tf.Variable:
    """Return a variable without a value; see `tf.variable_creator_scope`."""
    value, shape, dtype = (options.get(name) for name in ("initial_value", "shape", "dtype"))
    if shape is None or dtype is None:
        value = tf.convert_to_tensor(value() if callable(value) else value, dtype)
        shape, dtype = value.shape, value.dtype
    return UninitializedVariable(
        options.get("trainable"), name=options.get("name"), shape=shape, dtype=dtype
    )


def layers_before(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return the layers of a model whose outputs a layer takes; none for an input."""
    if isinstance(layer, keras.layers.InputLayer):
        return []
    return [layer_of(tensor) for tensor in tf.nest.flatten(layer.input)]


def layer_of(tensor: Any) -> keras.layers.Layer:
    """Return the layer of a model that a symbolic tensor is the output of."""
    # The history of a tensor begins with its layer, and differs in the names of its fields.
    return tensor._keras_history[0]


def make_checkpoint(networks: Mapping[str, keras.Model], **others: Any) -> tf.train.Checkpoint:
    """Return a checkpoint of networks with the keys of Keras 2, on both stacks.

    Args:
        networks: Networks by name, without models among their layers.
        others: Other objects with state, by name.
    """
    parts = {name: _weights_by_layer(network) for name, network in networks.items()}
    return tf.train.Checkpoint(**parts, **others)


def weight_name(variable: Any) -> str:
    """Return the name of a variable in its layer, such as `kernel`."""
    return variable.name.split("/")[-1].split(":")[0]


def _weights_by_layer(network: keras.Model) -> dict[str, dict[str, tf.Variable]]:
    """Return the variables of a network under the names that Keras 2 gives to its parts."""
    layers = (layer for layer in network.layers if layer.weights)
    return {
        f"layer_with_weights-{number}": {
            weight_name(variable): plain(variable) for variable in layer.weights
        }
        for number, layer in enumerate(layers)
    }

"""The convolutions of a training step: in what precision they multiply, and kernels used twice."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf import convolution, processor


class Products:
    """How convolutions multiply while this is in use, and their kernels' gradients.

    A kernel is read, and rounded, once, however often the networks are called; its gradient is
    one product over all its uses. Convolutions that are no products, see `convolution`, are only
    rounded. Everything else that networks compute stays in float32.

    Args:
        precision: "float32", or "mixed_bfloat16": what is multiplied is rounded to bfloat16, and
            so are the products, which are summed in float32. A processor without instructions for
            it multiplies the rounded numbers in float32. Weights and their gradients are float32.
    """

    def __init__(self, precision: str = "float32") -> None:
        self._rounds = precision == "mixed_bfloat16"
        self._narrow = self._rounds and processor.multiplies_bfloat16()
        self._tape = tf.GradientTape(persistent=True)
        self._matrices: dict[Any, tf.Tensor] = {}
        self._uses: dict[Any, list[tuple[tf.Tensor, tf.Tensor]]] = defaultdict(list)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Convolutions that are called meanwhile multiply in this way, and all is recorded."""
        token = _CURRENT.set(self)
        try:
            with self._tape:
                yield
        finally:
            _CURRENT.reset(token)

    def rounded(self, tensor: tf.Tensor) -> tf.Tensor:
        """As it is multiplied: a bfloat16, or a float32 that holds one."""
        if not self._rounds:
            return tensor
        narrow = tf.cast(tensor, tf.bfloat16)
        return narrow if self._narrow else tf.cast(narrow, tensor.dtype)

    def multiply(self, rows: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """The product of windows and a kernel, (rows, n) and (…, channels) with n in all before.

        Its gradient with respect to the kernel is none: `gradients` makes it.
        """
        key = kernel.ref()
        if key not in self._matrices:
            matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
            self._matrices[key] = tf.stop_gradient(self.rounded(matrix))
        rows = self.rounded(rows)
        outputs = convolution.product(rows, self._matrices[key])
        # The first layer of a network has nothing before it that a tape would follow.
        self._tape.watch(outputs)
        self._uses[key].append((rows, outputs))
        return self.widened(outputs)

    def widened(self, outputs: tf.Tensor) -> tf.Tensor:
        """Products as the networks go on with them: float32, after rounding."""
        return tf.cast(self.rounded(outputs), tf.float32) if self._rounds else outputs

    def gradients(
        self, loss: tf.Tensor, variables: Sequence[tf.Variable]
    ) -> list[tf.Tensor | None]:
        """Of `loss`, with respect to each of `variables`; none where it has no part in it.

        Args:
            loss: A scalar, computed while this was in use.
            variables: Kernels among others.
        """
        uses = [use for variable in variables for use in self._uses.get(variable.ref(), [])]
        found = self._tape.gradient(loss, [*variables, *(outputs for _, outputs in uses)])
        upstream = iter(found[len(variables) :])
        gradients = []
        for variable, gradient in zip(variables, found[: len(variables)], strict=True):
            multiplied = [(rows, next(upstream)) for rows, _ in self._uses.get(variable.ref(), [])]
            known = [use for use in multiplied if use[1] is not None]
            if known:
                product = convolution.matrix_gradient(*zip(*known, strict=True))
                product = tf.reshape(tf.cast(product, variable.dtype), variable.shape)
                # It may have been used in other ways as well, for a batch of another size.
                gradient = product if gradient is None else gradient + product
            gradients.append(gradient)
        return gradients


_CURRENT: ContextVar[Products | None] = ContextVar("products", default=None)


class _Convolves:
    """How a convolution of Keras computes; its weights and its bias stay Keras'."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """Convolves (batch, positions…, channels), before the bias is added."""
        batch, *sizes, _ = inputs.shape
        products = _CURRENT.get()
        if batch is not None and None not in sizes:
            *window, channels_in, channels_out = kernel.shape
            axes = convolution.axes_of(sizes, window, self.strides, self.padding)  # type: ignore[attr-defined]
            counts = [axis.windows for axis in axes]
            if convolution.is_faster(batch, axes, channels_in, channels_out):
                rows = convolution.windows(inputs, axes)
                if products is None:
                    matrix = tf.reshape(kernel, (-1, channels_out))
                    outputs = convolution.product(rows, matrix)
                else:
                    outputs = products.multiply(rows, kernel)
                return tf.reshape(outputs, (batch, *counts, channels_out))
        convolve = super().convolution_op  # type: ignore[misc]
        if products is None:
            return convolve(inputs, kernel)
        kernel = products.rounded(tf.convert_to_tensor(kernel))
        return products.widened(convolve(products.rounded(inputs), kernel))


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class Conv1D(_Convolves, keras.layers.Conv1D):
    """Keras' convolution over frames, as one matrix product where that is faster."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class Conv2D(_Convolves, keras.layers.Conv2D):
    """Keras' convolution over bins and frames, as one matrix product where that is faster."""

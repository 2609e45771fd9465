"""Convolutions that are computed as one matrix product, windows times kernel, where it is faster.

These networks have a few dozen positions and thousands of channels. At these sizes a product reads
a kernel in the order of memory, and TensorFlow's convolution rearranges the kernel first. This
holds for CPUs. On a GPU every convolution is TensorFlow's, see `system.device`. The parts in order:
matrix products, products and gradients of a whole step (`MatmulContext`), and the layers `Conv1D`
and `Conv2D`, which choose how a convolution is computed.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.models import narrow_conv, short_sums
from cyclegan_vc_tf.models.conv_windows import Axis, conv_axes, extract_windows
from cyclegan_vc_tf.models.stack import ShapesByRule, plain
from cyclegan_vc_tf.system import device

MAX_ROWS = 400
"""Largest number of positions per batch for a product; see docs/notes/performance.md."""

MIN_CHANNELS = 32
"""Smallest number of channels, both in and out, for a product."""

CHANNELS_PER_ROW = 2
"""Smallest ratio of output channels to positions per batch for a product.

A product is faster only where the kernel is large beside the windows.
"""


def is_matmul_faster(batch: int, axes: Sequence[Axis], channels_in: int, channels_out: int) -> bool:
    """Return whether a product of windows convolves a batch faster than TensorFlow does."""
    rows = batch * math.prod(axis.windows for axis in axes)
    large = min(channels_in, channels_out) >= MIN_CHANNELS
    return large and rows <= min(MAX_ROWS, channels_out // CHANNELS_PER_ROW)


def is_bfloat16_unsafe(axes: Sequence[Axis]) -> bool:
    """Return whether oneDNN's convolution in bfloat16 may compute this shape from other memory.

    Where the last axis has one output position and its stride is larger than 1, TensorFlow 2.21
    returns wrong outputs, and 2.15 and 2.21 wrong gradients of the kernel, on processors with
    bfloat16 instructions. See docs/notes/performance.md.
    """
    return axes[-1].windows == 1 and axes[-1].stride > 1


def _batched_matmul(x: tf.Tensor, y: tf.Tensor, **adjoints: bool) -> tf.Tensor:
    """Multiply matrices as a batch of one, at these sizes up to 1.6 times as fast as `matmul`."""
    product = tf.raw_ops.BatchMatMulV2(x=tf.expand_dims(x, 0), y=tf.expand_dims(y, 0), **adjoints)
    return tf.squeeze(product, 0)


def matrix_gradient(rows: Sequence[tf.Tensor], upstream: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the gradient of a matrix that was multiplied several times, as one product.

    Args:
        rows: Left factors of the products, (rows, n) each.
        upstream: Gradients of the products, (rows, columns) each.

    Returns:
        (n, columns).
    """
    # One product over all rows writes the large result once, where a sum would read it again.
    left, right = (
        tf.concat(parts, 0) if len(parts) > 1 else parts[0] for parts in (rows, upstream)
    )
    if left.dtype == tf.bfloat16:
        return _batched_matmul(left, right, adj_x=True)
    # With few rows, the general product takes half the time of the batched one.
    return tf.matmul(left, right, transpose_a=True)


def matmul(rows: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply rows with a matrix; the gradients read a large `matrix` in its fastest order.

    Args:
        rows: (rows, n).
        matrix: (n, columns).

    Returns:
        (rows, columns).
    """

    @tf.custom_gradient
    def multiply(rows: tf.Tensor, matrix: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            rows_gradient = tf.transpose(_batched_matmul(matrix, upstream, adj_y=True))
            return rows_gradient, matrix_gradient([rows], [upstream])

        return _batched_matmul(rows, matrix), gradients

    return multiply(rows, matrix)


class MatmulContext:
    """Precision of the convolutions that run inside it, and the gradients of their kernels.

    A kernel is read and rounded once, however often the networks are called. Its gradient is one
    product over all its uses. Convolutions that are not products, see `is_matmul_faster`, are
    rounded too. All other operations of the networks stay in float32.

    Args:
        precision: "float32", or "mixed_bfloat16": factors are rounded to bfloat16, and so are the
            products, which are summed in float32. A device without bfloat16 multiplies the rounded
            numbers in float32. Weights and their gradients are float32. "auto" is the faster one
            on the device.

    Attributes:
        device: Device that computes the convolutions.
    """

    def __init__(self, precision: str = "float32") -> None:
        self.device = device.current()
        self._rounds = self.device.choose_precision(precision) == "mixed_bfloat16"
        self._narrow = self._rounds and self.device.has_bfloat16
        self._tapes: list[tf.GradientTape] = []
        self._recording = ExitStack()
        self._matrices: dict[Any, tf.Tensor] = {}
        self._uses: dict[Any, list[tuple[tf.Tensor, tf.Tensor]]] = defaultdict(list)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Apply this context to all convolutions in a `with` block, and record the block."""
        token = _CURRENT.set(self)
        try:
            with self._recording:
                self._record()
                yield
        finally:
            _CURRENT.reset(token)

    def _record(self) -> None:
        """Record what follows on one more tape."""
        self._tapes.append(tf.GradientTape(persistent=True))
        self._recording.enter_context(self._tapes[-1])

    def round_factor(self, tensor: tf.Tensor, wide: bool = False) -> tf.Tensor:
        """Round a factor of a product: to bfloat16, or to a float32 that holds a bfloat16.

        Args:
            tensor: Factor in float32.
            wide: Whether the result is always in float32.
        """
        if not self._rounds:
            return tensor
        narrow = tf.cast(tensor, tf.bfloat16)
        return tf.cast(narrow, tensor.dtype) if wide or not self._narrow else narrow

    def multiply(self, rows: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """Multiply windows with a kernel; `gradients` adds the kernel's gradient later.

        Args:
            rows: Windows, (rows, n).
            kernel: (…, channels), with n as the product of all sizes before the channels.

        Returns:
            (rows, channels) float32, without a gradient with respect to the kernel.
        """
        kernel = plain(kernel)
        key = kernel.ref()
        if key not in self._matrices:
            matrix = tf.reshape(kernel, (-1, kernel.shape[-1]))
            self._matrices[key] = tf.stop_gradient(self.round_factor(matrix))
        rows = self.round_factor(rows)
        outputs = matmul(rows, self._matrices[key])
        # Nothing in front of a network's first layer is on the tape.
        for tape in self._tapes:
            tape.watch(outputs)
        self._uses[key].append((rows, outputs))
        return self.widen(outputs)

    def widen(self, outputs: tf.Tensor) -> tf.Tensor:
        """Round products and return them in float32, in which the networks continue."""
        return tf.cast(self.round_factor(outputs), tf.float32) if self._rounds else outputs

    def gradients(
        self, loss: tf.Tensor, variables: Sequence[tf.Variable], since_mark: bool = False
    ) -> list[tf.Tensor | None]:
        """Return the gradients of a loss; None for a variable that the loss does not depend on.

        Args:
            loss: Scalar that was computed inside this context.
            variables: Variables of the networks, kernels and others.
            since_mark: Whether only what was computed after `mark` is differentiated.
        """
        variables = [plain(variable) for variable in variables]
        uses = [use for variable in variables for use in self._uses.get(variable.ref(), [])]
        tape = self._tapes[-1 if since_mark else 0]
        found = tape.gradient(loss, [*variables, *(outputs for _, outputs in uses)])
        upstream = iter(found[len(variables) :])
        gradients = []
        for variable, gradient in zip(variables, found[: len(variables)], strict=True):
            products = [(rows, next(upstream)) for rows, _ in self._uses.get(variable.ref(), [])]
            known = [use for use in products if use[1] is not None]
            if known:
                product = matrix_gradient(*zip(*known, strict=True))
                product = tf.reshape(tf.cast(product, variable.dtype), variable.shape)
                # For a batch of another size, TensorFlow's convolution may have used it too.
                gradient = product if gradient is None else gradient + product
            gradients.append(gradient)
        return gradients


_CURRENT: ContextVar[MatmulContext | None] = ContextVar("matmul_context", default=None)


def mark() -> None:
    """Begin the part of a step whose gradients `MatmulContext.gradients` can take alone.

    A tape makes the gradients of everything that a loss depends on, also of what comes before the
    variables. In a graph, these are removed later, which takes as long as to make them. Outside a
    context, the function does nothing.
    """
    context = _CURRENT.get()
    if context is not None:
        context._record()


class _MatmulConvolution:
    """Computation of a Keras convolution. Weights and bias stay as Keras makes them."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve, add the bias and apply the activation, as Keras 2's `call` does.

        Keras 3's `Conv1D.call` does not call `convolution_op`.
        """
        outputs = self.convolution_op(inputs, self.kernel)  # type: ignore[attr-defined]
        if self.use_bias:  # type: ignore[attr-defined]
            outputs = tf.nn.bias_add(outputs, self.bias)  # type: ignore[attr-defined]
        return self.activation(outputs)  # type: ignore[attr-defined]

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """Convolve (batch, positions…, channels), before the bias is added."""
        batch, *sizes, _ = inputs.shape
        context = _CURRENT.get()
        used = device.current() if context is None else context.device
        convolve, wide = super().convolution_op, False  # type: ignore[misc]
        if used.convolves_by_matmul and batch is not None and None not in sizes:
            *window, channels_in, channels_out = kernel.shape
            axes = conv_axes(sizes, window, self.strides, self.padding)  # type: ignore[attr-defined]
            if is_matmul_faster(batch, axes, channels_in, channels_out):
                rows = extract_windows(inputs, axes)
                if context is None:
                    matrix = tf.reshape(kernel, (-1, channels_out))
                    outputs = matmul(rows, matrix)
                else:
                    outputs = context.multiply(rows, kernel)
                counts = [axis.windows for axis in axes]
                return tf.reshape(outputs, (batch, *counts, channels_out))
            if narrow_conv.has_few_outputs(kernel.shape, self.strides):  # type: ignore[attr-defined]
                # Planes are rounded before they are added: they have to be in float32.
                convolve, wide = partial(narrow_conv.convolve_to_few, axes=axes), True
            elif narrow_conv.has_few_inputs(kernel.shape):
                convolve = partial(narrow_conv.convolve_from_few, axes=axes)
            wide = wide or is_bfloat16_unsafe(axes)
        kernel = tf.convert_to_tensor(kernel)
        if context is None:
            return short_sums.convolve(convolve, inputs, kernel)
        factors = [context.round_factor(each, wide) for each in (inputs, kernel)]
        return context.widen(convolve(*factors))


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class Conv1D(_MatmulConvolution, ShapesByRule, keras.layers.Conv1D):
    """Keras convolution over frames, computed as one matrix product where it is faster."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class Conv2D(_MatmulConvolution, ShapesByRule, keras.layers.Conv2D):
    """Keras convolution over bins and frames, computed as one matrix product where it is faster."""

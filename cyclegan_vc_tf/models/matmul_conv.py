"""Convolutions that are one matrix product where that is the faster way: windows times kernel.

At the sizes of these networks, a few dozen positions and thousands of channels, a product reads a
kernel as it lies in memory, where TensorFlow's convolution rearranges it first.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.system import processor

MAX_ROWS = 400
"""Positions of a whole batch up to which a product is the faster way; see docs/performance.md."""

MIN_CHANNELS = 32
"""Channels, both in and out, from which on it is, and"""

CHANNELS_PER_ROW = 2
"""channels out, for each of the rows: a kernel has to be large beside what it works on."""


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution.

    Attributes:
        size: Positions that go in.
        kernel: Positions of a window.
        stride: From one window to the next.
        padding: "same" or "valid", as TensorFlow pads.
    """

    size: int
    kernel: int
    stride: int
    padding: str

    @cached_property
    def windows(self) -> int:
        """Positions that come out."""
        valid = 0 if self.padding == "same" else self.kernel - 1
        return -(-(self.size - valid) // self.stride)

    @cached_property
    def zeros(self) -> tuple[int, int]:
        """Zeros in front and behind: max((windows - 1) · stride + kernel - size, 0) in all.

        Source: TensorFlow's documentation of `tf.nn.convolution`; the smaller half is in front.
        """
        missing = max(0, (self.windows - 1) * self.stride + self.kernel - self.size)
        return (missing // 2, missing - missing // 2)


def conv_axes(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[Axis, ...]:
    """The axes of a convolution over positions of known sizes."""
    each = zip(sizes, kernel, strides, strict=True)
    return tuple(Axis(*numbers, padding) for numbers in each)


def is_matmul_faster(batch: int, axes: Sequence[Axis], channels_in: int, channels_out: int) -> bool:
    """Whether a product of windows is the faster way to convolve a batch of so many examples."""
    rows = batch * math.prod(axis.windows for axis in axes)
    large = min(channels_in, channels_out) >= MIN_CHANNELS
    return large and rows <= min(MAX_ROWS, channels_out // CHANNELS_PER_ROW)


def extract_windows(inputs: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """What each position of a convolution's output sees, a row a position.

    Args:
        inputs: (batch, positions…, channels), all of them known.
        axes: One or two.

    Returns:
        (batch · windows…, kernel sizes… · channels).
    """

    @tf.custom_gradient
    def gathered(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        channels = inputs.shape[-1]
        sizes = [axis.kernel for axis in axes]
        padded = tf.pad(inputs, [(0, 0), *(axis.zeros for axis in axes), (0, 0)])
        if len(axes) == 1:
            (axis,) = axes
            last = (axis.windows - 1) * axis.stride + 1
            shifted = [padded[:, i : i + last : axis.stride] for i in range(axis.kernel)]
            found = tf.concat(shifted, -1)
        else:
            strides = [1, *(axis.stride for axis in axes), 1]
            found = tf.image.extract_patches(padded, [1, *sizes, 1], strides, [1] * 4, "VALID")

        def scattered(upstream: tf.Tensor) -> tf.Tensor:
            counts = [axis.windows for axis in axes]
            sums = tf.reshape(upstream, (inputs.shape[0], *counts, *sizes, channels))
            # From the last axis on, whose kernel then is the last but the channels.
            for number in reversed(range(len(axes))):
                places = tf.unstack(sums, axis=1 + len(axes) + number)
                sums = _overlap_add(places, axes[number], 1 + number)
            return sums

        return tf.reshape(found, (-1, math.prod(sizes) * channels)), scattered

    return gathered(inputs)


def matmul(rows: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """A matrix product, its gradients made in the order that reads a large `matrix` fastest.

    Args:
        rows: (rows, n).
        matrix: (n, columns).

    Returns:
        (rows, columns).
    """

    @tf.custom_gradient
    def multiplied(rows: tf.Tensor, matrix: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_rows = tf.transpose(_batched_matmul(matrix, upstream, adj_y=True))
            return of_rows, matrix_gradient([rows], [upstream])

        return _batched_matmul(rows, matrix), gradients

    return multiplied(rows, matrix)


def matrix_gradient(rows: Sequence[tf.Tensor], upstream: Sequence[tf.Tensor]) -> tf.Tensor:
    """The gradient of a matrix that several rows were multiplied with, as one product.

    Args:
        rows: What it was multiplied with, each (rows, n).
        upstream: The gradients of the products, each (rows, columns).

    Returns:
        (n, columns).
    """
    # One product over all rows writes the large result once, where a sum would read it again.
    left, right = (tf.concat(each, 0) if len(each) > 1 else each[0] for each in (rows, upstream))
    if left.dtype == tf.bfloat16:
        return _batched_matmul(left, right, adj_x=True)
    # Of few rows, the general product makes it in half the time of the batched one.
    return tf.matmul(left, right, transpose_a=True)


def _batched_matmul(x: tf.Tensor, y: tf.Tensor, **adjoints: bool) -> tf.Tensor:
    """A matrix product as a batch of one: at these sizes up to 1.6 times as fast as another."""
    product = tf.raw_ops.BatchMatMulV2(x=x[tf.newaxis], y=y[tf.newaxis], **adjoints)
    return tf.squeeze(product, 0)


def _overlap_add(places: Sequence[tf.Tensor], axis: Axis, number: int) -> tf.Tensor:
    """The sum of windows where they came from: the transpose of taking them.

    Args:
        places: For each place in a window, what to add there, (…, windows, …).
        axis: The axis.
        number: Which of the tensors' axes it is.

    Returns:
        (…, axis.size, …).
    """
    # Place s · q + r of window w goes to position s · (w + q) + r: a sum for each r, interleaved.
    laps = -(-axis.kernel // axis.stride)
    missing = laps * axis.stride - axis.kernel
    places = [*places, *[tf.zeros_like(places[0])] * missing]
    phases = []
    for phase in range(axis.stride):
        total, *others = places[phase :: axis.stride]
        for lap, shifted in enumerate(others, 1):
            # Padding between two additions keeps their order: a plain chain of additions would
            # become one AddN, whose order depends on thread timing.
            total = _pad_axis(total, number, 0, 1) + _pad_axis(shifted, number, lap, 0)
        phases.append(total)
    length = (axis.windows + laps - 1) * axis.stride
    shape = phases[0].shape.as_list()
    sums = tf.reshape(
        tf.stack(phases, number + 1) if axis.stride > 1 else phases[0],
        (*shape[:number], length, *shape[number + 1 :]),
    )
    front = axis.zeros[0]
    behind = max(0, front + axis.size - length)
    begin, size = [0] * len(shape), [-1] * len(shape)
    begin[number], size[number] = front, axis.size
    return tf.slice(_pad_axis(sums, number, 0, behind) if behind else sums, begin, size)


def _pad_axis(tensor: tf.Tensor, number: int, front: int, behind: int) -> tf.Tensor:
    """Add zeros in front of one axis of a tensor and behind it."""
    zeros = [(0, 0)] * len(tensor.shape)
    zeros[number] = (front, behind)
    return tf.pad(tensor, zeros)


class MatmulContext:
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
        self._narrow = self._rounds and processor.has_bfloat16()
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
        outputs = matmul(rows, self._matrices[key])
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
                product = matrix_gradient(*zip(*known, strict=True))
                product = tf.reshape(tf.cast(product, variable.dtype), variable.shape)
                # It may have been used in other ways as well, for a batch of another size.
                gradient = product if gradient is None else gradient + product
            gradients.append(gradient)
        return gradients


_CURRENT: ContextVar[MatmulContext | None] = ContextVar("products", default=None)


class _MatmulConvolution:
    """How a convolution of Keras computes; its weights and its bias stay Keras'."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
        """Convolves (batch, positions…, channels), before the bias is added."""
        batch, *sizes, _ = inputs.shape
        products = _CURRENT.get()
        if batch is not None and None not in sizes:
            *window, channels_in, channels_out = kernel.shape
            axes = conv_axes(sizes, window, self.strides, self.padding)  # type: ignore[attr-defined]
            counts = [axis.windows for axis in axes]
            if is_matmul_faster(batch, axes, channels_in, channels_out):
                rows = extract_windows(inputs, axes)
                if products is None:
                    matrix = tf.reshape(kernel, (-1, channels_out))
                    outputs = matmul(rows, matrix)
                else:
                    outputs = products.multiply(rows, kernel)
                return tf.reshape(outputs, (batch, *counts, channels_out))
        convolve = super().convolution_op  # type: ignore[misc]
        if products is None:
            return convolve(inputs, kernel)
        kernel = products.rounded(tf.convert_to_tensor(kernel))
        return products.widened(convolve(products.rounded(inputs), kernel))


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class Conv1D(_MatmulConvolution, keras.layers.Conv1D):
    """Keras' convolution over frames, as one matrix product where that is faster."""


@keras.saving.register_keras_serializable("cyclegan_vc_tf")
class Conv2D(_MatmulConvolution, keras.layers.Conv2D):
    """Keras' convolution over bins and frames, as one matrix product where that is faster."""

"""Measure each convolution of a variant's networks: TensorFlow's, and as this project computes it.

    python -m benchmarks.convolutions                     mask, a few minutes
    python -m benchmarks.convolutions --variant=vc2 --precision=mixed_bfloat16
    python -m benchmarks.convolutions --layer=output_conv --layer=block_2_conv

The table, in Markdown, has processor milliseconds in one thread, at full width and the paper's crop
for a batch of two: a real crop and a generated one. Each convolution has three parts: its outputs,
the gradient of its inputs and the gradient of its kernel. All three have equally many operations.
The last column has the milliseconds of these operations in a large matrix product.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.harness import machine, sizes
from benchmarks.harness.cpu_rates import cpu_s, product_flop_s
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.training import PRECISIONS
from cyclegan_vc_tf.system import device, processor

if TYPE_CHECKING:
    import keras

BATCH = 2
"""Examples of a call: in a step, networks are called with one or two per crop of the batch."""

PARTS = ("outputs", "input gradient", "kernel gradient")
"""Parts of a convolution that are measured."""


class LibraryDevice(device.Device):
    """Device that computes every convolution with TensorFlow's own kernels."""

    convolves_by_matmul = False


@dataclass(frozen=True)
class Convolution:
    """A convolution of a network.

    Attributes:
        layer: Layer of the network.
        shape: Shape of its inputs, (batch, positions…, channels).
        flops: Floating-point operations of one part. A multiplication and an addition are two.
    """

    layer: "keras.layers.Layer"
    shape: tuple[int, ...]
    flops: int

    @property
    def geometry(self) -> tuple:
        """Everything that the time depends on."""
        layer = self.layer
        return self.shape, tuple(layer.kernel.shape), tuple(layer.strides), layer.padding


def find_convolutions(variant: str) -> Iterator[Convolution]:
    """Find the convolutions of a generator and a discriminator, one of each geometry.

    Args:
        variant: Name of the variant, whose paper gives widths and crop.
    """
    import keras
    import tensorflow as tf

    from cyclegan_vc_tf.models import registry

    config = PRESETS[variant]
    seen = set()
    for networks in (registry.build_generators(config), registry.build_discriminators(config)):
        model = next(iter(networks.values()))
        layers = [each for each in model.layers if hasattr(each, "convolution_op")]
        layers = [each for each in layers if each.trainable]
        inside = keras.Model(model.inputs, [[each.input, each.output] for each in layers])
        example = [
            tf.zeros((BATCH, config.training.crop_frames, *given.shape[2:]))
            for given in model.inputs
        ]
        found = inside(example if len(example) > 1 else example[0])
        for layer, (inputs, outputs) in zip(layers, found, strict=True):
            flops = 2 * math.prod(outputs.shape[:-1]) * math.prod(layer.kernel.shape)
            each = Convolution(layer, tuple(inputs.shape), flops)
            if each.geometry not in seen:
                seen.add(each.geometry)
                yield each


def measure(convolution: Convolution, precision: str, used: device.Device) -> dict[str, float]:
    """Measure processor seconds of each part of a convolution.

    Args:
        convolution: Convolution to measure.
        precision: "float32" or "mixed_bfloat16".
        used: Device, which decides how the parts are computed.
    """
    import tensorflow as tf

    from cyclegan_vc_tf.models.matmul_conv import MatmulContext

    layer = convolution.layer

    def make(part: str) -> Callable[..., Any]:
        def compute(inputs: tf.Tensor, upstream: tf.Tensor) -> Any:
            context = MatmulContext(precision)
            context.device = used
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                with context.in_use():
                    outputs = layer(inputs)
                    loss = tf.reduce_sum(outputs * upstream)
            if part == "outputs":
                return outputs
            if part == "input gradient":
                return tape.gradient(outputs, inputs, upstream)
            return context.gradients(loss, [layer.kernel])

        return tf.function(compute, autograph=False)

    def draw(shape: Sequence[int]) -> tf.Tensor:
        return tf.random.stateless_normal(shape, (0, len(shape)))

    inputs = draw(convolution.shape)
    upstream = draw(layer(inputs).shape)
    return {part: cpu_s(partial(make(part), inputs, upstream)) for part in PARTS}


def format_row(
    convolution: Convolution, library: dict[str, float], ours: dict[str, float], rate: float
) -> str:
    """Format a row of the table.

    Args:
        convolution: Convolution that was measured.
        library: Processor seconds of each part by TensorFlow's kernels.
        ours: Processor seconds of each part as this project computes it.
        rate: Operations per second of a large matrix product.
    """
    layer = convolution.layer
    picture = "x".join(map(str, convolution.shape[1:-1]))
    window = "x".join(map(str, layer.kernel_size))
    stride = "" if set(layer.strides) == {1} else f" / {'x'.join(map(str, layer.strides))}"
    channels = f"{layer.kernel.shape[-2]} to {layer.kernel.shape[-1]}"
    times = [f"{1e3 * library[part]:.1f}, {1e3 * ours[part]:.1f}" for part in PARTS]
    cells = [layer.name, picture, f"{window}{stride}", channels, *times]
    return f"| {' | '.join(cells)} | {1e3 * convolution.flops / rate:.1f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    flags = sizes.parser("convolutions", __doc__)
    flags.add_argument("--variant", choices=PRESETS, default="mask")
    flags.add_argument("--precision", choices=PRECISIONS, default="float32")
    flags.add_argument(
        "--layer", action="append", help="measure only the layer of this name; repeatable"
    )
    given = flags.parse_args(arguments)
    processor.keep_memory()
    processor.use_one_thread()
    found = list(find_convolutions(given.variant))
    names = [each.layer.name for each in found]
    if unknown := set(given.layer or ()) - set(names):
        flags.error(f"--layer is {min(unknown)}; expected one of {', '.join(names)}")
    narrow = given.precision != "float32" and processor.has_bfloat16()
    rate = product_flop_s("bfloat16" if narrow else "float32")
    heads = ["layer", "positions", "kernel / stride", "channels"]
    heads += [f"{part}, TensorFlow, ours (ms)" for part in PARTS] + ["product (ms)"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for each in found:
        if not given.layer or each.layer.name in given.layer:
            library, ours = (
                measure(each, given.precision, used) for used in (LibraryDevice(), device.Device())
            )
            print(format_row(each, library, ours, rate), flush=True)
    import tensorflow as tf

    print(
        f"\n{given.variant}, batch {BATCH}, {given.precision}, one thread. Large matrix products: "
        f"{rate / 1e9:.0f} GFLOP/s. Machine: {machine.describe()}. TensorFlow {tf.__version__}, "
        f"{date.today().isoformat()}."
    )


if __name__ == "__main__":
    main()

"""Measure a training step of each variant, with the settings of its paper.

    python -m benchmarks.variants                        all variants, a few minutes
    python -m benchmarks.variants --variant=vc1 --steps=3

The table, in Markdown, has parameters, floating-point operations per step, and median seconds per
step on this machine. Where TensorFlow sees a GPU, a step ends when the GPU has finished it, and the
table has the peak of its memory. Below the table are device, versions and date.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from benchmarks.harness import machine, port, sizes
from benchmarks.harness.worker import WARM_UP, timed
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.training import PRECISIONS


@dataclass(frozen=True)
class Cost:
    """Size and time of a step of a variant.

    Attributes:
        variant: Name of the variant.
        generator: Parameters of one generator.
        discriminator: Parameters of one discriminator.
        discriminators: Number of discriminators.
        operations: Floating-point operations per step.
        wall_s: Seconds per step.
        cpu_s: Processor seconds per step, over all cores.
        peak_gpu_mb: Peak memory of the GPU, in MB; None without a GPU.
        device: Device of the steps.
        tensorflow: Version of TensorFlow.
    """

    variant: str
    generator: int
    discriminator: int
    discriminators: int
    operations: int
    wall_s: float
    cpu_s: float
    peak_gpu_mb: float | None
    device: str
    tensorflow: str


def measure(variant: str, steps: int, precision: str = "float32", jit: bool = False) -> Cost:
    """Measure steps of a variant with its paper's settings, after warm-up steps.

    Args:
        variant: Name of the variant.
        steps: Number of steps.
        precision: Number format of the networks' products.
        jit: Whether XLA compiles the step.
    """
    paper = PRESETS[variant]
    config = replace(paper, training=replace(paper.training, precision=precision))
    step, facts = port.training_step(config, jit)
    timed(step, WARM_UP)
    turn = timed(step, steps, port.peak_gpu_mb)
    parameters = facts["parameters"]
    return Cost(
        variant,
        parameters["generators"][0],
        parameters["discriminators"][0],
        len(parameters["discriminators"]),
        facts["work"]["flops"],
        statistics.median(turn.wall_s),
        statistics.median(turn.cpu_s),
        turn.peak_gpu_mb,
        facts["device"],
        facts["versions"]["tensorflow"],
    )


def format_row(cost: Cost) -> str:
    """Format a row of the table."""
    config = PRESETS[cost.variant]
    crop = f"{config.training.crop_frames} x {config.features.bins}"
    memory = "" if cost.peak_gpu_mb is None else f" {cost.peak_gpu_mb:.0f} |"
    return (
        f"| {cost.variant} | {crop} | {cost.generator / 1e6:.1f} M "
        f"| {cost.discriminator / 1e6:.1f} M x {cost.discriminators} "
        f"| {cost.operations / 1e9:.0f} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} |{memory}"
    )


def format_header(cost: Cost) -> str:
    """Format the header of the table, with the memory of a GPU where there is one."""
    names = ["variant", "crop", "generator", "discriminators", "GFLOP/step", "s/step", "CPU s/step"]
    if cost.peak_gpu_mb is not None:
        names.append("peak GPU MB")
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = sizes.parser("variants", __doc__)
    parser.add_argument(
        "--variant", choices=PRESETS, action="append", help="measure only this variant; repeatable"
    )
    parser.add_argument("--steps", type=sizes.whole(), default=7, help="number of steps to measure")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument(
        "--jit", action="store_true", help="let XLA compile the step, which no training does"
    )
    arguments = parser.parse_args(given)
    cost = None
    for variant in arguments.variant or PRESETS:
        first = cost is None
        cost = measure(variant, arguments.steps, arguments.precision, arguments.jit)
        if first:
            print(format_header(cost))
        print(format_row(cost), flush=True)
    if cost is not None:
        compiled = ", compiled by XLA" if arguments.jit else ""
        print(
            f"\nMedians of {arguments.steps} steps in {arguments.precision}{compiled}. Device: "
            f"{cost.device}. Machine: {machine.describe()}. TensorFlow {cost.tensorflow}, "
            f"{date.today().isoformat()}."
        )


if __name__ == "__main__":
    main()

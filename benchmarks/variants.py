"""Measure a training step of each variant, with the settings of its paper.

    python -m benchmarks.variants                        all variants, a few minutes
    python -m benchmarks.variants --variant=vc1 --steps=3

The table, in Markdown, has parameters, floating-point operations per step, and median seconds per
step on this machine.
"""

import statistics
from dataclasses import dataclass

from benchmarks.harness import port, sizes
from benchmarks.harness.worker import WARM_UP, timed
from cyclegan_vc_tf.config.presets import PRESETS


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
    """

    variant: str
    generator: int
    discriminator: int
    discriminators: int
    operations: int
    wall_s: float
    cpu_s: float


def measure(variant: str, steps: int) -> Cost:
    """Measure steps of a variant with its paper's settings, after warm-up steps."""
    step, facts = port.training_step(PRESETS[variant])
    timed(step, WARM_UP)
    turn = timed(step, steps)
    parameters = facts["parameters"]
    return Cost(
        variant,
        parameters["generators"][0],
        parameters["discriminators"][0],
        len(parameters["discriminators"]),
        facts["work"]["flops"],
        statistics.median(turn.wall_s),
        statistics.median(turn.cpu_s),
    )


def format_row(cost: Cost) -> str:
    """Format a row of the table."""
    config = PRESETS[cost.variant]
    crop = f"{config.training.crop_frames} x {config.features.bins}"
    return (
        f"| {cost.variant} | {crop} | {cost.generator / 1e6:.1f} M "
        f"| {cost.discriminator / 1e6:.1f} M x {cost.discriminators} "
        f"| {cost.operations / 1e9:.0f} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = sizes.parser("variants", __doc__)
    parser.add_argument(
        "--variant", choices=PRESETS, action="append", help="measure only this variant; repeatable"
    )
    parser.add_argument("--steps", type=sizes.whole(), default=7, help="number of steps to measure")
    arguments = parser.parse_args()
    print("| variant | crop | generator | discriminators | GFLOP/step | s/step | CPU s/step |")
    print("|---|---|---|---|---|---|---|")
    for variant in arguments.variant or PRESETS:
        print(format_row(measure(variant, arguments.steps)), flush=True)


if __name__ == "__main__":
    main()

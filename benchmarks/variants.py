"""What a training step of each variant costs, with the settings of its paper.

    python -m benchmarks.variants                        all of them, a few minutes
    python -m benchmarks.variants --variant=vc1 --steps=3

Prints a table in Markdown: parameters, floating-point operations that a step needs, and seconds a
step on this machine, the median of several.
"""

import statistics
from dataclasses import dataclass

from benchmarks.harness import port, sizes
from benchmarks.harness.worker import WARM_UP, timed
from cyclegan_vc_tf.config.presets import PRESETS


@dataclass(frozen=True)
class Cost:
    """What a step of a variant costs.

    Attributes:
        variant: Which.
        generator: Parameters of one generator.
        discriminator: Of one discriminator.
        discriminators: How many there are.
        operations: Floating-point operations of a step.
        wall_s: Seconds a step.
        cpu_s: Processor seconds a step, over all cores.
    """

    variant: str
    generator: int
    discriminator: int
    discriminators: int
    operations: int
    wall_s: float
    cpu_s: float


def measure(variant: str, steps: int) -> Cost:
    """Builds a variant as in its paper, and makes so many steps after some that do not count."""
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


def row(cost: Cost) -> str:
    """A cost as a line of the table."""
    config = PRESETS[cost.variant]
    crop = f"{config.training.crop_frames} x {config.features.bins}"
    return (
        f"| {cost.variant} | {crop} | {cost.generator / 1e6:.1f} M "
        f"| {cost.discriminator / 1e6:.1f} M x {cost.discriminators} "
        f"| {cost.operations / 1e9:.0f} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = sizes.parser("variants", __doc__)
    parser.add_argument("--variant", choices=PRESETS, action="append", help="only this; repeatable")
    parser.add_argument("--steps", type=sizes.whole(), default=7, help="steps to measure")
    arguments = parser.parse_args()
    print("| variant | crop | a generator | discriminators | GFLOP a step | s a step | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for variant in arguments.variant or PRESETS:
        print(row(measure(variant, arguments.steps)), flush=True)


if __name__ == "__main__":
    main()

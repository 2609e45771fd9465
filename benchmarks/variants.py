"""What a training step of each variant costs, with the settings of its paper.

    python -m benchmarks.variants                        all of them, a few minutes
    python -m benchmarks.variants --variant=vc1 --steps=3

Prints a table in Markdown: parameters, floating-point operations that a step needs, and seconds a
step on this machine, the median of several.
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from benchmarks.operations import step_work
from cyclegan_vc_tf import family, processor
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.papers import PAPERS
from cyclegan_vc_tf.trainer import Trainer


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


def batch(config: RunConfig) -> tuple[tf.Tensor, ...]:
    """What a step takes: features of both speakers, and their masks where there are some."""
    training = config.training
    rng = np.random.default_rng(0)
    shape = (training.batch_size, training.crop_frames)
    features = rng.standard_normal((2, *shape, config.features.bins)).astype(np.float32)
    masks = np.ones((2, *shape, 1), np.float32)
    masked = family.FAMILY[config.network.variant].masked
    return tuple(map(tf.constant, (*features, *masks) if masked else features))


def measure(variant: str, steps: int) -> Cost:
    """Builds a variant as in its paper, and makes so many steps after two that do not count."""
    config = PAPERS[variant]
    trainer, inputs, training = Trainer(config), batch(config), config.training
    work = step_work(
        list(trainer.generators.values()),
        list(trainer.discriminators.values()),
        training.batch_size,
        training.crop_frames,
    )
    # As in nearly all of a training's steps, nothing is logged.
    unlogged = tf.constant(False)
    for _ in range(2):
        trainer.train_step(*inputs, norms=unlogged)
    wall_s, cpu_s = [], []
    for _ in range(steps):
        begun = time.perf_counter(), time.process_time()
        report, _ = trainer.train_step(*inputs, norms=unlogged)
        float(report["loss/generator"])
        wall_s.append(time.perf_counter() - begun[0])
        cpu_s.append(time.process_time() - begun[1])
    return Cost(
        variant,
        trainer.generators["A2B"].count_params(),
        trainer.discriminators["A"].count_params(),
        len(trainer.discriminators),
        work.flops,
        statistics.median(wall_s),
        statistics.median(cpu_s),
    )


def row(cost: Cost) -> str:
    """A cost as a line of the table."""
    config = PAPERS[cost.variant]
    crop = f"{config.training.crop_frames} x {config.features.bins}"
    return (
        f"| {cost.variant} | {crop} | {cost.generator / 1e6:.1f} M "
        f"| {cost.discriminator / 1e6:.1f} M x {cost.discriminators} "
        f"| {cost.operations / 1e9:.0f} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.variants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--variant", choices=PAPERS, action="append", help="only this; repeatable")
    parser.add_argument("--steps", type=int, default=7, help="steps to measure")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps is {arguments.steps}; expected at least 1")
    processor.prepare()
    print("| variant | crop | a generator | discriminators | GFLOP a step | s a step | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for variant in arguments.variant or PAPERS:
        print(row(measure(variant, arguments.steps)), flush=True)


if __name__ == "__main__":
    main()

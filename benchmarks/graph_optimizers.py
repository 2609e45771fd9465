"""Measure what the parts of TensorFlow's graph optimizer, Grappler, cost before the first step.

    python -m benchmarks.graph_optimizers
    python -m benchmarks.graph_optimizers --variant=mask --precision=mixed_bfloat16 --rounds=3

The rows are all of its parts, which is TensorFlow's default, and those that a training on a CPU
keeps. Both take turns in one process. A first step traces, optimises and makes a step; the others
make one. Numbers are processor seconds over all cores.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date

from benchmarks.harness import machine, port, sizes
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import PRECISIONS
from cyclegan_vc_tf.system import processor

KINDS = {"all parts": True, "parts of a training": False}
"""Whether TensorFlow uses all parts, by row of the table."""


def process_s(step: Callable[[], object], all_parts: bool) -> float:
    """Return the processor seconds of a step.

    Args:
        step: Function that makes a step.
        all_parts: Whether TensorFlow uses all parts.
    """
    # A call of a function has the options of its moment, and each set of options its own graph.
    processor.choose_graph_optimizers(all_parts)
    begin_s = time.process_time()
    step()
    return time.process_time() - begin_s


def measure(
    config: RunConfig, rounds: int, steps: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Return the times of first steps and of later ones, by row of the table.

    Args:
        config: Settings of the steps.
        rounds: Number of first steps of each kind.
        steps: Number of steps after each first step.
    """
    # TensorFlow's first function in a process takes longer than any other.
    port.training_step(config)[0]()
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in KINDS}
    for _ in range(rounds):
        made = {name: port.training_step(config)[0] for name in KINDS}
        for name, step in made.items():
            times[name][0].append(process_s(step, KINDS[name]))
        order = list(made)
        for _ in range(steps):
            for name in order:
                times[name][1].append(process_s(made[name], KINDS[name]))
            # A B, B A: none has the better place.
            order.reverse()
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    flags = sizes.parser("graph_optimizers", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--precision", choices=PRECISIONS, default="float32")
    flags.add_argument("--rounds", type=sizes.whole(), default=2, help="first steps of each kind")
    flags.add_argument("--steps", type=sizes.whole(), default=5, help="steps after each first step")
    given = flags.parse_args(arguments)
    config = sizes.to_config(given, given.precision)
    print("| Grappler | first step, CPU s | step, CPU s |\n|---|---|---|")
    for name, (first, later) in measure(config, given.rounds, given.steps).items():
        print(f"| {name} | {statistics.median(first):.2f} | {statistics.median(later):.3f} |")
    print(
        f"\n{given.variant}, {given.precision}, {config.network.channels} channels, medians of "
        f"{given.rounds} and {given.rounds * given.steps}. Machine: {machine.describe()}. "
        f"{date.today().isoformat()}."
    )


if __name__ == "__main__":
    main()

"""Try XLA: whether it compiles a training step, how long that takes, and what the step computes.

    python -m benchmarks.xla --channels=8
    python -m benchmarks.xla --variant=vc1 --limit_s=1800

Steps have the settings of each variant's paper, but for the width. TensorFlow's step and the
compiled one have equal initial weights and equal batches. A difference is the largest one of a loss
of the last step, relative to the loss. No training uses XLA.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date

from benchmarks.harness import machine, port, sizes
from benchmarks.harness.worker import REPOSITORY
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.training import PRECISIONS

SERVE = "serve"
"""First argument of the process that makes steps."""


@dataclass(frozen=True)
class Steps:
    """Steps of one kind.

    Attributes:
        first_s: Processor seconds of the first step, with trace and compilation.
        step_s: Median of the processor seconds of the others.
        losses: Losses of the last step by name.
    """

    first_s: float
    step_s: float
    losses: dict[str, float]


def serve(variant: str, channels: int, precision: str, steps: int, jit: bool) -> Steps:
    """Make steps in this process and measure them."""
    paper = PRESETS[variant]
    config = replace(
        paper,
        network=replace(paper.network, channels=channels or paper.network.channels),
        training=replace(paper.training, precision=precision),
    )
    step, _ = port.training_step(config, jit)
    times, report = [], {}
    for _ in range(1 + steps):
        begin_s = time.process_time()
        report = step()
        times.append(time.process_time() - begin_s)
    losses = {name: float(value) for name, value in report.items() if name.startswith("loss/")}
    return Steps(times[0], statistics.median(times[1:]), losses)


def measure(limit_s: float, *arguments: object) -> Steps | None:
    """Make steps in a process of their own; None if it does not end within a time.

    Args:
        limit_s: The time, in seconds.
        arguments: Arguments of `serve`.

    Raises:
        CalledProcessError: The process failed.
    """
    command = [sys.executable, "-m", "benchmarks.xla", SERVE, *map(str, arguments)]
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return None
    return Steps(**json.loads(done.stdout.splitlines()[-1]))


def difference(own: Steps, compiled: Steps) -> float:
    """Return the largest difference of a loss, relative to TensorFlow's."""
    return max(
        abs(compiled.losses[name] - loss) / max(abs(loss), 1e-12)
        for name, loss in own.losses.items()
    )


def format_row(variant: str, own: Steps | None, compiled: Steps | None, limit_s: float) -> str:
    """Format a row of the table."""
    late = f"not within {limit_s:g} s"
    cells = [variant]
    cells += [late if each is None else f"{each.first_s:.1f}" for each in (own, compiled)]
    cells += ["" if each is None else f"{each.step_s:.3f}" for each in (own, compiled)]
    if own is None or compiled is None:
        cells += ["", ""]
    else:
        cells += [f"{compiled.step_s / own.step_s:.2f}", f"{difference(own, compiled):.1e}"]
    return f"| {' | '.join(cells)} |"


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = sizes.parser("xla", __doc__)
    parser.add_argument(
        "--variant", choices=PRESETS, action="append", help="measure only this variant; repeatable"
    )
    parser.add_argument(
        "--channels", type=sizes.whole(), default=0, help="width (default: the paper's)"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--steps", type=sizes.whole(), default=5, help="steps behind the first")
    parser.add_argument(
        "--limit_s", type=float, default=600.0, help="time of a process, in seconds"
    )
    arguments = parser.parse_args(given)
    names = ["first step, CPU s", "first, XLA", "step, CPU s", "step, XLA", "ratio", "difference"]
    print(f"| variant | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for variant in arguments.variant or PRESETS:
        settings = (variant, arguments.channels, arguments.precision, arguments.steps)
        own, compiled = (measure(arguments.limit_s, *settings, int(jit)) for jit in (False, True))
        print(format_row(variant, own, compiled, arguments.limit_s), flush=True)
    width = f"{arguments.channels} channels" if arguments.channels else "full width"
    print(
        f"\n{width}, {arguments.precision}, medians of {arguments.steps} steps. Machine: "
        f"{machine.describe()}. {date.today().isoformat()}."
    )


if __name__ == "__main__":
    if sys.argv[1:2] == [SERVE]:
        name, width, number_format, count, is_compiled = sys.argv[2:]
        made = serve(name, int(width), number_format, int(count), bool(int(is_compiled)))
        print(json.dumps(asdict(made)))
    else:
        main()

"""Measure a training step, the PyTorch companion's step, and the limit that the machine sets.

    python -m benchmarks.train_step                       a few minutes
    python -m benchmarks.train_step --json=FILE --rounds=9
    python -m benchmarks.train_step --only=port_float32 --only=companion_eager

Contenders are separate processes, which measure in turns. The table, in Markdown, has median
seconds and processor seconds per step over all rounds, and the speed-up over the companion's eager
float32 step with its quartiles over the rounds. Below the table are the machine and the limit: the
operations of a step at the machine's rate of matrix products, and Adam's traffic at its rate of
copies. Both rates are measured in this run. The exit status is 2 for wrong flags.

TensorFlow and PyTorch use a GPU where they see one, each for itself. A step then ends when the GPU
has finished it, the rates are the GPU's, and the table names each contender's device.
"""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.harness import machine as machine_module
from benchmarks.harness import rounds, sizes
from benchmarks.harness.machine import Machine, Rates
from benchmarks.harness.rounds import Measured
from benchmarks.harness.work import Work
from benchmarks.harness.worker import Worker
from cyclegan_vc_tf.system import files

BASELINE = "companion_eager"


@dataclass(frozen=True)
class Contender:
    """A process that makes training steps.

    Attributes:
        label: Name in the table.
        module: Module to start, and its flags.
    """

    label: str
    module: tuple[str, ...]


CONTENDERS = {
    "port_float32": Contender("port, float32", ("benchmarks.harness.port", "--precision=float32")),
    "port_mixed_bfloat16": Contender(
        "port, mixed_bfloat16", ("benchmarks.harness.port", "--precision=mixed_bfloat16")
    ),
    "companion_eager": Contender(
        "companion, float32", ("benchmarks.harness.companion", "--mode=eager")
    ),
    "companion_compile": Contender(
        "companion, torch.compile", ("benchmarks.harness.companion", "--mode=compile")
    ),
    "companion_autocast": Contender(
        "companion, autocast to bfloat16", ("benchmarks.harness.companion", "--mode=autocast")
    ),
}

PRECISIONS = {"port_float32": "float32", "port_mixed_bfloat16": "mixed_bfloat16"}
"""Precision of matrix products, of contenders with a limit."""


@dataclass(frozen=True)
class Result:
    """Results of a run.

    Attributes:
        contenders: Measurements by name.
        rates: Rates of the machine, the better of before and after.
        machine: Description of the machine.
        settings: Settings of the run.
    """

    contenders: Mapping[str, Measured]
    rates: Rates
    machine: Machine
    settings: Mapping[str, Any]

    def work(self, name: str) -> Work | None:
        """Return the work of a contender's step, or None for a contender without a limit."""
        facts = self.contenders[name].facts if name in self.contenders else {}
        return Work(**facts["work"]) if "work" in facts else None

    def limit_s(self, name: str) -> float | None:
        """Return the lower limit of seconds per step, or None for a contender without a limit."""
        work = self.work(name)
        if work is None:
            return None
        rate = self.rates.product_gflop_s(PRECISIONS[name])
        return work.limit_s(1e9 * rate, 1e9 * self.rates.copy_gb_s)

    def limit_ratio(self, name: str) -> float | None:
        """Return a contender's median seconds per step over its limit."""
        limit_s = self.limit_s(name)
        if limit_s is None or not self.contenders[name].turns:
            return None
        return statistics.median(self.contenders[name].wall_s) / limit_s

    def ratio(self, name: str) -> rounds.Ratio | None:
        """Return the speed-up of a contender over the companion's eager float32 step."""
        return rounds.wall_ratio(self.contenders.get(BASELINE), self.contenders.get(name))


def as_json(result: Result) -> dict[str, Any]:
    """Convert results to JSON values, null for a contender without times."""
    found: dict[str, Any] = {}
    for name, precision in PRECISIONS.items():
        ratio = result.ratio(name)
        found[f"ratio_{precision}"] = ratio and ratio.median
        found[f"limit_ratio_{precision}"] = result.limit_ratio(name)
        found[f"limit_{precision}_s"] = result.limit_s(name)
    work = next(filter(None, map(result.work, PRECISIONS)), None)
    versions: dict[str, str] = {}
    contenders = {}
    for name, measured in result.contenders.items():
        versions |= measured.facts.get("versions", {})
        ratio = result.ratio(name)
        contenders[name] = {
            "failed": measured.failed or None,
            "wall_s": statistics.median(measured.wall_s) if measured.turns else None,
            "cpu_s": statistics.median(measured.cpu_s) if measured.turns else None,
            "peak_mb": measured.peak_mb if measured.turns else None,
            "peak_gpu_mb": measured.peak_gpu_mb if measured.turns else None,
            "device": measured.facts.get("device"),
            "ratio": ratio and asdict(ratio),
            "wall_s_of_rounds": measured.wall_s,
            "cpu_s_of_rounds": measured.cpu_s,
        }
    return {
        **found,
        "work": work and asdict(work),
        "contenders": contenders,
        "rates": asdict(result.rates),
        "machine": asdict(result.machine),
        "versions": versions,
        "settings": dict(result.settings),
        "date": date.today().isoformat(),
    }


def table(result: Result) -> str:
    """Format contenders, failures, the machine and its limit in Markdown."""
    names = [
        "contender", "s/step", "CPU s/step", "speed-up over PyTorch float32 (quartiles)", "peak MB"
    ]  # fmt: skip
    has_gpu = any(
        each.turns and each.peak_gpu_mb is not None for each in result.contenders.values()
    )
    if has_gpu:
        names.append("peak GPU MB")
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for name, measured in result.contenders.items():
        label, ratio = CONTENDERS[name].label, result.ratio(name)
        if not measured.turns:
            lines.append(f"| {label} |{' - |' * (len(names) - 1)}")
            continue
        wall_s, cpu_s = map(statistics.median, (measured.wall_s, measured.cpu_s))
        cell = f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "-"
        line = f"| {label} | {wall_s:.3f} | {cpu_s:.3f} | {cell} | {measured.peak_mb:.0f} |"
        if has_gpu:
            gpu_mb = measured.peak_gpu_mb
            line += " - |" if gpu_mb is None else f" {gpu_mb:.0f} |"
        lines.append(line)
    lines += ["", *_failures(result), f"Machine: {result.machine}."]
    if has_gpu:
        lines += _devices(result)
    return "\n".join([*lines, _limits(result)])


def _devices(result: Result) -> list[str]:
    """Return a line per contender that names its device."""
    return [
        f"{CONTENDERS[name].label}: on {measured.facts['device']}."
        for name, measured in result.contenders.items()
        if "device" in measured.facts
    ]


def _failures(result: Result) -> list[str]:
    return [
        f"{CONTENDERS[name].label} was not measured: {measured.failed}"
        for name, measured in result.contenders.items()
        if measured.failed
    ]


def _limits(result: Result) -> str:
    rates = result.rates
    text = (
        f"Matrix products: {rates.float32_gflop_s:.0f} GFLOP/s in float32, "
        f"{rates.bfloat16_gflop_s:.0f} in bfloat16; copies: {rates.copy_gb_s:.1f} GB/s."
    )
    for name, precision in PRECISIONS.items():
        work, limit_s, ratio = result.work(name), result.limit_s(name), result.limit_ratio(name)
        if work is not None and ratio is not None:
            text += (
                f"\nLimit in {precision}: {work.flops / 1e9:.3g} GFLOP and "
                f"{work.adam_bytes / 1e9:.3g} GB take {limit_s:.3g} s; a step takes {ratio:.2f} "
                "times the limit."
            )
    return text


def run(arguments: argparse.Namespace) -> Result:
    """Measure the machine, the contenders in turns, and the machine again."""
    before = machine_module.measure_elsewhere()
    config = sizes.to_config(arguments)
    with ExitStack() as stack:
        # All workers start together, and sleep when they are ready.
        workers = {
            name: stack.enter_context(Worker(*contender.module, *sizes.to_arguments(config)))
            for name, contender in CONTENDERS.items()
            if name in (arguments.only or CONTENDERS)
        }
        found = rounds.measure(workers, arguments.rounds, arguments.steps, print_progress)
    settings = {
        "variant": config.network.variant,
        "channels": config.network.channels,
        "batch": config.training.batch_size,
        "frames": config.training.crop_frames,
        "rounds": arguments.rounds,
        "steps": arguments.steps,
    }
    after = machine_module.measure_elsewhere()
    return Result(found, before.best_of(after), machine_module.describe(), settings)


def print_progress(line: str) -> None:
    """Print a line of progress to standard error."""
    print(line, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the flags."""
    flags = sizes.parser("train_step", __doc__)
    sizes.add_flags(flags)
    flags.add_argument(
        "--rounds", type=sizes.whole(), default=7, help="number of turns of each contender"
    )
    flags.add_argument("--steps", type=sizes.whole(), default=3, help="steps per turn")
    flags.add_argument(
        "--json", type=Path, metavar="FILE", help="write all results to this file as JSON"
    )
    flags.add_argument(
        "--only",
        choices=CONTENDERS,
        action="append",
        help="measure only this contender; repeatable",
    )
    return flags.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    given = parse(arguments)
    result = run(given)
    print(table(result))
    if given.json:
        files.write_json(given.json, as_json(result))


if __name__ == "__main__":
    main()

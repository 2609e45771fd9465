"""What a training step costs beside the PyTorch companion's, and beside what the machine gives.

    python -m benchmarks.train_step                       a few minutes
    python -m benchmarks.train_step --json=FILE --rounds=9
    python -m benchmarks.train_step --only=port_float32 --only=companion_eager

Every contender is a process of its own, and they measure in turn. Prints a table in Markdown:
seconds and processor seconds a step, medians over all rounds, and how many times as long the
companion's step, eager float32, takes, with the quartiles over the rounds. Below it the machine and
the limit: the operations that the mathematics needs at the machine's rate of products, and Adam's
traffic at its rate of copies, both measured in the same run. Exits with 2 for flags it cannot use.
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
    """Somebody who makes steps.

    Attributes:
        label: As the table calls it.
        module: What is started for it, and its own flags.
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
"""Those who have a limit, and in what they multiply."""


@dataclass(frozen=True)
class Result:
    """All that a run found.

    Attributes:
        contenders: By name.
        rates: Of the machine, the best of before and after.
        machine: Which it is.
        settings: Of the run.
    """

    contenders: Mapping[str, Measured]
    rates: Rates
    machine: Machine
    settings: Mapping[str, Any]

    def work(self, name: str) -> Work | None:
        """What a step of a contender has to do; it is counted by those who have a limit."""
        facts = self.contenders[name].facts if name in self.contenders else {}
        return Work(**facts["work"]) if "work" in facts else None

    def limit_s(self, name: str) -> float | None:
        """Seconds that no step goes below, of one who has a limit."""
        work = self.work(name)
        if work is None:
            return None
        rate = self.rates.product_gflop_s(PRECISIONS[name])
        return work.limit_s(1e9 * rate, 1e9 * self.rates.copy_gb_s)

    def limit_ratio(self, name: str) -> float | None:
        """How many times as long as its limit a contender's step takes."""
        limit_s = self.limit_s(name)
        if limit_s is None or not self.contenders[name].turns:
            return None
        return statistics.median(self.contenders[name].wall_s) / limit_s

    def ratio(self, name: str) -> rounds.Ratio | None:
        """How many times as long as a contender's step the companion's takes, eager float32."""
        return rounds.ratio_of(self.contenders.get(BASELINE), self.contenders.get(name))


def as_json(result: Result) -> dict[str, Any]:
    """What is kept of a run; null where a contender gave no times."""
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
    """The contenders in Markdown, the machine, its limit, and why who has no times has none."""
    lines = [
        "| contender | s a step | CPU s | companion's float32 / this (quartiles) | peak MB |",
        "|---|---|---|---|---|",
    ]
    for name, measured in result.contenders.items():
        label, ratio = CONTENDERS[name].label, result.ratio(name)
        if not measured.turns:
            lines.append(f"| {label} | - | - | - | - |")
            continue
        wall_s, cpu_s = map(statistics.median, (measured.wall_s, measured.cpu_s))
        said = f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "-"
        lines.append(f"| {label} | {wall_s:.3f} | {cpu_s:.3f} | {said} | {measured.peak_mb:.0f} |")
    lines += ["", *_failures(result), f"Machine: {result.machine}.", _limits(result)]
    return "\n".join(lines)


def _failures(result: Result) -> list[str]:
    return [
        f"{CONTENDERS[name].label} was not measured: {measured.failed}"
        for name, measured in result.contenders.items()
        if measured.failed
    ]


def _limits(result: Result) -> str:
    rates = result.rates
    text = (
        f"Products: {rates.float32_gflop_s:.0f} GFLOP/s in float32, "
        f"{rates.bfloat16_gflop_s:.0f} in bfloat16; copies: {rates.copy_gb_s:.1f} GB/s."
    )
    for name, precision in PRECISIONS.items():
        work, limit_s, ratio = result.work(name), result.limit_s(name), result.limit_ratio(name)
        if work is not None and ratio is not None:
            text += (
                f"\nLimit in {precision}: {work.flops / 1e9:.3g} GFLOP and "
                f"{work.adam_bytes / 1e9:.3g} GB take {limit_s:.3g} s; a step takes {ratio:.2f} "
                "times that."
            )
    return text


def run(arguments: argparse.Namespace) -> Result:
    """Measures the machine, the contenders in turn, and the machine again."""
    before = machine_module.rates_elsewhere()
    config = sizes.config_of(arguments)
    with ExitStack() as stack:
        # Started together; who is ready sleeps.
        workers = {
            name: stack.enter_context(Worker(*contender.module, *sizes.to_arguments(config)))
            for name, contender in CONTENDERS.items()
            if name in (arguments.only or CONTENDERS)
        }
        found = rounds.measure(workers, arguments.rounds, arguments.steps, say)
    settings = {
        "variant": config.network.variant,
        "channels": config.network.channels,
        "batch": config.training.batch_size,
        "frames": config.training.crop_frames,
        "rounds": arguments.rounds,
        "steps": arguments.steps,
    }
    after = machine_module.rates_elsewhere()
    return Result(found, before.best_of(after), machine_module.describe(), settings)


def say(line: str) -> None:
    """How far it is, apart from the table."""
    print(line, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags."""
    flags = sizes.parser("train_step", __doc__)
    sizes.add(flags)
    flags.add_argument("--rounds", type=sizes.whole(), default=7, help="turns of each contender")
    flags.add_argument("--steps", type=sizes.whole(), default=3, help="steps of a turn")
    flags.add_argument("--json", type=Path, metavar="FILE", help="also writes all of it here")
    flags.add_argument(
        "--only", choices=CONTENDERS, action="append", help="this contender; repeatable"
    )
    return flags.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    given = parse(arguments)
    result = run(given)
    print(table(result))
    if given.json:
        files.write_json(given.json, as_json(result))


if __name__ == "__main__":
    main()

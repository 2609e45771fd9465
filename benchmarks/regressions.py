"""Notice that training became slower: compare ratios of times with the bounds in a file.

    python -m benchmarks.regressions                       a few minutes
    python -m benchmarks.regressions --only=mask
    python -m benchmarks.regressions --record              write bounds of this kind of processor

A ratio is the processor time of a training step over its limit: its floating-point operations at
the rate of a large matrix product, and Adam's traffic at the rate of a copy. Both rates are
measured in this run, per processor second, so that other processes change a ratio little. Networks
have half of the papers' channels. The fastest of several steps counts, and a ratio above its bound
is measured again.

Bounds are in benchmarks/regressions.json, by kind of processor: its widest bfloat16 instructions,
or none. The exit status is 1 if a ratio is above its bound, and 2 for wrong flags or a kind of
processor without bounds.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.harness import machine, sizes, worker
from benchmarks.harness.machine import Rates
from benchmarks.harness.work import Work
from benchmarks.harness.worker import Worker
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import PRECISIONS
from cyclegan_vc_tf.system import files

BOUNDS = Path(__file__).with_suffix(".json")
"""File of bounds: ratio and bound by name, by kind of processor."""

MARGIN = 1.2
"""Bound over the ratio that was measured when the bound was recorded.

Ratios of one code differ by up to a tenth on a busy machine.
"""

STEPS = 3
"""Steps per measurement, after those that warm up."""

REPEATS = 2
"""Further measurements of a ratio that is above its bound; the lowest counts."""


def kind_of_processor() -> str:
    """Return the widest bfloat16 instructions of this processor, or "no bfloat16"."""
    return (machine.describe().bfloat16 or ["no bfloat16"])[-1]


def half_width(variant: str, precision: str) -> RunConfig:
    """Return the settings of a variant's paper with half of the channels."""
    paper = PRESETS[variant]
    return replace(
        paper,
        network=replace(paper.network, channels=paper.network.channels // 2),
        training=replace(paper.training, precision=precision),
    )


def measure_step(config: RunConfig) -> tuple[float, Work]:
    """Measure the processor seconds of the fastest of several steps, and return its work."""
    flags = [*sizes.to_arguments(config), f"--precision={config.training.precision}"]
    with Worker("benchmarks.harness.port", *flags) as made:
        work = Work(**made.ready()["work"])
        return min(made.measure(STEPS).cpu_s), work


def measure_rates() -> Rates:
    """Measure the rates per processor second in another process."""
    return Rates(**worker.measure_once("benchmarks.harness.cpu_rates"))


def limit_ratio(config: RunConfig, rates: Rates) -> float:
    """Measure the processor seconds of a step over their limit at the machine's rates."""
    taken_s, work = measure_step(config)
    flop_s = 1e9 * rates.product_gflop_s(config.training.precision)
    return taken_s / work.limit_s(flop_s, 1e9 * rates.copy_gb_s)


def format_row(name: str, ratio: float, bound: float | None) -> str:
    """Format a row of the table."""
    known = "-" if bound is None else f"{bound:.2f}"
    verdict = "" if bound is None else "slower" if ratio > bound else "holds"
    return f"| {name} | {ratio:.2f} | {known} | {verdict} |"


def record(kind: str, measured: Mapping[str, float], found: dict[str, Any]) -> None:
    """Write bounds of the measured ratios, and keep all other bounds.

    Args:
        kind: Kind of this processor.
        measured: Ratios by name.
        found: Content of the file of bounds.
    """
    about = {"machine": str(machine.describe()), "date": date.today().isoformat()}
    bounds = {
        name: {"ratio": round(ratio, 3), "bound": round(MARGIN * ratio, 2), **about}
        for name, ratio in measured.items()
    }
    found[kind] = found.get(kind, {}) | bounds
    files.write_json(BOUNDS, found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and end with status 1 if a ratio is above its bound."""
    flags = sizes.parser("regressions", __doc__)
    flags.add_argument(
        "--only", choices=PRESETS, action="append", help="measure only this variant; repeatable"
    )
    flags.add_argument(
        "--record", action="store_true", help="write bounds from this run's ratios, for a new kind"
        " of processor or after a deliberate change",
    )  # fmt: skip
    given = flags.parse_args(arguments)
    kind = kind_of_processor()
    found = files.read_json(BOUNDS) if BOUNDS.exists() else {}
    bounds = {name: each["bound"] for name, each in found.get(kind, {}).items()}
    if not bounds and not given.record:
        flags.error(
            f"{BOUNDS.name} has no bounds for this kind of processor ({kind}); "
            "measure some with --record at a commit whose speed is right"
        )
    print("| step | ratio to limit | bound | |\n|---|---|---|---|")
    measured = {}
    rates = measure_rates()
    for variant in given.only or PRESETS:
        # The best rate counts, as the fastest step does.
        rates = rates.best_of(measure_rates())
        for precision in PRECISIONS:
            name = f"{variant}, {precision}"
            config = half_width(variant, precision)
            measured[name] = limit_ratio(config, rates)
            known = None if given.record else bounds.get(name)
            for _ in range(REPEATS):
                if known is not None and measured[name] > known:
                    # Noise passes, and a slower step stays.
                    measured[name] = min(measured[name], limit_ratio(config, rates))
            print(format_row(name, measured[name], known), flush=True)
    print(f"\nMachine: {machine.describe()}. {date.today().isoformat()}.")
    if given.record:
        record(kind, measured, found)
        print(f"Written to {BOUNDS.name}: bounds {MARGIN} times as high.")
    elif any(ratio > bounds.get(name, ratio) for name, ratio in measured.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Measure how cost grows with the batch, the frames, the width and the corpus.

    python -m benchmarks.scaling --png=docs/images/performance.png --json=FILE         some minutes

The picture has four panels. Each point is measured in a separate process. Batch and frames are
varied at fewer channels than in the paper, whose width would take too long.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.harness import machine, sizes, worker
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import files

matplotlib.use("Agg")

MIN_SECONDS = 4.0
"""Seconds of the steps of a point, roughly, or more."""

MAX_STEPS = 20
"""Largest number of steps of a point."""


@dataclass(frozen=True)
class Sweep:
    """A setting that is varied while the others are fixed.

    Attributes:
        axis: Name of the setting.
        values: Values of the setting.
        channels: Base number of channels, if channels are not varied.
    """

    axis: str
    values: Sequence[int]
    channels: int


STEPS = (
    Sweep("batch", (1, 2, 4, 8, 16), 32),
    Sweep("frames", (128, 256, 512, 1024), 32),
    Sweep("channels", (16, 32, 64, 128), 128),
)

MINUTES = (1, 3, 10, 30, 100)
"""Minutes of each speaker's recordings."""

Points = Mapping[int, Any]
"""Measurements by value of the axis."""


def vary(sweep: Sweep, value: int) -> RunConfig:
    """Return the 2017 paper's settings at one point."""
    paper = PRESETS["vc1"]
    network, training = replace(paper.network, channels=sweep.channels), paper.training
    if sweep.axis == "channels":
        network = replace(network, channels=value)
    elif sweep.axis == "batch":
        training = replace(training, batch_size=value)
    else:
        training = replace(training, crop_frames=value)
    return replace(paper, network=network, training=training)


def step_s(config: RunConfig) -> float:
    """Measure the median seconds per step in a separate process."""
    with worker.Worker("benchmarks.harness.port", *sizes.to_arguments(config)) as port:
        port.ready()
        first_s = port.measure(1).wall_s[0]
        steps = min(MAX_STEPS, max(3, round(MIN_SECONDS / first_s)))
        return statistics.median(port.measure(steps).wall_s)


def corpus_cost(minutes: int) -> dict[str, float]:
    """Measure a corpus with `benchmarks.harness.corpus` in a separate process."""
    return worker.measure_once("benchmarks.harness.corpus", f"--minutes={minutes}")


def draw_batch(axes: Axes, points: Points, title: str) -> None:
    """Draw seconds per example against the batch. A flat line means no gain."""
    axes.semilogx(points.keys(), [s / batch for batch, s in points.items()], "o-", base=2)
    axes.set(xlabel="examples per batch", ylabel="s per example", title=title)
    axes.set_ylim(bottom=0)
    axes.set_xticks(list(points), map(str, points))


def draw_growth(axes: Axes, points: Points, label: str, power: int, title: str) -> None:
    """Draw seconds per step, and a power of the axis through the largest value."""
    axes.loglog(points.keys(), points.values(), "o-", label="measured")
    values = np.array(list(points), float)
    last, last_s = list(points.items())[-1]
    name = {1: "proportional", 2: "square"}[power]
    axes.loglog(values, last_s * (values / last) ** power, "k--", lw=1, label=name)
    axes.set(xlabel=label, ylabel="s per step", title=title)
    axes.set_xticks(list(points), map(str, points))
    axes.set_xticks([], minor=True)
    axes.legend()


def draw_corpus(axes: Axes, points: Points, title: str) -> None:
    """Draw the time of preparation, the time per batch, and the memory of both."""
    for name, label in (
        ("prepare_s", "preparation, s"),
        ("batch_ms", "per batch, ms"),
        ("growth_mb", "growth of memory, MB"),
    ):
        axes.loglog(
            points.keys(), [max(cost[name], 0.01) for cost in points.values()], "o-", label=label
        )
    axes.set(xlabel="minutes of each speaker", ylabel="s, ms, MB", title=title)
    axes.set_xticks(list(points), map(str, points))
    axes.set_xticks([], minor=True)
    axes.legend()


def draw(path: Path, found: Mapping[str, Points], about: str) -> None:
    """Write the picture."""
    channels = {sweep.axis: sweep.channels for sweep in STEPS}
    figure, ((batch, frames), (width, corpus)) = plt.subplots(2, 2, figsize=(10, 8))
    draw_batch(batch, found["batch"], f"vc1, {channels['batch']} channels, 128 frames: per example")
    draw_growth(
        frames,
        found["frames"],
        "frames",
        1,
        f"vc1, {channels['frames']} channels, batch 1: per step",
    )
    draw_growth(width, found["channels"], "channels", 2, "vc1, 128 frames, batch 1: per step")
    draw_corpus(corpus, found["minutes"], "Input of both speakers, batch 1, 128 frames")
    figure.suptitle(about, fontsize=9)
    figure.tight_layout()
    with files.replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
    plt.close(figure)


def measure() -> dict[str, dict[int, Any]]:
    """Measure every point of every panel, and print the results."""
    found: dict[str, dict[int, Any]] = {}
    for sweep in STEPS:
        found[sweep.axis] = {}
        for value in sweep.values:
            found[sweep.axis][value] = step_s(vary(sweep, value))
            print(f"{sweep.axis} {value}: {found[sweep.axis][value]:.3f} s per step", flush=True)
    found["minutes"] = {}
    for minutes in MINUTES:
        cost = found["minutes"][minutes] = corpus_cost(minutes)
        print(
            f"{minutes} minutes: {cost['prepare_s']:.2f} s for preparation, "
            f"{cost['batch_ms']:.2f} ms per batch, {cost['growth_mb']:.0f} MB",
            flush=True,
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and draw."""
    flags = sizes.parser("scaling", __doc__)
    flags.add_argument(
        "--png", type=Path, required=True, metavar="FILE", help="write the picture to this file"
    )
    flags.add_argument(
        "--json", type=Path, metavar="FILE", help="write the numbers to this file as JSON"
    )
    given = flags.parse_args(arguments)
    found, about = measure(), machine.describe()
    draw(given.png, found, str(about))
    if given.json:
        files.write_json(given.json, {**found, "machine": asdict(about)})


if __name__ == "__main__":
    main()

"""How the cost grows: with the batch, the frames, the width and the corpus.

    python -m benchmarks.scaling --png=docs/images/performance.png --json=FILE         some minutes

Four panels in one picture. Each point is measured in a process of its own. Batch and frames are
gone through with fewer channels than a paper has, where its own would take too long.
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

SHORTEST_S = 4.0
"""A point's steps take about as long, if not more."""

MOST_STEPS = 20


@dataclass(frozen=True)
class Sweep:
    """What is gone through, the rest staying as it is.

    Attributes:
        axis: What is varied.
        values: Its values.
        channels: Base number of channels, where they are not what is varied.
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
"""Of each speaker's recordings."""

Points = Mapping[int, Any]
"""Value of the axis → what was measured there."""


def varied(sweep: Sweep, value: int) -> RunConfig:
    """The 2017 paper's settings at one point."""
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
    """Seconds a step, the median, in a process of its own."""
    with worker.Worker("benchmarks.harness.port", *sizes.to_arguments(config)) as port:
        port.ready()
        first_s = port.go(1).wall_s[0]
        steps = min(MOST_STEPS, max(3, round(SHORTEST_S / first_s)))
        return statistics.median(port.go(steps).wall_s)


def corpus_cost(minutes: int) -> dict[str, float]:
    """What `benchmarks.harness.corpus` measures of a corpus, in a process of its own."""
    return worker.once("benchmarks.harness.corpus", f"--minutes={minutes}")


def draw_batch(axes: Axes, points: Points, title: str) -> None:
    """Seconds an example against the batch; flat would be no gain."""
    axes.semilogx(points.keys(), [s / batch for batch, s in points.items()], "o-", base=2)
    axes.set(xlabel="examples in a batch", ylabel="s an example", title=title)
    axes.set_ylim(bottom=0)
    axes.set_xticks(list(points), map(str, points))


def draw_growth(axes: Axes, points: Points, label: str, power: int, title: str) -> None:
    """Seconds a step, and a power of the axis through the largest value."""
    axes.loglog(points.keys(), points.values(), "o-", label="measured")
    values = np.array(list(points), float)
    last, last_s = list(points.items())[-1]
    named = {1: "proportional", 2: "its square"}[power]
    axes.loglog(values, last_s * (values / last) ** power, "k--", lw=1, label=named)
    axes.set(xlabel=label, ylabel="s a step", title=title)
    axes.set_xticks(list(points), map(str, points))
    axes.set_xticks([], minor=True)
    axes.legend()


def draw_corpus(axes: Axes, points: Points, title: str) -> None:
    """What is prepared once, what every batch takes, and the memory of both."""
    for name, label in (
        ("prepare_s", "storing and statistics, s"),
        ("batch_ms", "a batch, ms"),
        ("growth_mb", "growth of memory, MB"),
    ):
        axes.loglog(
            points.keys(), [max(each[name], 0.01) for each in points.values()], "o-", label=label
        )
    axes.set(xlabel="minutes of each speaker", ylabel="s, ms, MB", title=title)
    axes.set_xticks(list(points), map(str, points))
    axes.set_xticks([], minor=True)
    axes.legend()


def draw(path: Path, found: Mapping[str, Points], about: str) -> None:
    """Writes the picture."""
    channels = {sweep.axis: sweep.channels for sweep in STEPS}
    figure, ((batch, frames), (width, corpus)) = plt.subplots(2, 2, figsize=(10, 8))
    draw_batch(batch, found["batch"], f"vc1, {channels['batch']} channels, 128 frames: an example")
    draw_growth(
        frames,
        found["frames"],
        "frames",
        1,
        f"vc1, {channels['frames']} channels, batch 1: a step",
    )
    draw_growth(width, found["channels"], "channels", 2, "vc1, 128 frames, batch 1: a step")
    draw_corpus(corpus, found["minutes"], "Input of both speakers, batch 1, 128 frames")
    figure.suptitle(about, fontsize=9)
    figure.tight_layout()
    with files.replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
    plt.close(figure)


def measure() -> dict[str, dict[int, Any]]:
    """Measures every point of every panel, and says what it found."""
    found: dict[str, dict[int, Any]] = {}
    for sweep in STEPS:
        found[sweep.axis] = {}
        for value in sweep.values:
            found[sweep.axis][value] = step_s(varied(sweep, value))
            print(f"{sweep.axis} {value}: {found[sweep.axis][value]:.3f} s a step", flush=True)
    found["minutes"] = {}
    for minutes in MINUTES:
        cost = found["minutes"][minutes] = corpus_cost(minutes)
        print(
            f"{minutes} minutes: {cost['prepare_s']:.2f} s to store, {cost['batch_ms']:.2f} ms a "
            f"batch, {cost['growth_mb']:.0f} MB",
            flush=True,
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and draws."""
    flags = sizes.parser("scaling", __doc__)
    flags.add_argument("--png", type=Path, required=True, metavar="FILE", help="the picture")
    flags.add_argument("--json", type=Path, metavar="FILE", help="also writes the numbers here")
    given = flags.parse_args(arguments)
    found, about = measure(), machine.describe()
    draw(given.png, found, str(about))
    if given.json:
        files.write_json(given.json, {**found, "machine": asdict(about)})


if __name__ == "__main__":
    main()

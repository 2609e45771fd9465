"""Progress of a training, read from its event files: step, losses, held-out samples."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

SHOWN_LOSSES = ("generator", "discriminator", "cycle_A", "cycle_B", "identity_A", "identity_B")
"""Losses that are drawn, where a training has them."""

EVENT_FILES = "events.out.tfevents.*"
"""Pattern of the event files in a run folder, as in `runs.events`, which imports TensorFlow."""

MAX_POINTS = 1000
"""Points of a curve that are drawn."""

Curves = dict[str, tuple[list[int], list[float]]]


@dataclass(frozen=True)
class Sample:
    """One held-out recording and its conversions, at the last step that has them.

    Attributes:
        step: Step of the training.
        sounds: Wav files by kind: source, converted, cycled.
        pictures: PNG files by kind: spectrograms, f0.
    """

    step: int
    sounds: dict[str, bytes] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingView:
    """Course of a training.

    Attributes:
        step: Last step that was logged.
        steps: Number of steps of the training; 0 if it is not known yet.
        steps_per_second: Speed at the last step that was logged.
        losses: Steps and values by name of the loss.
        samples: Held-out samples by name, such as "A2B/089.flac".
    """

    step: int = 0
    steps: int = 0
    steps_per_second: float = 0.0
    losses: Curves = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict)

    @property
    def sampled_step(self) -> int:
        """Step of the latest samples; 0 without any."""
        return max((sample.step for sample in self.samples.values()), default=0)


class EventReader:
    """Reader of runs' event files that reads a run again only after a change."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[object, TrainingView]] = {}
        self._lock = Lock()

    def read(self, run_dir: Path) -> TrainingView:
        """Return the course of a training; empty before it wrote anything.

        Args:
            run_dir: Run folder; it may not exist yet.
        """
        paths = [*sorted(run_dir.glob(EVENT_FILES)), run_dir / run_files.CONFIG]
        state = tuple((path.name, *_size_and_time(path)) for path in paths)
        with self._lock:
            if self._known.get(run_dir, (None,))[0] != state:
                self._known[run_dir] = state, read_view(run_dir)
            return self._known[run_dir][1]


def read_view(run_dir: Path) -> TrainingView:
    """Read the course of a training from its event files."""
    paths, steps = sorted(run_dir.glob(EVENT_FILES)), _read_steps(run_dir)
    if not paths:
        return TrainingView(steps=steps)
    # TensorFlow takes seconds to import: the page opens without it.
    import tensorflow as tf

    from cyclegan_vc_tf.runs import events

    points: dict[str, dict[int, float]] = {}
    samples: dict[str, Sample] = {}
    for path in paths:
        for record in events.read_records(path):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                if plugin == "scalars":
                    number = float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag, {})[event.step] = number
                elif plugin in ("audio", "images"):
                    _add_sample(samples, value, plugin, event.step)
    losses = {
        name: _thin(points[f"loss/{name}"]) for name in SHOWN_LOSSES if points.get(f"loss/{name}")
    }
    last = max((max(curve) for curve in points.values()), default=0)
    speeds = points.get("speed/steps_per_second", {})
    speed = speeds[max(speeds)] if speeds else 0.0
    return TrainingView(last, steps, speed, losses, dict(sorted(samples.items())))


def write_sample(sample: Sample, folder: Path) -> dict[str, Path]:
    """Write sounds and pictures of a sample as files, and return them by kind."""
    paths = {}
    for kinds, ending in ((sample.sounds, "wav"), (sample.pictures, "png")):
        for kind, content in kinds.items():
            paths[kind] = folder / f"step-{sample.step}-{kind}.{ending}"
            with files.replacing(paths[kind]) as partial:
                partial.write_bytes(content)
    return paths


def _add_sample(
    samples: dict[str, Sample], value: "tf.compat.v1.Summary.Value", plugin: str, step: int
) -> None:
    """Add a sound or picture of a held-out recording; a later step replaces an earlier one."""
    name, _, kind = value.tag.rpartition("/")
    if not name.startswith(("A2B/", "B2A/")):
        return
    if name not in samples or samples[name].step != step:
        samples[name] = Sample(step)
    strings = value.tensor.string_val
    if plugin == "audio":
        # Pairs of a sound and its label.
        samples[name].sounds[kind] = bytes(strings[0])
    else:
        # Width, height, then the picture.
        samples[name].pictures[kind] = bytes(strings[2])


def _read_steps(run_dir: Path) -> int:
    """Return the number of steps in the settings; 0 if they cannot be read."""
    try:
        return run_files.read_settings(run_dir).training.steps
    except (*run_files.DAMAGE_ERRORS, InputError):
        return 0


def _thin(curve: dict[int, float]) -> tuple[list[int], list[float]]:
    """Return steps, ascending, and values: every n-th point of a long curve, and the last."""
    steps = sorted(curve)
    stride = -(-len(steps) // MAX_POINTS)
    chosen = [*steps[:-1:stride], steps[-1]]
    return chosen, [curve[step] for step in chosen]


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns

"""Progress of a training, read from its event files: step, losses, held-out samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

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
    """Reader of runs' event files; each call reads only what was written since the last one."""

    def __init__(self) -> None:
        self._courses: dict[Path, _Course] = {}
        self._lock = Lock()

    def read(self, run_dir: Path) -> TrainingView:
        """Return the course of a training; empty before it wrote anything.

        Args:
            run_dir: Run folder; it may not exist yet.
        """
        files_now = {path: path.stat().st_ino for path in sorted(run_dir.glob(EVENT_FILES))}
        with self._lock:
            course = self._courses.get(run_dir)
            # A resumed training rewrites its files: they are read anew.
            if course is None or any(
                files_now.get(path) != inode for path, inode in course.inodes.items()
            ):
                course = self._courses[run_dir] = _Course()
            course.update(files_now)
            return course.view(_read_steps(run_dir))


class _Course:
    """What was read of one run's event files so far."""

    def __init__(self) -> None:
        self.inodes: dict[Path, int] = {}
        self._loaders: list[Any] = []
        self._points: dict[str, dict[int, float]] = {}
        self._samples = _Samples()

    def update(self, paths: Mapping[Path, int]) -> None:
        """Read new events of files, which are given with their inodes."""
        if not paths:
            return
        # It imports TensorFlow, which takes seconds: the page opens without it.
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

        for path in paths.keys() - self.inodes.keys():
            self._loaders.append(EventFileLoader(str(path)))
        self.inodes = dict(paths)
        for loader in self._loaders:
            for event in loader.Load():
                for value in event.summary.value:
                    self._add(value, event.step)

    def view(self, steps: int) -> TrainingView:
        """Return the course as the page shows it."""
        points = self._points
        losses = {
            name: _thin(points[f"loss/{name}"])
            for name in SHOWN_LOSSES
            if points.get(f"loss/{name}")
        }
        last = max((max(curve) for curve in points.values()), default=0)
        speeds = points.get("speed/steps_per_second", {})
        speed = speeds[max(speeds)] if speeds else 0.0
        return TrainingView(last, steps, speed, losses, self._samples.arrived())

    def _add(self, value: Any, step: int) -> None:
        plugin = value.metadata.plugin_data.plugin_name
        if plugin == "scalars":
            import tensorflow as tf

            self._points.setdefault(value.tag, {})[step] = float(tf.make_ndarray(value.tensor))
        elif plugin in ("audio", "images"):
            self._samples.add(value, plugin, step)


class _Samples:
    """Held-out samples of a training.

    A training writes a recording's sounds, draws its spectrograms, and writes these. A sample has
    arrived with its spectrograms; without them, when the training goes on to the next recording.
    """

    def __init__(self) -> None:
        self._arrived: dict[str, Sample] = {}
        self._name, self._arriving = "", Sample(0)

    def arrived(self) -> dict[str, Sample]:
        """Return the latest sample of each recording, sorted by name."""
        return dict(sorted(self._arrived.items()))

    def add(self, value: Any, plugin: str, step: int) -> None:
        """Add a sound or picture of a held-out recording; a later step replaces an earlier one."""
        name, _, kind = value.tag.rpartition("/")
        if not name.startswith(("A2B/", "B2A/")):
            return
        if (name, step) != (self._name, self._arriving.step):
            self._show()
            self._name, self._arriving = name, Sample(step)
        strings = value.tensor.string_val
        if plugin == "audio":
            # Pairs of a sound and its label.
            self._arriving.sounds[kind] = bytes(strings[0])
        else:
            # Width, height, then the picture.
            self._arriving.pictures[kind] = bytes(strings[2])
        if "spectrograms" in self._arriving.pictures:
            self._show()

    def _show(self) -> None:
        """Copy what arrived of the current sample: others read it while more arrives."""
        if self._name:
            sounds, pictures = dict(self._arriving.sounds), dict(self._arriving.pictures)
            self._arrived[self._name] = Sample(self._arriving.step, sounds, pictures)


def write_sample(sample: Sample, folder: Path) -> dict[str, Path]:
    """Write sounds and pictures of a sample as files, and return them by kind."""
    paths = {}
    for kinds, ending in ((sample.sounds, "wav"), (sample.pictures, "png")):
        for kind, content in kinds.items():
            paths[kind] = folder / f"step-{sample.step}-{kind}.{ending}"
            with files.replacing(paths[kind]) as partial:
                partial.write_bytes(content)
    return paths


def _read_steps(run_dir: Path) -> int:
    """Return the number of steps in the settings; 0 if they cannot be read."""
    try:
        return run_files.read_settings(run_dir).training.steps
    except (*files.DAMAGE_ERRORS, InputError):
        return 0


def _thin(curve: dict[int, float]) -> tuple[list[int], list[float]]:
    """Return steps, ascending, and values: every n-th point of a long curve, and the last."""
    steps = sorted(curve)
    stride = -(-len(steps) // MAX_POINTS)
    chosen = [*steps[:-1:stride], steps[-1]]
    return chosen, [curve[step] for step in chosen]

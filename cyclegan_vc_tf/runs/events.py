"""What TensorBoard shows of a run: scalars, pictures, audio, text."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from cyclegan_vc_tf.system import files


def purge_events(path: Path, last_step: int) -> None:
    """Removes what event files say of steps after `last_step`, which are about to be repeated.

    An event file that was cut off in the middle of an event keeps what stands before it.
    """
    for leftover in path.glob(f".events.*{files.PARTIAL_SUFFIX}"):
        leftover.unlink()
    for file in path.glob("events.out.tfevents.*"):
        with files.replacing(file) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
            for record in read_records(file):
                if tf.compat.v1.Event.FromString(record).step <= last_step:
                    writer.write(record)


def read_records(file: Path) -> Iterator[bytes]:
    """The records of an event file up to the first that is damaged."""
    with contextlib.suppress(tf.errors.DataLossError):
        yield from tf.data.TFRecordDataset(str(file)).as_numpy_iterator()


def read_scalars(run_dir: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps, ascending, and values of each scalar in the event files of a run, by name."""
    points: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(run_dir.glob("events.out.tfevents.*")):
        for record in read_records(file):
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    point = event.step, float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag, []).append(point)
    curves = {}
    for name, found in sorted(points.items()):
        found.sort(key=lambda point: point[0])
        curves[name] = [step for step, _ in found], [value for _, value in found]
    return curves

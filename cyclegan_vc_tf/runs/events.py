"""TensorBoard's event files of a run: read scalars, remove repeated steps, find damage."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from cyclegan_vc_tf.system import files

EVENT_FILES = "events.out.tfevents.*"
"""Pattern of the event files in a run folder."""

RECORD_OVERHEAD_BYTES = 16
"""Bytes that an event file adds to each record: its length and two checksums."""


def purge_events(path: Path, last_step: int) -> None:
    """Remove all events after a step, because training is about to repeat them.

    An event file that ends within a record keeps the records before it.

    Args:
        path: Run folder.
        last_step: Last step to keep.
    """
    for leftover in path.glob(f".events.*{files.PARTIAL_SUFFIX}"):
        leftover.unlink()
    for file in path.glob(EVENT_FILES):
        with files.replacing(file) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
            for record in read_records(file):
                if parse_event(record).step <= last_step:
                    writer.write(record)


def read_records(file: Path) -> Iterator[bytes]:
    """Yield the records of an event file up to the first damaged one.

    Source: tensorflow/core/lib/io/record_writer.h: each record is its length in 8 bytes, a checksum
    of the length, the data, and a checksum of the data.
    """
    # TensorFlow would allocate a forged length before it reads the data.
    with contextlib.suppress(tf.errors.DataLossError):
        yield from tf.data.TFRecordDataset(str(file)).take(_count_whole(file)).as_numpy_iterator()


def _count_whole(path: Path) -> int:
    """Count the records up to the first one that states a length beyond the end of the file."""
    if not path.is_file():
        return 0
    count, position, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while len(length := file.read(8)) == 8:
            position += int.from_bytes(length, "little") + RECORD_OVERHEAD_BYTES
            if position > size:
                break
            count += 1
            file.seek(position)
    return count


def intact_bytes(file: Path) -> int:
    """Return how many bytes the intact records of an event file take, from its beginning."""
    return sum(len(record) + RECORD_OVERHEAD_BYTES for record in read_records(file))


def iterate_scalars(run_dir: Path) -> Iterator[tuple[str, int, float]]:
    """Yield name, step and value of each scalar in a run's event files, as they were written."""
    for file in sorted(run_dir.glob(EVENT_FILES)):
        for record in read_records(file):
            event = parse_event(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    # Other programs may write scalars in other types.
                    with contextlib.suppress(TypeError, ValueError):
                        yield value.tag, event.step, float(tf.make_ndarray(value.tensor))


def parse_event(record: bytes) -> tf.compat.v1.Event:
    """Parse a record; one that is not an event gives an event without content."""
    try:
        return tf.compat.v1.Event.FromString(record)
    except DecodeError:
        return tf.compat.v1.Event()


def read_scalars(run_dir: Path, prefix: str = "") -> dict[str, tuple[list[int], list[float]]]:
    """Read steps, ascending, and values of each scalar in a run's event files.

    Args:
        run_dir: Run folder.
        prefix: Prefix of the scalars' names to read; by default all are read.

    Returns:
        Steps and values by name, in alphabetical order. Of several values at one step, the last
        one holds.
    """
    points: dict[str, dict[int, float]] = {}
    for name, step, value in iterate_scalars(run_dir):
        if name.startswith(prefix):
            points.setdefault(name, {})[step] = value
    return {
        name: (sorted(curve), [curve[step] for step in sorted(curve)])
        for name, curve in sorted(points.items())
    }

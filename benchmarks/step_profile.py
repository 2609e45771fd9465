"""Measure the time of a training step by kind of TensorFlow operation.

    python -m benchmarks.step_profile
    python -m benchmarks.step_profile --precision=mixed_bfloat16 --most=30

The table, in Markdown, has milliseconds per step, summed over cores that work in parallel, and the
number of operations per step. Below it is the number of operations in the graph before TensorFlow
optimises it: a training starts in time that grows with it. On a GPU the table has the time and the
number of the kernels that the operations start there. TensorFlow's profiler measures them, and
slows them down a little.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import machine, port, sizes
from benchmarks.harness.worker import WARM_UP
from cyclegan_vc_tf.config.training import PRECISIONS
from cyclegan_vc_tf.system import device

if TYPE_CHECKING:
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XEvent, XPlane, XSpace

STEPS = 5

GPU_PLANES = "/device:GPU:"
"""Beginning of the names of a profile's parts that have a GPU's kernels."""

NO_OPERATION = "(no operation)"
"""Kind of a GPU's kernels and copies that no operation started."""


def profile_operations(step: Callable[[], object], steps: int) -> dict[str, tuple[float, float]]:
    """Measure milliseconds and number of operations per step by kind, in order of time.

    Args:
        step: Function that makes a step, after its warm-up.
        steps: Number of steps to profile.
    """
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with TemporaryDirectory() as place:
        tf.profiler.experimental.start(place)
        for _ in range(steps):
            step()
        tf.profiler.experimental.stop()
        (found,) = Path(place).rglob("*.xplane.pb")
        space = XSpace.FromString(found.read_bytes())
    return sum_by_kind(space, steps)


def sum_by_kind(space: "XSpace", steps: int) -> dict[str, tuple[float, float]]:
    """Sum a profile: milliseconds and number per step by kind, in order of time.

    Where the profile has kernels of a GPU, these alone count: the processor's part of it is the
    time in which operations start kernels.

    Args:
        space: Profile.
        steps: Number of steps in it.
    """
    gpus = [plane for plane in space.planes if plane.name.startswith(GPU_PLANES)]
    taken_ms: Counter = Counter()
    count: Counter = Counter()
    for plane in gpus or space.planes:
        for event in (event for line in plane.lines for event in line.events):
            if gpus:
                kind = _operation(_started_by(event, plane)) or NO_OPERATION
            else:
                kind = _operation(plane.event_metadata[event.metadata_id].name)
            if kind:
                taken_ms[kind] += event.duration_ps / 1e9
                count[kind] += 1
    return {kind: (taken / steps, count[kind] / steps) for kind, taken in taken_ms.most_common()}


def _operation(text: str) -> str:
    """Return the kind of an operation, or nothing if the text names none.

    The profiler writes an operation as its name in the graph, a colon and its kind.
    """
    graph_name, _, kind = text.partition(":")
    return kind if graph_name and kind.strip("_").isalnum() else ""


def _started_by(event: "XEvent", plane: "XPlane") -> str:
    """Return the operation that started a kernel of a GPU, as the profiler writes it."""
    for stat in event.stats:
        if plane.stat_metadata[stat.metadata_id].name == "tf_op":
            return stat.str_value or plane.stat_metadata[stat.ref_value].name
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    flags = sizes.parser("step_profile", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--precision", choices=PRECISIONS, default="float32")
    flags.add_argument("--most", type=sizes.whole(), default=12, help="number of kinds to print")
    given = flags.parse_args(arguments)
    step, facts = port.training_step(sizes.to_config(given, given.precision))
    for _ in range(WARM_UP):
        step()
    found = profile_operations(step, STEPS)
    total_ms = sum(taken for taken, _ in found.values())
    gpu = device.current().gpu is not None
    where, what = ("the GPU", "kernels") if gpu else ("all cores", "operations")
    print(f"| operation | ms/step, of {total_ms:.0f} on {where} | {what}/step |\n|---|---|---|")
    for kind, (taken, count) in list(found.items())[: given.most]:
        print(f"| {kind} | {taken:.1f} | {count:.0f} |")
    print(f"\nThe graph has {facts['operations']:,} operations before TensorFlow optimises it.")
    print(f"Device: {facts['device']}. Machine: {machine.describe()}.")


if __name__ == "__main__":
    main()

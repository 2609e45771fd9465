"""Measure the time of a training step by kind of TensorFlow operation.

    python -m benchmarks.step_profile
    python -m benchmarks.step_profile --precision=mixed_bfloat16 --most=30

The table, in Markdown, has milliseconds per step, summed over cores that work in parallel, and the
number of operations per step. TensorFlow's profiler measures them, and slows them down a little.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import port, sizes
from benchmarks.harness.worker import WARM_UP

STEPS = 5


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
    taken_ms: Counter = Counter()
    count: Counter = Counter()
    for plane in space.planes:
        names = {number: about.name for number, about in plane.event_metadata.items()}
        for event in (event for line in plane.lines for event in line.events):
            # The profiler writes an operation as its name in the graph, a colon and its kind.
            graph_name, _, kind = names[event.metadata_id].partition(":")
            if graph_name and kind.strip("_").isalnum():
                taken_ms[kind] += event.duration_ps / 1e9
                count[kind] += 1
    return {kind: (taken / steps, count[kind] / steps) for kind, taken in taken_ms.most_common()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    flags = sizes.parser("step_profile", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--precision", choices=port.PRECISIONS, default="float32")
    flags.add_argument("--most", type=sizes.whole(), default=12, help="number of kinds to print")
    given = flags.parse_args(arguments)
    step, _ = port.training_step(sizes.to_config(given, given.precision))
    for _ in range(WARM_UP):
        step()
    found = profile_operations(step, STEPS)
    total_ms = sum(taken for taken, _ in found.values())
    print(
        f"| operation | ms/step, of {total_ms:.0f} on all cores | operations/step |\n|---|---|---|"
    )
    for kind, (taken, count) in list(found.items())[: given.most]:
        print(f"| {kind} | {taken:.1f} | {count:.0f} |")


if __name__ == "__main__":
    main()

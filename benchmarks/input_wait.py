"""Measure the share of a training in which its steps wait for input.

    python -m benchmarks.input_wait
    python -m benchmarks.input_wait --variant=mask --steps=10 --json=FILE

The benchmark trains on a synthetic corpus with the input pipeline of a training. It prints the time
that steps wait for their batch as a share of the total time.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import sizes
from benchmarks.harness.worker import WARM_UP
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import device, files


@dataclass(frozen=True)
class InputWait:
    """Time of several steps.

    Attributes:
        wait_s: Seconds of waiting for batches.
        total_s: Seconds in total.
        steps: Number of steps.
    """

    wait_s: float
    total_s: float
    steps: int

    @property
    def share(self) -> float:
        """Waiting time over total time, 0 to 1."""
        return self.wait_s / self.total_s


def measure(config: RunConfig, steps: int, minutes: float) -> InputWait:
    """Measure steps on a corpus of `minutes` per speaker, after warm-up steps."""
    device.configure_training()
    # TensorFlow reads its settings when it is first used.
    from benchmarks.harness.corpus import crops_of_both
    from cyclegan_vc_tf.data.dataset import training_pairs
    from cyclegan_vc_tf.models import registry
    from cyclegan_vc_tf.training.trainer import Trainer

    training, trainer = config.training, Trainer(config)
    masked = registry.VARIANTS[config.network.variant].masked
    with tempfile.TemporaryDirectory() as place:
        crops = crops_of_both(Path(place), minutes, config)
        used = device.current()
        batches = training_pairs(
            *crops,
            training.batch_size,
            0,
            WARM_UP + steps,
            training.longest_mask if masked else None,
        )
        pairs = iter(used.prefetch(batches))
        for _ in range(WARM_UP):
            trainer.train_step(*next(pairs))
        wait_s, begin = 0.0, time.perf_counter()
        for _ in range(steps):
            wait_begin = time.perf_counter()
            batch = next(pairs)
            wait_s += time.perf_counter() - wait_begin
            _, finite = trainer.train_step(*batch)
            if not finite:
                raise FloatingPointError("a loss is not finite")
        return InputWait(wait_s, time.perf_counter() - begin, steps)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the share."""
    flags = sizes.parser("input_wait", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--steps", type=sizes.whole(), default=30, help="number of steps to measure")
    flags.add_argument("--minutes", type=sizes.whole(), default=10, help="minutes of each speaker")
    flags.add_argument(
        "--json", type=Path, metavar="FILE", help="write the result to this file as JSON"
    )
    given = flags.parse_args(arguments)
    found = measure(sizes.to_config(given), given.steps, given.minutes)
    print(
        f"steps waited for input for {100 * found.share:.2f} % of {found.total_s:.1f} s "
        f"({found.steps} steps, {1e3 * found.wait_s / found.steps:.2f} ms per step)"
    )
    if given.json:
        files.write_json(given.json, {**asdict(found), "share": found.share})


if __name__ == "__main__":
    main()

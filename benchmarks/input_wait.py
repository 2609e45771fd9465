"""Which share of a training its steps wait for input.

    python -m benchmarks.input_wait
    python -m benchmarks.input_wait --variant=mask --steps=10 --json=FILE

Trains on a made-up corpus through the pipeline of a training, and prints the time until the next
batch was there as a share of all the time.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import sizes
from benchmarks.harness.worker import WARM_UP
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import files, processor


@dataclass(frozen=True)
class InputWait:
    """Where the time of several steps went.

    Attributes:
        wait_s: Seconds until batches were there.
        total_s: Seconds in all.
        steps: How many steps it was.
    """

    wait_s: float
    total_s: float
    steps: int

    @property
    def share(self) -> float:
        """Of all time, 0 to 1."""
        return self.wait_s / self.total_s


def measure(config: RunConfig, steps: int, minutes: float) -> InputWait:
    """Makes so many steps on a corpus of so many minutes, after some that do not count."""
    processor.configure_process()
    # TensorFlow reads its settings when it is first used.
    from benchmarks.harness.corpus import crops_of_both
    from cyclegan_vc_tf.data.dataset import training_pairs
    from cyclegan_vc_tf.models import registry
    from cyclegan_vc_tf.training.trainer import Trainer

    training, trainer = config.training, Trainer(config)
    masked = registry.VARIANTS[config.network.variant].masked
    with tempfile.TemporaryDirectory() as place:
        crops = crops_of_both(Path(place), minutes, config)
        pairs = iter(
            training_pairs(
                *crops,
                training.batch_size,
                0,
                WARM_UP + steps,
                training.longest_mask if masked else None,
            )
        )
        for _ in range(WARM_UP):
            trainer.train_step(*next(pairs))
        wait_s, begun = 0.0, time.perf_counter()
        for _ in range(steps):
            asked = time.perf_counter()
            batch = next(pairs)
            wait_s += time.perf_counter() - asked
            _, finite = trainer.train_step(*batch)
            if not finite:
                raise FloatingPointError("a loss is no longer finite")
        return InputWait(wait_s, time.perf_counter() - begun, steps)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the share."""
    flags = sizes.parser("input_wait", __doc__)
    sizes.add(flags)
    flags.add_argument("--steps", type=sizes.whole(), default=30, help="steps to measure")
    flags.add_argument("--minutes", type=sizes.whole(), default=10, help="of each speaker")
    flags.add_argument("--json", type=Path, metavar="FILE", help="also writes it here")
    given = flags.parse_args(arguments)
    found = measure(sizes.config_of(given), given.steps, given.minutes)
    print(
        f"{100 * found.share:.2f} % of {found.total_s:.1f} s in {found.steps} steps went by "
        f"waiting for input, {1e3 * found.wait_s / found.steps:.2f} ms a step"
    )
    if given.json:
        files.write_json(given.json, {**asdict(found), "share": found.share})


if __name__ == "__main__":
    main()

"""A worker that makes this project's training steps; see `benchmarks.worker`."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import sizes, worker
from cyclegan_vc_tf import processor
from cyclegan_vc_tf.config import RunConfig, TrainingConfig

PRECISIONS = TrainingConfig.__dataclass_fields__["precision"].metadata["choices"]


def training_step(config: RunConfig) -> tuple[Callable[[], Any], worker.Facts]:
    """One iteration on normal numbers, as a training makes it, and what it has to do."""
    # Before TensorFlow is used: it reads its settings then.
    processor.prepare()
    import keras
    import numpy as np
    import tensorflow as tf

    from benchmarks.operations import step_work
    from benchmarks.variants import batch
    from cyclegan_vc_tf.trainer import Trainer

    trainer, inputs = Trainer(config), batch(config)
    training = config.training
    work = step_work(
        list(trainer.generators.values()),
        list(trainer.discriminators.values()),
        training.batch_size,
        training.crop_frames,
    )

    # As in nearly all of a training's steps, nothing is logged.
    norms = tf.constant(False)

    def step() -> None:
        _, finite = trainer.train_step(*inputs, norms=norms)
        # A training looks at this after each step.
        if not finite:
            raise FloatingPointError("a loss is no longer finite")

    versions = {
        "tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__
    }  # fmt: skip
    return step, {"work": vars(work), "versions": versions}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves steps of a precision."""
    flags = sizes.parser("port", __doc__)
    sizes.add(flags)
    flags.add_argument("--precision", choices=PRECISIONS, default="float32")
    given = flags.parse_args(arguments)
    worker.serve(lambda: training_step(sizes.config_of(given, given.precision)))


if __name__ == "__main__":
    main()

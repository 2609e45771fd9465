"""A worker that makes this project's training steps; see `benchmarks.harness.worker`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import sizes, worker
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.system import processor

if TYPE_CHECKING:
    import tensorflow as tf

PRECISIONS = TrainingConfig.__dataclass_fields__["precision"].metadata["choices"]


def training_step(config: RunConfig) -> tuple[Callable[[], Any], worker.Facts]:
    """One iteration on normal numbers, as a training makes it, and what it has to do."""
    # Before TensorFlow is used: it reads its settings then.
    processor.configure_process()
    import keras
    import tensorflow as tf

    from benchmarks.operations import step_work
    from cyclegan_vc_tf.training.trainer import Trainer

    trainer, inputs = Trainer(config), batch(config)
    training = config.training
    generators = list(trainer.generators.values())
    discriminators = list(trainer.discriminators.values())
    work = step_work(generators, discriminators, training.batch_size, training.crop_frames)

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
    parameters = {
        "generators": [each.count_params() for each in generators],
        "discriminators": [each.count_params() for each in discriminators],
    }
    return step, {"work": vars(work), "parameters": parameters, "versions": versions}


def batch(config: RunConfig) -> "tuple[tf.Tensor, ...]":
    """What a step takes: features of both speakers, and their masks where there are some."""
    import tensorflow as tf

    training = config.training
    rng = np.random.default_rng(0)
    shape = (training.batch_size, training.crop_frames)
    features = rng.standard_normal((2, *shape, config.features.bins)).astype(np.float32)
    masks = np.ones((2, *shape, 1), np.float32)
    masked = registry.VARIANTS[config.network.variant].masked
    return tuple(map(tf.constant, (*features, *masks) if masked else features))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves steps of a precision."""
    flags = sizes.parser("port", __doc__)
    sizes.add(flags)
    flags.add_argument("--precision", choices=PRECISIONS, default="float32")
    given = flags.parse_args(arguments)
    worker.serve(lambda: training_step(sizes.config_of(given, given.precision)))


if __name__ == "__main__":
    main()

"""A worker that makes this project's training steps; see `benchmarks.harness.worker`."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import sizes, worker
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import PRECISIONS
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.system import device

if TYPE_CHECKING:
    import tensorflow as tf


def training_step(config: RunConfig, jit: bool = False) -> tuple[Callable[[], Any], worker.Facts]:
    """Return a function that makes an iteration as a training does, and facts about it.

    The function returns the scalars of the step by their names in TensorBoard. Features are
    normally distributed. Facts are work, parameters, device and versions; without `jit` also the
    number of operations in the step's graph before TensorFlow optimises it.

    Args:
        config: Settings of the run.
        jit: Whether XLA compiles the step, which no training does.
    """
    # Before TensorFlow is used, because it reads these settings at its first use.
    device.configure_training()
    import keras
    import tensorflow as tf

    from benchmarks.operations import step_work
    from cyclegan_vc_tf.training.trainer import Trainer

    trainer, inputs = Trainer(config), draw_batch(config)
    training = config.training
    generators = list(trainer.generators.values())
    discriminators = list(trainer.discriminators.values())
    work = step_work(generators, discriminators, training.batch_size, training.crop_frames)

    used = device.current()
    # As in most steps of a training, nothing is logged.
    norms = tf.constant(False)
    python_step = functools.partial(Trainer.train_step.python_function, trainer)
    compiled_step = tf.function(python_step, jit_compile=True, autograph=False)

    def step() -> "dict[str, tf.Tensor]":
        make = compiled_step if jit else trainer.train_step
        report, finite = make(*inputs, norms=norms)
        # A training checks this after each step.
        if not finite:
            raise FloatingPointError("a loss is not finite")
        # A GPU may not have updated the weights yet.
        used.synchronize()
        return report

    versions = {
        "tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__
    }  # fmt: skip
    parameters = {
        "generators": [model.count_params() for model in generators],
        "discriminators": [model.count_params() for model in discriminators],
    }
    facts: worker.Facts = {
        "work": vars(work),
        "parameters": parameters,
        "versions": versions,
        "device": used.describe(),
    }
    if not jit:
        # The first step takes this graph.
        graph = trainer.train_step.get_concrete_function(*inputs, norms=norms).graph
        facts["operations"] = len(graph.get_operations())
    return step, facts


def peak_gpu_mb() -> float | None:
    """Return the peak of the GPU's memory so far, in MB; None without a GPU."""
    return device.current().peak_memory_mb()


def draw_batch(config: RunConfig) -> "tuple[tf.Tensor, ...]":
    """Draw features of both speakers, and masks if the variant has any."""
    import tensorflow as tf

    training = config.training
    rng = np.random.default_rng(0)
    shape = (training.batch_size, training.crop_frames)
    features = rng.standard_normal((2, *shape, config.features.bins)).astype(np.float32)
    masks = np.ones((2, *shape, 1), np.float32)
    masked = registry.VARIANTS[config.network.variant].masked
    return tuple(map(tf.constant, (*features, *masks) if masked else features))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve steps of a precision."""
    flags = sizes.parser("port", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--precision", choices=PRECISIONS, default="float32")
    given = flags.parse_args(arguments)
    worker.serve(lambda: training_step(sizes.to_config(given, given.precision)), peak_gpu_mb)


if __name__ == "__main__":
    main()

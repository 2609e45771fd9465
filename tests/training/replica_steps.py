"""Script of tests: train steps of float64 or float32 on replicas, and save losses and weights.

python replica_steps.py FILE.npz --variants=vc1,mask --devices=1,2,4 --nudge
TF_CONFIG=… python replica_steps.py FILE.npz --variants=vc1 --strategy=multi_worker

With --nudge, one device trains once more, with the first crops of A changed by one rounding: what
differs then differs by rounding alone. `step_differences.py` compares files.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import processor
from cyclegan_vc_tf.training import distribution
from cyclegan_vc_tf.training.distribution import Distribution, Plan
from cyclegan_vc_tf.training.trainer import Trainer

FRAMES, BATCH_SIZE, MAX_DEVICES = 16, 12, 4


def small(variant: str, strategy: str = "one", precision: str = "float32") -> RunConfig:
    """Settings of a variant with every loss, and small networks."""
    preset = PRESETS[variant]
    has_skip = preset.features.spectra == "mel_cepstra"
    training = replace(
        preset.training,
        batch_size=BATCH_SIZE,
        crop_frames=FRAMES,
        self_regularization_weight=1.0,
        strategy=strategy,
        precision=precision,
    )
    network = replace(preset.network, channels=2, residual_blocks=1, vtln_init=has_skip)
    return replace(preset, network=network, training=training)


def batch(config: RunConfig, step: int, dtype: str) -> list[np.ndarray]:
    """The whole batch of a step; masks where the variant has them."""
    rng = np.random.default_rng(step)
    crops = [rng.standard_normal((BATCH_SIZE, FRAMES, config.features.bins)) for _ in "AB"]
    masks = [rng.integers(0, 2, (BATCH_SIZE, FRAMES, 1)) for _ in "AB"]
    return [each.astype(dtype) for each in [*crops, *masks][: 4 if is_masked(config) else 2]]


def is_masked(config: RunConfig) -> bool:
    """Whether the variant fills in masked frames."""
    return config.network.variant == "mask"


def train(
    config: RunConfig, replicas: Distribution, steps: int, dtype: str, nudge: float = 0.0
) -> dict[str, np.ndarray]:
    """Train; returns every scalar of every step, and all weights by their number."""
    trainer = Trainer(config, replicas)
    replicas.copy_from_chief(trainer.variables)
    rows, found = list(replicas.rows(BATCH_SIZE)), {}
    for step in range(steps):
        inputs = [tf.constant(each[rows]) for each in batch(config, step, dtype)]
        if step == 0:
            inputs[0] *= 1.0 + nudge
        report, _ = trainer.train_step(*inputs)
        found |= {f"{step}/{name}": np.asarray(value) for name, value in report.items()}
    for number, variable in enumerate(trainer.variables):
        copies = [variable] if replicas.strategy is None else variable.values
        for copy in copies:
            # Every replica has the weights of the first, to the last bit.
            np.testing.assert_array_equal(copy.numpy(), copies[0].numpy())
        found[f"variable/{number}/{variable.name}"] = copies[0].numpy()
    replicas.wait()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every variant on every number of devices."""
    flags = argparse.ArgumentParser()
    flags.add_argument("file")
    flags.add_argument("--variants", required=True)
    flags.add_argument("--devices", default="1")
    flags.add_argument("--strategy", default="mirrored")
    flags.add_argument("--steps", type=int, default=20)
    flags.add_argument("--dtype", default="float64")
    flags.add_argument("--precision", default="float32")
    flags.add_argument("--nudge", action="store_true")
    given = flags.parse_args(arguments)
    processor.configure_process()
    keras.backend.set_floatx(given.dtype)
    found = {}
    for variant in given.variants.split(","):
        config = small(variant, given.strategy, given.precision)
        if given.strategy == "multi_worker":
            plans = {"": distribution.plan(config.training)}
        else:
            (cpu,) = tf.config.list_physical_devices("CPU")
            if not tf.config.get_logical_device_configuration(cpu):
                places = [tf.config.LogicalDeviceConfiguration()] * MAX_DEVICES
                tf.config.set_logical_device_configuration(cpu, places)
            assert distribution.plan(config.training) == Plan("CPU", MAX_DEVICES)
            plans = {f"{number}/": Plan("CPU", int(number)) for number in given.devices.split(",")}
        for name, plan in plans.items():
            with plan.start() as replicas:
                trained = train(config, replicas, given.steps, given.dtype)
            found |= {f"{variant}/{name}{key}": value for key, value in trained.items()}
        if given.nudge:
            with Plan("CPU", 1).start() as replicas:
                rounding = float(np.finfo(given.dtype).eps)
                trained = train(config, replicas, given.steps, given.dtype, rounding)
            found |= {f"{variant}/nudged/{key}": value for key, value in trained.items()}
    np.savez(given.file, **found)


if __name__ == "__main__":
    main()

"""A training step adds in one order: in its graph, and beside busy processes."""

import functools
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import REPOSITORY, busy_processes, variables
from optimized_graphs import optimized_nodes
from tensorflow.python.framework import config as tf_config

from benchmarks.harness import workers
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import ordered_sum
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.training import loop
from cyclegan_vc_tf.training.trainer import Trainer

FRAMES = 32


def every_loss(variant: str, precision: str = "float32", channels: int = 16) -> RunConfig:
    """Settings of a variant with every loss weight on, and small networks.

    16 channels are enough for products on a CPU.
    """
    preset = PRESETS[variant]
    has_skip = preset.features.spectra == "mel_cepstra"
    return replace(
        preset,
        network=replace(preset.network, channels=channels, residual_blocks=1, vtln_init=has_skip),
        training=replace(
            preset.training,
            crop_frames=FRAMES,
            precision=precision,
            self_regularization_weight=1.0,
        ),
    )


def batch(config: RunConfig) -> list[tf.Tensor]:
    """One crop of each speaker, and masks where the variant has them."""
    rng = np.random.default_rng(0)
    shape = (1, FRAMES, config.features.bins)
    crops = [tf.constant(rng.standard_normal(shape), tf.float32) for _ in "AB"]
    masks = [tf.ones((1, FRAMES, 1))] * 2 if config.network.variant == "mask" else []
    return [*crops, *masks]


def sums_of_three(function: tf.types.experimental.GenericFunction, *inputs: tf.Tensor) -> list[str]:
    """Names of nodes that add three or more terms, in the graph that Grappler has optimised."""
    return [
        node.name
        for node in optimized_nodes(function, *inputs)
        if node.op == "AccumulateNV2" or (node.op == "AddN" and node.attr["N"].i > 2)
    ]


@functools.cache
def first_step(variant: str, precision: str) -> tuple[Trainer, list[str]]:
    """Make a step, and return its trainer and the sums of three terms in its graph.

    Several tests take the trainer: its graph is most of their work.
    """
    config = every_loss(variant, precision)
    trainer = Trainer(config)
    return trainer, sums_of_three(trainer.train_step, *batch(config))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("variant", PRESETS)
def test_no_sum_of_a_step_depends_on_thread_timing(variant: str, precision: str) -> None:
    _, found = first_step(variant, precision)
    assert found == []


def test_a_chain_of_additions_is_seen() -> None:
    """Grappler makes one AddN of a chain: this is what must not happen in a step."""
    chain = tf.function(lambda x, y, z: tf.sin(x) + tf.sin(y) + tf.sin(z))
    assert sums_of_three(chain, *(tf.ones((4, 4)) for _ in range(3)))


def test_a_sum_in_order_is_none() -> None:
    summed = tf.function(lambda *x: ordered_sum.sum_in_order([tf.sin(each) for each in x]))
    assert sums_of_three(summed, *(tf.ones((4, 4)) for _ in range(5))) == []


def test_terms_are_added_from_the_first_to_the_last() -> None:
    """2**24 + 1 + 1 is 2**24 in float32 from the left, and 2**24 + 2 from the right."""
    terms = [tf.constant([value], tf.float32) for value in (2.0**24, 1.0, 1.0)]
    assert ordered_sum.sum_in_order(terms).numpy() == 2.0**24
    assert ordered_sum.sum_in_order(terms[::-1]).numpy() == 2.0**24 + 2


def test_gradients_of_all_uses_are_added() -> None:
    """d/dx (x² + 3x + sin x) = 2x + 3 + cos x."""
    point = tf.Variable([0.5, -2.0], dtype=tf.float64)
    with tf.GradientTape() as tape:
        first, second, third = ordered_sum.fan_out(tf.identity(point), 3)
        total = tf.reduce_sum(first**2) + tf.reduce_sum(3 * second) + tf.reduce_sum(tf.sin(third))
    wanted = 2 * point.numpy() + 3 + np.cos(point.numpy())
    np.testing.assert_allclose(tape.gradient(total, point), wanted, rtol=1e-15)


def assert_equal(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> None:
    """Compare two lists of arrays bit for bit."""
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("variant", PRESETS)
def test_a_step_is_the_same_each_time_beside_busy_processes(variant: str) -> None:
    # The graph is made: load would only slow that down.
    trainer, _ = first_step(variant, "float32")
    state = [
        trainer.step,
        *trainer.generator_optimizer.variables,
        *trainer.discriminator_optimizer.variables,
        *(weight for network in trainer.networks.values() for weight in network.weights),
    ]
    initial, inputs, results = [each.numpy() for each in state], batch(trainer.config), []
    with busy_processes():
        for _ in range(8):
            for variable, value in zip(state, initial, strict=True):
                variable.assign(value)
            report, _ = trainer.train_step(*inputs)
            results.append([*(each.numpy() for each in state), *map(np.asarray, report.values())])
    for result in results[1:]:
        assert_equal(result, results[0])


def test_the_flag_makes_tensorflow_refuse_other_operations(corpus: Path, tmp_path: Path) -> None:
    assert not tf_config.is_op_determinism_enabled()
    sides = CorpusConfig(f"{corpus}/low", f"{corpus}/high", features_dir=f"{corpus}/features")
    config = every_loss("vc1")
    training = replace(config.training, steps=1, convert_every=0, deterministic=True)
    try:
        loop.train(tmp_path / "run", replace(config, corpus=sides, training=training))
        assert tf_config.is_op_determinism_enabled()
    finally:
        tf_config.disable_op_determinism()


def test_two_trainings_are_the_same_beside_busy_processes(tmp_path: Path, corpus: Path) -> None:
    """Thirty steps in two processes at once, without `--deterministic`.

    Each waits after its first steps for the other: load would only slow down all before.
    """
    steps = 40
    flags = [
        f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
        f"--features_dir={corpus / 'features'}", "--f0_method=dio", "--channels=16",
        "--residual_blocks=2", "--crop_frames=32", f"--steps={steps}", "--convert_every=0",
        "--checkpoint_every=5", "--held_out_fraction=0", "--self_regularization_weight=1",
        "--vtln_init", f"--run_dir={tmp_path}/{{worker}}",
    ]  # fmt: skip
    running = workers.start(tmp_path / "output", ["train.py", *flags], [{}, {}], cwd=REPOSITORY)
    waiting: set[int] = set()
    try:
        while len(waiting) < 2:
            ended = [process.poll() for process in running.processes]
            assert set(ended) <= {None, 0}, running.outputs()
            for number in {0, 1} - waiting:
                if Checkpoints(tmp_path / str(number) / "checkpoints").last_step():
                    running.processes[number].send_signal(signal.SIGSTOP)
                    waiting.add(number)
            time.sleep(0.01)
        with busy_processes():
            for process in running.processes:
                process.send_signal(signal.SIGCONT)
            assert running.wait(1200) == [0, 0], running.outputs()
    finally:
        running.kill()
    one, two = (variables(tmp_path / str(number), steps) for number in range(2))
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name], err_msg=name)

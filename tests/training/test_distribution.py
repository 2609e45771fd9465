"""Steps of several replicas are the step of one; the oracle is the step of one device.

`replica_steps.py` makes them in processes of its own, because TensorFlow's devices are set once.
"""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import gpu_stand_in
import numpy as np
import pytest
import tensorflow as tf
from conftest import REPOSITORY
from gpu_stand_in import A100
from step_differences import largest_differences, load, select

from benchmarks.harness import workers
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.system.errors import InputError, TrainingError
from cyclegan_vc_tf.training import distribution
from cyclegan_vc_tf.training.cluster import Cluster
from cyclegan_vc_tf.training.distribution import Distribution, Plan

SCRIPT = Path(__file__).with_name("replica_steps.py")

Values = dict[str, np.ndarray]


def run_script(file: Path, *arguments: str) -> Values:
    """Run the script in one process."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(file), *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return load(file)


def assert_equal_steps(found: Values, expected: Values, tolerance: float) -> None:
    """Compare losses, scores and weights, and the norms of gradients.

    Norms of gradients have the gradients of L1 losses, whose sign changes where a difference is 0
    but for rounding.
    """
    assert len(expected) > 100
    for kind, difference in largest_differences(found, expected).items():
        assert difference < tolerance, kind
    for name, value in expected.items():
        if "gradient_norm" in name:
            np.testing.assert_allclose(found[name], value, rtol=100 * tolerance, err_msg=name)


@pytest.fixture(scope="module")
def one_device(tmp_path_factory: pytest.TempPathFactory) -> Values:
    """vc1 on 1, 2 and 4 devices of one process.

    Other variants take most of a minute of processor time each; the script trains them too.
    """
    file = tmp_path_factory.mktemp("steps") / "steps.npz"
    return run_script(file, "--variants=vc1", "--devices=1,2,4")


@pytest.mark.parametrize("devices", [2, 4])
def test_the_steps_of_several_devices_are_those_of_one(devices: int, one_device: Values) -> None:
    """20 steps in float64, with every loss."""
    found = select(one_device, f"vc1/{devices}/")
    assert_equal_steps(found, select(one_device, "vc1/1/"), 1e-12)


def slurm_variables(count: int) -> list[dict[str, str]]:
    """Variables that srun would set for tasks on this machine."""
    # Ports follow from the number of the job.
    return [
        {
            "SLURM_JOB_ID": str(os.getpid()), "SLURM_PROCID": str(number),
            "SLURM_NODEID": "0", "SLURM_STEP_NODELIST": "localhost",
            "SLURM_STEP_TASKS_PER_NODE": str(count),
        }
        for number in range(count)
    ]  # fmt: skip


def test_the_steps_of_several_workers_are_those_of_one(one_device: Values, tmp_path: Path) -> None:
    """Three processes that find each other by SLURM's variables."""
    variables = [{"PYTHONPATH": str(REPOSITORY)} | each for each in slurm_variables(3)]
    running = workers.start(
        tmp_path,
        [SCRIPT, tmp_path / "{worker}.npz", "--variants=vc1", "--strategy=multi_worker"],
        variables,
    )
    assert running.wait(1200) == [0, 0, 0], running.outputs()
    first, *others = (load(tmp_path / f"{number}.npz") for number in range(3))
    assert_equal_steps(select(first, "vc1/"), select(one_device, "vc1/1/"), 1e-12)
    # All workers have the chief's weights, to the last bit.
    for other in others:
        for name, value in first.items():
            np.testing.assert_array_equal(value, other[name], err_msg=name)


def config(**changes: object) -> TrainingConfig:
    return dataclasses.replace(TrainingConfig(), **changes)  # type: ignore[arg-type]


@pytest.fixture
def three_workers(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster of three workers, of which this process is the second."""
    found = Cluster(("a:1", "b:1", "c:1"), 1)
    monkeypatch.setattr(distribution, "find_cluster", lambda: found)
    return found


def test_one_device_is_the_default() -> None:
    assert distribution.plan(TrainingConfig()) == Plan()
    # A single device, or a single worker, needs no strategy either.
    for plan in (Plan(), distribution.plan(config(strategy="mirrored"))):
        with plan.start() as replicas:
            assert replicas is distribution.ONE_DEVICE


def test_devices_are_counted(monkeypatch: pytest.MonkeyPatch, three_workers: Cluster) -> None:
    assert distribution.plan(config(strategy="multi_worker", batch_size=6)) == Plan(
        "CPU", 1, three_workers
    )
    gpu_stand_in.install(monkeypatch, A100, A100)
    assert distribution.plan(config(strategy="mirrored", batch_size=2)) == Plan("GPU", 2)
    plan = distribution.plan(config(strategy="multi_worker", batch_size=6))
    assert plan == Plan("GPU", 2, three_workers)
    assert not plan.is_chief


@pytest.mark.parametrize(
    ("strategy", "batch_size", "replicas"), [("mirrored", 3, 2), ("multi_worker", 4, 6)]
)
@pytest.mark.usefixtures("three_workers")
def test_a_batch_that_cannot_be_shared_is_refused(
    strategy: str, batch_size: int, replicas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_stand_in.install(monkeypatch, A100, A100)
    with pytest.raises(InputError) as refused:
        distribution.plan(config(strategy=strategy, batch_size=batch_size))
    assert str(refused.value) == (
        f"--batch_size is {batch_size}; expected a multiple of the {replicas} replicas of "
        f"--strategy={strategy}, which share the batch"
    )


def test_workers_share_the_rows_of_a_batch(three_workers: Cluster) -> None:
    assert list(distribution.ONE_DEVICE.rows(12)) == list(range(12))
    second = Distribution(tf.distribute.get_strategy(), 2, three_workers)
    assert list(second.rows(12)) == [4, 5, 6, 7]
    assert (second.replicas, second.workers, second.is_chief) == (6, 3, False)
    assert second.describe(12) == [
        "Worker 1 of 3, chief a:1; 6 replicas, each with 2 crops per speaker."
    ]


def test_a_lost_worker_and_other_failures_are_described(three_workers: Cluster) -> None:
    second = Distribution(tf.distribute.get_strategy(), 1, three_workers)
    lost = tf.errors.UnavailableError(None, None, "Graph execution error:\n\nSocket closed")
    assert second.describe_failure(lost).startswith("worker 1 of 3 ends, because another worker")
    full = tf.errors.ResourceExhaustedError(None, None, "Graph execution error:\n\nOut of memory")
    expected = "TensorFlow failed: Out of memory; the last checkpoint is kept"
    assert second.describe_failure(full) == expected
    assert distribution.ONE_DEVICE.describe_failure(full) == expected
    with pytest.raises(TrainingError, match="Out of memory; the last checkpoint"), Plan().start():
        raise full


def test_a_cluster_comes_before_all_other_use_of_tensorflow(three_workers: Cluster) -> None:
    tf.constant(0)
    refused = pytest.raises(InputError, match="has to be the first use of TensorFlow in a process")
    with refused, Plan("CPU", 1, three_workers).start():
        pass

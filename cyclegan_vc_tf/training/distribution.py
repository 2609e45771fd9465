"""Replicas of the networks that share every batch: `--strategy`, the only user of `tf.distribute`.

| strategy | replicas |
|---|---|
| one | one, on the device of `system.device` |
| mirrored | one per GPU of this machine; without GPUs, one per logical CPU device |
| multi_worker | the same on every machine of a cluster; without GPUs, one per worker |

A step of N replicas is the step of one. Each replica takes its rows of the batch that one device
would have. Losses are divided by the size of the whole batch. Gradients are added over all replicas
once per step, in one order. Each replica then makes the same update of its own copy of the weights.
Nothing else is exchanged: instance norms take their statistics from single examples.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy
from tensorflow.python.eager import context as tf_context

from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.models.ordered_sum import sum_in_order
from cyclegan_vc_tf.system.errors import InputError, TrainingError, join_names
from cyclegan_vc_tf.training.cluster import Cluster, find_cluster

START_TIMEOUT_S = 600
"""Longest time in which all workers have to start."""

HEARTBEAT_TIMEOUT_S = 30
"""Longest silence of a worker. The end of a process is noticed at once, by its connections."""

END_TIMEOUT_S = 10
"""Longest time in which workers wait for each other when their processes end."""

PACK_BYTES = 2**25
"""Gradients are sent in packs of about this size. A pack is sent while others are computed."""

Values = TypeVar("Values")


@dataclass(frozen=True)
class Distribution:
    """Replicas of a training, and the part of this process in them.

    Attributes:
        strategy: TensorFlow's strategy; None for one device, without any change of its step.
        devices: Number of replicas of this process.
        cluster: All workers; None where this process is alone.
    """

    strategy: tf.distribute.Strategy | None = None
    devices: int = 1
    cluster: Cluster | None = None

    @property
    def workers(self) -> int:
        """Number of processes that train."""
        return 1 if self.cluster is None else len(self.cluster.workers)

    @property
    def worker(self) -> int:
        """Number of this process; the chief is 0."""
        return 0 if self.cluster is None else self.cluster.index

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run folder."""
        return self.worker == 0

    @property
    def replicas(self) -> int:
        """Number of replicas of all workers."""
        return self.workers * self.devices

    def rows(self, batch_size: int) -> range:
        """Return the rows of the whole batch that this process computes."""
        own = batch_size // self.workers
        return range(self.worker * own, (self.worker + 1) * own)

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which variables are made, one copy per replica."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def run(self, step: Callable[..., Values], batch: Sequence[tf.Tensor | None]) -> Values:
        """Compute a step on every replica of this process, in a traced function.

        Args:
            step: Function of a replica's part of the batch. It returns equal values on all
                replicas.
            batch: This process's part of the batch; None for an input that is not used.

        Returns:
            Values of the first replica.
        """
        if self.strategy is None:
            return step(*batch)
        strategy, first = self.strategy, self.worker * self.devices
        parts = [
            [None] * self.devices if tensor is None else tf.split(tensor, self.devices)
            for tensor in batch
        ]

        def of_replicas(values: list[Any]) -> Any:
            return strategy.experimental_distribute_values_from_function(
                lambda replica: values[replica.replica_id_in_sync_group - first]
            )

        results = strategy.run(
            step, [None if tensor[0] is None else of_replicas(tensor) for tensor in parts]
        )
        return tf.nest.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], results
        )

    def add(self, values: Values) -> Values:
        """Add tensors over all replicas, in the step of a replica.

        Args:
            values: Tensors in lists and dictionaries, of one type of numbers.

        Returns:
            Sums, equal on all replicas to the last bit, in one order.
        """
        if self.strategy is None:
            return values
        return tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM,
            values,
            tf.distribute.experimental.CommunicationOptions(bytes_per_pack=PACK_BYTES),
        )

    def copy_from_chief(self, variables: Sequence[tf.Variable]) -> None:
        """Give variables the values of the chief's first replica, on all replicas."""
        if self.strategy is None or self.workers == 1:
            return
        for dtype in sorted({variable.dtype for variable in variables}, key=str):
            chosen = [variable for variable in variables if variable.dtype == dtype]

            def copy(chosen: list[tf.Variable] = chosen) -> None:
                replica = tf.distribute.get_replica_context().replica_id_in_sync_group
                own = [
                    tf.where(tf.equal(replica, 0), value, tf.zeros_like(value))
                    for value in map(tf.convert_to_tensor, chosen)
                ]
                for variable, value in zip(chosen, self.add(own), strict=True):
                    variable.assign(value)

            tf.function(lambda copy=copy: self.run(copy, []), autograph=False)()

    def any_worker(self, flag: bool) -> bool:
        """Return whether a flag is true on any worker; all workers have to ask."""
        if self.workers == 1:
            return flag
        return bool(self._count(tf.constant(int(flag), tf.int64)) > 0)

    def wait(self) -> None:
        """Wait until all workers wait."""
        self.any_worker(False)

    @cached_property
    def _count(self) -> Callable[[tf.Tensor], tf.Tensor]:
        # Only what a replica computes has a device, which the sum needs.
        return tf.function(
            lambda number: self.run(lambda: self.add(tf.identity(number)), []),
            input_signature=[tf.TensorSpec((), tf.int64)],
            autograph=False,
        )

    def describe(self, batch_size: int) -> list[str]:
        """Return lines about the replicas, for the user of a training."""
        if self.strategy is None:
            return []
        each = batch_size // self.replicas
        crops = f"{each} {'crop' if each == 1 else 'crops'} per speaker"
        if self.cluster is None:
            return [f"Training on {self.devices} devices of this machine, each with {crops}."]
        return [
            f"Worker {self.worker} of {self.workers}, chief {self.cluster.workers[0]}; "
            f"{self.replicas} replicas, each with {crops}."
        ]

    def describe_failure(self, error: tf.errors.OpError) -> str:
        """Return the message of a training that TensorFlow could not continue."""
        lines = [line.strip() for line in error.message.splitlines() if line.strip()]
        reason = next((line for line in lines if line != "Graph execution error:"), "")
        if self.workers > 1 and isinstance(error, LOST):
            return (
                f"worker {self.worker} of {self.workers} ends, because another worker ended or is "
                "silent; its own message says why. The last checkpoint is kept: start all workers "
                "again to go on from it"
            )
        return f"TensorFlow failed: {reason}; the last checkpoint is kept"


LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)
"""Errors of a step that waits for a worker which does not answer any more."""

ONE_DEVICE = Distribution()
"""Training on one device."""


@dataclass(frozen=True)
class Plan:
    """Replicas of a training, before TensorFlow knows of them.

    Attributes:
        kind: Kind of the devices, "CPU" or "GPU".
        devices: Number of replicas of this process.
        cluster: All workers; None where this process is alone.
    """

    kind: str = "CPU"
    devices: int = 1
    cluster: Cluster | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run folder."""
        return self.cluster is None or self.cluster.index == 0

    @contextmanager
    def start(self) -> Iterator[Distribution]:
        """Start the replicas; with a cluster, wait until all workers have come to this point.

        Raises:
            InputError: TensorFlow is in use already in this process.
            TrainingError: Another worker did not start in time, or TensorFlow failed in the block.
        """
        distribution = self._make()
        try:
            yield distribution
        except tf.errors.OpError as error:
            raise TrainingError(distribution.describe_failure(error)) from error

    def _make(self) -> Distribution:
        if self.cluster is not None:
            return Distribution(_connect(self.cluster, self._gpus), self.devices, self.cluster)
        if self.devices == 1:
            return ONE_DEVICE
        names = [f"{self.kind}:{number}" for number in range(self.devices)]
        # GPUs have NCCL. Collective operations would take one number of replicas per process.
        on_cpu = tf.distribute.ReductionToOneDevice(accumulation_fn=sum_in_order)
        operations = on_cpu if self.kind == "CPU" else None
        return Distribution(tf.distribute.MirroredStrategy(names, operations), self.devices)

    @property
    def _gpus(self) -> int:
        return self.devices if self.kind == "GPU" else 0


def plan(config: TrainingConfig) -> Plan:
    """Return the replicas that `--strategy` asks for; nothing is started.

    Raises:
        InputError: The batch cannot be divided among the replicas, or the cluster is not known.
    """
    if config.strategy == "one":
        return Plan()
    cluster = find_cluster() if config.strategy == "multi_worker" else None
    if cluster is not None and len(cluster.workers) == 1:
        cluster = None
    kind, devices = _count_devices(mirrored=cluster is None)
    workers = 1 if cluster is None else len(cluster.workers)
    if config.batch_size % (workers * devices):
        raise InputError(
            f"--batch_size is {config.batch_size}; expected a multiple of the {workers * devices} "
            f"replicas of --strategy={config.strategy}, which share the batch"
        )
    return Plan(kind, devices, cluster)


def _count_devices(mirrored: bool) -> tuple[str, int]:
    """Return kind and number of this process's devices, without starting TensorFlow."""
    if gpus := tf.config.get_visible_devices("GPU"):
        return "GPU", len(gpus)
    if not mirrored:
        return "CPU", 1
    cpus = tf.config.get_visible_devices("CPU")
    return "CPU", sum(len(tf.config.get_logical_device_configuration(cpu) or [0]) for cpu in cpus)


def _connect(cluster: Cluster, gpus: int) -> tf.distribute.Strategy:
    """Connect this process with all other workers."""
    jobs = collective_all_reduce_strategy.coordination_config_pb2
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    try:
        # The strategy would set up this service itself, with an hour of patience.
        tf_context.context().configure_coordination_service(
            service_type="standalone",
            service_leader="/job:worker/replica:0/task:0",
            cluster_register_timeout_in_ms=1000 * START_TIMEOUT_S,
            heartbeat_timeout_in_ms=1000 * HEARTBEAT_TIMEOUT_S,
            shutdown_barrier_timeout_in_ms=1000 * END_TIMEOUT_S,
            coordinated_jobs=[jobs.CoordinatedJob(name="worker", num_tasks=len(cluster.workers))],
        )
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        raise InputError(
            "--strategy=multi_worker has to be the first use of TensorFlow in a process; expected "
            "a process of its own for every training"
        ) from error
    except tf.errors.OpError as error:
        raise TrainingError(
            f"worker {cluster.index} of {len(cluster.workers)} could not connect with all others "
            f"({error.message.splitlines()[0]}); start all of {join_names(cluster.workers)} within "
            f"{START_TIMEOUT_S} s, and check that their ports are free and that they reach each "
            "other"
        ) from error

"""Cluster of a training on several machines, as schedulers describe it in environment variables."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver as slurm

from cyclegan_vc_tf.system.errors import InputError

TASK_TYPES = ("chief", "worker")
"""Types of tasks in `TF_CONFIG` that train, in the order of their numbers."""

SLURM_VARIABLES = ("SLURM_PROCID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")
"""Variables that `srun` sets for every task of a job step."""

MIN_SLURM_PORT, SLURM_PORTS, PORTS_PER_JOB = 15_000, 10_000, 20
"""First port, number of ports, and ports for each job: the number of a SLURM job chooses them.

Jobs that share a node have other ports. Linux gives those from 32768 to outgoing connections.
"""


@dataclass(frozen=True)
class Cluster:
    """Addresses of all workers of a training, and the number of this process among them.

    Attributes:
        workers: Addresses, host and port; the first one is the chief's.
        index: Number of this process.
    """

    workers: tuple[str, ...]
    index: int


def find_cluster(variables: Mapping[str, str] = os.environ) -> Cluster:
    """Return the cluster of `TF_CONFIG` or, without it, of SLURM's variables.

    Args:
        variables: Environment variables.

    Raises:
        InputError: The variables are missing or wrong.
    """
    if text := variables.get("TF_CONFIG", "").strip():
        return parse_tf_config(text)
    if all(variables.get(name) for name in SLURM_VARIABLES):
        return parse_slurm(variables)
    raise InputError(
        "--strategy=multi_worker found no cluster; expected the environment variable TF_CONFIG, or "
        "a task that srun started; see docs/guides/scaling.md, or leave the flag out"
    )


def parse_tf_config(text: str) -> Cluster:
    """Return the cluster of a `TF_CONFIG`.

    Args:
        text: JSON such as {"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type":
            "worker", "index": 0}}. A "chief" is counted before the workers.

    Raises:
        InputError: The text is not of this form.
    """
    example = (
        '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    try:
        config = json.loads(text)
        jobs, kind, index = config["cluster"], config["task"]["type"], int(config["task"]["index"])
        others = sorted(set(jobs) - set(TASK_TYPES))
        if others:
            raise ValueError(f"it has tasks of type {others[0]}")
        if kind not in jobs:
            raise ValueError(f"its task is of type {kind}, which its cluster does not have")
        places = [(job, number) for job in TASK_TYPES for number in range(len(jobs.get(job, ())))]
        workers = tuple(check_address(jobs[job][number]) for job, number in places)
        if (kind, index) not in places:
            raise ValueError(f"its task is number {index} of {len(jobs[kind])}")
        if len(set(workers)) < len(workers):
            raise ValueError("two tasks have one address")
    except (AttributeError, KeyError, LookupError, TypeError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"TF_CONFIG is {text:.200}: {reason}; expected chief and worker tasks alone, as in "
            f"{example}"
        ) from error
    return Cluster(workers, places.index((kind, index)))


def check_address(address: Any) -> str:
    """Return an address if it has a host and a port.

    Raises:
        ValueError: It has not.
    """
    host, _, port = str(address).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{address} is not HOST:PORT")
    return str(address)


def parse_slurm(variables: Mapping[str, str]) -> Cluster:
    """Return the cluster of the tasks that one `srun` started.

    TensorFlow's functions expand the lists. Its `SlurmClusterResolver` would sort hosts by name,
    node10 before node9, and so give tasks the addresses of other tasks; it also fails without GPUs.

    Args:
        variables: Environment variables of a task.

    Raises:
        InputError: The variables are wrong, or tasks are not numbered host by host.
    """
    job = int(variables.get("SLURM_JOB_ID") or 0)
    port = MIN_SLURM_PORT + PORTS_PER_JOB * job % SLURM_PORTS
    try:
        index = int(variables["SLURM_PROCID"])
        hosts = slurm.expand_hostlist(variables["SLURM_STEP_NODELIST"])
        counts = slurm.expand_tasks_per_node(variables["SLURM_STEP_TASKS_PER_NODE"])
        tasks = [
            (node, f"{host}:{port + number}")
            for node, (host, count) in enumerate(zip(hosts, counts, strict=True))
            for number in range(count)
        ]
        node, _ = tasks[index]
    except (LookupError, ValueError) as error:
        given = ", ".join(f"{name}={variables[name]}" for name in SLURM_VARIABLES)
        raise InputError(
            f"--strategy=multi_worker cannot read {given} ({error}); expected a task that srun "
            "started, or TF_CONFIG"
        ) from error
    if variables.get("SLURM_NODEID", str(node)) != str(node):
        raise InputError(
            f"SLURM's task {index} runs on node {variables['SLURM_NODEID']}; expected node {node}; "
            "start the tasks with srun --distribution=block"
        )
    return Cluster(tuple(address for _, address in tasks), index)

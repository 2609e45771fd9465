"""Clusters in the variables that schedulers set; expected values are written by hand."""

import json

import pytest

from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import cluster
from cyclegan_vc_tf.training.cluster import Cluster

WORKERS = ("host0:2222", "host1:2222")


def tf_config(kind: str = "worker", index: object = 1, **jobs: object) -> dict[str, str]:
    """Variables with a TF_CONFIG."""
    given = {"cluster": jobs or {"worker": WORKERS}, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(given)}


def slurm(**changes: str) -> dict[str, str]:
    """Variables of the third task of three, of job 4711."""
    return {
        "SLURM_JOB_ID": "4711", "SLURM_PROCID": "2", "SLURM_NODEID": "1",
        "SLURM_STEP_NODELIST": "node[9-10]", "SLURM_STEP_TASKS_PER_NODE": "2,1",
    } | changes  # fmt: skip


def test_tf_config_names_the_workers() -> None:
    assert cluster.find_cluster(tf_config()) == Cluster(WORKERS, 1)
    assert cluster.find_cluster(tf_config(index="0")) == Cluster(WORKERS, 0)


def test_a_chief_comes_before_the_workers() -> None:
    jobs = {"worker": WORKERS, "chief": ["lead:1"]}
    assert cluster.find_cluster(tf_config("chief", 0, **jobs)) == Cluster(("lead:1", *WORKERS), 0)
    assert cluster.find_cluster(tf_config("worker", 0, **jobs)) == Cluster(("lead:1", *WORKERS), 1)


def test_slurm_names_the_workers() -> None:
    """Hosts in SLURM's order, not sorted by name, and ports 15000 + 20 · 4711 % 10000."""
    workers = ("node9:19220", "node9:19221", "node10:19220")
    assert cluster.find_cluster(slurm()) == Cluster(workers, 2)
    repeated = {"SLURM_STEP_NODELIST": "a[01-02],b", "SLURM_STEP_TASKS_PER_NODE": "1(x3)"}
    workers = ("a01:19220", "a02:19220", "b:19220")
    assert cluster.find_cluster(slurm(**repeated, SLURM_NODEID="2")) == Cluster(workers, 2)


def test_tf_config_comes_before_slurm() -> None:
    assert cluster.find_cluster({**slurm(), **tf_config()}) == Cluster(WORKERS, 1)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "found no cluster; expected the environment variable TF_CONFIG, or a task that srun"),
        ({"TF_CONFIG": "worker"}, "TF_CONFIG is worker: Expecting value"),
        ({"TF_CONFIG": "[]"}, "TF_CONFIG is"),
        ({"TF_CONFIG": "{}"}, "it has no 'cluster'"),
        (tf_config("ps", 0, ps=["a:1"], worker=WORKERS), "it has tasks of type ps"),
        (tf_config("chief", 0), "its task is of type chief, which its cluster does not have"),
        (tf_config(index=2), "its task is number 2 of 2"),
        (tf_config(index=-1), "its task is number -1 of 2"),
        (tf_config(index="x"), "invalid literal"),
        (tf_config(worker=["host0", "host1:2"]), "host0 is not HOST:PORT"),
        (tf_config(worker=["host0:0", "host1:2"]), "host0:0 is not HOST:PORT"),
        (tf_config(worker=["a:1", "a:1"]), "two tasks have one address"),
        (slurm(SLURM_PROCID="3"), "cannot read SLURM_PROCID=3"),
        (slurm(SLURM_STEP_TASKS_PER_NODE="2"), "cannot read SLURM_PROCID=2"),
        (slurm(SLURM_STEP_NODELIST="node[9"), "cannot read SLURM_PROCID=2"),
        (slurm(SLURM_NODEID="0"), "runs on node 0; expected node 1; start the tasks with srun"),
    ],
)
def test_a_cluster_that_is_wrong_is_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        cluster.find_cluster(variables)
    assert message in str(refused.value)

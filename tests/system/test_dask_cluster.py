"""Tasks on a real Dask cluster: results, dying workers, schedulers that are missing or end."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

dask_processes = pytest.importorskip("dask_processes")
pytest.importorskip("distributed")

from dask_processes import Cluster, attempts, refuse, running_cluster, square, wait_for  # noqa: E402

from cyclegan_vc_tf.system import cluster, scheduler  # noqa: E402
from cyclegan_vc_tf.system.errors import InputError  # noqa: E402


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), 2) as started:
        yield started


def error_of(task: object, items: list[int], address: str) -> str:
    """Run tasks that end with an error; return its text, one line."""
    with pytest.raises(InputError) as caught:
        list(cluster.map_tasks(task, items, address))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_item_that_kills_its_worker_costs_no_other(two_workers: Cluster, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    reports: list[str] = []
    task = partial(square, tmp_path)
    outcomes = list(cluster.map_tasks(task, range(8), two_workers.address, reports.append))
    results = {outcome.item: outcome.result for outcome in outcomes if outcome.survived}
    assert results == {number: number**2 for number in range(8) if number != 3}
    assert [outcome.item for outcome in outcomes if not outcome.survived] == [3]
    assert len(outcomes) == 8
    assert "workers=2" in reports
    # Twice, the second time alone: this cluster allows no failures.
    counts = {name: len(processes) for name, processes in attempts(tmp_path).items()}
    assert counts.pop("3") == 2
    # An item is repeated only if its result was still on the worker that died.
    assert max(counts.values()) <= 2


def test_the_item_of_a_killed_worker_is_done_by_another(
    two_workers: Cluster, tmp_path: Path
) -> None:
    outcomes = cluster.map_tasks(partial(square, tmp_path), [4, 5, 6], str(two_workers.file))
    killer = threading.Thread(target=kill_worker_of, args=(tmp_path, "4"))
    killer.start()
    found = {outcome.item: (outcome.survived, outcome.result) for outcome in outcomes}
    killer.join()
    assert found == {4: (True, 16), 5: (True, 25), 6: (True, 36)}
    first, second = attempts(tmp_path)["4"]
    assert first != second


def kill_worker_of(folder: Path, name: str) -> None:
    """Kill the worker that has begun an item, and let the item end from then on."""
    wait_for(folder / f"{name}.attempts")
    os.kill(attempts(folder)[name][0], signal.SIGKILL)
    (folder / "go").touch()


def test_the_error_of_a_task_is_raised(two_workers: Cluster) -> None:
    assert error_of(refuse, [7], two_workers.address) == "7 is refused"


def test_other_versions_on_a_worker_are_refused(
    two_workers: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {**cluster.versions(), "cyclegan_vc_tf": "0.0.9", "numpy": "1.0"}
    monkeypatch.setattr(cluster, "versions", lambda: own)
    message = error_of(partial(square, tmp_path), [1], two_workers.address)
    assert "instead of 0.0.9" in message and "instead of 1.0" in message
    assert "expected equal versions on all machines" in message
    assert attempts(tmp_path) == {}


def test_a_scheduler_without_this_package_is_refused(tmp_path: Path) -> None:
    started = Cluster(tmp_path, {"PYTHONPATH": ""})
    try:
        message = error_of(partial(square, tmp_path), [1], started.address)
    finally:
        started.close()
    assert f"expected cyclegan_vc_tf {cluster.versions()['cyclegan_vc_tf']} where" in message


def test_a_scheduler_that_ends_is_named(tmp_path: Path) -> None:
    started = Cluster(tmp_path / "cluster")
    killer = threading.Timer(0, kill_when_begun, (tmp_path, started))
    try:
        started.start_worker("--no-nanny")
        address = started.address
        killer.start()
        message = error_of(partial(square, tmp_path), [4], address)
    finally:
        (tmp_path / "go").touch()
        started.close()
        killer.join()
    assert message.startswith(f"--scheduler {address} does not answer any more; start it")


def kill_when_begun(folder: Path, started: Cluster) -> None:
    """Kill the scheduler when the item 4 has begun."""
    wait_for(folder / "4.attempts")
    started.scheduler.kill()


def test_a_cluster_without_workers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "MAX_IDLE_S", 1.5)
    started = Cluster(tmp_path)
    try:
        message = error_of(abs, [1], started.address)
    finally:
        started.close()
    assert "has no worker for" in message


def test_addresses_without_a_scheduler_are_refused(
    two_workers: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed port, a port that says nothing, a worker, and texts that are no address."""
    monkeypatch.setattr(scheduler, "MAX_CONNECT_S", 2.0)
    (tmp_path / "other.json").write_text("[]")
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for address in (
            f"tcp://127.0.0.1:{unused.getsockname()[1]}",
            f"127.0.0.1:{silent.getsockname()[1]}",
            "127.0.0.1",
            "http://127.0.0.1:80",
            str(tmp_path / "none.json"),
            str(tmp_path / "other.json"),
        ):
            message = error_of(abs, [1], address)
            assert message.startswith(f"--scheduler {address} does not answer (")
            assert message.endswith("such as tcp://HOST:8786")

"""Commands of two workers in real processes: stop, kill, resume, and what the chief writes."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, scalars, variables

from benchmarks.harness import workers
from benchmarks.harness.workers import Workers
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.speakers import recordings_table
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import loop

STEPS = 40

FLAGS = [
    "--f0_method=dio", "--channels=4", "--residual_blocks=1", "--crop_frames=16",
    "--batch_size=4", "--augment_gain_db=6", "--precision=mixed_bfloat16", f"--steps={STEPS}",
    "--convert_every=0", "--checkpoint_every=5", "--log_every=5", "--strategy=multi_worker",
]  # fmt: skip


@pytest.fixture
def start(corpus: Path, tmp_path: Path) -> Iterator[Callable[[str], Workers]]:
    """Function that starts two workers which train a run, or go on with it."""
    command = [
        REPOSITORY / "train.py", *FLAGS, f"--source_dir={corpus / 'low'}",
        f"--target_dir={corpus / 'high'}", f"--features_dir={tmp_path / 'features'}",
    ]  # fmt: skip
    with ExitStack() as started:

        def start(name: str) -> Workers:
            running = workers.start(
                tmp_path / "out",
                [*command, f"--run_dir={tmp_path / name}"],
                workers.tf_config_variables(2),
                cwd=REPOSITORY,
            )
            started.callback(running.kill)
            return running

        yield start


def wait_until(reached: Callable[[], bool], running: Workers) -> None:
    """Wait for a moment at which both workers still run."""
    while not reached():
        running.are_running()
        assert not running.ends, running.outputs()
        time.sleep(0.01)


def test_a_worker_needs_the_chiefs_folder_settings_and_recordings(
    corpus: Path, tmp_path: Path, small_config: RunConfig
) -> None:
    """Numbers of processes and folders of features may differ."""
    folders = CorpusConfig(
        f"{corpus}/low", f"{corpus}/high", features_dir=f"{tmp_path}/features", workers=1
    )
    config = replace(small_config, corpus=folders)
    speakers = preparation.prepare(config.corpus, config.features)
    table = recordings_table(speakers)
    statistics = {name: speaker.statistics for name, speaker in speakers.items()}
    run_dir = tmp_path / "run"
    with pytest.raises(InputError, match="all workers need the chief's --run_dir"):
        loop._join(run_dir, config, table)
    run_folder.create_run(run_dir, config, statistics, table)
    own = replace(config, corpus=replace(folders, features_dir="/elsewhere", workers=2))
    assert loop._join(run_dir, own, table).path == run_dir
    other = replace(config, training=replace(config.training, steps=5, seed=1))
    with pytest.raises(InputError) as refused:
        loop._join(run_dir, other, table)
    assert str(refused.value) == (
        "this worker has other settings than the chief: --steps is 5 and the chief's is 4; "
        "--seed is 1 and the chief's is 0; give all workers the chief's flags"
    )
    name = next(iter(table["A"]["training"]))
    changed = {**table["A"], "training": {**table["A"]["training"], name: "0" * 64}}
    with pytest.raises(InputError, match=f"1 changed .{name}.; restore them"):
        loop._join(run_dir, config, {**table, "A": changed})


def test_a_training_of_two_workers_is_stopped_killed_and_finished(
    start: Callable[[str], Workers], tmp_path: Path
) -> None:
    """Its weights are those of an unbroken training, bit for bit."""
    unbroken = start("unbroken")
    assert unbroken.wait(1200) == [0, 0], unbroken.outputs()
    chief, other = unbroken.outputs()
    assert f"{STEPS}/{STEPS}" in chief and "Converted held-out speech" in chief
    assert "Training" not in other and "Converted" not in other
    # One writer of events: `scalars` fails at a step that is there twice.
    assert len(list((tmp_path / "unbroken").glob("events.out.tfevents.*"))) == 1
    logged = {step for _, step in scalars(tmp_path / "unbroken", "loss/generator")}
    assert logged == set(range(5, STEPS + 1, 5))

    checkpoints = Checkpoints(tmp_path / "killed" / "checkpoints")
    rng = random.Random(time.time_ns())
    stopped = start("killed")
    wait_until(lambda: checkpoints.last_step() > 0, stopped)
    stopped.processes[1].send_signal(signal.SIGTERM)
    assert stopped.wait(1200) == [0, 0], stopped.outputs()
    saved = checkpoints.last_step()
    assert all(f"Stopped at step {saved}, saved" in text for text in stopped.outputs())
    assert 5 <= saved < STEPS

    killed = start("killed")
    wait_until(killed.are_connected, killed)
    victim = rng.randrange(2)
    killed.processes[victim].send_signal(signal.SIGKILL)
    statuses = killed.wait(1200)
    assert statuses[victim] == -signal.SIGKILL
    assert statuses[1 - victim] == 2, killed.outputs()
    *_, line = killed.outputs()[1 - victim].splitlines()
    assert f"worker {1 - victim} of 2 ends, because another worker ended or is silent" in line
    assert "Traceback" not in killed.outputs()[1 - victim]

    finished = start("killed")
    assert finished.wait(1200) == [0, 0], finished.outputs()
    assert f"Resuming {tmp_path}/killed at step " in finished.outputs()[0]
    found, expected = (variables(tmp_path / name, STEPS) for name in ("killed", "unbroken"))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    # Conversion needs no cluster: the folder is a run as any other.
    run = run_folder.open_run(tmp_path / "killed")
    assert run.load_generator("A2B")[1] == STEPS

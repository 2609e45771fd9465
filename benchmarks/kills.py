"""Kill workers of a training at random moments; compare its end with an unbroken training's.

    python -m benchmarks.kills --kills=20                                      20 minutes or more

A worker, the chief or another, is killed with SIGKILL some time after all have connected. The
others have to end by themselves with one line and status 2. All workers are then started again,
until the training is finished. Its weights are compared bit for bit with a training that nobody
killed. New trainings follow until the kills are done.
"""

import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import machine, sizes, workers
from cyclegan_vc_tf.runs.checkpoints import Checkpoints

REPOSITORY = Path(__file__).parents[1]

SETTINGS = (
    "--f0_method=dio", "--channels=2", "--residual_blocks=1", "--crop_frames=16",
    "--batch_size=6", "--convert_every=0", "--checkpoint_every=10", "--log_every=10",
    "--strategy=multi_worker",
)  # fmt: skip
"""A small training, whose time is mostly that of starting."""


def train_arguments(folder: Path, name: str, steps: int) -> list[str]:
    """Return the arguments of a worker that trains the run of this name."""
    return [
        str(REPOSITORY / "train.py"), *SETTINGS, f"--steps={steps}",
        f"--source_dir={folder / 'A'}", f"--target_dir={folder / 'B'}",
        f"--features_dir={folder / 'features'}", f"--run_dir={folder / name}",
    ]  # fmt: skip


def copy_recordings(folder: Path, count: int = 4) -> None:
    """Copy some recordings of the demo corpus for two speakers, in folders A and B."""
    speakers = sorted(path for path in (REPOSITORY / "data/demo/train").iterdir() if path.is_dir())
    for name, speaker in zip("AB", speakers, strict=False):
        (folder / name).mkdir()
        for path in sorted(speaker.iterdir())[:count]:
            shutil.copy(path, folder / name)


def read_variables(run_dir: Path, step: int) -> dict[str, np.ndarray]:
    """Return all variables of a checkpoint by name."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"ckpt-{step}"))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_")]
    return {name: reader.get_tensor(name) for name in names}


def check_ends(running: workers.Workers, victim: int) -> float:
    """Check how the others ended after a worker was killed; return their longest time, in s.

    Raises:
        AssertionError: A worker ended without a status or without one line.
    """
    killed_at, longest_s = time.monotonic(), 0.0
    statuses = running.wait()
    for number, status in enumerate(statuses):
        text = running.outputs()[number]
        if number == victim:
            continue
        if status != 2 or "Traceback" in text or "another worker ended" not in text:
            raise AssertionError(f"worker {number} ended with status {status}: {text[-2000:]}")
        longest_s = max(longest_s, running.ends[number] - killed_at)
    return longest_s


def main(arguments: Sequence[str] | None = None) -> None:
    """Train once without and once with kills, and compare."""
    flags = sizes.parser("kills", __doc__)
    flags.add_argument("--kills", type=sizes.whole(), default=20, help="number of kills")
    flags.add_argument("--workers", type=sizes.whole(), default=2, help="number of workers")
    flags.add_argument("--steps", type=sizes.whole(), default=300, help="steps of the training")
    flags.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    given = flags.parse_args(arguments)
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_recordings(folder)
        command = train_arguments(folder, "unbroken", given.steps)
        whole = workers.start(
            folder / "out", command, workers.tf_config_variables(given.workers), cwd=REPOSITORY
        )
        while whole.are_running() and not whole.are_connected():
            time.sleep(0.02)
        began = time.monotonic()
        if any(whole.wait(3600)):
            raise SystemExit(f"the unbroken training failed: {whole.outputs()}")
        whole_s = time.monotonic() - began
        print(f"{given.steps} steps with {given.workers} workers: {whole_s:.0f} s", flush=True)
        expected = read_variables(folder / "unbroken", given.steps)
        kills, runs, seconds = 0, 0, []
        while kills < given.kills:
            runs += 1
            run_dir = folder / f"killed-{runs}"
            checkpoints = Checkpoints(run_dir / "checkpoints")
            while True:
                running = workers.start(
                    folder / "out",
                    train_arguments(folder, run_dir.name, given.steps),
                    workers.tf_config_variables(given.workers),
                    cwd=REPOSITORY,
                )
                before = checkpoints.last_step()
                while running.are_running() and not running.are_connected():
                    time.sleep(0.02)
                end = time.monotonic() + rng.uniform(0.0, 0.8) * whole_s
                while running.are_running() and (kills == given.kills or time.monotonic() < end):
                    time.sleep(0.02)
                if not running.are_running():
                    if any(running.wait()):
                        raise SystemExit(f"a worker failed: {running.outputs()}")
                    break
                if running.ends:
                    # Some have done all, and the moment came between their ends.
                    running.wait()
                    continue
                victim, kills = rng.randrange(given.workers), kills + 1
                running.processes[victim].send_signal(signal.SIGKILL)
                seconds.append(check_ends(running, victim))
                print(
                    f"kill {kills}: worker {victim}, begun at step {before}, saved "
                    f"{checkpoints.last_step()}; others ended after {seconds[-1]:.1f} s",
                    flush=True,
                )
            found = read_variables(run_dir, given.steps)
            different = [key for key in expected if not np.array_equal(expected[key], found[key])]
            if different or expected.keys() != found.keys():
                raise SystemExit(f"run {runs} differs from the unbroken one: {different[:5]}")
            print(f"run {runs}: all {len(found)} variables are equal bit for bit", flush=True)
    print(
        f"{kills} kills in {runs} trainings; the others ended after "
        f"{statistics.median(seconds):.1f} s in the median, {max(seconds):.1f} s at most. "
        f"{machine.describe()}"
    )


if __name__ == "__main__":
    main()

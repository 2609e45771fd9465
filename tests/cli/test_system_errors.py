"""Errors of the system name the flag of the folder; places that cannot be written, in processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from conftest import REPOSITORY

from cyclegan_vc_tf.cli import system_errors


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/data/out/sub/.a.wav.partial", "--output /data/out cannot be used: Read-only"),
        ("/data/out", "--output /data/out cannot be used: Read-only file system: /data/out"),
        ("/new", "--run_dir /new/run cannot be used: Read-only file system: /new"),
        ("/new/.run.partial/.lock", "--run_dir /new/run cannot be used: Read-only"),
        ("/elsewhere", "[Errno 30] Read-only file system: '/elsewhere'"),
        (None, "[Errno 30] Read-only file system"),
    ],
)
def test_the_flag_of_the_path_is_named(file: str | None, expected: str) -> None:
    values = flags.FlagValues()
    for name in ("input", "output", "run_dir", "step"):
        flags.DEFINE_string(name, "/", "", flag_values=values)
    values(["x", "--input=/data", "--output=/data/out", "--run_dir=/new/run"])
    error = (
        OSError(30, "Read-only file system", file) if file else OSError(30, "Read-only file system")
    )
    assert system_errors.describe(error, values).startswith(expected)


READ_ONLY = """
mount -t tmpfs -o ro,size=1m none {folder} || exit 77
exec "$@"
"""


def with_read_only(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python while a folder is a file system that cannot be written, for this process alone."""
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can mount a file system")
    done = subprocess.run(
        [
            "unshare", "--mount", "sh", "-c", READ_ONLY.format(folder=folder), "sh",
            sys.executable, *arguments,
        ],
        cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    return done


@pytest.mark.parametrize("where", ["out", "out/new/folder", "out/a.wav"])
def test_a_read_only_output_is_blamed_and_not_the_recording(
    tmp_path: Path, corpus: Path, where: str
) -> None:
    (tmp_path / "out").mkdir()
    done = with_read_only(
        tmp_path / "out", "convert.py", "--run_dir=pretrained:vc1-demo",
        f"--input={corpus}/low/00.wav", f"--output={tmp_path / where}",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.strip().splitlines()
    assert line.startswith(f"convert.py: --output {tmp_path}/out")
    assert "Read-only file system" in line and "--input" not in line and "partial" not in line


def test_a_run_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, corpus: Path
) -> None:
    (tmp_path / "runs").mkdir()
    done = with_read_only(
        tmp_path / "runs", "train.py", f"--run_dir={tmp_path}/runs/new/one",
        f"--source_dir={corpus}/low", f"--target_dir={corpus}/high",
        f"--features_dir={tmp_path}/features",
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert f"--run_dir {tmp_path}/runs/new/one cannot be created: {tmp_path}/runs cannot be" in line
    assert "Read-only file system" in line
    assert not (tmp_path / "features").exists()


def test_features_that_cannot_be_written_are_refused_by_their_flag(
    tmp_path: Path, corpus: Path
) -> None:
    (tmp_path / "features").mkdir()
    done = with_read_only(
        tmp_path / "features", "-m", "cyclegan_vc_tf", "prepare",
        f"--source_dir={corpus}/low", f"--target_dir={corpus}/high",
        f"--features_dir={tmp_path}/features",
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert f"--features_dir {tmp_path}/features cannot be written (Read-only file system)" in line


def test_processes_need_no_shared_memory(tmp_path: Path, corpus: Path) -> None:
    """Semaphores of multiprocessing would need /dev/shm, which a container may lack."""
    done = with_read_only(
        Path("/dev/shm"), "-m", "cyclegan_vc_tf", "prepare",
        f"--source_dir={corpus}/low", f"--target_dir={corpus}/high", "--f0_method=dio",
        f"--features_dir={tmp_path}/features", "--workers=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "5 training utterances" in done.stdout


def test_workers_start_without_shared_memory() -> None:
    """Where none can be started, this process would do the work."""
    code = (
        "import os; from cyclegan_vc_tf.system import pool; own = os.readlink('/proc/self'); "
        "outcomes = pool.map_tasks(os.readlink, ['/proc/self'] * 2, 2); "
        "print([outcome.result == own for outcome in outcomes])"
    )
    done = with_read_only(Path("/dev/shm"), "-c", code)
    assert done.stdout == "[False, False]\n", done.stderr

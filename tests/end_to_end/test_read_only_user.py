"""The whole way as a user who may write neither the packages nor a home folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY

USER = 12345
"""Number of a user without a name, as in `docker run --user=12345`."""

CAPABILITY = "+dac_read_search"
"""Right to read what belongs to root, where Python may be installed; it includes no writing."""

DRIVER = """
import sys
import cyclegan_vc_tf as vc
from cyclegan_vc_tf.training.trainer import Trainer
# A graph would take longer than the steps.
Trainer.train_step = Trainer.train_step.python_function
corpus, work = sys.argv[1:]
small = dict(
    source_dir=f"{corpus}/low", target_dir=f"{corpus}/high", features_dir=f"{work}/features",
    held_out_fraction=0.2, channels=2, residual_blocks=1, crop_frames=16, log_every=1,
    workers=1,
)
vc.prepare("mask", **small)
for variant, more in (("mask", dict(griffin_lim_iterations=2)), ("vc1", dict(f0_method="dio"))):
    run = f"{work}/{variant}"
    changes = small | more
    assert vc.train(run, variant, steps=1, convert_every=1, **changes)
    vc.load(run).convert_file(f"{corpus}/low/00.wav", f"{work}/{variant}.wav")
vc.evaluate(f"{work}/mask", examples=1)
"""


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder that the user may write, and may reach without the right to read everything."""
    with tempfile.TemporaryDirectory(prefix="reader-") as folder:
        yield Path(folder)


def as_reader(work: Path) -> tuple[list[str], dict[str, str]]:
    """Return the beginning of a command, and its environment, for a user without rights to write.

    Args:
        work: Folder that the user may write.
    """
    leave_out = ("USER", "LOGNAME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in leave_out}
    environment |= {"HOME": "/", "TMPDIR": str(work / "tmp"), "PYTHONPATH": str(REPOSITORY)}
    (work / "tmp").mkdir()
    command: list[str] = []
    if os.getuid() == 0:
        command = [
            "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
            f"--inh-caps={CAPABILITY}", f"--ambient-caps={CAPABILITY}",
        ]  # fmt: skip
        for folder in (work, work / "tmp"):
            os.chown(folder, USER, USER)
    command.append(sys.executable)
    writes = (
        "import librosa, tempfile, pathlib as p; "
        "tempfile.TemporaryFile(dir=p.Path(librosa.__file__).parent / 'core')"
    )
    if os.getuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("setpriv is missing")
    tried = subprocess.run(
        [*command, "-c", writes], env=environment, capture_output=True, text=True
    )
    if "Permission denied" not in tried.stderr and "Read-only file system" not in tried.stderr:
        pytest.skip(f"no user here may read the packages and not write them: {tried.stderr}")
    return command, environment


def test_a_user_who_may_write_no_package_trains_converts_and_evaluates(
    corpus: Path, work: Path
) -> None:
    command, environment = as_reader(work)
    done = subprocess.run(
        [*command, "-c", DRIVER, str(corpus), str(work)],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "could not be made" not in done.stderr + done.stdout
    for variant in ("mask", "vc1"):
        assert (work / f"{variant}.wav").stat().st_size > 1000
    assert (work / "mask/evaluation/step-1/report.html").is_file()
    left = [path.name for path in (work / "tmp").iterdir()]
    assert not any("numba" in name for name in left), "the folder of compiled code is removed"


def test_a_cache_folder_that_cannot_be_made_is_refused_by_its_flag(
    corpus: Path, work: Path
) -> None:
    command, environment = as_reader(work)
    done = subprocess.run(
        [
            *command, "-m", "cyclegan_vc_tf", "prepare",
            f"--source_dir={corpus}/low", f"--target_dir={corpus}/high",
        ],
        cwd="/", env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("cyclegan_vc_tf")]
    assert "no --features_dir is given, and its default /.cache/cyclegan_vc_tf" in line
    assert "Permission denied" in line and "Traceback" not in done.stderr

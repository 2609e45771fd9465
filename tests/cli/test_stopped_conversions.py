"""Conversions that are stopped by a signal."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY, write_voices


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_conversion_that_is_stopped_leaves_nothing_half_written(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = write_voices(tmp_path / "in", 110.0, 1, seconds=5.5)
    for index in range(1, 60):
        shutil.copy(folder / "00.wav", folder / f"{index:02}.wav")
    process = subprocess.Popen(
        [
            sys.executable, "convert.py", "--run_dir=pretrained:vc1-demo", f"--input={folder}",
            f"--output={tmp_path}/out",
        ],
        cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    # At a moment, if one is met, when a file is half written.
    while process.poll() is None and (done := len(list(tmp_path.glob("out/*.wav")))) < 40:
        if done >= 2 and list(tmp_path.glob("out/.*")):
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(0.05)
            if list(tmp_path.glob("out/.*")):
                break
            os.killpg(process.pid, signal.SIGCONT)
        time.sleep(0.001 if done >= 2 else 0.05)
    # As a terminal does: to all of them.
    os.killpg(process.pid, number)
    os.killpg(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in errors and "what is finished is kept" in errors
    made = list((tmp_path / "out").iterdir())
    assert 2 <= len(made) < 60
    assert not [path for path in made if path.suffix != ".wav" or path.name.startswith(".")]

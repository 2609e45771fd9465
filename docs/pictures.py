"""Make the pictures of the documents from run folders.

    python docs/pictures.py --run_dir=runs/demo
    python docs/pictures.py --run_dir=runs/demo_vc3 --name=conversion-vc3 --notensorboard

`docs/images/conversion.png` is the last picture of a conversion in the run's event files.
`docs/images/tensorboard.png` is a screenshot of TensorBoard. It needs Chromium on the PATH.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import tensorflow as tf
from absl import app, flags

IMAGES = Path(__file__).parent / "images"
CHROMIUM = shutil.which("chromium") or "chromium"
RUN_DIR = flags.DEFINE_string("run_dir", "runs/demo", "Run folder.")
NAME = flags.DEFINE_string("name", "conversion", "File name of the picture, without ending.")
TENSORBOARD = flags.DEFINE_boolean("tensorboard", True, "Take a screenshot of TensorBoard too.")
TAG = flags.DEFINE_string("tag", "A2B/089.flac/spectrograms", "Tag of the picture in TensorBoard.")


def last_image(run_dir: Path, tag: str) -> bytes:
    """Return the PNG of the highest step under `tag` in the event files of a run."""
    found = (-1, b"")
    for path in run_dir.glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.tag == tag:
                    # Width, height, then the pictures.
                    found = max(found, (event.step, tf.make_ndarray(value.tensor)[2]))
    if found[0] < 0:
        sys.exit(f"{run_dir} has no picture {tag}; expected a run with --convert_every; give --tag")
    return found[1]


def screenshot_of_tensorboard(run_dir: Path, path: Path) -> None:
    """Start TensorBoard on a free port and save a screenshot of its scalars."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    address = f"http://localhost:{port}/"
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", f"--logdir={run_dir}", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(120):
            time.sleep(0.5)
            try:
                urllib.request.urlopen(f"{address}data/runs").close()
                break
            except OSError:
                continue
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run(
                [
                    CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", f"--user-data-dir={profile}",
                    "--window-size=1500,1150", "--virtual-time-budget=30000",
                    f"--screenshot={path}", f"{address}#scalars&tagFilter=^loss|^score",
                ],
                check=True,
                capture_output=True,
                timeout=120,
            )  # fmt: skip
    finally:
        server.terminate()
        server.wait()


def main(argv: list[str]) -> None:
    """Make the pictures."""
    del argv
    run_dir = Path(RUN_DIR.value)
    (IMAGES / f"{NAME.value}.png").write_bytes(last_image(run_dir, TAG.value))
    if TENSORBOARD.value:
        screenshot_of_tensorboard(run_dir, IMAGES / "tensorboard.png")


if __name__ == "__main__":
    app.run(main)

"""Makes the pictures of the documents from run folders.

    python docs/pictures.py --run_dir=runs/demo
    python docs/pictures.py --run_dir=runs/demo_mask --name=conversion-mask --notensorboard

`docs/conversion.png` is the last picture of a conversion in the run's event files;
`docs/tensorboard.png` is a screenshot of TensorBoard, by a Chromium that is on the PATH.
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

DOCS = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or "chromium"
RUN_DIR = flags.DEFINE_string("run_dir", "runs/demo", "Run folder.")
NAME = flags.DEFINE_string("name", "conversion", "Name of the picture of the conversion.")
TENSORBOARD = flags.DEFINE_boolean("tensorboard", True, "Whether to take a picture of TensorBoard.")
TAG = flags.DEFINE_string("tag", "A2B/089.flac/spectrograms", "Which conversion.")


def last_image(run_dir: Path, tag: str) -> bytes:
    """The PNG of the highest step under `tag` in the event files of a run."""
    found = (-1, b"")
    for path in run_dir.glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.tag == tag:
                    # Width, height, then the pictures.
                    found = max(found, (event.step, tf.make_ndarray(value.tensor)[2]))
    if found[0] < 0:
        sys.exit(f"{run_dir} has no picture {tag}")
    return found[1]


def screenshot_of_tensorboard(run_dir: Path, path: Path) -> None:
    """Starts TensorBoard on a free port and takes a picture of its scalars."""
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
    """Makes the pictures."""
    del argv
    run_dir = Path(RUN_DIR.value)
    (DOCS / f"{NAME.value}.png").write_bytes(last_image(run_dir, TAG.value))
    if TENSORBOARD.value:
        screenshot_of_tensorboard(run_dir, DOCS / "tensorboard.png")


if __name__ == "__main__":
    app.run(main)

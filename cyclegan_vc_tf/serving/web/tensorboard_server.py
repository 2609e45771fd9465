"""TensorBoard of all runs, inside the page's server process: it ends with the server."""

import logging
import threading
from pathlib import Path


class TensorBoardServer:
    """TensorBoard at a free port of the loopback address; started when it is first asked for.

    Args:
        runs_dir: Folder of the runs.
    """

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self._url = ""
        self._lock = threading.Lock()

    def start(self) -> str:
        """Start TensorBoard unless it runs, and return its address."""
        with self._lock:
            if not self._url:
                from tensorboard import program

                logging.getLogger("tensorboard").setLevel(logging.ERROR)
                server = program.TensorBoard()
                arguments = ["tensorboard", f"--logdir={self.runs_dir}", "--host=127.0.0.1"]
                # --load_fast would start another process.
                server.configure(argv=[*arguments, "--port=0", "--load_fast=false"])
                self._url = server.launch()
            return self._url

"""Run exported files in their own runtimes, in a process without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import numpy as np


def run_elsewhere(
    folder: Path, inputs: dict[str, np.ndarray], paths: list[Path]
) -> dict[str, np.ndarray]:
    """Return the outputs of files, by file and name of the input.

    Args:
        folder: Folder of the files.
        inputs: Inputs by name.
        paths: Files.
    """
    np.savez(folder / "inputs.npz", **inputs)
    script = Path(__file__).with_name("run_exports.py")
    arguments = [folder / "inputs.npz", folder / "outputs.npz", *paths]
    subprocess.run([sys.executable, script, *map(str, arguments)], check=True)
    with np.load(folder / "outputs.npz") as outputs:
        return {key.removeprefix(f"{folder}/"): value for key, value in outputs.items()}

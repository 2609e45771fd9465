"""Measure methods in turns, A B A B; synthetic speech; tables of results."""

import math
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.harness import sizes
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.system import files

RATE_HZ = 16_000


def parser(module: str, about: str | None) -> ArgumentParser:
    """Make a parser with the flags of all benchmarks of methods."""
    made = sizes.parser(module, about)
    made.add_argument(
        "--rounds", type=sizes.whole(), default=3, help="number of measurements of each method"
    )
    made.add_argument("--audio_dir", help="folder of recordings (default: synthetic speech)")
    made.add_argument("--json", type=Path, help="write all measurements to this file")
    return made


def measure_in_turns(
    methods: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Call each method once per round, and return its results by name."""
    measured: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            measured[name].append(method())
    return measured


def format_spread(values: Sequence[float]) -> str:
    """Format median, minimum and maximum as two cells of a table."""
    return f"{statistics.median(values):.3f} | {min(values):.3f} to {max(values):.3f}"


def report(
    measured: Mapping[str, Sequence[float]], unit: str, path: Path | None, against: str
) -> None:
    """Print a Markdown table, and write the measurements as JSON.

    Args:
        measured: Measurements by name.
        unit: Unit of the measurements.
        path: JSON file to write, or None.
        against: Name of the method that all are compared with.
    """
    print(f"| | {unit}, median | range | ratio to {against} |\n|---|---|---|---|")
    base = statistics.median(measured[against])
    for name, values in measured.items():
        ratio = statistics.median(values) / base
        print(f"| {name} | {format_spread(values)} | {ratio:.2f} |", flush=True)
    if path is not None:
        files.write_json(path, {"unit": unit, "against": against, "measured": measured})


def process_s(*arguments: str | Path) -> float:
    """Measure the seconds of a Python process from its start to its end.

    Raises:
        CalledProcessError: The process failed.
    """
    begin = time.perf_counter()
    subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)
    return time.perf_counter() - begin


def synthesize_speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Synthesize decaying harmonics of a varying F0, three syllables per second with pauses.

    Returns:
        (samples,) float32 at 16 kHz.
    """
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    f0_hz = 130 * (1 + 0.15 * np.sin(2 * math.pi * 0.6 * time_s + rng.uniform(0, 6)))
    phase = 2 * math.pi * np.cumsum(f0_hz) / RATE_HZ
    wave = sum(np.sin(n * phase) / n for n in range(1, 40))
    syllables = np.clip(np.sin(2 * math.pi * 3 * time_s) + 0.3, 0, None)
    noise = 1e-3 * rng.standard_normal(len(time_s))
    return (0.15 * wave * syllables + noise).astype(np.float32)


def speech(audio_dir: str | None, seconds: float) -> np.ndarray:
    """Return `seconds` of recordings, repeated if needed, or of synthetic speech, at 16 kHz."""
    if not audio_dir:
        return synthesize_speech(seconds)
    folder, wanted = Path(audio_dir), round(seconds * RATE_HZ)
    found: list[np.ndarray] = []
    for name in audio_files.find(folder):
        found.append(audio_files.read_resampled(folder / name, RATE_HZ)[0])
        if sum(map(len, found)) >= wanted:
            break
    return np.resize(np.concatenate(found), wanted)


def write(path: Path, samples: np.ndarray) -> Path:
    """Write samples at 16 kHz to a file, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
    return path

"""Ways to do one thing, measured in turns: A B A B, each in a process of its own on one core."""

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
    """What all of these benchmarks are asked with."""
    made = sizes.parser(module, about)
    made.add_argument(
        "--rounds", type=sizes.whole(), default=3, help="how often each way is measured"
    )
    made.add_argument("--audio_dir", help="recordings; by default a made-up voice")
    made.add_argument("--json", type=Path, help="file to write all measurements to")
    return made


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measures each way once a round; gives what each said, by its name."""
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            measured[name].append(way())
    return measured


def spread(values: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.3f} | {min(values):.3f} to {max(values):.3f}"


def report(
    measured: Mapping[str, Sequence[float]], unit: str, path: Path | None, against: str
) -> None:
    """Prints a Markdown table, and writes the measurements as JSON.

    Args:
        measured: By name.
        unit: Of the measurements.
        path: Of the JSON file, if one is wanted.
        against: The name that all are compared with.
    """
    print(f"| | {unit}, median | spread | times {against} |\n|---|---|---|---|")
    base = statistics.median(measured[against])
    for name, values in measured.items():
        ratio = statistics.median(values) / base
        print(f"| {name} | {spread(values)} | {ratio:.2f} |", flush=True)
    if path is not None:
        files.write_json(path, {"unit": unit, "against": against, "measured": measured})


def process_s(*arguments: str | Path) -> float:
    """Seconds that a Python process takes from its start to its end.

    Raises:
        CalledProcessError: It failed.
    """
    begun = time.perf_counter()
    subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)
    return time.perf_counter() - begun


def voiced(seconds: float, seed: int = 0) -> np.ndarray:
    """A made-up voice: decaying harmonics of a moving F0, three syllables a second with pauses.

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
    """So many seconds of recordings, repeated if need be, or of the made-up voice, at 16 kHz."""
    if not audio_dir:
        return voiced(seconds)
    folder, wanted = Path(audio_dir), round(seconds * RATE_HZ)
    found: list[np.ndarray] = []
    for name in audio_files.find(folder):
        found.append(audio_files.read_resampled(folder / name, RATE_HZ)[0])
        if sum(map(len, found)) >= wanted:
            break
    return np.resize(np.concatenate(found), wanted)


def write(path: Path, samples: np.ndarray) -> Path:
    """Writes samples at 16 kHz to a file; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
    return path

"""What a conversion costs on one core, as a share of the time that the speech lasts.

    python -m benchmarks.convert
    python -m benchmarks.convert --width=vc1 --seconds=60 --audio_dir=data/demo/train/heart

In turns, each in a process of its own that is bound to one core, after a warm-up: this project with
F0 by DIO and by Harvest, and the way of public PyTorch ports: Harvest and D4C, then the generator
over the whole recording, eagerly, then WORLD's synthesis.
"""

import importlib.util
import os
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness import turns, worker
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world

WARM_UP_S = 2.0


def ours(run_dir: Path, samples: np.ndarray) -> float:
    """Seconds of this project's conversion."""
    from cyclegan_vc_tf.conversion.converter import Converter
    from cyclegan_vc_tf.runs import run_folder

    run = run_folder.open_run(run_dir)
    generator, _ = run.load_generator(Direction.A2B)
    one = Converter.for_run(run, Direction.A2B, generator)
    one.convert(samples[: round(WARM_UP_S * turns.RATE_HZ)])
    begun = time.perf_counter()
    one.convert(samples)
    return time.perf_counter() - begun


def ports(width: str, samples: np.ndarray) -> float:
    """Seconds of a conversion the way of PyTorch ports."""
    import torch

    from benchmarks.demo_run import WIDTHS
    from parity.companion.vc1 import Generator

    torch.set_num_threads(1)
    config = FeatureConfig(f0_method="harvest")
    generator = Generator(config.bins, WIDTHS[width]).eval()

    def convert(wave: np.ndarray) -> None:
        spoken = world.analyse(wave, config)
        frames = len(spoken.spectra) // 4 * 4
        with torch.no_grad():
            outputs = generator(torch.from_numpy(spoken.spectra[np.newaxis, :frames]).mT).mT
        world.synthesize(
            world.WorldFeatures(
                np.asarray(outputs)[0], spoken.f0_hz[:frames], spoken.aperiodicity[:frames]
            ),
            config,
        )

    convert(samples[: round(WARM_UP_S * turns.RATE_HZ)])
    begun = time.perf_counter()
    convert(samples)
    return time.perf_counter() - begun


def measure(way: str, width: str, folder: str) -> None:
    """Prints the seconds of one way; in a process of its own."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    work = Path(folder)
    samples, _ = audio_files.read(work / "a.wav")
    print(ports(width, samples) if way == "ports" else ours(work / way, samples))


def real_time_factor(way: str, width: str, work: Path, seconds: float) -> float:
    """Seconds a second of speech, measured in another process."""
    return worker.once("benchmarks.convert", "--measure", way, width, str(work)) / seconds


def main() -> None:
    """Prints the table."""
    if sys.argv[1:2] == ["--measure"]:
        return measure(*sys.argv[2:])
    parser = turns.parser("convert", __doc__)
    parser.add_argument("--width", choices=("demo", "vc1"), default="demo", help="of the networks")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the speech lasts")
    arguments = parser.parse_args()
    names = {"dio": "ours, DIO", "harvest": "ours, Harvest"}
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: the way of its ports is left out.\n")
    else:
        names["ports"] = "as PyTorch ports do, Harvest"
    with TemporaryDirectory() as made:
        work = Path(made)
        turns.write(work / "a.wav", turns.speech(arguments.audio_dir, arguments.seconds))
        for method in ("dio", "harvest"):
            turns.process_s("-m", "benchmarks.demo_run", work / method, arguments.width, method)
        ways = {
            name: partial(real_time_factor, way, arguments.width, work, arguments.seconds)
            for way, name in names.items()
        }
        measured = turns.in_turns(ways, arguments.rounds)
    turns.report(measured, "s a second of speech", arguments.json, names["dio"])


if __name__ == "__main__":
    main()

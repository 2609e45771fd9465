"""Measure a conversion on one core, in seconds per second of speech.

    python -m benchmarks.convert
    python -m benchmarks.convert --width=vc1 --seconds=60 --audio_dir=data/demo/train/heart

Compared are this project with F0 by DIO, this project with F0 by Harvest, and the method of public
PyTorch ports. Ports use Harvest and D4C, run the generator eagerly over the whole recording, and
synthesize with WORLD. Methods are measured in turns, each in a separate process that is bound to
one core, after a warm-up.
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


def project_s(run_dir: Path, samples: np.ndarray) -> float:
    """Measure the seconds of this project's conversion."""
    from cyclegan_vc_tf.conversion.converter import Converter
    from cyclegan_vc_tf.runs import run_folder

    run = run_folder.open_run(run_dir)
    generator, _ = run.load_generator(Direction.A2B)
    converter = Converter.for_run(run, Direction.A2B, generator)
    converter.convert(samples[: round(WARM_UP_S * turns.RATE_HZ)])
    begin = time.perf_counter()
    converter.convert(samples)
    return time.perf_counter() - begin


def ports_s(width: str, samples: np.ndarray) -> float:
    """Measure the seconds of a conversion by the method of PyTorch ports."""
    import torch

    from benchmarks.demo_run import WIDTHS
    from parity.companion.vc1 import Generator

    torch.set_num_threads(1)
    config = FeatureConfig(f0_method="harvest")
    generator = Generator(config.bins, WIDTHS[width]).eval()

    def convert(wave: np.ndarray) -> None:
        features = world.analyse(wave, config)
        frames = len(features.spectra) // 4 * 4
        with torch.no_grad():
            outputs = generator(torch.from_numpy(features.spectra[np.newaxis, :frames]).mT).mT
        world.synthesize(
            world.WorldFeatures(
                np.asarray(outputs)[0], features.f0_hz[:frames], features.aperiodicity[:frames]
            ),
            config,
        )

    convert(samples[: round(WARM_UP_S * turns.RATE_HZ)])
    begin = time.perf_counter()
    convert(samples)
    return time.perf_counter() - begin


def measure(method: str, width: str, folder: str) -> None:
    """Print the seconds of one method, bound to one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    work = Path(folder)
    samples, _ = audio_files.read(work / "a.wav")
    print(ports_s(width, samples) if method == "ports" else project_s(work / method, samples))


def real_time_factor(method: str, width: str, work: Path, seconds: float) -> float:
    """Measure seconds per second of speech in another process."""
    return (
        worker.measure_once("benchmarks.convert", "--measure", method, width, str(work)) / seconds
    )


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--measure"]:
        return measure(*sys.argv[2:])
    parser = turns.parser("convert", __doc__)
    parser.add_argument(
        "--width", choices=("demo", "vc1"), default="demo", help="width of the networks"
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="length of the speech in seconds"
    )
    arguments = parser.parse_args()
    names = {"dio": "this project, DIO", "harvest": "this project, Harvest"}
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed; the method of its ports is left out.\n")
    else:
        names["ports"] = "PyTorch ports, Harvest"
    with TemporaryDirectory() as made:
        work = Path(made)
        turns.write(work / "a.wav", turns.speech(arguments.audio_dir, arguments.seconds))
        for f0_method in ("dio", "harvest"):
            turns.process_s(
                "-m", "benchmarks.demo_run", work / f0_method, arguments.width, f0_method
            )
        methods = {
            name: partial(real_time_factor, method, arguments.width, work, arguments.seconds)
            for method, name in names.items()
        }
        measured = turns.measure_in_turns(methods, arguments.rounds)
    turns.report(measured, "s per second of speech", arguments.json, names["dio"])


if __name__ == "__main__":
    main()

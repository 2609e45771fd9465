"""Measure preparation with one process and with two, and compare its methods for F0.

    python -m benchmarks.prepare
    python -m benchmarks.prepare --audio_dir=data/demo/train/heart

Corpora of many short recordings and of few long ones are prepared in turns by one process and by
two. DIO and Harvest then analyse one recording: the tables have seconds per second of speech, on
one core, and the differences in the features for training.
"""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness import turns
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.system import files

GROSS = 0.2
"""Relative difference of F0 from which it is a gross error."""

CORPORA = {"40 of 3 s": (40, 3.0), "4 of 30 s": (4, 30.0)}


def prepared_s(folder: Path, processes: int) -> float:
    """Measure the seconds of the preparation of a folder."""
    with TemporaryDirectory() as store:
        corpus = CorpusConfig(features_dir=store, workers=processes)
        begin = time.perf_counter()
        preparation.prepare_store(folder, audio_files.find(folder), corpus, FeatureConfig())
        return time.perf_counter() - begin


def analysed_s(samples: np.ndarray, config: FeatureConfig) -> float:
    """Measure the seconds of F0 and mel-cepstra per second of speech."""
    begin = time.perf_counter()
    world.analyse_for_training(samples, config)
    return (time.perf_counter() - begin) / (len(samples) / turns.RATE_HZ)


def differences(samples: np.ndarray, configs: dict[str, FeatureConfig]) -> dict[str, float]:
    """Measure the differences between the results of two methods."""
    (f0_a, coded_a), (f0_b, coded_b) = (
        world.analyse_for_training(samples, config) for config in configs.values()
    )
    both = (f0_a > 0) & (f0_b > 0)
    gross = np.abs(f0_b[both] / f0_a[both] - 1) > GROSS
    # Mel-cepstra represent the natural logarithm of power.
    config = next(iter(configs.values()))
    envelopes = [10 * np.log10(world.decode(coded, config)) for coded in (coded_a, coded_b)]
    distance_db = np.sqrt(np.mean(np.square(envelopes[0] - envelopes[1]), axis=1))
    return {
        "gross F0 errors, of frames voiced in both": float(gross.mean()),
        "voicing differs, of all frames": float(np.mean((f0_a > 0) != (f0_b > 0))),
        "mean log-spectral distance of coded envelopes, dB": float(distance_db.mean()),
        "mean log-spectral distance of frames voiced in both, dB": float(distance_db[both].mean()),
    }


def main() -> None:
    """Print the tables."""
    parser = turns.parser("prepare", __doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="length of the speech for the methods, in seconds",
    )
    arguments = parser.parse_args()
    configs = {name: FeatureConfig(f0_method=name) for name in ("dio", "harvest")}
    measured: dict[str, list[float]] = {}
    with TemporaryDirectory() as made:
        for name, (count, seconds) in CORPORA.items():
            speech = turns.speech(arguments.audio_dir, count * seconds)
            folder = Path(made) / str(count)
            for index, samples in enumerate(np.array_split(speech, count)):
                turns.write(folder / f"{index:03}.wav", samples)
            methods = {
                f"{name}, {processes} processes": partial(prepared_s, folder, processes)
                for processes in (1, 2)
            }
            measured |= turns.measure_in_turns(methods, arguments.rounds)
    turns.report(measured, "s", None, next(iter(measured)))
    samples = turns.speech(arguments.audio_dir, arguments.seconds)
    factors = turns.measure_in_turns(
        {name: partial(analysed_s, samples, config) for name, config in configs.items()},
        arguments.rounds,
    )
    print()
    turns.report(factors, "s per second of speech", None, "dio")
    print("\n| difference of harvest from dio | |\n|---|---|")
    found = differences(samples, configs)
    for what, value in found.items():
        print(f"| {what} | {value:.4f} |")
    if arguments.json is not None:
        files.write_json(arguments.json, {"s": measured, "methods": factors, "beside": found})


if __name__ == "__main__":
    main()

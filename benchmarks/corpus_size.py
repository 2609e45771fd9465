"""Measure time and memory of preparation against the size of the corpus.

    python -m benchmarks.corpus_size --png=docs/images/preparation.png          some minutes

Corpora are of a demo speaker, at several sizes: files of about 10 s; three long files, which are
split at silences; and single files that are not split. Each preparation, of features and
statistics, runs in a separate process with its workers.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
import soundfile
from matplotlib import pyplot as plt

from benchmarks.harness import machine, sizes, turns, worker
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import preparation, speakers
from cyclegan_vc_tf.system import files as files_module

matplotlib.use("Agg")

HOURS = (0.2, 0.75, 3.0)

SHORT, LONG, WHOLE = "files of 10 s", "three long files, split", "one long file, whole"

WHOLE_HOURS = (1 / 12, 1 / 6, 1 / 3)
"""Hours of files that are not split. Memory grows with their length."""

PAUSE_S = 0.5

SHORT_UTTERANCES = 3
"""Demo utterances in a file of about 10 s."""

SAMPLED_S = 0.05


@dataclass(frozen=True)
class Cost:
    """Time and memory of a preparation.

    Attributes:
        files: Number of files in the corpus.
        utterances: Number of utterances made of them.
        seconds: Seconds from the first file to the statistics.
        main_mb: Peak memory of the process that packs the store and takes statistics, in MB of 10^6
            bytes, with mapped files.
        worker_mb: Peak memory of the largest worker, in MB of 10^6 bytes, with mapped files.
    """

    files: int
    utterances: int
    seconds: float
    main_mb: float
    worker_mb: float


def utterances(audio_dir: Path) -> Iterator[np.ndarray]:
    """Yield recordings at 16 kHz, each followed by a pause, without end."""
    noise = 1e-5 * np.random.default_rng(0).standard_normal(round(PAUSE_S * turns.RATE_HZ))
    for name in cycle(audio_files.find(audio_dir)):
        speech, _ = audio_files.read_resampled(audio_dir / name, turns.RATE_HZ)
        yield np.concatenate([speech, noise.astype(np.float32)])


def write_corpus(folder: Path, audio_dir: Path, kind: str, hours: float) -> None:
    """Write a corpus of a kind and size."""
    folder.mkdir()
    wanted, recordings = round(3600 * hours * turns.RATE_HZ), utterances(audio_dir)
    if kind == SHORT:
        number = written = 0
        while written < wanted:
            samples = np.concatenate([next(recordings) for _ in range(SHORT_UTTERANCES)])
            turns.write(folder / f"{number:05}.wav", samples)
            number, written = number + 1, written + len(samples)
        return
    count = 3 if kind == LONG else 1
    for number in range(count):
        path, written = folder / f"{number}.wav", 0
        with soundfile.SoundFile(path, "w", turns.RATE_HZ, 1, "PCM_16") as sound:
            while written < wanted / count:
                samples = next(recordings)
                sound.write(samples)
                written += len(samples)


def prepare(folder: Path, features_dir: Path, split: bool) -> Cost:
    """Prepare a folder in this process and its workers, and measure both."""
    corpus = CorpusConfig(features_dir=str(features_dir), split_silence=split)
    config, names = FeatureConfig(f0_method="dio"), audio_files.find(folder)
    peaks: dict[str, float] = {}
    ended = threading.Event()
    watch = threading.Thread(target=_watch_children, args=(peaks, ended), daemon=True)
    begin = time.perf_counter()
    watch.start()
    store = preparation.prepare_store(folder, names, corpus, config)
    speakers.compute_statistics(store, store.utterances, config)
    seconds = time.perf_counter() - begin
    ended.set()
    watch.join()
    return Cost(
        len(names),
        len(store.utterances),
        seconds,
        worker.memory_mb("VmHWM"),
        max(peaks.values(), default=0.0),
    )


def _watch_children(peaks: dict[str, float], ended: threading.Event) -> None:
    """Record the peak memory of each child process until `ended` is set."""
    while not ended.wait(SAMPLED_S):
        for listing in Path("/proc/self/task").glob("*/children"):
            try:
                children = listing.read_text().split()
            except OSError:
                continue
            for child in children:
                try:
                    peaks[child] = worker.memory_mb("VmHWM", child)
                except (OSError, ValueError):  # It has ended.
                    continue


def measure(audio_dir: Path, max_hours: float) -> dict[str, dict[float, Cost]]:
    """Measure all sizes of all kinds, and print a table row for each."""
    found: dict[str, dict[float, Cost]] = {}
    print("| | hours | files | utterances | s | MB, main process | MB, largest worker |")
    print("|---|---|---|---|---|---|---|")
    for kind, sizes_h in ((SHORT, HOURS), (LONG, HOURS), (WHOLE, WHOLE_HOURS)):
        found[kind] = {}
        for hours in (size_h for size_h in sizes_h if size_h <= max_hours):
            with TemporaryDirectory() as place:
                folder = Path(place) / "corpus"
                write_corpus(folder, audio_dir, kind, hours)
                options = ["--split"] if kind == LONG else []
                cost = Cost(
                    **worker.measure_once("benchmarks.corpus_size", f"--prepare={folder}", *options)
                )
            found[kind][hours] = cost
            print(
                f"| {kind} | {hours:.2f} | {cost.files} | {cost.utterances} | {cost.seconds:.0f} "
                f"| {cost.main_mb:.0f} | {cost.worker_mb:.0f} |",
                flush=True,
            )
    return found


def draw(path: Path, found: Mapping[str, Mapping[float, Cost]], about: str) -> None:
    """Write the picture."""
    figure, (time_axes, memory_axes) = plt.subplots(1, 2, figsize=(10, 4))
    for kind, costs in found.items():
        [line] = time_axes.loglog(
            list(costs), [cost.seconds for cost in costs.values()], "o-", label=kind
        )
        for name, style in (("worker_mb", "o-"), ("main_mb", "s--")):
            memory_axes.loglog(
                list(costs), [getattr(cost, name) for cost in costs.values()], style,
                color=line.get_color(),
                label=f"{kind}: {'worker' if name == 'worker_mb' else 'main process'}",
            )  # fmt: skip
    time_axes.set(xlabel="hours", ylabel="s", title="time")
    memory_axes.set(xlabel="hours", ylabel="MB", title="peak memory of a process")
    memory_axes.set_ylim(bottom=30)
    for axes in (time_axes, memory_axes):
        axes.legend(fontsize=7)
    figure.suptitle(about, fontsize=9)
    figure.tight_layout()
    with files_module.replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and draw."""
    flags = sizes.parser("corpus_size", __doc__)
    flags.add_argument("--png", type=Path, metavar="FILE", help="write the picture to this file")
    flags.add_argument(
        "--json", type=Path, metavar="FILE", help="write the numbers to this file as JSON"
    )
    flags.add_argument("--audio_dir", type=Path, default=Path("data/demo/train/heart"))
    flags.add_argument("--hours", type=float, default=HOURS[-1], help="largest size, in hours")
    flags.add_argument("--prepare", type=Path, metavar="FOLDER", help="prepare only this folder")
    flags.add_argument("--split", action="store_true", help="with --prepare, split at silences")
    given = flags.parse_args(arguments)
    if given.prepare:
        with TemporaryDirectory() as features_dir:
            print(json.dumps(asdict(prepare(given.prepare, Path(features_dir), given.split))))
        return
    found, about = measure(given.audio_dir, given.hours), machine.describe()
    if given.png:
        draw(given.png, found, str(about))
    if given.json:
        numbers = {
            kind: {f"{hours:.3f}": asdict(cost) for hours, cost in costs.items()}
            for kind, costs in found.items()
        }
        files_module.write_json(given.json, {**numbers, "machine": asdict(about)})


if __name__ == "__main__":
    main()

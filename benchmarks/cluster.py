"""Measure preparation on a Dask cluster against its number of workers, and estimate large ones.

    python -m benchmarks.cluster                       some minutes
    python -m benchmarks.cluster --paper 75 2.7        only memory per utterance and estimates

One folder of short recordings is prepared by one process and by two of this machine, then by one
worker and by two of a cluster. Scheduler and workers run on this machine and share its cores. Tasks
that do nothing then show how many the scheduler hands out, and how much memory it needs.

Estimated: hours of speech on a number of cores, from the processor time per hour that the workers
took, bytes of the features, and bytes per utterance of the index and of the client's memory.
"""

import json
import resource
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness import dask_cluster, machine, sizes, turns, worker
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.utterances import Recording, Utterance, content_key
from cyclegan_vc_tf.system import cluster

COUNTS = (1, 2)
"""Numbers of processes and of workers."""

LENGTH_S = 4.0
"""Seconds of a recording, about that of a sentence."""

UTTERANCES = 20_000
"""Number of utterances that the memory per utterance is measured with."""

PAPER_HOURS = (100, 10_000)
PAPER_CORES = (32, 320)
PAPER_FILES_S = {"files of 4 s": LENGTH_S, "files of 10 min, split": 600.0}


@dataclass(frozen=True)
class Cost:
    """Time and memory of a preparation.

    Attributes:
        seconds: Seconds from the first file to the store.
        work_s: Processor seconds of the processes that analysed.
        scheduler_mb: Peak memory of the scheduler in MB of 10^6 bytes; 0 without one.
    """

    seconds: float
    work_s: float
    scheduler_mb: float = 0.0


def prepare(folder: Path, **settings: str | int) -> float:
    """Measure the seconds of the preparation of a folder."""
    with TemporaryDirectory() as features_dir:
        corpus = CorpusConfig(features_dir=features_dir, **settings)  # type: ignore[arg-type]
        names, config = audio_files.find(folder), FeatureConfig(f0_method="dio")
        begin_s = time.perf_counter()
        preparation.prepare_store(folder, names, corpus, config)
        return time.perf_counter() - begin_s


def prepare_here(folder: Path, processes: int) -> Cost:
    """Prepare by processes of this machine."""
    before_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    seconds = prepare(folder, workers=processes)
    return Cost(seconds, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before_s)


def prepare_on_cluster(folder: Path, workers: int) -> Cost:
    """Prepare by workers that have loaded their libraries already, as those of a long work have."""
    with TemporaryDirectory() as place, dask_cluster.running(Path(place), workers) as started:
        _wait_for(started, workers)
        with TemporaryDirectory() as features_dir:
            corpus = CorpusConfig(scheduler=started.address, features_dir=features_dir)
            names = audio_files.find(folder)[: 4 * workers]
            preparation.prepare_store(folder, names, corpus, FeatureConfig(f0_method="dio"))
        before_s = started.work_s()
        seconds = prepare(folder, scheduler=started.address)
        return Cost(
            seconds,
            started.work_s() - before_s,
            worker.memory_mb("VmHWM", str(started.scheduler.pid)),
        )


def _wait_for(started: dask_cluster.Cluster, workers: int) -> None:
    import distributed

    with distributed.Client(started.address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=dask_cluster.MAX_START_S)


def measure_scheduler(tasks: int) -> dict[str, float]:
    """Measure tasks per second that do nothing, and the scheduler's memory and time for them."""
    with TemporaryDirectory() as place, dask_cluster.running(Path(place), 1) as started:
        _wait_for(started, 1)
        process = str(started.scheduler.pid)
        before_mb, before_s = worker.memory_mb("VmHWM", process), started.scheduler.cpu_times()
        begin_s = time.perf_counter()
        done = sum(1 for _ in cluster.map_tasks(abs, range(tasks), started.address))
        seconds = time.perf_counter() - begin_s
        work_s = sum(started.scheduler.cpu_times()[:2]) - sum(before_s[:2])
        return {
            "tasks": done,
            "tasks_per_s": done / seconds,
            "scheduler_ms_per_task": 1e3 * work_s / done,
            "scheduler_mb_before": before_mb,
            "scheduler_mb": worker.memory_mb("VmHWM", process),
        }


def measure_index(count: int) -> dict[str, float]:
    """Measure bytes per utterance: of the index on disk, and of the client at its peak.

    The client's peak is in `feature_store.pack`, which makes the index of all utterances.
    """
    tracemalloc.start()
    recordings = [
        Recording(f"p{number // 400:05}/p{number // 400:05}_{number:08}.wav", 128_044, number)
        for number in range(count)
    ]
    entries = [
        Utterance(
            recording, content_key(recording.name) * 4, number * 800, 800,
            end_s=LENGTH_S + number / count, samples=64_000, power=1e-2 + number / 7e9,
        )
        for number, recording in enumerate(recordings)
    ]  # fmt: skip
    held_bytes, _ = tracemalloc.get_traced_memory()
    index = {"format": 0, "utterances": [entry.to_json() for entry in entries]}
    text = json.dumps({**index, "key": content_key(index)})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "index_bytes": len(text) / count,
        "held_bytes": held_bytes / count,
        "peak_bytes": peak_bytes / count,
    }


def estimate(
    work_s_per_hour: float, scheduler_ms_per_task: float, index: Mapping[str, float]
) -> None:
    """Print estimates of large corpora, the longer time of workers and scheduler.

    Args:
        work_s_per_hour: Processor seconds per hour of speech.
        scheduler_ms_per_task: Processor milliseconds of the scheduler per file.
        index: Bytes per utterance, as `measure_index` returns them.
    """
    config = FeatureConfig()
    frame_bytes = 4 * (config.bins + 1)
    cores = " | ".join(f"{count} cores" for count in PAPER_CORES)
    print(f"| hours, files | core hours | scheduler | {cores} | features | index | client, peak |")
    print("|" + "---|" * (6 + len(PAPER_CORES)))
    for hours in PAPER_HOURS:
        for name, file_s in PAPER_FILES_S.items():
            utterances, work_min = hours * 3600 / LENGTH_S, hours * work_s_per_hour / 60
            scheduler_min = hours * 3600 / file_s * scheduler_ms_per_task / 60e3
            times = " | ".join(
                f"{max(work_min / count, scheduler_min):.1f} min" for count in PAPER_CORES
            )
            features_gb = hours * 3600 / config.hop_s * frame_bytes / 1e9
            index_gb, peak_gb = (
                utterances * index[each] / 1e9 for each in ("index_bytes", "peak_bytes")
            )
            print(
                f"| {hours:,} h, {name} | {work_min / 60:,.1f} | {scheduler_min:.1f} min | {times} "
                f"| {features_gb:,.1f} GB | {index_gb:.2f} GB | {peak_gb:.2f} GB |"
            )


def main() -> None:
    """Print the tables."""
    flags = sizes.parser("cluster", __doc__)
    flags.add_argument("--files", type=sizes.whole(), default=150, help="number of recordings")
    flags.add_argument("--tasks", type=sizes.whole(), default=5000, help="tasks that do nothing")
    flags.add_argument("--rounds", type=sizes.whole(), default=1, help="measurements of each")
    flags.add_argument(
        "--paper",
        type=float,
        nargs=2,
        metavar=("S", "MS"),
        help="estimate from S processor seconds per hour and MS milliseconds per task",
    )
    given = flags.parse_args()
    print(f"{machine.describe()}\n")
    index = measure_index(UTTERANCES)
    if given.paper:
        work_s, task_ms = given.paper
        estimate(work_s, task_ms, index)
        return
    hours = given.files * LENGTH_S / 3600
    costs: dict[str, list[Cost]] = {}
    with TemporaryDirectory() as made:
        folder = Path(made) / "speech"
        speech = turns.synthesize_speech(given.files * LENGTH_S)
        for number, samples in enumerate(np.array_split(speech, given.files)):
            turns.write(folder / f"{number:05}.wav", samples)
        for _ in range(given.rounds):
            for count in COUNTS:
                costs.setdefault(f"processes here: {count}", []).append(prepare_here(folder, count))
                costs.setdefault(f"workers of a cluster: {count}", []).append(
                    prepare_on_cluster(folder, count)
                )
    print(f"{given.files} files of {LENGTH_S:.0f} s, DIO, mel-cepstra\n")
    print("| | s | hours of speech per hour | processor s per hour of speech | scheduler, MB |")
    print("|---|---|---|---|---|")
    for name, found in costs.items():
        best = min(found, key=lambda cost: cost.seconds)
        print(
            f"| {name} | {best.seconds:.1f} | {hours / best.seconds * 3600:.0f} "
            f"| {best.work_s / hours:.0f} | {best.scheduler_mb:.0f} |"
        )
    scheduler = measure_scheduler(given.tasks)
    print("\n| | |\n|---|---|")
    for name, value in {**scheduler, **index}.items():
        print(f"| {name} | {value:,.1f} |")
    print()
    work_s = min(cost.work_s for cost in costs["workers of a cluster: 1"])
    estimate(work_s / hours, scheduler["scheduler_ms_per_task"], index)
    print(json.dumps({name: [asdict(cost) for cost in found] for name, found in costs.items()}))


if __name__ == "__main__":
    main()

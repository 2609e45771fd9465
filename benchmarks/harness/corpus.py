"""Measure preparation and batches of a synthetic corpus, whose feature stores are random.

    python -m benchmarks.harness.corpus --minutes=10

The output is one line of JSON: the time to store features and to take their statistics, the time
per batch, and the growth of the process' memory. Analysis of recordings is not part of it.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness import sizes
from benchmarks.harness.worker import memory_mb
from cyclegan_vc_tf.config import directions
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import feature_store, speakers, utterances
from cyclegan_vc_tf.data.dataset import Crops, training_pairs
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Recording, Utterance

UTTERANCE_S = 5.0
"""Length of a synthetic recording in seconds."""

ANONYMOUS = "RssAnon"
"""The system's name for a process' memory without mapped files."""


@dataclass(frozen=True)
class Cost:
    """Time and memory of a corpus.

    Attributes:
        minutes: Minutes of each speaker.
        prepare_s: Seconds to store the features of both speakers and take their statistics.
        batch_ms: Mean milliseconds per batch, drawn without pause.
        growth_mb: Growth of the process' memory from before the storing to the last batch, in MB of
            10^6 bytes, without pages of mapped files, which the system can reclaim.
    """

    minutes: float
    prepare_s: float
    batch_ms: float
    growth_mb: float


def write(folder: Path, minutes: float, config: RunConfig, seed: int) -> FeatureStore:
    """Write the feature store of a synthetic speaker.

    Args:
        folder: Folder of the store.
        minutes: Total length of all utterances.
        config: Settings of the run, for the frame rate and the bins.
        seed: Seed of the features.
    """
    features = config.features
    frames = round(UTTERANCE_S / features.hop_s)
    rng = np.random.default_rng(seed)
    recordings = [
        Recording(f"{number:05}.wav", size=frames, modified_ns=number)
        for number in range(max(1, round(60 * minutes / UTTERANCE_S)))
    ]
    f0_hz = np.full(frames, 150.0)
    for recording in recordings:
        spectra = rng.standard_normal((frames, features.bins), np.float32)
        entry = Utterance(recording, recording.key, 0, frames, end_s=UTTERANCE_S)
        part = utterances.part_path(folder, recording)
        utterances.write_part(part, [(entry, f0_hz, spectra)])
    return feature_store.pack(FeatureStore(folder), recordings, features.bins)


def crops_of_both(folder: Path, minutes: float, config: RunConfig) -> tuple[Crops, Crops]:
    """Return crops of two synthetic speakers, and write their stores into a folder."""
    training = config.training

    def crops(speaker: int) -> Crops:
        store = write(folder / directions.SPEAKERS[speaker], minutes, config, speaker)
        moments = speakers.compute_statistics(store, store.utterances, config.features)
        return Crops(store, store.utterances, moments, training.crop_frames, training.seed, speaker)

    return crops(0), crops(1)


def measure(minutes: float, batches: int, config: RunConfig) -> Cost:
    """Prepare a corpus and draw batches from it."""
    with tempfile.TemporaryDirectory() as place:
        # A small corpus first: the first batches of a process take time of their own.
        small = crops_of_both(Path(place) / "small", 0.1, config)
        list(training_pairs(*small, config.training.batch_size, 0, 50))
        before_mb = memory_mb(ANONYMOUS)
        begin = time.perf_counter()
        crops = crops_of_both(Path(place) / "corpus", minutes, config)
        prepare_s = time.perf_counter() - begin
        peak_mb, taken_s = memory_mb(ANONYMOUS), []
        pairs = iter(training_pairs(*crops, config.training.batch_size, 0, batches))
        for _ in range(batches):
            begin = time.perf_counter()
            next(pairs)
            taken_s.append(time.perf_counter() - begin)
            peak_mb = max(peak_mb, memory_mb(ANONYMOUS))
    # Batches are prefetched and come in bursts, so the mean is the time per batch.
    batch_ms = 1e3 * statistics.fmean(taken_s[batches // 10 :])
    return Cost(minutes, prepare_s, batch_ms, peak_mb - before_mb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the costs."""
    flags = sizes.parser("corpus", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--minutes", type=float, default=10.0, help="minutes of each speaker")
    flags.add_argument(
        "--batches", type=sizes.whole(), default=1000, help="number of batches to draw"
    )
    given = flags.parse_args(arguments)
    if not 0 < given.minutes < 10_000:
        flags.error(f"--minutes is {given.minutes}; expected more than 0 and less than 10000")
    print(json.dumps(asdict(measure(given.minutes, given.batches, sizes.to_config(given)))))


if __name__ == "__main__":
    main()

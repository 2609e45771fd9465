"""A made-up speaker: a feature store of so many minutes, written by the project's own writing.

    python -m benchmarks.harness.corpus --minutes=10

Prints one line of JSON: what it took to store the features and to take their statistics, what a
batch takes, and how much the process' memory grew on the way. Features are random; analysing
recordings, whose cost is a recording's own, is not part of it.
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
"""Length of each made-up recording."""

OWN = "RssAnon"
"""The system's name for memory of a process that is no file's."""


@dataclass(frozen=True)
class Cost:
    """What a corpus costs.

    Attributes:
        minutes: Of each speaker.
        prepare_s: Seconds to store the features of both speakers and take their statistics.
        batch_ms: Milliseconds a batch, the mean, drawn as fast as they come.
        growth_mb: By how much the process' own memory grew from before the storing to the last
            batch, in MB of 10^6 bytes. Pages of mapped files, which the system takes back when it
            needs them, are not counted.
    """

    minutes: float
    prepare_s: float
    batch_ms: float
    growth_mb: float


def write(folder: Path, minutes: float, config: RunConfig, seed: int) -> FeatureStore:
    """Writes a store of one speaker, in as many utterances as it takes.

    Args:
        folder: Of the store.
        minutes: Of all utterances together.
        config: For the frames' rate and their bins.
        seed: Of the features.
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
    """Crops of two made-up speakers, whose stores are written into a folder."""
    training = config.training

    def crops(speaker: int) -> Crops:
        store = write(folder / directions.SPEAKERS[speaker], minutes, config, speaker)
        about = speakers.compute_statistics(store, store.utterances, config.features)
        return Crops(store, store.utterances, about, training.crop_frames, training.seed, speaker)

    return crops(0), crops(1)


def measure(minutes: float, batches: int, config: RunConfig) -> Cost:
    """Prepares a corpus and draws batches from it."""
    with tempfile.TemporaryDirectory() as place:
        # What the first batches of all take is not the corpus'.
        small = crops_of_both(Path(place) / "small", 0.1, config)
        list(training_pairs(*small, config.training.batch_size, 0, 50))
        before_mb = memory_mb(OWN)
        begun = time.perf_counter()
        crops = crops_of_both(Path(place) / "corpus", minutes, config)
        prepare_s = time.perf_counter() - begun
        most_mb, taken_s = memory_mb(OWN), []
        pairs = iter(training_pairs(*crops, config.training.batch_size, 0, batches))
        for _ in range(batches):
            begun = time.perf_counter()
            next(pairs)
            taken_s.append(time.perf_counter() - begun)
            most_mb = max(most_mb, memory_mb(OWN))
    # Batches come in bursts, as many as are made ahead: their mean is what one takes.
    batch_ms = 1e3 * statistics.fmean(taken_s[batches // 10 :])
    return Cost(minutes, prepare_s, batch_ms, most_mb - before_mb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the costs."""
    flags = sizes.parser("corpus", __doc__)
    sizes.add(flags)
    flags.add_argument("--minutes", type=float, default=10.0, help="of each speaker")
    flags.add_argument("--batches", type=sizes.whole(), default=1000, help="to draw")
    given = flags.parse_args(arguments)
    if not 0 < given.minutes < 10_000:
        flags.error(f"--minutes is {given.minutes}; expected more than 0 and less than 10000")
    print(json.dumps(asdict(measure(given.minutes, given.batches, sizes.config_of(given)))))


if __name__ == "__main__":
    main()

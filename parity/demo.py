"""Features of the demo corpus, as batches for either framework."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data.dataset import Crops, training_pairs
from cyclegan_vc_tf.data.preparation import prepare
from cyclegan_vc_tf.data.speakers import Speaker

DEMO = Path(__file__).parents[1] / "data" / "demo"

Batch = tuple[np.ndarray, ...]
"""Features of A and of B, and their masks if the variant has any."""

PAIRINGS = ("independent", "same index", "cached")
"""Ways to pair crops. "independent" draws crops of both speakers independently at each visit. "same
index" takes both from recordings with one index. "cached" repeats the crops of the first epoch."""


@dataclass(frozen=True)
class Demo:
    """Analysed training and held-out recordings of both speakers of the demo corpus."""

    training: dict[str, Speaker]
    held_out: dict[str, Speaker]

    def batches(
        self,
        steps: int,
        batch_size: int = 1,
        crop_frames: int = 128,
        seed: int = 0,
        pairing: str = "independent",
    ) -> Iterator[Batch]:
        """Yield the batches of a training: pairs of (batch, frames, bins), normalized, float32."""
        crops = self.crops(crop_frames, seed, pairing)
        if pairing != "cached":
            yield from _arrays(training_pairs(crops[0], crops[1], batch_size, 0, steps))
            return
        epoch = len(crops[0].utterances) // batch_size
        kept = list(_arrays(training_pairs(crops[0], crops[1], batch_size, 0, epoch)))
        yield from (kept[step % epoch] for step in range(steps))

    def crops(self, crop_frames: int, seed: int, pairing: str) -> tuple[Crops, Crops]:
        """Return the crops of A and B."""
        a, b = (
            Crops(speaker.store, speaker.training, speaker.statistics, crop_frames, seed, number)
            for number, speaker in enumerate(self.training.values())
        )
        return (a, replace(b, speaker=0)) if pairing == "same index" else (a, b)

    def held_out_batch(self, crop_frames: int = 128) -> Batch:
        """Return one crop of each held-out recording, normalized with the training statistics."""
        crops = [
            Crops(speaker.store, speaker.training, trained.statistics, crop_frames, 0, number)
            for number, (speaker, trained) in enumerate(
                zip(self.held_out.values(), self.training.values(), strict=True)
            )
        ]
        count = min(len(part.utterances) for part in crops)
        return next(_arrays(training_pairs(crops[0], crops[1], count, 0, 1)))


def load() -> Demo:
    """Analyse the demo corpus, or read its stored features."""
    return Demo(_prepare_part("train"), _prepare_part("held_out"))


def _prepare_part(part: str) -> dict[str, Speaker]:
    corpus = CorpusConfig(
        source_dir=str(DEMO / part / "heart"),
        target_dir=str(DEMO / part / "michael"),
        held_out_fraction=0.0,
    )
    return prepare(corpus, FeatureConfig(f0_method="dio"))


def _arrays(pairs: tf.data.Dataset) -> Iterator[Batch]:
    return ((a.numpy(), b.numpy()) for a, b in pairs)

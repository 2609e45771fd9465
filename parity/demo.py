"""The demo corpus' real features, as batches for either framework."""

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
"""Features of A and of B, and their masks where there are some."""

PAIRINGS = ("independent", "same index", "cached")
"""Crops of both speakers drawn independently and anew at each visit; from the recordings of one
index in both lists; or the crops of the first epoch again and again."""


@dataclass(frozen=True)
class Demo:
    """Both voices of the demo corpus, analysed: what is trained on, and what is held out."""

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
        """What a training sees: pairs of (batch, frames, bins), normalised, float32."""
        crops = self.crops(crop_frames, seed, pairing)
        if pairing != "cached":
            yield from _arrays(training_pairs(crops[0], crops[1], batch_size, 0, steps))
            return
        epoch = len(crops[0].utterances) // batch_size
        kept = list(_arrays(training_pairs(crops[0], crops[1], batch_size, 0, epoch)))
        yield from (kept[step % epoch] for step in range(steps))

    def crops(self, crop_frames: int, seed: int, pairing: str) -> tuple[Crops, Crops]:
        """Where crops of A and B are taken."""
        a, b = (
            Crops(each.store, each.training, each.statistics, crop_frames, seed, number)
            for number, each in enumerate(self.training.values())
        )
        return (a, replace(b, speaker=0)) if pairing == "same index" else (a, b)

    def held_out_batch(self, crop_frames: int = 128) -> Batch:
        """One crop of each held-out recording of either speaker, in units of the training's."""
        crops = [
            Crops(each.store, each.training, trained.statistics, crop_frames, 0, number)
            for number, (each, trained) in enumerate(
                zip(self.held_out.values(), self.training.values(), strict=True)
            )
        ]
        count = min(len(each.utterances) for each in crops)
        return next(_arrays(training_pairs(crops[0], crops[1], count, 0, 1)))


def load() -> Demo:
    """Analyses the demo corpus, or finds it analysed."""
    return Demo(_speakers("train"), _speakers("held_out"))


def _speakers(part: str) -> dict[str, Speaker]:
    corpus = CorpusConfig(
        source_dir=str(DEMO / part / "heart"),
        target_dir=str(DEMO / part / "michael"),
        held_out_fraction=0.0,
    )
    return prepare(corpus, FeatureConfig(f0_method="dio"))


def _arrays(pairs: tf.data.Dataset) -> Iterator[Batch]:
    return ((a.numpy(), b.numpy()) for a, b in pairs)

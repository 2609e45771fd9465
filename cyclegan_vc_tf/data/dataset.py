"""Unpaired batches of crops: what a step sees is a function of the seed and the step alone."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.data.augmentation import Augmentation
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Utterance
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics


@dataclass(frozen=True)
class Crops:
    """Random crops of one speaker's training utterances.

    Visit number n sees utterance n % count of the shuffled order of epoch n // count, at a new
    random place. An utterance shorter than the crop is followed by copies of its last frame.

    Attributes:
        store: Where the frames are.
        utterances: Those to learn from.
        statistics: Theirs.
        crop_frames: Frames in a crop.
        seed: The run's seed.
        speaker: 0 for A and 1 for B, whose visits have nothing to do with each other.
        augmentation: What is done to a crop before it is learned from, if anything.
    """

    store: FeatureStore
    utterances: list[Utterance]
    statistics: Statistics
    crop_frames: int
    seed: int
    speaker: int
    augmentation: Augmentation | None = None

    def place(self, visit: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Which utterance a visit sees, and the first frame of the crop in it.

        Args:
            visit: An int64 scalar, counted from 0.

        Returns:
            Index into `utterances` and first frame, int64 scalars.
        """
        count = len(self.utterances)
        order, places = (self.seed, 2 * self.speaker), (self.seed, 2 * self.speaker + 1)
        order_seed = tf.random.experimental.stateless_fold_in(order, visit // count)
        shuffled = tf.random.experimental.index_shuffle(visit % count, order_seed, count - 1)
        frames = tf.constant([each.frames for each in self.utterances], tf.int64)[shuffled]
        room = tf.maximum(frames - self.crop_frames, 0)
        place_seed = tf.random.experimental.stateless_fold_in(places, visit)
        first = tf.random.stateless_uniform((), place_seed, 0, room + 1, tf.int64)
        return shuffled, first

    def read(self, index: int, first: int, visit: int = 0) -> np.ndarray:
        """One normalised crop, (crop_frames, bins) float32.

        Args:
            index: Into `utterances`.
            first: Its first frame.
            visit: Its number, which decides how it is augmented.
        """
        spectra = self.store.spectra_of(self.utterances[index])
        if self.augmentation is None:
            rows = spectra[first : first + self.crop_frames]
            return self._filled_up(normalization.normalize(rows, self.statistics))
        rng = np.random.default_rng((self.seed, self.speaker, int(visit)))
        rows = self.augmentation.cut(spectra, int(first), self.crop_frames, rng)
        crop = normalization.normalize(self.augmentation.vary(rows, rng), self.statistics)
        return self.augmentation.hide(self._filled_up(crop), rng).astype(np.float32)

    def _filled_up(self, crop: np.ndarray) -> np.ndarray:
        """With copies of its last frame behind it, where it is too short."""
        return np.pad(crop, ((0, self.crop_frames - len(crop)), (0, 0)), mode="edge")

    def short(self) -> int:
        """How many utterances are shorter than a crop."""
        return sum(each.frames < self.crop_frames for each in self.utterances)

    def visit(self, number: tf.Tensor) -> tf.Tensor:
        """The crop of one visit, (crop_frames, bins) float32, for use in a `tf.data` pipeline."""
        index, first = self.place(number)
        crop = tf.numpy_function(self.read, (index, first, number), tf.float32, stateful=False)
        return tf.ensure_shape(crop, (self.crop_frames, len(self.statistics.mean)))

    def mask(self, number: tf.Tensor, longest: int) -> tf.Tensor:
        """The mask of one visit, (crop_frames, 1) float32: zeros in one run of frames, else ones.

        The run is of 0 to `longest` frames, all as likely, and lies anywhere, all places as likely.

        Source: Kaneko et al., 2021, arXiv:2102.12841.
        """
        seed = tf.random.experimental.stateless_fold_in((self.seed, 4 + self.speaker), number)
        of_length, of_place = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        length = tf.random.stateless_uniform((), of_length, 0, longest + 1, tf.int64)
        room = self.crop_frames - length + 1
        first = tf.random.stateless_uniform((), of_place, 0, room, tf.int64)
        frame = tf.range(self.crop_frames, dtype=tf.int64)
        kept = (frame < first) | (frame >= first + length)
        return tf.cast(kept, tf.float32)[:, tf.newaxis]


def training_pairs(
    source: Crops,
    target: Crops,
    batch_size: int,
    first_step: int,
    last_step: int,
    longest_mask: int | None = None,
) -> tf.data.Dataset:
    """Batches for the steps from `first_step` to just before `last_step`.

    Args:
        source: Crops of A.
        target: Crops of B.
        batch_size: Of each in a step.
        first_step: Counted from 0.
        last_step: That which is no longer made.
        longest_mask: Most frames to fill in, where a model does that.

    Returns:
        Pairs of (batch, crop_frames, bins) float32, source and target drawn independently; with
        masks, four: both masks, (batch, crop_frames, 1) float32, behind them.
    """

    def pair(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        crops = source.visit(number), target.visit(number)
        if longest_mask is None:
            return crops
        return *crops, source.mask(number, longest_mask), target.mask(number, longest_mask)

    visits = tf.data.Dataset.range(first_step * batch_size, last_step * batch_size)
    pairs = visits.map(
        pair,
        num_parallel_calls=2,
        deterministic=True,
    )
    return pairs.batch(batch_size, drop_remainder=True).prefetch(8)

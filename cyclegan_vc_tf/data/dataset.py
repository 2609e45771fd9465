"""Unpaired batches of random crops; a step's batch depends on the seed and the step alone."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.data.augmentation import Augmentation
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Utterance
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics


@dataclass(frozen=True)
class Taught:
    """What a teacher makes of the recordings of a feature store.

    Attributes:
        spectra: Spectra after the teacher's conversion, (frames, bins) float32, rows as in the
            store.
        statistics: Statistics of the speaker that the teacher converts to.
    """

    spectra: np.ndarray
    statistics: Statistics


@dataclass(frozen=True)
class Crops:
    """Random crops of one speaker's training utterances.

    A visit is one draw of a crop. Visit n reads utterance n % count of the shuffled order of epoch
    n // count, at a new random place. Copies of the last frame extend an utterance shorter than the
    crop.

    Attributes:
        store: Feature store with the frames.
        utterances: Training utterances.
        statistics: Statistics of the training utterances.
        crop_frames: Frames per crop.
        seed: Seed of the run.
        speaker: 0 for A and 1 for B, which draw independently.
        augmentation: Changes applied to each crop, or None.
        taught: The teacher's conversions of the same frames, or None without a teacher.
    """

    store: FeatureStore
    utterances: list[Utterance]
    statistics: Statistics
    crop_frames: int
    seed: int
    speaker: int
    augmentation: Augmentation | None = None
    taught: Taught | None = None

    def place(self, visit: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw the utterance of a visit and the first frame of its crop.

        Args:
            visit: Number of the visit from 0, an int64 scalar.

        Returns:
            Index into `utterances` and first frame, int64 scalars.
        """
        count = len(self.utterances)
        order, places = (self.seed, 2 * self.speaker), (self.seed, 2 * self.speaker + 1)
        order_seed = tf.random.experimental.stateless_fold_in(order, visit // count)
        shuffled = tf.random.experimental.index_shuffle(visit % count, order_seed, count - 1)
        frames = tf.constant([utterance.frames for utterance in self.utterances], tf.int64)[
            shuffled
        ]
        last_first = tf.maximum(frames - self.crop_frames, 0)
        place_seed = tf.random.experimental.stateless_fold_in(places, visit)
        first = tf.random.stateless_uniform((), place_seed, 0, last_first + 1, tf.int64)
        return shuffled, first

    def read(self, index: int, first: int, visit: int = 0) -> np.ndarray:
        """Read one normalised crop, (crop_frames, bins) float32.

        Args:
            index: Index into `utterances`.
            first: First frame of the crop.
            visit: Number of the visit, which determines the augmentation.
        """
        spectra = self.store.spectra_of(self.utterances[index])
        if self.augmentation is None:
            rows = spectra[first : first + self.crop_frames]
            return self._extend(normalization.normalize(rows, self.statistics))
        rng = np.random.default_rng((self.seed, self.speaker, int(visit)))
        rows = self.augmentation.cut_crop(spectra, int(first), self.crop_frames, rng)
        crop = normalization.normalize(self.augmentation.perturb(rows, rng), self.statistics)
        return self.augmentation.mask_frames(self._extend(crop), rng).astype(np.float32)

    def read_taught(self, taught: Taught, index: int, first: int) -> np.ndarray:
        """Read the teacher's conversion of one crop, normalised, (crop_frames, bins) float32.

        Args:
            taught: Conversions of the store.
            index: Index into `utterances`.
            first: First frame of the crop.
        """
        utterance = self.utterances[index]
        begin = utterance.start + first
        end = min(begin + self.crop_frames, utterance.start + utterance.frames)
        rows = taught.spectra[begin:end]
        return self._extend(normalization.normalize(rows, taught.statistics))

    def _extend(self, crop: np.ndarray) -> np.ndarray:
        """Extend a crop that is too short with copies of its last frame."""
        return np.pad(crop, ((0, self.crop_frames - len(crop)), (0, 0)), mode="edge")

    def short(self) -> int:
        """Count the utterances that are shorter than a crop."""
        return sum(utterance.frames < self.crop_frames for utterance in self.utterances)

    def visit(self, number: tf.Tensor) -> tf.Tensor:
        """Return the crop of one visit, (crop_frames, bins) float32, in a `tf.data` pipeline."""
        index, first = self.place(number)
        crop = tf.numpy_function(self.read, (index, first, number), tf.float32, stateful=False)
        return tf.ensure_shape(crop, (self.crop_frames, len(self.statistics.mean)))

    def visit_taught(self, number: tf.Tensor, taught: Taught) -> tf.Tensor:
        """Return the teacher's conversion of the crop of one visit, (crop_frames, bins) float32."""
        read = partial(self.read_taught, taught)
        crop = tf.numpy_function(read, self.place(number), tf.float32, stateful=False)
        return tf.ensure_shape(crop, (self.crop_frames, len(self.statistics.mean)))

    def mask(self, number: tf.Tensor, longest: int) -> tf.Tensor:
        """Return the mask of one visit, (crop_frames, 1) float32: 0 in one run of frames, else 1.

        The run has 0 to `longest` frames, with equal probability, at a place of equal probability.

        Source: Kaneko et al., 2021, arXiv:2102.12841.
        """
        seed = tf.random.experimental.stateless_fold_in((self.seed, 4 + self.speaker), number)
        length_seed, place_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        length = tf.random.stateless_uniform((), length_seed, 0, longest + 1, tf.int64)
        places = self.crop_frames - length + 1
        first = tf.random.stateless_uniform((), place_seed, 0, places, tf.int64)
        frame = tf.range(self.crop_frames, dtype=tf.int64)
        is_kept = (frame < first) | (frame >= first + length)
        return tf.cast(is_kept, tf.float32)[:, tf.newaxis]


def training_pairs(
    source: Crops,
    target: Crops,
    batch_size: int,
    first_step: int,
    last_step: int,
    longest_mask: int | None = None,
    rows: range | None = None,
) -> tf.data.Dataset:
    """Make the dataset of batches for the steps from `first_step` to before `last_step`.

    Args:
        source: Crops of speaker A.
        target: Crops of speaker B.
        batch_size: Crops per speaker and step.
        first_step: First step, counted from 0.
        last_step: Step after the last.
        longest_mask: Largest number of masked frames; None for models without masks.
        rows: Rows of each batch to make, as one of several workers; by default all.

    Returns:
        Dataset of pairs (batch, crop_frames, bins) float32, source and target drawn independently.
        With masks, the masks of both follow, (batch, crop_frames, 1) float32. With a teacher, its
        conversions of both crops follow, (batch, crop_frames, bins) float32.
    """

    @tf.autograph.experimental.do_not_convert  # No control flow depends on a tensor.
    def make_example(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        sides = source, target
        example = [side.visit(number) for side in sides]
        if longest_mask is not None:
            example += [side.mask(number, longest_mask) for side in sides]
        example += [
            side.visit_taught(number, side.taught) for side in sides if side.taught is not None
        ]
        return tuple(example)

    visits = tf.data.Dataset.range(first_step * batch_size, last_step * batch_size)
    if rows is not None and len(rows) < batch_size:
        # Crops of other rows are not read.
        row = tf.constant(rows, tf.int64)
        visits = tf.data.Dataset.range(first_step, last_step).flat_map(
            lambda step: tf.data.Dataset.from_tensor_slices(step * batch_size + row)
        )
    examples = visits.map(
        make_example,
        num_parallel_calls=2,
        deterministic=True,
    )
    options = tf.data.Options()
    # No parameter is tuned here. The tuner's thread may sleep for a minute before an iterator can
    # end, and a training that is stopped would wait for it.
    options.autotune.enabled = False
    size = batch_size if rows is None else len(rows)
    return examples.batch(size, drop_remainder=True).prefetch(8).with_options(options)

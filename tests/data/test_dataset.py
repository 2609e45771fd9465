"""Tests of training pairs: crops of each step, counted and compared."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.data.dataset import Crops, Taught, training_pairs
from cyclegan_vc_tf.features.normalization import Statistics

UNIT = Statistics(np.zeros(2), np.ones(2), 5.0, 0.2)


def crops(lengths: list[int], speaker: int = 0, seed: int = 0, crop_frames: int = 4) -> Crops:
    """Make crops of utterances with frames that encode their utterance and frame number."""
    ends = np.cumsum(lengths)
    frames = [(number, frame) for number, length in enumerate(lengths) for frame in range(length)]
    array = np.array(frames, np.float32)
    utterances = [
        SimpleNamespace(start=end - length, frames=length)
        for end, length in zip(ends, lengths, strict=True)
    ]
    store = SimpleNamespace(spectra_of=lambda each: array[each.start : each.start + each.frames])
    return Crops(store, utterances, UNIT, crop_frames, seed, speaker)  # type: ignore[arg-type]


def places(one: Crops, visits: range) -> list[tuple[int, int]]:
    return [tuple(map(int, one.place(tf.constant(n, tf.int64)))) for n in visits]  # type: ignore[misc]


def test_every_utterance_once_an_epoch_in_another_order_each_time() -> None:
    one = crops([10] * 7)
    epochs = [[u for u, _ in places(one, range(7 * e, 7 * e + 7))] for e in range(5)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3


def test_a_new_random_place_at_each_visit() -> None:
    firsts = Counter(first for _, first in places(crops([9]), range(300)))
    # Six places (9 - 4 + 1), 50 visits each on average; five standard deviations are 32.
    assert sorted(firsts) == list(range(6))
    assert all(18 <= count <= 82 for count in firsts.values())


def test_the_places_of_one_epoch_have_nothing_to_do_with_each_other() -> None:
    firsts = {first for _, first in places(crops([104] * 60), range(60))}
    # 60 draws of 101 places: about 45 different ones.
    assert len(firsts) > 30


def test_crops_are_contiguous_frames_of_one_utterance() -> None:
    one = crops([9, 6, 4])
    for number in range(30):
        index, first = one.place(tf.constant(number, tf.int64))
        crop = one.visit(tf.constant(number, tf.int64)).numpy()
        np.testing.assert_array_equal(crop[:, 0], float(index))
        np.testing.assert_array_equal(crop[:, 1], float(first) + np.arange(4.0))


def test_short_utterances_are_used_and_padded_with_their_last_frame() -> None:
    one = crops([3, 1], crop_frames=4)
    visits = [one.visit(tf.constant(number, tf.int64)).numpy() for number in range(2)]
    seen = {int(crop[0, 0]): crop[:, 1].tolist() for crop in visits}
    assert seen == {0: [0, 1, 2, 2], 1: [0, 0, 0, 0]}
    assert one.short() == 2


def test_the_two_speakers_are_drawn_independently() -> None:
    a, b = crops([10] * 6, speaker=0), crops([10] * 6, speaker=1)
    places_a, places_b = places(a, range(120)), places(b, range(120))
    same = sum(x[0] == y[0] for x, y in zip(places_a, places_b, strict=True))
    # By chance one in six: 20 of 120; parallel drawing would make it 120.
    assert 5 <= same <= 40
    assert [first for _, first in places_a] != [first for _, first in places_b]


def test_the_larger_corpus_is_not_truncated_to_the_smaller() -> None:
    pairs = training_pairs(crops([10] * 3), crops([10] * 8, speaker=1), 1, 0, 8)
    seen = [(int(a[0, 0, 0]), int(b[0, 0, 0])) for a, b in pairs]
    assert sorted(b for _, b in seen) == list(range(8))
    assert {a for a, _ in seen} == {0, 1, 2}


def test_batches_follow_one_another_and_drop_nothing() -> None:
    pairs = list(training_pairs(crops([10] * 5), crops([10] * 5, speaker=1), 2, 0, 5))
    assert [a.shape for a, _ in pairs] == [(2, 4, 2)] * 5
    seen = Counter(int(value) for a, _ in pairs for value in a[:, 0, 0])
    assert seen == Counter({utterance: 2 for utterance in range(5)})


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_step_sees_the_same_wherever_the_count_begins(batch_size: int) -> None:
    def data(first: int, last: int) -> list[np.ndarray]:
        sides = crops([10] * 5), crops([7] * 4, speaker=1)
        return [np.stack(pair) for pair in training_pairs(*sides, batch_size, first, last)]

    np.testing.assert_array_equal(data(0, 20)[13:], data(13, 20))


def test_the_seed_decides() -> None:
    assert places(crops([20] * 9, seed=1), range(9)) == places(crops([20] * 9, seed=1), range(9))
    assert places(crops([20] * 9, seed=1), range(9)) != places(crops([20] * 9, seed=2), range(9))


def test_crops_are_normalised_with_their_speakers_statistics(tmp_path: Path) -> None:
    one = crops([4])
    statistics = Statistics(np.array([1.0, 2.0]), np.array([2.0, 0.5]), 5.0, 0.2)
    scaled = Crops(one.store, one.utterances, statistics, 4, 0, 0).visit(tf.constant(0, tf.int64))
    # (0 - 1) / 2, and (frame - 2) / 0.5.
    np.testing.assert_allclose(scaled, [[-0.5, -4], [-0.5, -2], [-0.5, 0], [-0.5, 2]])


def masks(count: int, longest: int, speaker: int = 0, crop_frames: int = 16) -> np.ndarray:
    one = crops([20], speaker, crop_frames=crop_frames)
    return np.stack([one.mask(tf.constant(n, tf.int64), longest)[:, 0] for n in range(count)])


def test_a_mask_hides_one_run_of_frames_of_any_length_at_any_place() -> None:
    found = masks(900, longest=8)
    assert set(np.unique(found)) == {0.0, 1.0}
    lengths = (found == 0).sum(axis=1)
    # Nine lengths, 100 each on average; five standard deviations are 47.
    counts = np.bincount(lengths, minlength=9)
    assert len(counts) == 9 and counts.min() >= 53 and counts.max() <= 147
    edges = np.abs(np.diff(np.pad(found, ((0, 0), (1, 1)), constant_values=1))).sum(axis=1)
    assert set(edges[lengths > 0]) == {2.0}, "one run"
    firsts = np.argmin(found[lengths == 8], axis=1)
    assert set(firsts) == set(range(9)), "from the first frames to the last"


def test_masks_differ_between_visits_and_speakers_and_are_the_seeds() -> None:
    a, again, b = masks(50, 8), masks(50, 8), masks(50, 8, speaker=1)
    np.testing.assert_array_equal(a, again)
    assert sum(np.array_equal(x, y) for x, y in zip(a, b, strict=True)) < 20
    assert len(np.unique(a, axis=0)) > 20


def test_no_frame_is_hidden_where_none_may_be() -> None:
    assert masks(20, longest=0).min() == 1


def test_masks_come_behind_both_crops_and_the_crops_stay_as_they_are() -> None:
    sides = crops([10] * 5), crops([7] * 4, speaker=1)
    plain = list(training_pairs(*sides, 2, 3, 6))
    masked = list(training_pairs(*sides, 2, 3, 6, longest_mask=2))
    assert [len(each) for each in masked] == [4] * 3
    for (a, b), (same_a, same_b, mask_a, mask_b) in zip(plain, masked, strict=True):
        np.testing.assert_array_equal(a, same_a)
        np.testing.assert_array_equal(b, same_b)
        assert mask_a.shape == mask_b.shape == (2, 4, 1)
    expected = sides[1].mask(tf.constant(7, tf.int64), 2)
    np.testing.assert_array_equal(masked[0][3][1], expected, err_msg="step 3, second of two")


def test_no_tuner_delays_the_end_of_an_iterator() -> None:
    """The tuner sleeps for up to a minute between two looks, and an iterator may wait for it."""
    pairs = training_pairs(crops([10] * 3), crops([10] * 3, speaker=1), 1, 0, 3)
    assert pairs.options().autotune.enabled is False


@pytest.mark.parametrize("longest_mask", [None, 3])
def test_workers_read_the_rows_of_the_batch_that_one_would_read(longest_mask: int | None) -> None:
    one, other = crops([9, 6, 4]), crops([8, 5], speaker=1)

    def read(rows: range | None) -> list[list[np.ndarray]]:
        pairs = training_pairs(one, other, 6, 2, 7, longest_mask, rows)
        return [[part.numpy() for part in parts] for parts in pairs]

    whole = read(None)
    shares = [read(range(first, first + 2)) for first in (0, 2, 4)]
    assert len(whole) == 5
    for step, parts in enumerate(whole):
        for number, part in enumerate(parts):
            np.testing.assert_array_equal(
                np.concatenate([share[step][number] for share in shares]), part
            )


def test_taught_crops_are_of_the_same_frames_with_the_other_speakers_statistics() -> None:
    other = Statistics(np.array([0.0, 3.0]), np.array([1.0, 2.0]), 5.0, 0.2)
    lengths = [12, 8]
    sides = []
    for speaker in range(2):
        one = crops(lengths, speaker, crop_frames=10)
        converted = 100 + np.concatenate([one.store.spectra_of(each) for each in one.utterances])
        sides.append(replace(one, taught=Taught(converted, other)))
    for a, b, mask_a, mask_b, taught_a, taught_b in training_pairs(*sides, 2, 0, 6, longest_mask=3):
        assert mask_a.shape == mask_b.shape == (2, 10, 1)
        for crop, taught in ((a, taught_a), (b, taught_b)):
            # Also where the last frame of the second utterance is repeated.
            np.testing.assert_allclose(taught[..., 0], 100 + crop[..., 0], rtol=1e-6)
            np.testing.assert_allclose(taught[..., 1], (97 + crop[..., 1]) / 2, rtol=1e-6)

"""Maps learned from nearest frames, against voices whose map is known, and against plain loops."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import run_here

from cyclegan_vc_tf import audio, family, features, normalization, pairing, run_folder
from cyclegan_vc_tf.config import RunConfig, TrainingConfig
from cyclegan_vc_tf.errors import InputError

BINS, TAPS = 6, 3
SOUNDS = 2.0 * np.random.default_rng(0).standard_normal((8, BINS))
MAP = np.linalg.qr(np.eye(BINS) + 0.25 * np.random.default_rng(1).standard_normal((BINS, BINS)))[0]
MAP = MAP * np.sign(np.diag(MAP))

THROUGH = np.zeros((TAPS, BINS, BINS))
THROUGH[TAPS // 2] = np.eye(BINS)


def utterances(seed: int, count: int = 12) -> list[np.ndarray]:
    """Sentences of eight sounds, each held and gone over from, with a little noise."""
    random = np.random.default_rng(seed)
    spoken = []
    for _ in range(count):
        held = SOUNDS[random.integers(0, len(SOUNDS), 20)].repeat(10, axis=0)
        smooth = np.array([np.convolve(track, np.ones(5) / 5, "same") for track in held.T]).T
        spoken.append(smooth + 0.1 * random.standard_normal(smooth.shape))
    frames = np.concatenate(spoken)
    return [(each - frames.mean(axis=0)) / frames.std(axis=0) for each in spoken]


DEVIATION = (np.concatenate(utterances(2)) @ MAP).std(axis=0)


def other_voice(seed: int) -> list[np.ndarray]:
    """Other sentences by the other voice, normalised."""
    return [each @ MAP / DEVIATION for each in utterances(seed)]


def distance(kernel: np.ndarray) -> float:
    """Root mean square of what a map misses of the known one, on sentences that it has not seen."""
    converted = [pairing.convolved(each, kernel)[:, 1:] for each in utterances(3)]
    missed = np.concatenate(converted) - np.concatenate(other_voice(3))[:, 1:]
    return float(np.sqrt(np.mean(np.square(missed))))


def test_the_map_between_two_voices_is_found_though_nothing_is_said_twice() -> None:
    source = utterances(1)
    target = other_voice(2)
    distances = [distance(pairing.refined(THROUGH, source, target, rounds)) for rounds in (0, 1, 4)]
    assert distances[0] > 0.4
    assert distances[1] < 0.15
    assert distances[2] < 0.9 * distances[1]


def test_the_level_stays_and_deviations_are_the_targets() -> None:
    source, target = utterances(1), other_voice(2)
    kernel = pairing.refined(THROUGH, source, target, 2)
    assert kernel.shape == THROUGH.shape
    assert np.array_equal(kernel[:, :, 0], THROUGH[:, :, 0])
    converted = np.concatenate([pairing.convolved(each, kernel) for each in source])
    assert converted[:, 1:].std(axis=0) == pytest.approx(1.0, abs=1e-9)


def test_no_round_is_no_change() -> None:
    assert pairing.refined(THROUGH, [], [], 0) is THROUGH


def test_a_round_is_what_plain_loops_make_of_it() -> None:
    """Every frame of both sides with its nearest, five frames compared; then least squares."""
    source, target = utterances(1, 2), other_voice(2)[:2]

    def at(utterance: np.ndarray, frame: int) -> np.ndarray:
        return utterance[min(max(frame, 0), len(utterance) - 1)]

    def around(utterance: np.ndarray, frame: int) -> np.ndarray:
        return np.concatenate([at(utterance, frame + i)[1:] for i in (-4, -2, 0, 2, 4)])

    places = [(each, frame) for each in source for frame in range(len(each))]
    there = [(each, frame) for each in target for frame in range(len(each))]
    ours = np.array([around(*place) for place in places])
    theirs = np.array([around(*place) for place in there])
    pairs = [(i, int(np.square(theirs - one).sum(axis=1).argmin())) for i, one in enumerate(ours)]
    pairs += [(int(np.square(ours - one).sum(axis=1).argmin()), i) for i, one in enumerate(theirs)]
    seen = np.array([np.concatenate([at(u, f + i) for i in (-1, 0, 1)]) for u, f in places])
    rows = np.array([seen[i] for i, _ in pairs])
    wanted = np.array([at(*there[j]) for _, j in pairs])
    # Ridge regression as least squares with rows of its own.
    ridge = np.sqrt(0.01 * len(rows)) * np.eye(rows.shape[1])
    matrix, *_ = np.linalg.lstsq(
        np.concatenate([rows, ridge]), np.concatenate([wanted, np.zeros((len(ridge), BINS))]),
        rcond=None,
    )  # fmt: skip
    expected = (matrix / (seen @ matrix).std(axis=0)).reshape(TAPS, BINS, BINS)
    kernel = pairing.refined(THROUGH, source, target, 1)
    assert kernel[:, :, 1:] == pytest.approx(expected[:, :, 1:], abs=1e-9)


def test_long_corpora_are_paired_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seventh of all frames: nearly the same map."""
    source, target = utterances(1), other_voice(2)
    monkeypatch.setattr(pairing, "MOST_FRAMES", 343)
    assert distance(pairing.refined(THROUGH, source, target, 4)) < 0.15


def test_a_training_begins_with_the_map_that_was_learned(corpus: Path, tmp_path: Path) -> None:
    """Each direction with its own: what it makes of its source moves as much as its target does."""
    starts = {}
    for rounds in (0, 2):
        done = run_here(
            "train.py", f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
            f"--features_dir={tmp_path / 'features'}", "--f0_method=dio", "--held_out_fraction=0",
            "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--steps=1",
            "--convert_every=0", "--frequency_warp", f"--pairing_rounds={rounds}",
            f"--run_dir={tmp_path / str(rounds)}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        run = run_folder.open_folder(tmp_path / str(rounds))
        for direction in ("A2B", "B2A"):
            generator, _ = run.load_generator(direction)
            starts[direction, rounds] = generator.get_layer("start").get_weights()[0]
    for direction, folder in (("A2B", "low"), ("B2A", "high")):
        plain, learned = starts[direction, 0], starts[direction, 2]
        np.testing.assert_array_equal(learned[:, :, 0], plain[:, :, 0])
        source = [
            normalization.apply(
                features.analyse(audio.read_at(path, 16_000)[0], run.config.features).spectra,
                run.statistics[direction[0]],
            )
            for path in sorted((corpus / folder).iterdir())
        ]
        converted = np.concatenate([pairing.convolved(each, learned) for each in source])
        assert converted[:, 1:].std(axis=0) == pytest.approx(1.0, abs=1e-3)
        assert np.abs(learned - plain).max() > 0.1


def test_without_a_stretch_there_is_nothing_to_learn_anew() -> None:
    config = RunConfig(training=TrainingConfig(pairing_rounds=2))
    with pytest.raises(InputError, match="--pairing_rounds is 2, and there is no stretch"):
        family.check(config)
    network = dataclasses.replace(config.network, frequency_warp=True)
    family.check(dataclasses.replace(config, network=network))

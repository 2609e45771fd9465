"""INCA against voices with a known map, and against plain loops."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import run_here

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.features import frontend, modulation, normalization
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import linear_start
from cyclegan_vc_tf.training.linear_start import SpeakerFrames

BINS, TAPS = 6, 3
SOUNDS = 2.0 * np.random.default_rng(0).standard_normal((8, BINS))
MAP = np.linalg.qr(np.eye(BINS) + 0.35 * np.random.default_rng(1).standard_normal((BINS, BINS)))[0]
MAP = MAP * np.sign(np.diag(MAP))

THROUGH = np.zeros((TAPS, BINS, BINS))
THROUGH[TAPS // 2] = np.eye(BINS)


def first_voice(seed: int, count: int = 12) -> SpeakerFrames:
    """Return sentences of eight held sounds with smooth transitions and noise; four are voiced."""
    random = np.random.default_rng(seed)
    utterances, voiced = [], []
    for _ in range(count):
        sounds = random.integers(0, len(SOUNDS), 20).repeat(10)
        smooth = [np.convolve(track, np.ones(5) / 5, "same") for track in SOUNDS[sounds].T]
        utterances.append(np.transpose(smooth) + 0.1 * random.standard_normal((200, BINS)))
        voiced.append(sounds < 4)
    frames = np.concatenate(utterances)
    return SpeakerFrames(
        [(spectra - frames.mean(axis=0)) / frames.std(axis=0) for spectra in utterances], voiced
    )


DEVIATION = (np.concatenate(first_voice(2).spectra) @ MAP).std(axis=0)


def second_voice(seed: int, count: int = 12) -> SpeakerFrames:
    """Return other sentences of the second voice, normalised."""
    side = first_voice(seed, count)
    return SpeakerFrames([spectra @ MAP / DEVIATION for spectra in side.spectra], side.voiced)


def distance(kernel: np.ndarray) -> float:
    """Return the root mean square distance of a map from the known one on new sentences."""
    converted = [
        linear_start.convolve_frames(spectra, kernel)[:, 1:] for spectra in first_voice(3).spectra
    ]
    missed = np.concatenate(converted) - np.concatenate(second_voice(3).spectra)[:, 1:]
    return float(np.sqrt(np.mean(np.square(missed))))


def test_the_map_between_two_voices_is_found_from_different_sentences() -> None:
    source, target = first_voice(1), second_voice(2)
    unknown = [np.zeros(200)] * 12
    blind = SpeakerFrames(source.spectra, unknown), SpeakerFrames(target.spectra, unknown)
    distances = [distance(linear_start.inca(THROUGH, *blind, rounds)) for rounds in (0, 1, 4)]
    assert distances[0] > 0.6
    assert distances[1] < 0.2
    assert distances[2] < 0.7 * distances[1]
    # With voicing, one iteration finds it.
    assert distance(linear_start.inca(THROUGH, source, target, 1)) < 0.7 * distances[1]


def test_the_level_stays_and_deviations_are_the_targets() -> None:
    source, target = first_voice(1), second_voice(2)
    kernel = linear_start.inca(THROUGH, source, target, 2)
    assert kernel.shape == THROUGH.shape
    assert np.array_equal(kernel[:, :, 0], THROUGH[:, :, 0])
    converted = np.concatenate(
        [linear_start.convolve_frames(spectra, kernel) for spectra in source.spectra]
    )
    assert converted[:, 1:].std(axis=0) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("way", ["slower", "faster"])
def test_modulation_spectra_match_the_target(way: str) -> None:
    """The first voice is unchanged; the second is smoothed by [1/4, 1/2, 1/4]."""
    fast, slow = first_voice(1), second_voice(2)
    for spectra in slow.spectra:
        spectra[1:-1] = 0.25 * spectra[:-2] + 0.5 * spectra[1:-1] + 0.25 * spectra[2:]
    deviation = np.concatenate(slow.spectra).std(axis=0)
    slow = SpeakerFrames([spectra / deviation for spectra in slow.spectra], slow.voiced)
    source, target = (fast, slow) if way == "slower" else (slow, fast)
    kernel = linear_start.inca(np.pad(THROUGH, ((1, 1), (0, 0), (0, 0))), source, target, 3)
    converted = [linear_start.convolve_frames(spectra, kernel) for spectra in source.spectra]
    # Up to half of the highest frequency; above it the smoothed voice has hardly any power.
    before, after, wanted = (
        np.log(modulation.modulation_spectrum(utterances)[16:65, 1:])
        for utterances in (source.spectra, converted, target.spectra)
    )
    assert np.abs((before - wanted).mean(axis=0)).min() > 0.4
    assert np.abs((after - wanted).mean(axis=0)).max() < 0.2


def test_no_iteration_is_no_change() -> None:
    assert linear_start.inca(THROUGH, SpeakerFrames([], []), SpeakerFrames([], []), 0) is THROUGH


@pytest.mark.parametrize("iterations", [1, 2])
def test_iterations_agree_with_plain_loops(iterations: int) -> None:
    """Pair every frame of both sides with its nearest, comparing five frames; then least squares.

    The filters are those that `test_modulation.py` tests, with a gain of at most 2.
    """
    source, target = first_voice(1, 2), second_voice(2, 2)
    weights, kernel = np.ones(BINS), THROUGH

    def at(utterance: np.ndarray, frame: int) -> np.ndarray:
        return utterance[min(max(frame, 0), len(utterance) - 1)]

    def nearest(one: np.ndarray, others: np.ndarray) -> int:
        return int(np.square(others - one).sum(axis=1).argmin())

    def around(spectra: list[np.ndarray], voiced: Sequence[np.ndarray]) -> np.ndarray:
        return np.array(
            [
                [
                    (*at(utterance, f + i) * weights, 2.0 * at(known, f + i))
                    for i in (-6, -3, 0, 3, 6)
                ]
                for utterance, known in zip(spectra, voiced, strict=True)
                for f in range(len(utterance))
            ]
        ).reshape(sum(map(len, spectra)), -1)

    def by(kernel: np.ndarray) -> np.ndarray:
        return np.array(
            [
                sum(at(utterance, f + i) @ kernel[1 + i] for i in (-1, 0, 1))
                for utterance in source.spectra
                for f in range(len(utterance))
            ]
        )

    for _ in range(iterations):
        seen = np.concatenate(source.spectra)
        ours = around(np.split(by(kernel), 2), source.voiced)
        theirs = around(list(target.spectra), target.voiced)
        pairs = [(i, nearest(one, theirs)) for i, one in enumerate(ours)]
        pairs += [(nearest(one, ours), i) for i, one in enumerate(theirs)]
        rows = np.array([seen[i] for i, _ in pairs])
        wanted = np.concatenate(target.spectra)[[j for _, j in pairs]]
        # Ridge regression as least squares with rows of its own.
        ridge = np.sqrt(0.01 * len(rows)) * np.eye(rows.shape[1])
        matrix, *_ = np.linalg.lstsq(
            np.concatenate([rows, ridge]), np.concatenate([wanted, np.zeros((len(ridge), BINS))]),
            rcond=None,
        )  # fmt: skip
        for k in range(1, BINS):
            weights[k] = np.corrcoef((rows @ matrix)[:, k], wanted[:, k])[0, 1]
        matrix /= (seen @ matrix).std(axis=0)
        moved = modulation.matching_filters(np.split(seen @ matrix, 2), target.spectra, TAPS, 2.0)
        kernel = np.array([[row * taps for row in matrix] for taps in moved])
        kernel /= by(kernel).std(axis=0)
        kernel[:, :, 0] = THROUGH[:, :, 0]
    assert linear_start.inca(THROUGH, source, target, iterations) == pytest.approx(kernel, abs=1e-8)


@pytest.mark.parametrize("voiced", [True, False])
def test_voicing_separates_sounds_that_are_otherwise_equal(voiced: bool) -> None:
    """Two sounds of the target, at ±0.5, are swapped in the source: only voicing separates them."""
    random = np.random.default_rng(0)
    which = [random.integers(0, 2, 20).repeat(20) for _ in range(4)]
    tracks = [np.stack([np.zeros(400), each - 0.5], axis=1) for each in which]
    known = [each == 1 if voiced else np.zeros(400) for each in which]
    kernel = linear_start.inca(
        np.eye(2)[np.newaxis], SpeakerFrames([-each for each in tracks[:2]], known[:2]),
        SpeakerFrames(tracks[2:], known[2:]), 2,
    )  # fmt: skip
    # What comes out has a deviation of 1.
    assert kernel[0, 1, 1] == pytest.approx(-2.0 if voiced else 2.0, abs=0.1)


def test_a_constant_coefficient_leaves_the_map_finite() -> None:
    source, target = first_voice(1), second_voice(2)
    for spectra in (*source.spectra, *target.spectra):
        spectra[:, 2] = 0.0
    kernel = linear_start.inca(THROUGH, source, target, 3)
    assert np.isfinite(kernel).all()
    assert not kernel[:, 2].any()


def test_long_corpora_are_paired_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A seventh of all frames gives nearly the same map."""
    source, target = first_voice(1), second_voice(2)
    monkeypatch.setattr(linear_start, "MAX_PAIRED_FRAMES", 343)
    assert distance(linear_start.inca(THROUGH, source, target, 4)) < 0.15


@pytest.mark.usefixtures("without_graph")
def test_a_training_begins_with_the_refined_map(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each direction has its own map, from features analysed independently of the training."""
    kernels, compared = {}, []
    refine = linear_start.inca

    def spy(
        kernel: np.ndarray, source: SpeakerFrames, target: SpeakerFrames, iterations: int
    ) -> np.ndarray:
        compared.append((source, target))
        return refine(kernel, source, target, iterations)

    monkeypatch.setattr(linear_start, "inca", spy)
    for rounds in (0, 2):
        done = run_here(
            "train.py", f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
            f"--features_dir={corpus / 'features'}", "--f0_method=dio", "--held_out_fraction=0",
            "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--steps=1",
            "--convert_every=0", "--vtln_init", f"--inca_iterations={rounds}",
            f"--run_dir={tmp_path / str(rounds)}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        run = run_folder.open_run(tmp_path / str(rounds))
        for direction in ("A2B", "B2A"):
            generator, _ = run.load_generator(direction)
            kernels[direction, rounds] = generator.get_layer("linear_skip").get_weights()[0]
    sides = {}
    for name, folder in (("A", "low"), ("B", "high")):
        utterances = [
            frontend.analyse(audio_files.read_resampled(path, 16_000)[0], run.config.features)
            for path in sorted((corpus / folder).iterdir())
        ]
        spectra = [
            normalization.normalize(utterance.spectra, run.statistics[name])
            for utterance in utterances
        ]
        sides[name] = SpeakerFrames(spectra, [utterance.f0_hz > 0 for utterance in utterances])
    for direction in ("A2B", "B2A"):
        plain, refined = kernels[direction, 0], kernels[direction, 2]
        np.testing.assert_array_equal(refined[:, :, 0], plain[:, :, 0])
        source, target = sides[direction[0]], sides[direction[2]]
        for given, side in zip(compared.pop(0), (source, target), strict=True):
            for ours, theirs in zip(given.voiced, side.voiced, strict=True):
                np.testing.assert_array_equal(ours, theirs)
        expected = refine(plain.astype(np.float64), source, target, 2)
        assert refined == pytest.approx(expected, abs=1e-3)
        converted = np.concatenate(
            [linear_start.convolve_frames(spectra, refined) for spectra in source.spectra]
        )
        assert converted[:, 1:].std(axis=0) == pytest.approx(1.0, abs=1e-3)
        assert np.abs(refined - plain).max() > 0.1


def test_inca_without_a_linear_skip_is_refused() -> None:
    config = RunConfig(training=TrainingConfig(inca_iterations=2))
    with pytest.raises(InputError, match="--inca_iterations is 2, and there is no linear skip"):
        registry.validate_config(config)
    network = dataclasses.replace(config.network, vtln_init=True)
    registry.validate_config(dataclasses.replace(config, network=network))

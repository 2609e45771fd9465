"""Adaptation of a conversion to a voice that the generator was not trained with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_command, voice

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import levels
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion.converter import Converter, adapt_to_files
from cyclegan_vc_tf.features import adaptation, frontend, vtln, world
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.system import pool

DIO = FeatureConfig(f0_method="dio")
DEMO = "pretrained:vc1-demo"


def statistics(seed: int, f0_hz: float) -> Statistics:
    rng = np.random.default_rng(seed)
    return Statistics(rng.normal(size=24), rng.uniform(0.5, 2.0, 24), float(np.log(f0_hz)), 0.2)


def spoken(frames: int, of: Statistics, seed: int) -> WorldFeatures:
    """Features with exactly these statistics; half of the frames are voiced."""

    def standard(*shape: int) -> np.ndarray:
        values = np.random.default_rng(seed).standard_normal(shape)
        return (values - values.mean(axis=0)) / values.std(axis=0)

    f0_hz = np.zeros(frames)
    f0_hz[::2] = np.exp(standard(len(f0_hz[::2])) * of.log_f0_std + of.log_f0_mean)
    spectra = standard(frames, 24) * of.std + of.mean
    return WorldFeatures(spectra.astype(np.float32), f0_hz, np.zeros((frames, 1)))


def test_the_training_speaker_s_averages_are_reached() -> None:
    """The 2 s of the training's average are a hundredth of 200 s."""
    speaker, stranger = statistics(0, 120.0), statistics(1, 230.0)
    features = spoken(40_000, stranger, seed=2)
    adapted = adaptation.estimate([features], speaker, DIO).apply(features)
    assert isinstance(adapted, WorldFeatures)
    np.testing.assert_allclose(adapted.spectra.mean(axis=0), speaker.mean, atol=0.1)
    log_f0 = np.log(adapted.f0_hz[::2])
    np.testing.assert_allclose([log_f0.mean(), log_f0.std()], [np.log(120.0), 0.2], rtol=1e-9)
    assert not adapted.f0_hz[1::2].any()


def test_an_average_of_two_seconds_is_moved_half_the_way() -> None:
    """400 frames are 2 s; F0 is equal, so nothing is stretched."""
    speaker, stranger = statistics(0, 120.0), statistics(1, 120.0)
    found = adaptation.estimate([spoken(400, stranger, seed=2)], speaker, DIO)
    np.testing.assert_array_equal(found.matrix, np.eye(24))
    np.testing.assert_allclose(found.offset, (speaker.mean - stranger.mean) / 2, atol=1e-6)


def test_formants_move_by_the_square_root_of_the_ratio_of_f0() -> None:
    """A peak at 2 kHz of a voice is at 3 kHz for a speaker whose F0 is 1.5² times as high.

    Factors end at 1.43, so this is tried with 1.5 times: a peak at 2.45 kHz.
    """
    speaker, stranger = statistics(0, 96.0), statistics(1, 64.0)
    found = adaptation.estimate([spoken(400, stranger, seed=2)], speaker, DIO)
    hz = np.linspace(0, 8000, 513)
    peak = np.exp(3 * np.exp(-(((hz - 2000) / 400) ** 2)))[np.newaxis]
    stretched = world.encode(peak, DIO) @ found.matrix + vtln.warp_constant(1.5**0.5, DIO)
    power = world.decode(stretched, DIO)[0]
    assert hz[np.argmax(power)] == pytest.approx(2000 * 1.5**0.5, rel=0.03)


def test_an_unvoiced_recording_keeps_the_training_s_f0() -> None:
    speaker = statistics(0, 120.0)
    features = spoken(400, statistics(1, 230.0), seed=2)
    features.f0_hz[:] = 0.0
    found = adaptation.estimate([features], speaker, DIO)
    assert found.voice.log_f0_mean == speaker.log_f0_mean
    np.testing.assert_array_equal(found.matrix, np.eye(24))


def test_averages_of_log_mel_spectra_are_moved() -> None:
    config = FeatureConfig(spectra="log_mel", mel_bins=24)
    rng = np.random.default_rng(3)
    speaker, stranger = (
        Statistics(rng.normal(-2, 0.5, 24), rng.uniform(0.5, 1.0, 24), 0.0, 0.0) for _ in "AB"
    )
    features = MelFeatures(spoken(40_000, stranger, seed=2).spectra)
    found = adaptation.estimate([features], speaker, config)
    np.testing.assert_array_equal(found.matrix, np.eye(24))
    adapted = found.apply(features)
    np.testing.assert_allclose(adapted.spectra.mean(axis=0), speaker.mean, atol=0.1)


def unchanged(speaker: Statistics) -> Converter:
    """A converter to the speaker itself, whose generator changes nothing."""
    return Converter(lambda spectra: spectra, speaker, speaker, DIO)


def test_the_output_has_the_level_of_the_recording() -> None:
    """Conversions follow a level without an adaptation too."""
    long = np.concatenate([voice(120.0, 1.0, seed=seed) for seed in range(8)])
    converter = unchanged(_measured(long))
    adapted = converter.adapted_to([long * 0.4])
    assert adapted.adaptation is not None and converter.adaptation is None
    assert abs(np.log2(adapted.adaptation.gain)) > 0.3
    ratio_db = levels.speech_level_dbfs(adapted.convert(long * 0.4), 16_000)
    ratio_db -= levels.speech_level_dbfs(converter.convert(long), 16_000)
    assert ratio_db == pytest.approx(20 * np.log10(0.4), abs=1.0)


def test_silence_and_files_that_cannot_be_read_adapt_nothing(tmp_path: Path) -> None:
    converter = unchanged(statistics(0, 120.0))
    assert converter.adapted_to([np.zeros(16_000, np.float32)]) is converter
    (tmp_path / "text.wav").write_text("no audio")
    assert adapt_to_files(converter, [tmp_path / "text.wav"]) is converter


def test_a_minute_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    converter = unchanged(statistics(0, 120.0))

    def analyse(wave: np.ndarray) -> WorldFeatures:
        heard.append(len(wave))
        return spoken(800, statistics(1, 90.0), 0)

    monkeypatch.setattr(converter, "analyse", analyse)
    wave = voice(120.0, 1.0, seed=0)
    converter.adapted_to([wave] * 50 + [np.tile(wave, 100)] + [wave] * 9)
    assert heard == [16_000] * 50 + [160_000]
    # A rest that is too short for an analysis ends it too.
    waves = iter([wave] * 59 + [wave[:-100]] + [wave] * 9)
    converter.adapted_to(waves)
    assert heard[51:] == [16_000] * 59 + [15_900] and len(list(waves)) == 8


def test_processes_are_told_of_the_adaptation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one and with two processes, files are those of a conversion in memory."""
    voices = vc.load(DEMO)
    waves = [voice(150.0, 1.0, seed=seed) for seed in range(2)]
    (tmp_path / "in").mkdir()
    for number, wave in enumerate(waves):
        soundfile.write(tmp_path / "in" / f"{number}.wav", wave, 16_000, subtype="FLOAT")
    converter = voices._prepare("A2B", "convert", 0.0)[0]
    wanted = converter.adapted_to(waves).convert(waves[1])
    assert np.abs(wanted - converter.convert(waves[1])).max() > 0.01
    monkeypatch.setattr("cyclegan_vc_tf.conversion.batch.MIN_PARALLEL_S", 0.0)
    for cores in (1, 2):
        monkeypatch.setattr(pool, "available_cores", lambda cores=cores: cores)
        result = voices.convert_folder(
            tmp_path / "in", tmp_path / str(cores), "A2B", adapt_source=True
        )
        assert not result.failed
        written, _ = soundfile.read(tmp_path / str(cores) / "1.wav")
        np.testing.assert_allclose(written, wanted, atol=1e-3)


def test_the_command_adapts(tmp_path: Path) -> None:
    source = REPOSITORY / "data/demo/held_out/michael/089.flac"
    for flag in ("", "--adapt_source"):
        done = run_command(
            "convert.py", f"--run_dir={DEMO}", f"--input={source}",
            f"--output={tmp_path}/out{flag}.wav", *([flag] if flag else []),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    plain, adapted = (
        soundfile.read(tmp_path / f"out{flag}.wav")[0] for flag in ("", "--adapt_source")
    )
    voices = vc.load(DEMO)
    samples, rate_hz = soundfile.read(source)
    wanted = voices.convert(samples, rate_hz, "A2B", adapt_source=True)
    np.testing.assert_allclose(adapted, wanted, atol=1e-3)
    assert np.abs(adapted - plain).max() > 0.05


def test_an_evaluation_adapts_conversions_alone(tmp_path: Path) -> None:
    """The man's sentence is given to the generator of the woman's voice; bounds stay."""
    for speaker in ("heart", "michael"):
        (tmp_path / speaker).mkdir()
        shutil.copy(REPOSITORY / f"data/demo/held_out/{speaker}/089.flac", tmp_path / speaker)
    plain, adapted = (
        vc.evaluate(
            DEMO, held_out_source_dir=tmp_path / "michael", held_out_target_dir=tmp_path / "heart",
            adapt_source=adapts, examples=0, output=tmp_path / str(adapts),
        ).scores["A2B"]
        for adapts in (False, True)
    )  # fmt: skip
    for system in ("source", "f0_only", "world_target"):
        assert plain[system].summary == adapted[system].summary
    assert plain["converted"].summary["mcd_db"] != adapted["converted"].summary["mcd_db"]


def _measured(wave: np.ndarray) -> Statistics:
    """Statistics of a recording."""
    f0_hz, spectra = frontend.analyse_for_training(wave, DIO)
    log_f0 = np.log(f0_hz[f0_hz > 0])
    return Statistics(
        spectra.mean(axis=0), spectra.std(axis=0), float(log_f0.mean()), float(log_f0.std())
    )

"""Tests of summaries of recordings with known length, level, F0 and clipped samples."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import run_command, run_here, write_voices

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import corpus_summary, preparation
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.system.errors import InputError

DIO = FeatureConfig(f0_method="dio")
RATE_HZ = 16_000


def pulses(f0_hz: float, seconds: float) -> np.ndarray:
    """Make harmonics of one F0, with power 1."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = sum(np.cos(2 * np.pi * n * f0_hz * time_s) for n in range(1, 20))
    return wave / np.std(wave)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with two voices at two levels, one clipped, and four unusable files."""
    place = tmp_path / "anna"
    place.mkdir()
    quiet = 10 ** (-40.5 / 20) * pulses(125.0, 2.0)
    soundfile.write(place / "quiet.wav", quiet, RATE_HZ, "FLOAT")
    loud = 0.1 * pulses(205.0, 4.0)
    loud[30_000:30_016] = 1.0
    loud[40_000] = 1.0
    soundfile.write(place / "loud.wav", loud, RATE_HZ, "FLOAT")
    for name in ("silent1", "silent2"):
        soundfile.write(place / f"{name}.wav", np.zeros(8000), RATE_HZ)
    soundfile.write(place / "nan.wav", np.full(8000, np.nan), RATE_HZ, "FLOAT")
    (place / "broken.wav").write_text("no audio")
    return place


@pytest.fixture
def settings(tmp_path: Path) -> CorpusConfig:
    return CorpusConfig(features_dir=str(tmp_path / "features"), workers=1)


def prepare(folder: Path, settings: CorpusConfig, config: FeatureConfig = DIO) -> FeatureStore:
    return preparation.prepare_store(folder, audio_files.find(folder), settings, config)


def filled(histogram: dict) -> list[tuple[float, float, int]]:
    """List the bins that are not empty: lower edge, upper edge, count."""
    edges, counts = histogram["edges"], histogram["counts"]
    assert len(edges) == len(counts) + 1
    return [(*edges[n : n + 2], count) for n, count in enumerate(counts) if count]


def test_the_numbers_fit_the_recordings(folder: Path, settings: CorpusConfig) -> None:
    store = prepare(folder, settings)
    summary = json.loads((store.folder / "summary.json").read_text())
    assert (summary["recordings"], summary["utterances"]) == (2, 2)
    assert summary["hours"] == pytest.approx(6 / 3600)
    length = summary["length_s"]
    assert [length[name] for name in ("mean", "median", "least", "most")] == [3.0, 3.0, 2.0, 4.0]
    assert [count for *_, count in filled(length)] == [1, 1]
    level = summary["level_dbfs"]
    # Power 0.01 with 17 samples of 1 among 64,000 of them.
    loud_dbfs = 10 * np.log10(0.01 + 17 / 64_000)
    assert (level["least"], level["most"]) == pytest.approx((-40.5, loud_dbfs), abs=0.02)
    assert filled(level) == [(-41.0, -40.0, 1), (-20.0, -19.0, 1)]
    f0 = summary["f0_hz"]
    assert (f0["edges"][0], f0["edges"][-1]) == (70.0, 800.0)
    counts = {begin: count for begin, _, count in filled(f0)}
    # 2 s and 4 s of frames of 5 ms, but for the ends.
    assert counts[120.0] == pytest.approx(401, abs=15)
    assert counts[200.0] == pytest.approx(801, abs=15)
    assert f0["mean"] == pytest.approx((125 * 205**2) ** (1 / 3), rel=0.02)
    assert f0["voiced_share"] == pytest.approx(1.0, abs=0.05)
    assert summary["clipping"] == {
        "share_of_samples": pytest.approx(16 / 96_000),
        "recordings": 1,
        "examples": ["loud.wav"],
    }
    assert summary["skipped"] == {
        "is silent": {"count": 2, "examples": ["silent1.wav", "silent2.wav"]},
        "cannot be read as audio": {"count": 1, "examples": ["broken.wav"]},
        "has NaN or infinite samples": {"count": 1, "examples": ["nan.wav"]},
    }
    assert (store.folder / "summary.png").read_bytes()[:4] == b"\x89PNG"


def test_the_table_lists_the_numbers(folder: Path, settings: CorpusConfig) -> None:
    summary = corpus_summary.read(prepare(folder, settings).folder)
    lines = [line.split(maxsplit=1) for line in corpus_summary.format_table(summary).splitlines()]
    assert ["hours", "0.00"] in lines
    assert ["length", "mean 3.0 s, median 3.0, 2.0 to 4.0"] in lines
    assert ["clipping", "0.017 % of samples clipped, in 1 recordings: loud.wav"] in lines
    assert ["skipped", "2 is silent: silent1.wav, silent2.wav"] in lines
    many = {**summary, "skipped": {"is silent": {"count": 9, "examples": ["a.wav", "b\n.wav"]}}}
    assert "9 is silent: a.wav, b .wav and 7 more" in corpus_summary.format_table(many)


def test_a_summary_follows_its_store(
    folder: Path, settings: CorpusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = prepare(folder, settings)
    first = corpus_summary.read(store.folder)
    (folder / "quiet.wav").unlink()
    second = corpus_summary.read(prepare(folder, settings).folder)
    assert (first["utterances"], second["utterances"]) == (2, 1)
    # What was lost is made again; what is there is left alone.
    for name in ("summary.json", "summary.png"):
        (store.folder / name).unlink()
        assert corpus_summary.read(prepare(folder, settings).folder) == second
        assert (store.folder / name).exists()
    (store.folder / "summary.json").write_text("[]")
    assert corpus_summary.read(prepare(folder, settings).folder) == second
    monkeypatch.setattr(corpus_summary, "summarize", None)
    prepare(folder, settings)


def test_a_picture_that_fails_leaves_no_summary(
    folder: Path, settings: CorpusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers are written last, so a missing picture is drawn again."""

    def fail(path: Path, summary: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    full = "features_dir .* cannot be written .No space left on device."
    with monkeypatch.context() as patch, pytest.raises(InputError, match=full):
        patch.setattr(corpus_summary, "draw", fail)
        prepare(folder, settings)
    assert not list(Path(settings.features_dir).glob("*/summary.*"))
    assert (prepare(folder, settings).folder / "summary.png").exists()


def test_nothing_to_use_and_log_mel_spectra_have_summaries_too(
    folder: Path, settings: CorpusConfig
) -> None:
    mel = prepare(folder, settings, FeatureConfig(spectra="log_mel"))
    summary = corpus_summary.read(mel.folder)
    assert summary["f0_hz"] is None and (mel.folder / "summary.png").exists()
    assert "not analysed" in corpus_summary.format_table(summary)
    for name in ("quiet.wav", "loud.wav"):
        (folder / name).unlink()
    nothing = corpus_summary.read(prepare(folder, settings).folder)
    assert nothing["utterances"] == 0
    assert "recordings  0" in corpus_summary.format_table(nothing)


def test_pieces_are_utterances_of_their_recording(tmp_path: Path, settings: CorpusConfig) -> None:
    wave = np.zeros(20 * RATE_HZ)
    for begin_s, gain in ((1, 0.1), (8, 0.05)):
        wave[begin_s * RATE_HZ : (begin_s + 5) * RATE_HZ] = gain * pulses(125.0, 5.0)
    (tmp_path / "anna").mkdir()
    soundfile.write(tmp_path / "anna" / "a.wav", wave, RATE_HZ)
    store = prepare(tmp_path / "anna", replace(settings, split_silence=True))
    summary = corpus_summary.read(store.folder)
    assert (summary["recordings"], summary["utterances"]) == (1, 2)
    # The silence between pieces is not counted: 5.32 s each, 16 windows of 20 ms around 5 s.
    assert summary["hours"] == pytest.approx(2 * 5.32 / 3600)
    levels_dbfs = [10 * np.log10(gain**2 * 5 / 5.32) for gain in (0.05, 0.1)]
    assert summary["level_dbfs"]["least"] == pytest.approx(levels_dbfs[0], abs=0.01)
    assert summary["level_dbfs"]["most"] == pytest.approx(levels_dbfs[1], abs=0.01)


def test_the_command_prints_the_table_and_where_the_picture_is(tmp_path: Path) -> None:
    for side, f0_hz in (("source", 110.0), ("target", 220.0)):
        write_voices(tmp_path / side, f0_hz, 3)
    done = run_here(
        "prepare", "--f0_method=dio", "--held_out_fraction=0", f"--source_dir={tmp_path}/source",
        f"--target_dir={tmp_path}/target", f"--features_dir={tmp_path}/features",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("  utterances  3\n") == 2
    pictures = [
        Path(line.removeprefix("  picture: "))
        for line in done.stdout.splitlines()
        if line.startswith("  picture: ")
    ]
    assert [path.parent.name.split("-")[0] for path in pictures] == ["source", "target"]
    assert all(path.is_file() for path in pictures)


def test_neither_the_command_nor_a_worker_imports_plotting_packages() -> None:
    code = (
        "import sys, cyclegan_vc_tf.cli.prepare, cyclegan_vc_tf.data.preparation\n"
        "print(sorted({'librosa', 'matplotlib', 'sklearn', 'tensorflow'} & {*sys.modules}))\n"
    )
    done = run_command("-c", code)
    assert done.stdout.strip() == "[]", done.stderr

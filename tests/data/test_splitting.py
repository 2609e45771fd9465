"""Tests of preparation with --split_silence: pieces in the store, whole files elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, voice, write_voices

from cyclegan_vc_tf.audio import audio_files, resampling
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import (
    analysis_worker,
    feature_store,
    preparation,
    speakers,
    utterances,
)
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Recording, Utterance
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system import files

DIO = FeatureConfig(f0_method="dio")
MEL = FeatureConfig(spectra="log_mel")
RATE_HZ = 16_000

SOUNDS_S = ((0.5, 3.0), (3.6, 6.6), (9.0, 11.2))
"""Voiced parts of a recording of 14 s, in seconds."""

CUTS_S = ((0.34, 3.16), (3.44, 6.76), (8.84, 11.36))
"""Expected pieces: half of 0.3 s of silence, eight moments of 20 ms, stays at both ends."""


def write_long(path: Path, f0_hz: float = 120.0, seed: int = 0, rate_hz: int = RATE_HZ) -> Path:
    """Make a recording with sounds at known times."""
    wave = 1e-5 * np.random.default_rng(seed).standard_normal(14 * rate_hz)
    for begin_s, end_s in SOUNDS_S:
        place = slice(round(begin_s * rate_hz), round(end_s * rate_hz))
        wave[place] += voice(f0_hz, end_s - begin_s, seed, rate_hz)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate_hz)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with two long recordings and a short one."""
    for number, name in enumerate(("a.wav", "c.flac")):
        write_long(tmp_path / "anna" / name, seed=number)
    soundfile.write(tmp_path / "anna" / "b.wav", voice(120.0, 1.0, seed=9), RATE_HZ)
    return tmp_path / "anna"


@pytest.fixture
def settings(tmp_path: Path) -> CorpusConfig:
    return CorpusConfig(features_dir=str(tmp_path / "features"), workers=1, split_silence=True)


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of files that are analysed in this process after this call."""
    names: list[str] = []

    def in_this_process(folder, pending, store_dir, config, corpus):  # type: ignore[no-untyped-def]
        for recording in pending:
            names.append(recording.name)
            analysis_worker.analyse_file(folder, store_dir, config, corpus, recording)

    monkeypatch.setattr(preparation, "_analyse_all", in_this_process)
    return names


def prepare(folder: Path, settings: CorpusConfig, config: FeatureConfig = DIO) -> FeatureStore:
    return preparation.prepare_store(folder, audio_files.find(folder), settings, config)


@pytest.mark.parametrize("config", [DIO, MEL], ids=["mel_cepstra", "log_mel"])
@pytest.mark.parametrize("block", [10_007, 2**21])
def test_pieces_are_what_their_part_of_the_file_is(
    folder: Path,
    settings: CorpusConfig,
    analysed: list[str],
    monkeypatch: pytest.MonkeyPatch,
    config: FeatureConfig,
    block: int,
) -> None:
    monkeypatch.setattr(audio_files, "BLOCK_SAMPLES", block)
    store = prepare(folder, settings, config)
    names = [f"{name}#000{number}" for name in ("a.wav", "c.flac") for number in range(3)]
    assert [each.name for each in store.utterances] == [*names[:3], "b.wav", *names[3:]]
    for utterance in store.utterances:
        samples, rate_hz = soundfile.read(folder / utterance.recording.name, dtype="float32")
        if utterance.piece is not None:
            begin_s, end_s = CUTS_S[utterance.piece]
            assert (utterance.begin_s, utterance.end_s) == pytest.approx((begin_s, end_s), abs=1e-6)
            samples = samples[round(begin_s * rate_hz) : round(end_s * rate_hz)]
        assert utterance.samples == len(samples)
        assert utterance.power == pytest.approx(samples.var(), rel=1e-4)
        expected = frontend.analyse_for_training(
            resampling.resample(samples, rate_hz, config.sample_rate_hz), config
        )
        np.testing.assert_array_equal(store.f0_hz_of(utterance), expected[0].astype(np.float32))
        np.testing.assert_array_equal(store.spectra_of(utterance), expected[1])


def test_the_cuts_are_there_to_be_read(folder: Path, settings: CorpusConfig) -> None:
    store = prepare(folder, settings)
    lines = (store.folder / "cuts.tsv").read_text().splitlines()
    assert lines[:4] == ["piece\tbegin_s\tend_s\tskipped"] + [
        f"a.wav#000{number}\t{begin_s:.3f}\t{end_s:.3f}\t"
        for number, (begin_s, end_s) in enumerate(CUTS_S)
    ]
    assert len(lines) == 7
    index = json.loads((store.folder / "index.json").read_text())
    assert [each["piece"] for each in index["utterances"]] == [0, 1, 2, None, 0, 1, 2]
    whole = prepare(folder, replace(settings, split_silence=False))
    assert not (whole.folder / "cuts.tsv").exists()


def test_a_changed_file_redoes_only_its_own_pieces(
    folder: Path, settings: CorpusConfig, analysed: list[str]
) -> None:
    before = prepare(folder, settings)
    kept = np.array(before.spectra_of(before.utterances[-1]))
    analysed.clear()
    wave, _ = soundfile.read(folder / "a.wav")
    soundfile.write(folder / "a.wav", wave[: round(11.3 * RATE_HZ)], RATE_HZ)
    (folder / "b.wav").unlink()
    after = prepare(folder, settings)
    assert analysed == ["a.wav"]
    names = [f"{name}#000{number}" for name in ("a.wav", "c.flac") for number in range(3)]
    assert [each.name for each in after.utterances] == names
    assert after.utterances[2].end_s == 11.3
    assert len(after.spectra) == sum(each.frames for each in after.utterances)
    np.testing.assert_array_equal(after.spectra_of(after.utterances[-1]), kept)
    assert len((after.folder / "cuts.tsv").read_text().splitlines()) == 7
    analysed.clear()
    prepare(folder, settings)
    assert analysed == []


def test_another_way_of_splitting_is_another_store(tmp_path: Path, settings: CorpusConfig) -> None:
    def of(corpus: CorpusConfig) -> Path:
        return feature_store.store_folder(tmp_path, tmp_path / "anna", DIO, corpus.splitting)

    ways = [
        settings,
        replace(settings, split_silence=False),
        replace(settings, silence_db=20.0),
        replace(settings, silence_s=0.5),
        replace(settings, shortest_piece_s=1.0),
        replace(settings, longest_piece_s=20.0),
    ]
    assert len({of(each) for each in ways}) == 6
    # Whatever else a corpus has makes no difference.
    assert of(replace(settings, held_out_fraction=0.5, workers=7)) == of(settings)
    plain = replace(settings, split_silence=False)
    assert of(replace(plain, silence_db=20.0)) == of(plain)
    assert of(plain) == feature_store.store_folder(tmp_path, tmp_path / "anna", DIO)


def test_a_piece_without_voice_is_skipped_alone(
    folder: Path, settings: CorpusConfig, analysed: list[str]
) -> None:
    wave, _ = soundfile.read(folder / "a.wav")
    place = slice(round(3.6 * RATE_HZ), round(6.6 * RATE_HZ))
    wave[place] = 0.05 * np.sin(2 * np.pi * 3000 * np.arange(3 * RATE_HZ) / RATE_HZ)
    soundfile.write(folder / "a.wav", wave, RATE_HZ)
    clicks = np.zeros(20 * RATE_HZ)
    clicks[3::40_000] = 0.5
    soundfile.write(folder / "clicks.wav", clicks, RATE_HZ)
    soundfile.write(folder / "silent.wav", np.zeros(20 * RATE_HZ), RATE_HZ)
    store = prepare(folder, settings)
    assert [(each.name, each.skipped) for each in store.skipped] == [
        ("a.wav#0001", "has no voiced frame"),
        ("clicks.wav", "has nothing but clicks between silences"),
        ("silent.wav", "is silent"),
    ]
    assert [each.name for each in store.utterances][:2] == ["a.wav#0000", "a.wav#0002"]
    assert (
        "a.wav#0001\t3.440\t6.760\thas no voiced frame" in (store.folder / "cuts.tsv").read_text()
    )
    analysed.clear()
    prepare(folder, settings)
    assert analysed == []


def test_whole_files_are_held_out(tmp_path: Path, settings: CorpusConfig) -> None:
    for side, f0_hz in (("source", 110.0), ("target", 220.0)):
        for number in range(4):
            write_long(tmp_path / side / f"{number}.wav", f0_hz, number)
    corpus = replace(
        settings,
        source_dir=str(tmp_path / "source"),
        target_dir=str(tmp_path / "target"),
        held_out_fraction=0.6,
    )
    prepared = preparation.prepare(corpus, DIO)
    kept = speakers.recordings_table(prepared)
    for name, speaker in prepared.items():
        files = {f"{number}.wav" for number in range(4)}
        assert speaker.held_out and set(speaker.held_out) < files
        training = {each.recording.name for each in speaker.training}
        assert training == files - set(speaker.held_out)
        assert len(speaker.training) == 3 * len(training)
        # What a run folder keeps are files that are there, each once.
        assert set(kept[name]["training"]) == training
        assert "nothing is held out" not in speaker.describe(DIO)


def test_one_file_is_not_held_out_and_a_held_out_folder_is(
    tmp_path: Path, settings: CorpusConfig
) -> None:
    write_long(tmp_path / "source" / "a.wav")
    write_long(tmp_path / "target" / "a.wav", 220.0)
    write_voices(tmp_path / "apart", 110.0, 2)
    corpus = replace(
        settings,
        source_dir=str(tmp_path / "source"),
        target_dir=str(tmp_path / "target"),
        held_out_fraction=0.9,
        held_out_source_dir=str(tmp_path / "apart"),
    )
    source, target = preparation.prepare(corpus, DIO).values()
    assert (source.held_out, len(source.training)) == (["00.wav", "01.wav"], 3)
    assert (target.held_out, len(target.training)) == ([], 3)
    assert "nothing is held out, because only whole files can be held out" in target.describe(DIO)
    assert "nothing is held out" not in source.describe(DIO)


def contents(store: Path) -> dict[str, bytes]:
    """Read every file of a store except the lock."""
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def test_what_a_preparation_killed_at_its_end_left_is_removed(
    folder: Path, settings: CorpusConfig
) -> None:
    """The index is there, the parts are not removed yet."""
    store = prepare(folder, settings).folder
    finished = contents(store)
    (store / "parts").mkdir(exist_ok=True)
    for name in ("parts/0123.npz", f"parts/.0123.npz{files.PARTIAL_SUFFIX}", "spectra-0.npy"):
        (store / name).write_bytes(b"left")
    (store / f".cuts.tsv{files.PARTIAL_SUFFIX}").write_bytes(b"left")
    prepare(folder, settings)
    assert contents(store) == finished


def test_a_part_depends_on_its_features_only(tmp_path: Path) -> None:
    """Written at other times, on other machines, it is the same file."""
    recording = Recording("a.wav", 1, 2)
    analysed = [(Utterance(recording, "", 0, 1), np.ones(1), np.ones((1, 2)))]
    with pytest.MonkeyPatch.context() as patch:
        for name, moment_s in (("a.npz", 1e9), ("b.npz", 2e9)):
            patch.setattr(time, "time", lambda moment_s=moment_s: moment_s)
            utterances.write_part(tmp_path / name, analysed)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_preparation_killed_at_any_moment_goes_on(
    tmp_path: Path, settings: CorpusConfig, analysed: list[str]
) -> None:
    """After repeated SIGKILL, finished work is not repeated and the store is equal."""
    folder = tmp_path / "anna"
    for number in range(6):
        write_long(folder / f"{number}.wav", seed=number)
    names = {path.name for path in folder.iterdir()}
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cyclegan_vc_tf.audio import audio_files\n"
        "from cyclegan_vc_tf.data import preparation\n"
        "from cyclegan_vc_tf.config.features import FeatureConfig\n"
        "from cyclegan_vc_tf.config.corpus import CorpusConfig\n"
        "if __name__ == '__main__':\n"
        "    corpus = CorpusConfig(features_dir=sys.argv[2], workers=2, split_silence=True)\n"
        "    folder = Path(sys.argv[1])\n"
        "    preparation.prepare_store(\n"
        "        folder, audio_files.find(folder), corpus, FeatureConfig(f0_method='dio'))\n"
    )
    (tmp_path / "prepare.py").write_text(code)
    killed = tmp_path / "killed"
    command = [sys.executable, str(tmp_path / "prepare.py"), str(folder), str(killed)]
    rng = np.random.default_rng(8)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    found: dict[Path, tuple[int, int]] = {}
    kills = 0
    for parts in (1, 2, 4, 6):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(killed.glob("*/parts/*.npz"))) < parts:
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.15))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
        # The workers end with their parent, in a moment; they may still finish a part.
        time.sleep(1.0)
        now = {
            path: (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in killed.glob("*/parts/*.npz")
        }
        if not list(killed.glob("*/index.json")):
            assert all(now[path] == before for path, before in found.items()), "done again"
        found = now
    assert kills >= 2
    done = len(names) if list(killed.glob("*/index.json")) else len(found)
    analysed.clear()
    resumed = prepare(folder, replace(settings, features_dir=str(killed)))
    assert len(analysed) == len(names) - done
    whole = prepare(folder, settings)
    assert len(whole.utterances) == 18
    assert contents(resumed.folder) == contents(whole.folder)
    assert set(contents(whole.folder)) == {
        "index.json", "cuts.tsv", "summary.json", "summary.png", f"spectra-{whole.key}.npy",
        f"f0_hz-{whole.key}.npy",
    }  # fmt: skip

"""Tests of preparation against direct analysis, and of the work repeated after changes."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import run_command, voice, write_voices

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import analysis_worker, feature_store, preparation, speakers
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

DIO = FeatureConfig(f0_method="dio")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return write_voices(tmp_path / "anna", 120.0, 4)


@pytest.fixture
def settings(tmp_path: Path) -> CorpusConfig:
    return CorpusConfig(features_dir=str(tmp_path / "features"), workers=2)


def prepare(folder: Path, settings: CorpusConfig, config: FeatureConfig = DIO) -> FeatureStore:
    return preparation.prepare_store(folder, audio_files.find(folder), settings, config)


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of recordings that are analysed in this process after this call."""
    names: list[str] = []

    def in_this_process(folder, pending, store_dir, config, corpus):  # type: ignore[no-untyped-def]
        for recording in pending:
            names.append(recording.name)
            analysis_worker.analyse_file(folder, store_dir, config, corpus, recording)

    monkeypatch.setattr(preparation, "_analyse_all", in_this_process)
    return names


def test_the_store_holds_what_analysis_finds(recordings: Path, settings: CorpusConfig) -> None:
    store = prepare(recordings, settings)
    assert [each.name for each in store.utterances] == ["00.wav", "01.wav", "02.wav", "03.wav"]
    assert len(store.spectra) == len(store.f0_hz) == sum(u.frames for u in store.utterances)
    for utterance in store.utterances:
        samples, _ = audio_files.read(recordings / utterance.name)
        f0_hz, mel_cepstra = frontend.analyse_for_training(samples, DIO)
        np.testing.assert_array_equal(store.spectra_of(utterance), mel_cepstra)
        np.testing.assert_array_equal(store.f0_hz_of(utterance), f0_hz.astype(np.float32))
    assert isinstance(store.spectra, np.memmap)
    assert list((store.folder / "parts").iterdir()) == []


def test_a_second_run_does_no_work(
    recordings: Path, settings: CorpusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(recordings, settings)
    before = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.*")}
    monkeypatch.setattr(preparation, "_analyse_all", None)
    monkeypatch.setattr(analysis_worker, "analyse_file", None)
    monkeypatch.setattr(feature_store, "pack", None)
    again = prepare(recordings, settings)
    assert [each.sha256 for each in again.utterances] == [each.sha256 for each in first.utterances]
    assert before == {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.*")}


def test_a_changed_or_added_file_redoes_only_itself(
    recordings: Path, settings: CorpusConfig, analysed: list[str]
) -> None:
    prepare(recordings, settings)
    analysed.clear()
    soundfile.write(recordings / "01.wav", voice(150.0, 0.5, seed=77), 16_000)
    soundfile.write(recordings / "sub.wav", voice(150.0, 0.4, seed=78), 16_000)
    store = prepare(recordings, settings)
    assert analysed == ["01.wav", "sub.wav"]
    analysed.clear()
    (recordings / "00.wav").unlink()
    store = prepare(recordings, settings)
    assert analysed == []
    assert [each.name for each in store.utterances] == ["01.wav", "02.wav", "03.wav", "sub.wav"]
    for utterance in store.utterances:
        samples, _ = audio_files.read(recordings / utterance.name)
        np.testing.assert_array_equal(
            store.spectra_of(utterance), frontend.analyse_for_training(samples, DIO)[1]
        )
    assert len(list(store.folder.glob("*.npy"))) == 2, "arrays of earlier indices are removed"


def test_a_changed_setting_is_another_store(tmp_path: Path) -> None:
    """A setting that the spectra do not depend on makes no other store."""
    world = {"frame_period_ms": 4.0, "mel_cepstra": 30, "f0_method": "harvest",
             "f0_floor_hz": 60.0, "f0_ceiling_hz": 500.0}  # fmt: skip
    mel = {"mel_bins": 40, "fft_samples": 512, "hop_samples": 128}
    assert {*world, *mel, "spectra", "sample_rate_hz"} == {
        field.name for field in dataclasses.fields(FeatureConfig)
    }

    def folders(config: FeatureConfig, changes: dict) -> list[Path]:
        return [
            feature_store.store_folder(
                tmp_path, tmp_path / "anna", dataclasses.replace(config, **{name: value})
            )
            for name, value in changes.items()
        ]

    log_mel = dataclasses.replace(DIO, spectra="log_mel")
    for config, own, others in ((DIO, world, mel), (log_mel, mel, world)):
        here = feature_store.store_folder(tmp_path, tmp_path / "anna", config)
        changed = folders(config, {**own, "sample_rate_hz": 8_000})
        assert len({here, *changed}) == 1 + len(changed)
        assert set(folders(config, others)) == {here}
    stores = [feature_store.store_folder(tmp_path, tmp_path / "anna", c) for c in (DIO, log_mel)]
    assert stores[0] != stores[1]


def test_work_that_was_done_before_a_kill_is_kept(
    recordings: Path, settings: CorpusConfig, analysed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = analysis_worker.analyse_file

    def killed_at_the_third(folder, store_dir, config, corpus, recording):  # type: ignore[no-untyped-def]
        if recording.name == "02.wav":
            raise KeyboardInterrupt
        done(folder, store_dir, config, corpus, recording)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(analysis_worker, "analyse_file", killed_at_the_third)
        prepare(recordings, settings)
    analysed.clear()
    # What changed in between is done again all the same.
    soundfile.write(recordings / "00.wav", voice(150.0, 0.5, seed=77), 16_000)
    store = prepare(recordings, settings)
    assert analysed == ["00.wav", "02.wav", "03.wav"]
    for utterance in store.utterances:
        samples, _ = audio_files.read(recordings / utterance.name)
        np.testing.assert_array_equal(
            store.spectra_of(utterance), frontend.analyse_for_training(samples, DIO)[1]
        )


@pytest.mark.parametrize("damage", ["index", "array", "both arrays gone"])
def test_a_damaged_store_is_made_again(
    recordings: Path, settings: CorpusConfig, analysed: list[str], damage: str
) -> None:
    store = prepare(recordings, settings)
    expected = np.array(store.spectra)
    if damage == "index":
        (store.folder / "index.json").write_text("{")
    for path in store.folder.glob("*.npy"):
        if damage == "array":
            path.write_bytes(path.read_bytes()[:200])
        elif damage == "both arrays gone":
            path.unlink()
    np.testing.assert_array_equal(prepare(recordings, settings).spectra, expected)


def test_what_cannot_be_used_is_named_with_its_reason(
    recordings: Path, settings: CorpusConfig, analysed: list[str]
) -> None:
    (recordings / "broken.wav").write_text("no audio")
    soundfile.write(recordings / "silent.wav", np.zeros(8000), 16_000)
    whistle = 0.1 * np.sin(2 * np.pi * 3000 * np.arange(8000) / 16_000)
    soundfile.write(recordings / "whistle.flac", whistle, 16_000)
    soundfile.write(recordings / "nan.wav", np.full(800, np.nan), 16_000, subtype="FLOAT")
    (recordings / "notes.txt").write_text("ignored")
    speaker = preparation.prepare(
        dataclasses.replace(
            settings,
            source_dir=str(recordings),
            target_dir=str(write_voices(recordings.parent / "ben", 200.0, 2)),
            held_out_fraction=0.0,
        ),
        DIO,
    )["A"]
    reasons = {each.name: each.skipped for each in speaker.store.skipped}
    assert set(reasons) == {"broken.wav", "silent.wav", "whistle.flac", "nan.wav"}
    assert "cannot be read as audio" in reasons["broken.wav"]
    assert reasons["silent.wav"] == "is silent"
    assert reasons["whistle.flac"] == "has no voiced frame"
    assert "has NaN" in reasons["nan.wav"]
    assert len(speaker.training) == 4
    assert "skipped silent.wav: is silent" in speaker.describe(DIO)
    # What was skipped is not tried again either.
    analysed.clear()
    prepare(recordings, settings)
    assert analysed == []


def test_what_could_not_be_opened_is_tried_again(
    recordings: Path, settings: CorpusConfig, analysed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = files.sha256

    def locked(path: Path) -> str:
        if path.name == "01.wav":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "sha256", locked)
        [skipped] = prepare(recordings, settings).skipped
    assert (skipped.name, skipped.skipped) == ("01.wav", "cannot be opened (Permission denied)")
    analysed.clear()
    assert len(prepare(recordings, settings).utterances) == 4
    assert analysed == ["01.wav"]


def corpus_of(tmp_path: Path, **changes: object) -> CorpusConfig:
    folders = {}
    for side, f0_hz in (("source", 110.0), ("target", 220.0)):
        folders[f"{side}_dir"] = str(write_voices(tmp_path / side, f0_hz, 3))
    settings = {"features_dir": str(tmp_path / "features"), "workers": 2}
    return CorpusConfig(**{**folders, **settings, **changes})  # type: ignore[arg-type]


def test_statistics_are_of_the_training_utterances_alone(tmp_path: Path) -> None:
    prepared = preparation.prepare(corpus_of(tmp_path, held_out_fraction=0.7), DIO)
    for speaker in prepared.values():
        assert speaker.held_out and speaker.training
        assert not set(speaker.held_out) & {each.name for each in speaker.training}
        f0_hz, mel_cepstra = [], []
        for each in speaker.training:
            analysis = frontend.analyse_for_training(
                audio_files.read(speaker.folder / each.name)[0], DIO
            )
            f0_hz.append(analysis[0])
            mel_cepstra.append(analysis[1])
        rows, voiced = np.concatenate(mel_cepstra), np.concatenate(f0_hz)
        log_f0 = np.log(voiced[voiced > 0])
        np.testing.assert_allclose(speaker.statistics.mean, rows.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(speaker.statistics.std, rows.std(axis=0), rtol=1e-5)
        assert speaker.statistics.log_f0_mean == pytest.approx(log_f0.mean(), rel=1e-6)
        assert speaker.statistics.log_f0_std == pytest.approx(log_f0.std(), rel=1e-4)


def test_held_out_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    held_out = write_voices(tmp_path / "apart", 110.0, 2)
    corpus = corpus_of(tmp_path, held_out_source_dir=str(held_out), held_out_fraction=0.9)
    source = preparation.prepare(corpus, DIO)["A"]
    assert (source.held_out_dir, source.held_out) == (held_out, ["00.wav", "01.wav"])
    assert len(source.training) == 3


def test_a_held_out_folder_within_the_speakers_is_not_trained_on(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    held_out = write_voices(Path(corpus.source_dir) / "test", 110.0, 2)
    (tmp_path / "link").symlink_to(held_out)
    for way in (held_out, tmp_path / "link", held_out / ".." / "test"):
        apart = dataclasses.replace(corpus, held_out_source_dir=str(way))
        source = preparation.prepare(apart, DIO)["A"]
        assert [each.name for each in source.training] == ["00.wav", "01.wav", "02.wav"]
        assert source.held_out == ["00.wav", "01.wav"]
    everything = dataclasses.replace(corpus, held_out_target_dir=corpus.target_dir)
    with pytest.raises(InputError, match="leaves nothing to train on"):
        preparation.prepare(everything, DIO)


def test_file_names_may_be_any_bytes(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    odd = os.fsdecode(b"caf\xe9 \xff.wav")
    (Path(corpus.source_dir) / "00.wav").rename(Path(corpus.source_dir) / odd)
    (Path(corpus.target_dir) / odd).write_text("no audio")
    done = run_command(
        "-m", "cyclegan_vc_tf", "prepare", "--f0_method=dio", "--held_out_fraction=0",
        f"--source_dir={corpus.source_dir}", f"--target_dir={corpus.target_dir}",
        f"--features_dir={corpus.features_dir}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "source: 3 training utterances" in done.stdout
    assert r"skipped caf\udce9 \udcff.wav: cannot be read as audio" in done.stdout


def test_the_split_is_stable() -> None:
    names = [f"{index:04}.wav" for index in range(2000)]
    training, held_out = speakers.split_held_out(names, 0.1)
    # A binomial of 2000 tries: 200, give or take five deviations of 13.4.
    assert 133 <= len(held_out) <= 267
    assert sorted(training + held_out) == names
    # Neither other files nor another ending move a sentence to the other side.
    assert set(speakers.split_held_out(names[::3], 0.1)[1]) == set(held_out) & set(names[::3])
    flac = speakers.split_held_out([name.replace(".wav", ".flac") for name in names], 0.1)[1]
    assert flac == [name.replace(".wav", ".flac") for name in held_out]
    # sha256("0000") begins with 9af15b33: 0.605 of the way, so held out above that alone.
    assert speakers.split_held_out(["0000.wav", names[1]], 0.60)[0][0] == "0000.wav"
    assert speakers.split_held_out(["0000.wav", *names], 0.61)[1][0] == "0000.wav"
    assert speakers.split_held_out(["a.wav"], 1.0) == (["a.wav"], [])


def test_a_speaker_with_nothing_usable_is_an_error(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path)
    for path in Path(corpus.source_dir).iterdir():
        soundfile.write(path, np.zeros(4000), 16_000)
    with pytest.raises(InputError, match=r"source has no usable recording \(00\.wav is silent"):
        preparation.prepare(corpus, DIO)


def test_folders_that_hold_no_audio_are_refused_before_any_work(
    tmp_path: Path, analysed: list[str]
) -> None:
    corpus = corpus_of(tmp_path)
    shutil.rmtree(corpus.target_dir)
    with pytest.raises(InputError, match=r"--target_dir .* does not exist"):
        preparation.prepare(corpus, DIO)
    Path(corpus.target_dir).mkdir()
    (Path(corpus.target_dir) / "readme.md").touch()
    with pytest.raises(InputError, match=r"--target_dir .* has no audio file \(1 others\)"):
        preparation.prepare(corpus, DIO)
    with pytest.raises(InputError, match="--target_dir is not given"):
        preparation.prepare(dataclasses.replace(corpus, target_dir=""), DIO)
    assert analysed == []


def test_a_log_mel_band_that_hardly_changes_has_a_least_deviation(tmp_path: Path) -> None:
    """At 22.05 kHz, the top bands of 16 kHz recordings are at the floor except at abrupt ends."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for number in range(8):
        wave = voice(120.0, 1.0, seed=number) * np.hanning(16_000)
        # The last one is cut off in the middle of a sound.
        soundfile.write(folder / f"{number}.wav", wave[: 8_000 if number == 7 else None], 16_000)
    config = FeatureConfig(spectra="log_mel", sample_rate_hz=22_050)
    corpus = CorpusConfig(
        source_dir=str(folder), target_dir=str(folder), features_dir=str(tmp_path / "features"),
        workers=1, held_out_fraction=0.0,
    )  # fmt: skip
    speaker = preparation.prepare(corpus, config)["A"]
    frames = np.array(speaker.store.spectra)
    assert 0 < frames[:, -3:].std(axis=0).max() < 0.2, "hardly anything is there"
    np.testing.assert_array_equal(speaker.statistics.std[-3:], 0.2)
    speech = frames[:, 5:40]
    np.testing.assert_allclose(speaker.statistics.std[5:40], speech.std(axis=0), rtol=1e-4)
    assert (speaker.statistics.log_f0_mean, speaker.statistics.log_f0_std) == (0, 0)
    assert "mean F0" not in speaker.describe(config)

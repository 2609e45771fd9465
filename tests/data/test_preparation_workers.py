"""Preparation, one of whose recordings kills every process that analyses it."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.utterances import Recording

ANALYSE = preparation.analyse_file


def die_or_analyse(
    folder: Path, store_dir: Path, config: FeatureConfig, corpus: CorpusConfig, recording: Recording
) -> None:
    """Analyse a recording; `01.wav` kills its process, `02.wav` the first one alone."""
    attempts = folder / f"{recording.name}.attempts"
    with attempts.open("a") as file:
        file.write(f"{os.getpid()}\n")
    count = len(attempts.read_text().split())
    if recording.name == "01.wav" or (recording.name == "02.wav" and count == 1):
        os._exit(9)
    ANALYSE(folder, store_dir, config, corpus, recording)


def test_a_recording_is_tried_twice_and_then_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "anna"
    folder.mkdir()
    for number in range(4):
        # A sawtooth has an F0.
        wave = 0.5 * (np.arange(8000) * (100 + number) / 16_000 % 1) - 0.25
        soundfile.write(folder / f"{number:02}.wav", wave, 16_000)
    monkeypatch.setattr(preparation, "analyse_file", die_or_analyse)
    corpus = CorpusConfig(features_dir=str(tmp_path / "features"), workers=2)
    config, names = FeatureConfig(f0_method="dio"), audio_files.find(folder)
    store = preparation.prepare_store(folder, names, corpus, config)
    assert [each.name for each in store.utterances] == ["00.wav", "02.wav", "03.wav"]
    [skipped] = store.skipped
    assert skipped.name == "01.wav" and "killed its worker" in skipped.skipped
    attempts = {path.stem: path.read_text().split() for path in folder.glob("*.attempts")}
    counts = {name: len(processes) for name, processes in attempts.items()}
    assert counts == {"00.wav": 1, "01.wav": 2, "02.wav": 2, "03.wav": 1}
    processes = [number for numbers in attempts.values() for number in numbers]
    for name in ("01.wav", "02.wav"):
        assert processes.count(attempts[name][1]) == 1, "a process of its own"
    # Without a hash, it is tried again the next time.
    monkeypatch.setattr(preparation, "analyse_file", ANALYSE)
    again = preparation.prepare_store(folder, names, corpus, config)
    assert [each.name for each in again.utterances] == names

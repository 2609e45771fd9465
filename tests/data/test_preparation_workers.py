"""Preparation whose worker processes die, or whose own process is stopped."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, voice, write_voices

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


def workers_of(features_dir: str) -> list[int]:
    """List processes started by multiprocessing with this folder in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        marked = f"MARK={features_dir}".encode() in environment
        if marked and b"multiprocessing" in command and state != "Z":
            found.append(int(folder.name))
    return found


def wait_until(condition, seconds: float = 600.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    folders = {
        "source_dir": write_voices(tmp_path / "source", 110.0, 3),
        "target_dir": write_voices(tmp_path / "target", 220.0, 3),
        "features_dir": tmp_path / "features",
    }
    corpus = CorpusConfig(**{name: str(folder) for name, folder in folders.items()}, workers=2)
    wave = voice(110.0, 2.0, seed=0)
    for index in range(20):
        soundfile.write(folders["source_dir"] / f"long{index}.wav", wave, 16_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "cyclegan_vc_tf", "prepare", "--workers=2"]
        + [f"--{name}={folder}" for name, folder in folders.items()],
        cwd=REPOSITORY,
        env={**os.environ, "MARK": corpus.features_dir},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: list(Path(corpus.features_dir).glob("*/parts/*.npz")))
    assert workers_of(corpus.features_dir)
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    wait_until(lambda: not workers_of(corpus.features_dir))
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "Traceback" not in errors
    assert len(list(Path(corpus.features_dir).glob("*/parts/*.npz"))) < 23
    # Twenty leave time for the signal; four of them are enough to go on with.
    for index in range(4, 20):
        (folders["source_dir"] / f"long{index}.wav").unlink()
    prepared = preparation.prepare(
        dataclasses.replace(corpus, held_out_fraction=0.0), FeatureConfig()
    )
    assert len(prepared["A"].training) == 7

"""Streams of voices that a run was not trained with, against scaled and plain streams."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import run_here, voice
from test_stream import push_in_chunks

import cyclegan_vc_tf as vc
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config import preset_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion import live_adaptation
from cyclegan_vc_tf.features import frontend, world
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming.stream import Stream

DEMO = "pretrained:vc1-demo"


@pytest.fixture(scope="module")
def run() -> RunFolder:
    return run_folder.open_run(api.find_run(DEMO))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    path = preset_files.demo_corpus_dir() / "held_out" / "heart" / "089.flac"
    return audio_files.read(path)[0][:32_000]


def unchanged(run: RunFolder) -> Adaptation:
    """The adaptation to the training's own voice."""
    speaker = run.statistics["A"]
    return Adaptation(np.eye(24), np.zeros(24), 1.0, speaker, speaker)


def convert(run: RunFolder, speech: np.ndarray, adaptation: Adaptation | None) -> np.ndarray:
    stream = Stream.for_run(run, Direction.A2B, adaptation=adaptation)
    return push_in_chunks(stream, speech, 3000)


def median_f0_hz(wave: np.ndarray) -> float:
    f0_hz, _ = world.f0(wave, FeatureConfig(f0_method="dio"))
    return float(np.median(f0_hz[f0_hz > 0]))


def test_the_training_s_own_voice_is_converted_as_it_was(
    run: RunFolder, speech: np.ndarray
) -> None:
    plain = convert(run, speech, None)
    np.testing.assert_allclose(convert(run, speech, unchanged(run)), plain, atol=1e-4)


def test_the_level_is_moved_before_the_generator_and_moved_back(
    run: RunFolder, speech: np.ndarray
) -> None:
    """Coefficient 0 of mel-cepstra is the mean of ln power: a gain g adds 2 ln g to it."""
    plain = convert(run, speech, None)
    gain = 8.0
    offset = np.zeros(24)
    offset[0] = 2 * np.log(gain)
    louder = replace(unchanged(run), offset=offset, gain=gain)
    found = convert(run, speech / np.float32(gain), louder)
    assert np.std(found) == pytest.approx(np.std(plain) / gain, rel=0.02)
    scaled = gain * found
    error = np.std(scaled - plain) / np.std(plain)
    assert error < 0.15
    # Without the adaptation, the generator gets speech that it does not know.
    quiet = gain * convert(run, speech / np.float32(gain), None)
    assert np.std(quiet - plain) / np.std(plain) > 2 * error


def test_f0_of_another_voice_ends_at_the_target_s(run: RunFolder, speech: np.ndarray) -> None:
    """A voice whose F0 is lower than the training's is converted higher by the same ratio."""
    same = unchanged(run)
    lower = replace(same.speaker, log_f0_mean=same.speaker.log_f0_mean - np.log(1.5))
    found, plain = (
        median_f0_hz(convert(run, speech, each)) for each in (replace(same, voice=lower), None)
    )
    # The map of ln F0 has the slope of the deviations.
    slope = run.statistics["B"].log_f0_std / same.speaker.log_f0_std
    assert found / plain == pytest.approx(1.5**slope, rel=0.04)


def test_silence_stays_silent(run: RunFolder) -> None:
    offset = np.zeros(24)
    offset[0] = 30.0
    louder = replace(unchanged(run), offset=offset)
    assert np.max(np.abs(convert(run, np.zeros(8000, np.float32), louder))) < 1e-4


def write(path: Path, wave: np.ndarray, rate_hz: int = 16_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate_hz)
    return path


def test_a_folder_counts_as_one_voice_of_a_minute(run: RunFolder, tmp_path: Path) -> None:
    """Its map is that of the first 60 s of its recordings, in the order of their names."""
    waves = [voice(f0_hz, 25.0, seed=seed) for seed, f0_hz in enumerate((150.0, 170.0, 250.0))]
    for name, wave in zip(("a", "b/c", "d"), waves, strict=True):
        write(tmp_path / "voice" / f"{name}.wav", wave)
    write(tmp_path / "voice" / "b" / "a.wav", np.zeros(16_000))
    found = live_adaptation.estimate(run, Direction.A2B, tmp_path / "voice")
    config = run.config.features
    # Files have 16 bits.
    rounded = [np.round(32768 * wave).astype(np.float32) / 32768 for wave in waves]
    pieces = [rounded[0], rounded[1], rounded[2][: 10 * 16_000]]
    analysed = [frontend.analyse(piece, config) for piece in pieces]
    frames = np.concatenate([each.spectra for each in analysed])
    assert isinstance(found.voice, Statistics)
    np.testing.assert_allclose(found.voice.mean, frames.mean(axis=0), atol=0.02)


def test_the_command_adapts(speech: np.ndarray, tmp_path: Path) -> None:
    """A woman speaks to the generator of a man's voice that makes a woman's.

    Two seconds are less than the first conversion listens to.
    """
    me = write(tmp_path / "me.wav", speech)
    medians = []
    warning = "too little speech was heard to adapt to its voice"
    for name, flags in (("plain", ["--adapt_after_s=9"]), ("adapted", [f"--adapt_to={me}"])):
        done = run_here(
            "live", f"--run_dir={DEMO}", "--direction=B2A", f"--input={me}",
            f"--output={tmp_path / name}.wav", *flags,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (warning in done.stdout + done.stderr) == (name == "plain")
        medians.append(median_f0_hz(soundfile.read(tmp_path / f"{name}.wav", dtype="float32")[0]))
    samples, rate_hz = soundfile.read(me, dtype="float32")
    with vc.load(DEMO).stream("B2A", rate_hz, adapt_to=me) as stream:
        whole = np.concatenate([stream.push(samples), stream.flush()])
    written = soundfile.read(tmp_path / "adapted.wav", dtype="float32")[0]
    np.testing.assert_allclose(whole[-len(written) :], written, atol=1e-3)
    target_hz = np.exp(run_folder.open_run(api.find_run(DEMO)).statistics["A"].log_f0_mean)
    errors = np.abs(np.log(np.array(medians) / target_hz))
    assert errors[1] < 0.2 < errors[0]


@pytest.mark.parametrize(
    ("wave", "expected"),
    [
        (None, "nobody.wav does not exist"),
        (np.zeros(16_000), "is silent or too short"),
        (np.ones(100) * 0.1, "is silent or too short"),
    ],
)
def test_an_unusable_voice_is_refused_in_a_line(
    tmp_path: Path, wave: np.ndarray | None, expected: str
) -> None:
    path = tmp_path / "nobody.wav"
    if wave is not None:
        write(path, wave)
    speech = write(tmp_path / "in.wav", voice(120.0, 0.5, seed=0))
    done = run_here(
        "live", f"--run_dir={DEMO}", f"--adapt_to={path}", f"--input={speech}",
        f"--output={tmp_path / 'out.wav'}",
    )  # fmt: skip
    assert done.returncode == 2 and expected in done.stderr
    assert done.stderr.count("\n") == 1 and "--adapt_to" in done.stderr
    assert not (tmp_path / "out.wav").exists()
    with pytest.raises(vc.InputError, match=expected):
        vc.load(DEMO).stream("A2B", adapt_to=path)

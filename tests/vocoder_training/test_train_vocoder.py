"""The command from a small made-up corpus to converted speech, with a stop in between."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, other_events, run_here, scalars, variables

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import neural, selection

SMALL = (
    "--channels=8", "--blocks=1", "--pitch_channels=6", "--pitch_blocks=1",
    "--discriminator_channels=2", "--discriminator_ffts=256,128", "--batch_size=2",
    "--crop_frames=16", "--adversarial_start=3", "--log_every=1", "--checkpoint_every=2",
    "--sample_every=4", "--sample_recordings=1", "--held_out_fraction=0.4", "--decay_start=2",
    "--decay_steps=20", "--synthesis_fft_samples=256",
)  # fmt: skip


def arguments(corpus: Path, run_dir: Path, *more: str) -> tuple[str, ...]:
    folders = f"--audio_dir={corpus}/low,{corpus}/high"
    return (folders, f"--run_dir={run_dir}", *SMALL, *more)


def finished(*given: str) -> str:
    """Train in this process; return what was printed."""
    done = run_here("train_vocoder", *given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*given: str) -> str:
    """Train in this process; return the line of the error."""
    done = run_here("train_vocoder", *given)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()[-1:]
    return line


@pytest.fixture(scope="module")
def unbroken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of six steps."""
    run_dir = tmp_path_factory.mktemp("runs") / "vocoder"
    output = finished(*arguments(corpus, run_dir, "--steps=6"))
    assert "held-out recordings: log_mel_db" in output
    return run_dir


def test_a_resumed_training_equals_an_unbroken_one(
    corpus: Path, unbroken: Path, tmp_path: Path
) -> None:
    """SIGTERM ends a training after a step; the next call continues it."""
    run_dir = tmp_path / "stopped"
    module = ("-m", "cyclegan_vc_tf", "train_vocoder")
    command = [sys.executable, *module, *arguments(corpus, run_dir, "--steps=100000")]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        while not list(run_dir.glob("checkpoints/ckpt-2.index")) and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0 and "saved; the same command goes on from there" in output
    done = max(neural.load(run_dir).step, 3)
    finished(*arguments(corpus, run_dir, f"--steps={done + 2}"))
    whole = tmp_path / "whole"
    finished(*arguments(corpus, whole, f"--steps={done + 2}"))
    ours, theirs = (variables(each, done + 2) for each in (run_dir, whole))
    assert ours.keys() == theirs.keys() and len(ours) > 50
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert scalars(run_dir, "loss/") == scalars(whole, "loss/")


def test_tensorboard_has_losses_and_sounds(unbroken: Path) -> None:
    found = scalars(unbroken)
    losses = {"stft", "mel", "pitch", "vocoder"}
    assert {name for name, step in found if step == 3 and name.startswith("loss/")} == {
        f"loss/{name}" for name in losses
    }
    adversarial = {"adversarial", "feature_matching", "discriminator_256", "discriminator_128"}
    assert {name for name, step in found if step == 4 and name.startswith("loss/")} == {
        f"loss/{name}" for name in losses | adversarial
    }
    sounds = {name: steps for name, steps in other_events(unbroken).items() if "audio" in name}
    assert sounds and all(steps == {4, 6} for steps in sounds.values())


def test_the_vocoder_of_a_run_synthesizes_and_other_features_are_refused(
    corpus: Path, unbroken: Path
) -> None:
    wave, _ = soundfile.read(corpus / "high" / "00.wav", dtype="float32")
    config, choice = FeatureConfig(spectra="log_mel"), VocoderConfig(vocoder=str(unbroken))
    vocode = selection.make_vocoder(config, choice)
    made = vocode(frontend.analyse(wave, config), len(wave))
    assert made.shape == wave.shape and np.isfinite(made).all() and made.std() > 1e-4
    other = FeatureConfig(spectra="log_mel", hop_samples=128)
    with pytest.raises(InputError, match="hop_samples is 256 there and 128 in this run"):
        selection.make_vocoder(other, choice)
    with pytest.raises(InputError, match="spectra is log_mel there and mel_cepstra in this run"):
        selection.make_vocoder(FeatureConfig(), choice)
    with pytest.raises(InputError, match="is not the folder of a vocoder"):
        selection.make_vocoder(config, VocoderConfig(vocoder=str(corpus)))
    with pytest.raises(InputError, match="is not a vocoder of this package"):
        selection.make_vocoder(config, VocoderConfig(vocoder="pretrained:nothing"))


def test_world_features_have_a_vocoder_too(corpus: Path, tmp_path: Path) -> None:
    features = ("--spectra=mel_cepstra", "--f0_method=dio", "--synthesis_frames=1")
    finished(*arguments(corpus, tmp_path / "run", "--steps=1", *features))
    config = FeatureConfig(f0_method="dio")
    wave, _ = soundfile.read(corpus / "low" / "00.wav", dtype="float32")
    vocode = selection.make_vocoder(config, VocoderConfig(vocoder=str(tmp_path / "run")))
    assert vocode(frontend.analyse(wave, config), len(wave)).shape == wave.shape


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--audio_dir=nowhere",), "--audio_dir .*nowhere does not exist"),
        (("--audio_dir=",), "--audio_dir is not given"),
        (("--held_out_dir={corpus}/low,{corpus}/high",), "leaves nothing to train on"),
        (("--synthesis_frames=3",), "expected a divisor of the 256 samples"),
        (("--synthesis_fft_samples=100",), "expected an even number of at least 256"),
        (("--hop_samples=600",), "--hop_samples is 600"),
    ],
)
def test_wrong_settings_are_refused_in_a_line(
    corpus: Path, tmp_path: Path, flags: tuple[str, ...], text: str
) -> None:
    given = [flag.format(corpus=corpus) for flag in flags]
    assert re.search(text, refused(*arguments(corpus, tmp_path / "run", *given)))
    assert not (tmp_path / "run").exists()


def test_changed_settings_and_recordings_are_refused(corpus: Path, unbroken: Path) -> None:
    def line(*more: str) -> str:
        return refused(*arguments(corpus, unbroken, *more))

    assert "--crop_frames was 16 and is 20" in line("--steps=8", "--crop_frames=20")
    assert "the run has done 6" in line("--steps=2")
    changed = line("--steps=8", f"--audio_dir={corpus}/low")
    assert "other recordings than the run began with" in changed


def test_another_run_is_not_resumed(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "not one of train_vocoder" in refused(*arguments(corpus, tmp_path))

"""An imported TensorFlow 1 run converts and trains as its own graph does, without torch."""

import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.runs import run_folder
from parity.companion.public_tf1 import LeimaoModel

with warnings.catch_warnings():
    # It still reads its version with pkg_resources.
    warnings.simplefilter("ignore")
    import pyworld

DEMO = Path(__file__).parents[2] / "data/demo"

Python = Callable[..., subprocess.CompletedProcess]


def finished(done: subprocess.CompletedProcess) -> str:
    """Return what a command printed, after its success."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def _mel_cepstra(wave: np.ndarray, rate_hz: int) -> np.ndarray:
    """Code a wave as the TensorFlow 1 project does, (24, frames)."""
    double = wave.astype(np.float64)
    f0_hz, time_s = pyworld.dio(double, rate_hz, f0_floor=71.0, f0_ceil=800.0)
    f0_hz = pyworld.stonemask(double, f0_hz, time_s, rate_hz)
    envelope = pyworld.cheaptrick(double, f0_hz, time_s, rate_hz)
    return pyworld.code_spectral_envelope(envelope, rate_hz, 24).T


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Path]:
    """Folders with three short recordings of both demo speakers."""
    folders = {}
    for name in ("heart", "michael"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for recording in sorted((DEMO / "train" / name).iterdir())[:3]:
            samples, rate_hz = audio_files.read(recording)
            soundfile.write(folders[name] / f"{recording.stem}.wav", samples[:16_000], rate_hz)
    return folders


def test_a_tensorflow_1_run_converts_and_trains_without_torch(
    tmp_path: Path, recordings: dict[str, Path], python_without_torch: Python
) -> None:
    """The number of frames is a multiple of 4, so that nothing is padded."""
    public, run_dir, rate_hz = LeimaoModel(channels=2, residual_blocks=1), tmp_path / "run", 16_000
    public.save(f"{tmp_path}/sf1_tm1.ckpt")
    samples, _ = audio_files.read(sorted((DEMO / "held_out" / "heart").iterdir())[0])
    wave = samples[8000 : 8000 + 80 * 199]
    rng = np.random.default_rng(7)
    moments: dict[str, Any] = {f"mean_{each}": rng.normal(-5, 2, (24, 1)) for each in "AB"}
    moments |= {f"std_{each}": rng.uniform(0.5, 2, (24, 1)) for each in "AB"}
    # Of the recording, so that its level is that of the statistics.
    moments["mean_A"] = _mel_cepstra(wave, rate_hz).mean(axis=1, keepdims=True)
    log_f0: dict[str, Any] = {"mean_A": 5.2, "std_A": 0.2, "mean_B": 4.7, "std_B": 0.15}
    np.savez(tmp_path / "mcep_normalization.npz", **moments)
    np.savez(tmp_path / "logf0s_normalization.npz", **log_f0)
    statistics = [f"{tmp_path}/{each}_normalization.npz" for each in ("mcep", "logf0s")]
    printed = finished(
        python_without_torch(
            "-m", "cyclegan_vc_tf", "import", f"--checkpoint={tmp_path}/sf1_tm1.ckpt.index",
            f"--run_dir={run_dir}", f"--statistics={','.join(statistics)}", "--f0_method=dio",
            "--crop_frames=16", "--steps=2", "--log_every=1", "--workers=1",
            "--generator_learning_rate=0", "--discriminator_learning_rate=0",
        )
    )  # fmt: skip
    assert "leimao: vc1 of 24 values per frame" in printed
    assert "generator_A2B, generator_B2A, discriminator_A, discriminator_B" in printed

    soundfile.write(tmp_path / "in.wav", wave, rate_hz, "FLOAT")
    finished(
        python_without_torch(
            "convert.py", f"--run_dir={run_dir}", f"--input={tmp_path}/in.wav",
            f"--output={tmp_path}/out",
        )
    )  # fmt: skip
    converted, _ = soundfile.read(tmp_path / "out" / "in.wav")

    # The TensorFlow 1 project's conversion, in its own arithmetic and by its own network.
    double = wave.astype(np.float64)
    f0_hz, time_s = pyworld.dio(double, rate_hz, f0_floor=71.0, f0_ceil=800.0)
    f0_hz = pyworld.stonemask(double, f0_hz, time_s, rate_hz)
    envelope = pyworld.cheaptrick(double, f0_hz, time_s, rate_hz)
    aperiodicity = pyworld.d4c(double, f0_hz, time_s, rate_hz)
    coded = pyworld.code_spectral_envelope(envelope, rate_hz, 24).T
    assert coded.shape[1] == 200
    normalized = (coded - moments["mean_A"]) / moments["std_A"]
    made = public.convert("A2B", normalized[np.newaxis].astype(np.float32))[0]
    coded = np.ascontiguousarray((made * moments["std_B"] + moments["mean_B"]).T, np.float64)
    voiced = f0_hz > 0
    logarithm = np.log(f0_hz, where=voiced, out=np.zeros_like(f0_hz))
    z = (logarithm - log_f0["mean_A"]) / log_f0["std_A"]
    mapped = np.exp(z * log_f0["std_B"] + log_f0["mean_B"])
    decoded = pyworld.decode_spectral_envelope(coded, rate_hz, 1024)
    expected = pyworld.synthesize(np.where(voiced, mapped, 0.0), decoded, aperiodicity, rate_hz)
    expected = expected[: len(wave)]
    scale = max(1.0, np.max(np.abs(expected)) / 0.99)
    assert len(converted) == len(wave)
    # Differences are rounding to 16 bits, the envelope's floor and float32 features.
    correlation = np.corrcoef(converted, expected)[0, 1]
    assert correlation > 0.999
    assert np.std(converted * scale - expected) < 0.03 * np.std(expected)

    # Both rates are zero, so that two steps keep the weights of the checkpoint.
    printed = finished(
        python_without_torch(
            "train.py", f"--run_dir={run_dir}", f"--source_dir={recordings['heart']}",
            f"--target_dir={recordings['michael']}", "--held_out_fraction=0",
            f"--features_dir={tmp_path}/features",
        )
    )  # fmt: skip
    assert f"Resuming {run_dir} at step 0" in printed
    before, after = (networks_in(run_dir, step) for step in (0, 2))
    assert before.keys() == after.keys() and len(before) == 2 * 28 + 2 * 16
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    # The run has recordings now, and keeps them and the given statistics.
    run = run_folder.open_run(run_dir)
    assert len(run.recordings["A"]) == 3
    np.testing.assert_array_equal(run.statistics["B"].mean, moments["mean_B"].ravel())
    done = python_without_torch(
        "train.py", f"--run_dir={run_dir}", f"--source_dir={recordings['michael']}", "--steps=3"
    )
    assert done.returncode == 2
    assert "--source_dir " in done.stderr and "has other training recordings" in done.stderr


def networks_in(run_dir: Path, step: int) -> dict[str, np.ndarray]:
    """Read the networks' variables in a checkpoint."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"ckpt-{step}"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("generator_A", "generator_B", "discriminator_A", "discriminator_B"))
    }

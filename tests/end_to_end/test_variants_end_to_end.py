"""Commands with every variant: prepare, train, resume, TensorBoard, convert."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from conftest import (
    REPOSITORY,
    finished,
    finished_here,
    other_events,
    run_command,
    run_here,
    scalars,
    steps_without_graph,
    variables,
    voice,
)

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.data.dataset import training_pairs
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.training import session
from cyclegan_vc_tf.vocoders import melgan

# Convolutions of fewer channels are sums of planes, whose graphs are half as large again.
SMALL = (
    "--channels=8", "--residual_blocks=1", "--crop_frames=16", "--workers=1",
    "--checkpoint_every=2", "--log_every=1", "--convert_every=2", "--convert_utterances=1",
    "--held_out_fraction=0.5", "--sample_rate_hz=16000",
)  # fmt: skip


OWN = {
    "vc2": ("--f0_method=dio",),
    "vc3": ("--griffin_lim_iterations=4",),
    "mask": ("--griffin_lim_iterations=4", "--mask_fraction=0.25"),
}


def training(variant: str, corpus: Path, folder: Path, steps: int, *more: str) -> list[str]:
    """Return the arguments of a small training."""
    return [
        "train.py", f"--variant={variant}", f"--source_dir={corpus}/low",
        f"--target_dir={corpus}/high", f"--run_dir={folder}/run",
        f"--features_dir={folder.parent}/features", *SMALL, *OWN[variant],
        f"--steps={steps}", *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def resumed(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, str, str]]:
    """Function of a variant: its run of two steps that was resumed for two more, and both outputs.

    Two processes of their own for the beginning of two runs would take most of the time.
    """

    @functools.cache
    def train(variant: str) -> tuple[Path, str, str]:
        folder = tmp_path_factory.mktemp(variant)
        first = finished(*training(variant, corpus, folder, 2))
        return folder / "run", first, finished_here(*training(variant, corpus, folder, 4))

    return train


@pytest.mark.parametrize("variant", ["vc2", "vc3", "mask"])
def test_a_variant_from_recordings_to_converted_speech(
    variant: str, resumed: Callable[[str], tuple[Path, str, str]], tmp_path: Path
) -> None:
    run_dir, first, second = resumed(variant)
    log_mel = variant != "vc2"
    assert ("mean F0" in first) != log_mel, "F0 is analysed if it is converted separately"
    assert f"Resuming {run_dir} at step 2" in second

    found = scalars(run_dir)
    assert {step for _, step in found} == {1, 2, 3, 4}
    for tag in (
        "loss/adversarial_A2B", "loss/adversarial_B2A", "loss/adversarial_A2B2A",
        "loss/adversarial_B2A2B", "loss/cycle_A", "loss/identity_B", "loss/discriminator_A",
        "loss/discriminator_cycled_A", "loss/discriminator_cycled_B", "score/real_cycled_A",
        "score/fake_cycled_B",
    ):  # fmt: skip
        assert np.isfinite(found[tag, 4])
    others = other_events(run_dir)
    seen = {tag.rpartition("/")[2] for tag in others if tag.startswith(("images", "audio"))}
    assert seen == {
        "source", "converted", "cycled", "spectrograms", "modulation_spectrum", "global_variance"
    } | (set() if log_mel else {"f0"})  # fmt: skip
    assert all(steps == {2, 4} for tag, steps in others.items() if "spectrograms" in tag)

    config = run_folder.open_run(run_dir).config
    assert config.network.variant == variant
    assert config.network.generator_kernels[0] == "5x15", (
        "the paper's value if the flag is left out"
    )
    assert config.features.bins == (36 if variant == "vc2" else 80)

    # Outputs of any length, also of silence, last as long as their source.
    folder = tmp_path / "recordings"
    folder.mkdir()
    lengths = {"a": 16_000, "b": 5_003, "c": 300, "d": 8_000}
    for name, samples in lengths.items():
        wave = voice(110.0, 1.0, seed=9)[:samples] if name != "d" else np.zeros(samples)
        soundfile.write(folder / f"{name}.wav", wave, 16_000)
    for direction in ("A2B", "B2A"):
        out = tmp_path / direction
        finished_here(
            "convert.py", f"--run_dir={run_dir}", f"--direction={direction}",
            f"--input={folder}", f"--output={out}",
        )  # fmt: skip
        for name, samples in lengths.items():
            wave, sample_rate_hz = audio_files.read(out / f"{name}.wav")
            assert (len(wave), sample_rate_hz) == (samples, 16_000)
            # Silence and recordings of less than four frames are passed through.
            assert (np.abs(wave).max() > 0) == (name != "d")
    held_out = sorted((run_dir / "converted").rglob("*.wav"))
    assert {path.parent.name for path in held_out} == {"A2B", "B2A"}


def test_a_resumed_mask_training_equals_one_that_was_never_stopped(
    corpus: Path, resumed: Callable[[str], tuple[Path, str, str]], tmp_path: Path
) -> None:
    """Masks, too, are a function of seed and step."""
    parts, _, _ = resumed("mask")
    finished_here(*training("mask", corpus, tmp_path, 4, "--convert_every=0"))
    ours, theirs = variables(parts, 4), variables(tmp_path / "run", 4)
    assert ours.keys() == theirs.keys() and len(ours) > 300
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert scalars(parts, "loss/") == scalars(tmp_path / "run", "loss/")


@pytest.fixture(scope="module")
def mask_run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MaskCycleGAN-VC trained for one step."""
    folder, longest = tmp_path_factory.mktemp("mask"), []
    pairs = training_pairs

    def spy(*arguments: Any) -> tf.data.Dataset:
        longest.append(arguments[5])
        return pairs(*arguments)

    with pytest.MonkeyPatch.context() as patch, steps_without_graph():
        patch.setattr(session, "training_pairs", spy)
        finished_here(
            *training("mask", corpus, folder, 1, "--convert_every=0", "--held_out_fraction=0")
        )
    assert longest == [4], "a quarter of a crop of 16 frames"
    return folder / "run"


def test_a_vocoder_can_be_chosen_when_converting(
    corpus: Path, mask_run: Path, tmp_path: Path
) -> None:
    """MelGAN with random weights and Griffin-Lim give different sounds of equal length."""
    generator = melgan.melgan_generator(bins=80, channels=1)
    melgan.save(generator, tmp_path / "melgan.npz", melgan.Analysis(sample_rate_hz=16_000))
    waves = {}
    for vocoder in ("griffin_lim", "melgan"):
        finished_here(
            "convert.py", f"--run_dir={mask_run}", f"--input={corpus}/low/00.wav",
            f"--output={tmp_path}/{vocoder}", f"--vocoder={vocoder}",
            f"--vocoder_checkpoint={tmp_path}/melgan.npz",
        )  # fmt: skip
        waves[vocoder], _ = audio_files.read(tmp_path / vocoder / "00.wav")
    source, _ = audio_files.read(corpus / "low/00.wav")
    assert len(waves["griffin_lim"]) == len(waves["melgan"]) == len(source)
    assert not np.allclose(waves["griffin_lim"], waves["melgan"], atol=1e-3)


def test_the_default_vocoder_is_that_of_the_run(
    corpus: Path, mask_run: Path, tmp_path: Path
) -> None:
    waves = []
    for name, flags in (("as it is", []), ("the run's", [4]), ("another", [5])):
        finished_here(
            "convert.py", f"--run_dir={mask_run}", f"--input={corpus}/low/00.wav",
            f"--output={tmp_path}/{name}", *(f"--griffin_lim_iterations={n}" for n in flags),
        )  # fmt: skip
        waves.append((tmp_path / name / "00.wav").read_bytes())
    assert waves[0] == waves[1] != waves[2]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--vocoder=melgan"], "--vocoder_checkpoint is not given"),
        (["--vocoder=melgan", "--vocoder_checkpoint=nothing.npz"], "nothing.npz"),
        (["--semitones=2"], "--f0 and --semitones cannot be given"),
        (["--f0=keep"], "--f0 and --semitones cannot be given"),
        (["--vocoder=hifigan"], "griffin_lim|melgan"),
        (["--vocoder=melgan", "--vocoder_checkpoint=x"], "or give --vocoder=griffin_lim"),
    ],
)
def test_options_that_a_log_mel_run_cannot_follow_are_refused(
    flags: list[str], message: str, corpus: Path, mask_run: Path, tmp_path: Path
) -> None:
    done = run_here(
        "convert.py", f"--run_dir={mask_run}", f"--input={corpus}/low",
        f"--output={tmp_path}/out", *flags,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("bins", "analysis", "expected"),
    [
        (40, melgan.Analysis(16_000, 1024), "40 bands every 256 of 1024 samples at 16000 Hz"),
        (80, melgan.Analysis(), "80 bands every 256 of 1024 samples at 22050 Hz"),
        (80, melgan.Analysis(16_000, 512), "80 bands every 256 of 512 samples at 16000 Hz"),
    ],
)
def test_a_melgan_of_other_spectra_is_refused(
    bins: int,
    analysis: melgan.Analysis,
    expected: str,
    corpus: Path,
    mask_run: Path,
    tmp_path: Path,
) -> None:
    generator = melgan.melgan_generator(bins=bins, channels=1)
    melgan.save(generator, tmp_path / "other.npz", analysis)
    done = run_here(
        "convert.py", f"--run_dir={mask_run}", f"--input={corpus}/low",
        f"--output={tmp_path}/out", "--vocoder=melgan",
        f"--vocoder_checkpoint={tmp_path}/other.npz",
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        f"synthesizes {expected}; this run has 80 bands every 256 of 1024 samples at 16000"
        in done.stderr
    )


def test_another_variant_is_refused_on_a_resume(mask_run: Path) -> None:
    done = run_here("train.py", f"--run_dir={mask_run}", "--variant=vc3")
    assert done.returncode == 2
    assert "--variant was 'mask' and is 'vc3'" in done.stderr


@pytest.mark.parametrize("variant", ["vc2", "vc3", "mask"])
def test_a_flag_file_of_a_training_prepares_too(variant: str, tmp_path: Path) -> None:
    """The demo's flag files prepare a few of its recordings."""
    flags = REPOSITORY / f"configs/demo_{variant}.flags"
    sides = []
    for side, speaker in (("source", "heart"), ("target", "michael")):
        folder = tmp_path / speaker
        folder.mkdir()
        recordings = sorted((REPOSITORY / "data/demo/train" / speaker).glob("*.flac"))[:2]
        for path in recordings:
            (folder / path.name).symlink_to(path)
        sides += [f"--{side}_dir={folder}", f"--held_out_{side}_dir="]
    done = run_command(
        "-m", "cyclegan_vc_tf", "prepare", f"--flagfile={flags}", *sides, "--held_out_fraction=0",
        f"--features_dir={tmp_path}/features", "--workers=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "heart: 2 training utterances" in done.stdout
    assert ("mean F0" in done.stdout) == (variant == "vc2")

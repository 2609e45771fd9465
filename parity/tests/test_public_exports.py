"""Runs trained here, exported to public layouts and to the companion."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import exporting
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer
from parity.companion import public_torch
from parity.companion.vc1 import Discriminator, Generator
from parity.tests.public_runs import (
    ROUNDED,
    import_files,
    run_command,
)
from parity.trainings.runs import match

PUBLIC = replace(LAYOUTS["karkirowle"].network, channels=2, residual_blocks=1)

SPEAKERS = {name: Statistics(np.zeros(24), np.ones(24), 4.7, 0.1) for name in "AB"}


def trained(folder: Path, config: RunConfig, steps: int = 2) -> RunFolder:
    """Make a run with a checkpoint of step 2, trained on noise for `steps` steps."""
    trainer, rng = Trainer(config), np.random.default_rng(0)
    for _ in range(steps):
        trainer.train_step(*rng.standard_normal((2, 2, 16, 24)).astype(np.float32))
    recordings: dict[str, Any] = {name: {"training": {}} for name in "AB"}
    run = run_folder.create_run(folder / "trained", config, SPEAKERS, recordings)
    run.checkpoints.save(trainer.checkpoint, 2, keep=1)
    return run


def config_of(network: Any) -> RunConfig:
    return RunConfig(
        features=FeatureConfig(f0_method="dio"),
        network=network,
        training=TrainingConfig(crop_frames=16, generator_learning_rate=0.01),
    )


def load(path: Path) -> Mapping[str, Any]:
    return torch.load(path, weights_only=True)


def test_a_run_trained_here_goes_to_the_public_project_and_back(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(PUBLIC))
    done = run_command(
        "-m", "cyclegan_vc_tf", "export", f"--run_dir={run.path}", "--format=torch",
        "--layout=karkirowle", f"--output={tmp_path}/public.pt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Step 2: generator_A2B_state_dict, generator_B2A_state_dict" in done.stdout
    states, (ours, _) = load(tmp_path / "public.pt"), run.load_networks()
    features = np.random.default_rng(1).standard_normal((2, 18, 24)).astype(np.float32)
    flipped = torch.from_numpy(features).mT
    for name in ("generator_A2B", "generator_B2A", "discriminator_A", "discriminator_B"):
        scoring = name.startswith("disc")
        theirs: nn.Module = (
            public_torch.KarkirowleDiscriminator(2)
            if scoring
            else public_torch.KarkirowleGenerator(24, 2, 1)
        )
        theirs.load_state_dict(states[f"{name}_state_dict"], strict=True)
        with torch.no_grad():
            expected = theirs(flipped.unsqueeze(1)) if scoring else theirs(flipped).mT
        np.testing.assert_allclose(ours[name](features), expected.numpy(), rtol=0, atol=ROUNDED)
    # Imported again, the weights are equal bit by bit.
    back, _ = import_files(tmp_path, [str(tmp_path / "public.pt")]).load_networks()
    for name, model in ours.items():
        for before, after in zip(model.get_weights(), back[name].get_weights(), strict=True):
            np.testing.assert_array_equal(after, before)


def test_a_run_trained_here_goes_to_the_companion(tmp_path: Path) -> None:
    config = config_of(replace(RunConfig().network, channels=2, residual_blocks=1))
    run = trained(tmp_path, config, 0)
    step, names = exporting.export(run, "companion", tmp_path / "companion.pt")
    assert step == 2 and names[0] == "generator_A2B"
    states, (ours, _) = load(tmp_path / "companion.pt"), run.load_networks()
    features = np.random.default_rng(1).standard_normal((1, 18, 24)).astype(np.float32)
    for name, model in ours.items():
        kind = Generator if name.startswith("gen") else Discriminator
        twin, matched = kind(24, config.network), kind(24, config.network)
        twin.load_state_dict(states[name], strict=True)
        match(matched, model)
        for key, value in matched.state_dict().items():
            assert torch.equal(twin.state_dict()[key], value)
        with torch.no_grad():
            made = twin(torch.from_numpy(features).mT)
        expected = made.mT if kind is Generator else made.movedim(1, -1)
        received = tf.convert_to_tensor(model(features))
        np.testing.assert_allclose(received, expected.numpy(), rtol=0, atol=ROUNDED)


def test_a_run_of_another_architecture_is_not_exported_to_a_layout(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(replace(PUBLIC, norm_affine="all", padding="same")), 0)
    output = tmp_path / "public.pt"
    with pytest.raises(InputError, match="trained with --padding=symmetric --norm_affine=down"):
        exporting.export(run, "karkirowle", output)
    assert not output.exists()
    done = run_command(
        "-m", "cyclegan_vc_tf", "export", f"--run_dir={run.path}", "--layout=karkirowle",
        f"--output={output}",
    )  # fmt: skip
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_an_export_replaces_files_alone_and_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path, config_of(PUBLIC), 0)
    for output, message in (
        (run.path / "config.json", "lies in the run folder; expected another place"),
        (tmp_path, "is not a file; expected a file to write"),
        (Path("/dev/null"), "is not a file; expected a file to write"),
    ):
        done = run_command(
            "-m", "cyclegan_vc_tf", "export", f"--run_dir={run.path}", f"--output={output}"
        )
        assert done.returncode == 2 and message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    path = tmp_path / "there.pt"
    path.write_text("what was there")

    def full(stored: object, partial: Path) -> None:
        partial.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"there\.pt cannot be written to; is the disk full"):
        exporting.export(run, "companion", path)
    assert path.read_text() == "what was there" and len(list(tmp_path.iterdir())) == 2


def test_an_older_step_is_exported(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(PUBLIC), 0)
    assert exporting.export(run, "companion", tmp_path / "a.pt", step=2)[0] == 2
    with pytest.raises(InputError, match="no checkpoint of step 1"):
        exporting.export(run, "companion", tmp_path / "a.pt", step=1)


def test_an_output_kernel_of_15_may_be_exported_too(tmp_path: Path) -> None:
    """Some versions of the project have it."""
    kernels = (*PUBLIC.generator_kernels[:-1], "15")
    run = trained(tmp_path, config_of(replace(PUBLIC, generator_kernels=kernels)), 0)
    exporting.export(run, "karkirowle", tmp_path / "public.pt")
    theirs = public_torch.KarkirowleGenerator(24, 2, 1, output_kernel=15)
    theirs.load_state_dict(load(tmp_path / "public.pt")["generator_A2B_state_dict"])


def test_a_state_with_a_variable_too_many_is_not_written(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(replace(PUBLIC, norm_affine="all")), 0)
    model = run.load_generator("A2B")
    with pytest.raises(ValueError, match="residual_1_norm/gamma"):
        exporting.public_state(LAYOUTS["karkirowle"], "generator_A2B", model[0])

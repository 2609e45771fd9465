"""The benchmark of the training step, with the companion."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import train_step
from benchmarks.harness import companion, machine
from benchmarks.harness.machine import Rates
from benchmarks.harness.worker import Worker, WorkerError
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig

TINY = RunConfig(
    network=NetworkConfig(channels=4, residual_blocks=1), training=TrainingConfig(crop_frames=16)
)


def test_eager_steps_are_in_float32_and_autocast_s_products_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convolve, seen = torch.nn.functional.conv1d, []

    def conv1d(*arguments: object, **options: object) -> torch.Tensor:
        outputs = convolve(*arguments, **options)
        seen.append(outputs.dtype)
        return outputs

    monkeypatch.setattr(torch.nn.functional, "conv1d", conv1d)
    for mode, dtype in (("eager", torch.float32), ("autocast", torch.bfloat16)):
        seen.clear()
        step, facts = companion.training_step(TINY, mode)
        step()
        assert set(seen) == {dtype}, mode
        assert facts["threads"] == torch.get_num_threads()


def test_compiled_networks_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
    companion.training_step(TINY, "compile")
    assert len(compiled) == 4


@pytest.mark.parametrize("variant", PRESETS)
def test_a_companion_on_another_device_computes_nothing_on_the_cpu(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's device "meta" has shapes alone, and refuses tensors of other devices."""
    monkeypatch.setattr(companion, "find_device", lambda: "meta")
    item = torch.Tensor.item
    # A tensor of that device has no value to report.
    monkeypatch.setattr(torch.Tensor, "item", lambda one: 0.0 if one.is_meta else item(one))
    preset = PRESETS[variant]
    network = replace(preset.network, channels=4, residual_blocks=1)
    step, facts = companion.training_step(replace(preset, network=network), "eager")
    step()
    assert facts["device"] == "meta"


def test_the_companion_s_times_beside_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "measure_elsewhere", lambda: Rates(1.0, 1.0, 1.0))
    path = tmp_path / "found.json"
    train_step.main(
        ["--channels=4", "--frames=16", "--rounds=1", "--steps=1", "--only=companion_eager",
         "--only=companion_autocast", f"--json={path}"]
    )  # fmt: skip
    found = json.loads(path.read_text())
    assert found["contenders"]["companion_eager"]["ratio"]["median"] == 1.0
    assert found["contenders"]["companion_autocast"]["ratio"]["median"] > 0
    assert found["ratio_float32"] is found["limit_ratio_float32"] is None
    assert found["versions"]["torch"] == torch.__version__
    assert "| companion, float32 | " in capsys.readouterr().out


def test_without_torch_a_worker_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Worker("benchmarks.harness.companion") as worker, pytest.raises(WorkerError) as found:
        worker.ready()
    assert str(found.value) == "ended with status 1: ImportError: there is no torch"

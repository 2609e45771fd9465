"""`--precision=auto`: decided by the machine that begins a training, and kept by the run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import steps_without_graph

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models.matmul_conv import MatmulContext
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system import device, processor
from cyclegan_vc_tf.system.device import Device
from cyclegan_vc_tf.training import loop

CHOSEN = [(True, "mixed_bfloat16"), (False, "float32")]


@pytest.mark.parametrize(("has", "chosen"), CHOSEN)
def test_the_processor_decides(has: bool, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "has_bfloat16", lambda: has)
    assert Device().choose_precision("auto") == chosen
    for given in ("float32", "mixed_bfloat16"):
        assert Device().choose_precision(given) == given


@pytest.mark.parametrize(
    ("capability", "chosen"), [((7, 5), "float32"), ((8, 0), "mixed_bfloat16"), (None, "float32")]
)
def test_a_gpu_decides_by_its_capability(
    capability: tuple[int, int] | None, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NVIDIA GPUs multiply bfloat16 from compute capability 8.0."""
    monkeypatch.setattr(Device, "capability", capability)
    monkeypatch.setattr(processor, "has_bfloat16", lambda: chosen == "float32")
    assert Device(gpu="a GPU").choose_precision("auto") == chosen


@pytest.mark.parametrize(("has", "chosen"), CHOSEN)
def test_a_step_rounds_where_the_machine_is_faster(
    has: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "has_bfloat16", lambda: has)
    assert MatmulContext("auto")._rounds == (chosen == "mixed_bfloat16")


@pytest.mark.parametrize(("has", "chosen"), CHOSEN)
def test_a_run_that_is_not_trained_yet_keeps_it_too(
    has: bool, chosen: str, small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An imported checkpoint, for example."""
    monkeypatch.setattr(processor, "has_bfloat16", lambda: has)
    bins = np.ones(small_config.features.bins)
    statistics = {name: Statistics(bins, bins, 5.0, 0.2) for name in "AB"}
    config = replace(small_config, training=replace(small_config.training, precision="auto"))
    recordings = {name: {"training": {"a.wav": "00"}} for name in "AB"}
    run = run_folder.create_run(tmp_path / "run", config, statistics, recordings)
    assert run.config.training.precision == chosen


@pytest.mark.parametrize(("has", "chosen"), CHOSEN)
def test_a_run_keeps_what_was_chosen(
    has: bool,
    chosen: str,
    corpus: Path,
    small_config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is resumed with `auto` on a machine that would choose otherwise."""
    sides = CorpusConfig(f"{corpus}/low", f"{corpus}/high", features_dir=f"{corpus}/features")
    config = replace(small_config, corpus=sides)
    lines: list[str] = []

    def train(steps: int, precision: str = "auto") -> bool:
        training = replace(config.training, steps=steps, precision=precision, convert_every=0)
        with steps_without_graph():
            return loop.train(tmp_path / "run", replace(config, training=training), lines.append)

    monkeypatch.setattr(processor, "has_bfloat16", lambda: has)
    assert train(1)
    assert sum(f"--precision=auto chose {chosen}" in line for line in lines) == 1
    assert run_folder.open_run(tmp_path / "run").config.training.precision == chosen
    monkeypatch.setattr(processor, "has_bfloat16", lambda: not has)
    assert device.current().choose_precision("auto") != chosen
    assert train(2) and train(3, chosen)
    assert run_folder.open_run(tmp_path / "run").config.training.precision == chosen

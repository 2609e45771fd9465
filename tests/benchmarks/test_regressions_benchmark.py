"""`python -m benchmarks.regressions`: ratios, bounds and refusals, with made-up times."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import regressions
from benchmarks.harness import cpu_rates
from benchmarks.harness.machine import Rates
from benchmarks.harness.work import Work
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import PRECISIONS


@pytest.fixture
def bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of bounds that is empty; a step takes twice its limit, or three times in bfloat16."""

    def step(config: RunConfig) -> tuple[float, Work]:
        # 100 GFLOP and 10 GB.
        rates = {"float32": 2 * (1 + 1), "mixed_bfloat16": 3 * (0.5 + 1)}
        return rates[config.training.precision], Work(10**11, 10**10)

    path = tmp_path / "regressions.json"
    monkeypatch.setattr(regressions, "BOUNDS", path)
    monkeypatch.setattr(regressions, "measure_step", step)
    monkeypatch.setattr(regressions, "measure_rates", lambda: Rates(100.0, 200.0, 10.0))
    return path


def test_a_slower_step_is_noticed(bounds: Path, capsys: pytest.CaptureFixture) -> None:
    regressions.main(["--only=vc1", "--record"])
    written = json.loads(bounds.read_text())
    (kind,) = written
    assert written[kind]["vc1, float32"]["ratio"] == 2.0
    assert written[kind]["vc1, mixed_bfloat16"]["bound"] == pytest.approx(3 * regressions.MARGIN)
    regressions.main(["--only=vc1"])
    assert "| vc1, float32 | 2.00 | 2.40 | holds |" in capsys.readouterr().out
    written[kind]["vc1, mixed_bfloat16"]["bound"] = 2.9
    bounds.write_text(json.dumps(written))
    with pytest.raises(SystemExit) as ended:
        regressions.main(["--only=vc1"])
    assert ended.value.code == 1
    assert "| vc1, mixed_bfloat16 | 3.00 | 2.90 | slower |" in capsys.readouterr().out


def test_noise_passes(
    bounds: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time of each step is twice too long. A recording measures each step once."""
    regressions.main(["--only=vc1", "--record"])
    usual, measured = regressions.measure_step, Counter[str]()

    def disturbed(config: RunConfig) -> tuple[float, Work]:
        measured[config.training.precision] += 1
        taken_s, work = usual(config)
        return (2 if measured[config.training.precision] == 1 else 1) * taken_s, work

    monkeypatch.setattr(regressions, "measure_step", disturbed)
    regressions.main(["--only=vc1"])
    assert "| vc1, float32 | 2.00 | 2.40 | holds |" in capsys.readouterr().out
    assert set(measured.values()) == {2}
    measured.clear()
    regressions.main(["--only=vc1", "--record"])
    assert set(measured.values()) == {1}


def test_recording_a_variant_keeps_the_bounds_of_others(bounds: Path) -> None:
    bounds.write_text(json.dumps({"other": {"vc1, float32": {"bound": 1.0}}}))
    regressions.main(["--only=vc1", "--record"])
    regressions.main(["--only=vc2", "--record"])
    written = json.loads(bounds.read_text())
    assert written.pop("other") == {"vc1, float32": {"bound": 1.0}}
    (found,) = written.values()
    assert {name.split(",")[0] for name in found} == {"vc1", "vc2"}


def test_a_kind_of_processor_without_bounds_is_refused(
    bounds: Path, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as ended:
        regressions.main([])
    assert ended.value.code == 2
    assert "has no bounds for this kind of processor" in capsys.readouterr().err


def test_the_file_has_bounds_of_known_steps_above_their_ratios() -> None:
    names = {f"{variant}, {precision}" for variant in PRESETS for precision in PRECISIONS}
    for kind, found in json.loads(regressions.BOUNDS.read_text()).items():
        assert found and set(found) <= names, kind
        for name, each in found.items():
            assert each["ratio"] < each["bound"], name


def test_a_real_step_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 channels; the rates are those of this machine."""
    config = regressions.half_width("vc1", "float32")
    small = replace(config, network=replace(config.network, channels=8, residual_blocks=1))
    taken_s, work = regressions.measure_step(small)
    assert taken_s > 0 and work.flops > 0
    rates = cpu_rates.measure()
    assert min(rates.float32_gflop_s, rates.bfloat16_gflop_s, rates.copy_gb_s) > 0

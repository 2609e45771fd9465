"""The benchmarks of growth and of waiting: what they build, measure and draw."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_NETWORK
from matplotlib import image

from benchmarks import corpus, input_wait, scaling
from benchmarks.input_wait import InputWait
from benchmarks.scaling import Sweep
from benchmarks.worker import memory_mb
from cyclegan_vc_tf import processor
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.papers import PAPERS


def test_a_made_up_speaker_has_the_minutes_asked_for(tmp_path: Path) -> None:
    """12,000 frames a minute at 5 ms, in utterances of 5 s."""
    store = corpus.write(tmp_path, 0.5, RunConfig(), seed=0)
    assert store.spectra.shape == (6000, 24)
    assert [each.frames for each in store.utterances] == [1000] * 6
    assert np.std(store.spectra) == pytest.approx(1.0, abs=0.02)


def test_the_cost_of_a_corpus() -> None:
    cost = corpus.measure(0.2, batches=20, config=RunConfig())
    assert cost.minutes == 0.2
    assert 0 < cost.prepare_s < 10
    assert 0 < cost.batch_ms < 1000
    assert -50 < cost.growth_mb < 200


def test_memory_that_is_taken_is_seen() -> None:
    before_mb = memory_mb(corpus.OWN)
    block = np.ones(50_000_000, np.uint8)
    assert memory_mb(corpus.OWN) - before_mb == pytest.approx(len(block) / 1e6, abs=5)


def test_waiting_is_a_share_of_all_the_time(
    small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TensorFlow has its settings in this process already.
    monkeypatch.setattr(processor, "prepare", lambda: None)
    config = replace(small_config, network=replace(SMALL_NETWORK, channels=2))
    found = input_wait.measure(config, steps=2, minutes=0.1)
    assert 0 < found.wait_s < found.total_s
    assert found.steps == 2
    assert InputWait(wait_s=0.5, total_s=2.0, steps=4).share == 0.25


def test_a_sweep_changes_what_it_says_alone() -> None:
    paper = PAPERS["vc1"]
    narrow = replace(paper, network=replace(paper.network, channels=32))
    wide = replace(narrow, training=replace(paper.training, batch_size=8))
    assert scaling.varied(Sweep("batch", (8,), 32), 8) == wide
    assert scaling.varied(Sweep("channels", (32,), 128), 32) == narrow
    assert scaling.varied(Sweep("frames", (128,), 32), 128) == narrow


def test_the_picture(tmp_path: Path) -> None:
    points = {"prepare_s": 1.0, "batch_ms": 0.5, "growth_mb": -1.0}
    found = {sweep.axis: dict.fromkeys(sweep.values, 0.5) for sweep in scaling.STEPS}
    minutes = dict.fromkeys(scaling.MINUTES, points)
    scaling.draw(tmp_path / "a.png", {**found, "minutes": minutes}, "a machine")
    height, width, _ = image.imread(tmp_path / "a.png").shape
    assert math.isclose(width / height, 10 / 8, rel_tol=0.01)
    assert width > 1000


def test_a_picture_needs_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        scaling.main([])
    assert ended.value.code == 2
    assert "the following arguments are required: --png" in capsys.readouterr().err

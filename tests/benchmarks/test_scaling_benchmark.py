"""The benchmarks of growth and of waiting for input."""

import math
import mmap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_NETWORK
from matplotlib import image
from matplotlib.figure import Figure

from benchmarks import input_wait, scaling
from benchmarks.harness import corpus
from benchmarks.harness.worker import WARM_UP, memory_mb
from benchmarks.input_wait import InputWait
from benchmarks.scaling import Sweep
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import dataset
from cyclegan_vc_tf.system import processor
from cyclegan_vc_tf.training import trainer


def allocate(size: int) -> np.ndarray:
    """Allocate bytes from the system; NumPy may reuse memory that the process has freed."""
    block = np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)
    block[:] = 1
    return block


def test_a_made_up_speaker_has_the_minutes_asked_for(tmp_path: Path) -> None:
    """12,000 frames per minute at 5 ms, in utterances of 5 s."""
    store = corpus.write(tmp_path, 0.5, RunConfig(), seed=0)
    assert store.spectra.shape == (6000, 24)
    assert [utterance.frames for utterance in store.utterances] == [1000] * 6
    assert np.std(store.spectra) == pytest.approx(1.0, abs=0.02)


def test_the_cost_of_a_corpus() -> None:
    cost = corpus.measure(0.2, batches=20, config=RunConfig())
    assert cost.minutes == 0.2
    assert 0 < cost.prepare_s < 10
    assert 0 < cost.batch_ms < 1000
    assert -50 < cost.growth_mb < 200


def test_a_batch_counts_with_what_it_takes_and_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 batches of 10 ms and 4 MB, after 20 warm-up batches; all stay in memory."""
    held: list[np.ndarray] = []

    def batches(*crops_and_sizes: object) -> Iterator[None]:
        for _ in range(20):
            time.sleep(0.01)
            held.append(allocate(4_000_000))
            yield

    monkeypatch.setattr(corpus, "training_pairs", batches)
    monkeypatch.setattr(corpus, "crops_of_both", lambda *given: ())
    cost = corpus.measure(0.1, batches=20, config=RunConfig())
    assert 10 <= cost.batch_ms < 500
    assert cost.growth_mb == pytest.approx(80, abs=10)


def test_memory_that_is_taken_is_seen_and_pages_of_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(50_000_000))
    before_mb = memory_mb(corpus.ANONYMOUS)
    mapped = np.memmap(tmp_path / "file", np.uint8, "r")
    assert mapped.max() == 0
    assert memory_mb(corpus.ANONYMOUS) - before_mb == pytest.approx(0, abs=5)
    before_mb = memory_mb(corpus.ANONYMOUS)
    block = allocate(50_000_000)
    assert memory_mb(corpus.ANONYMOUS) - before_mb == pytest.approx(len(block) / 1e6, abs=5)


def test_waiting_is_a_share_of_all_the_time(
    small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TensorFlow already has its settings in this process.
    monkeypatch.setattr(processor, "configure_process", lambda: None)
    config = replace(small_config, network=replace(SMALL_NETWORK, channels=2))
    found = input_wait.measure(config, steps=2, minutes=0.1)
    assert 0 < found.wait_s < found.total_s
    assert found.steps == 2
    assert InputWait(wait_s=0.5, total_s=2.0, steps=4).share == 0.25


def test_a_wait_ends_when_the_batch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches take 40 ms, the first two 400 ms, and steps 120 ms."""

    def batches(*crops_and_sizes: object) -> Iterator[tuple[()]]:
        for number in range(WARM_UP + 3):
            time.sleep(0.4 if number < WARM_UP else 0.04)
            yield ()

    class Sleeping:
        """A trainer whose steps only take time."""

        def __init__(self, config: RunConfig) -> None: ...

        def train_step(self, *batch: object) -> tuple[dict, bool]:
            """Sleep for 120 ms."""
            time.sleep(0.12)
            return {}, True

    monkeypatch.setattr(processor, "configure_process", lambda: None)
    monkeypatch.setattr(dataset, "training_pairs", batches)
    monkeypatch.setattr(trainer, "Trainer", Sleeping)
    found = input_wait.measure(RunConfig(), steps=3, minutes=0.1)
    # Waiting with the steps would be 480 ms, and the total with the first two batches 1.5 s.
    assert 0.12 <= found.wait_s < 0.4
    assert 0.48 <= found.total_s < 1.2


def test_a_sweep_changes_what_it_says_alone() -> None:
    paper = PRESETS["vc1"]
    narrow = replace(paper, network=replace(paper.network, channels=32))
    wide = replace(narrow, training=replace(paper.training, batch_size=8))
    assert scaling.vary(Sweep("batch", (8,), 32), 8) == wide
    assert scaling.vary(Sweep("channels", (32,), 128), 32) == narrow
    assert scaling.vary(Sweep("frames", (128,), 32), 128) == narrow


def test_the_picture(tmp_path: Path) -> None:
    points = {"prepare_s": 1.0, "batch_ms": 0.5, "growth_mb": -1.0}
    found = {sweep.axis: dict.fromkeys(sweep.values, 0.5) for sweep in scaling.STEPS}
    minutes = dict.fromkeys(scaling.MINUTES, points)
    scaling.draw(tmp_path / "a.png", {**found, "minutes": minutes}, "a machine")
    height, width, _ = image.imread(tmp_path / "a.png").shape
    assert math.isclose(width / height, 10 / 8, rel_tol=0.01)
    assert width > 1000


def test_lines_of_the_picture() -> None:
    """Seconds per example, for 1 and 4 examples; a square through 8 s at 4."""
    axes = Figure().subplots(1, 2)
    scaling.draw_batch(axes[0], {1: 0.5, 4: 1.0}, "")
    scaling.draw_growth(axes[1], {1: 3.0, 2: 5.0, 4: 8.0}, "", 2, "")
    measured, square = axes[1].lines
    assert list(axes[0].lines[0].get_ydata()) == [0.5, 0.25]
    assert list(measured.get_ydata()) == [3.0, 5.0, 8.0]
    assert list(square.get_ydata()) == [0.5, 2.0, 8.0]


def test_a_picture_needs_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        scaling.main([])
    assert ended.value.code == 2
    assert "the following arguments are required: --png" in capsys.readouterr().err

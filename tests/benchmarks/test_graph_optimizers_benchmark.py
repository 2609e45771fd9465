"""The benchmark of Grappler's parts: both rows, and the options that their steps have."""

import pytest
import tensorflow as tf

from benchmarks import graph_optimizers
from cyclegan_vc_tf.system import processor


def test_steps_take_turns_with_all_parts_and_with_few(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """Each first step is followed by steps in turns."""
    request.addfinalizer(processor.choose_graph_optimizers)
    options = tf.config.optimizer.get_experimental_options
    calls: list[tuple[int, bool]] = []
    made: list[object] = []

    def training_step(config: object) -> tuple:
        made.append(config)
        number = len(made)
        return lambda: calls.append((number, options().get("remapping", True))), {}

    monkeypatch.setattr(graph_optimizers.port, "training_step", training_step)
    graph_optimizers.main(["--rounds=1", "--steps=2", "--channels=2"])
    first = [(2, True), (3, False)]
    assert calls[1:] == first + first + first[::-1]
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "| Grappler | first step, CPU s | step, CPU s |"
    assert [row.split(" | ")[0] for row in rows[1:3]] == ["| all parts", "| parts of a training"]
    assert "2 channels, medians of 1 and 2." in rows[-1]

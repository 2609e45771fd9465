"""Statistics of norms in a run folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import write_voices

from cyclegan_vc_tf import api
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import preparation, speakers
from cyclegan_vc_tf.models import streaming_norm
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.streaming import norm_statistics
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer


@pytest.fixture
def run(tmp_path: Path, small_config: RunConfig) -> run_folder.RunFolder:
    """Return an untrained run with a feature store."""
    corpus = CorpusConfig(
        source_dir=str(write_voices(tmp_path / "low", 110.0, 3)),
        target_dir=str(write_voices(tmp_path / "high", 210.0, 3)),
        features_dir=str(tmp_path / "features"),
        workers=1,
    )
    config = replace(small_config, corpus=corpus)
    found = preparation.prepare(corpus, config.features)
    run = run_folder.create_run(
        tmp_path / "run", config, {name: each.statistics for name, each in found.items()},
        speakers.recordings_table(found),
    )  # fmt: skip
    run.checkpoints.save(Trainer(config).checkpoint, 3, keep=1)
    return run


def test_statistics_are_measured_kept_and_read_again(run: run_folder.RunFolder) -> None:
    generator, step = run.load_generator(Direction.A2B)
    measured = norm_statistics.find(run, Direction.A2B, generator, step)
    file = run.path / norm_statistics.FILE
    assert measured.keys() == {norm.name for norm in streaming_norm.find_norms(generator)}
    kept = norm_statistics.read(file, step)
    assert list(kept) == ["A2B"]
    for name, (mean, variance) in kept["A2B"].items():
        np.testing.assert_array_equal(mean, measured[name][0])
        np.testing.assert_array_equal(variance, measured[name][1])
    # Of another step, or damaged, they are measured anew.
    assert norm_statistics.read(file, step + 1) == {}
    file.write_bytes(b"PK damaged")
    assert norm_statistics.read(file, step) == {}
    assert norm_statistics.find(run, Direction.A2B, generator, step).keys() == measured.keys()


def test_without_recordings_they_run_along(run: run_folder.RunFolder) -> None:
    lost = replace(run, config=replace(run.config, corpus=CorpusConfig()))
    stream = Stream.for_run(lost, Direction.A2B)
    assert stream.running_norms
    assert not Stream.for_run(run, Direction.A2B).running_norms
    with pytest.raises(InputError, match="--norms=fixed"):
        Stream.for_run(lost, Direction.B2A, config=StreamConfig(norms="fixed"))


@pytest.mark.parametrize("name", ["vc1-demo", "vc2-demo", "vc3-demo", "mask-demo"])
def test_pretrained_models_have_them(name: str) -> None:
    run = run_folder.open_run(api.find_run(f"pretrained:{name}"))
    for direction in Direction:
        generator, step = run.load_generator(direction)
        kept = norm_statistics.read(run.path / norm_statistics.FILE, step)
        assert kept[direction].keys() == {
            norm.name for norm in streaming_norm.find_norms(generator)
        }

"""What a training prints about its held-out recordings."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from conftest import voice

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet
from cyclegan_vc_tf.evaluation.neural_metrics import NeuralMetrics
from cyclegan_vc_tf.evaluation.scoring import Scorer
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.training.held_out import HeldOutRecordings

CUT = "is cut short; the 1.00 s that it has are used"
LOW = (
    "has nothing above 3.9 kHz, unlike the recordings that the model was trained with; its "
    "conversion has nothing there either"
)


def identity(spectra: np.ndarray) -> np.ndarray:
    return spectra


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole recording, one cut short, and one of 8 kHz."""
    made = tmp_path / "held_out"
    made.mkdir()
    wave = voice(120.0, 1.5, seed=3) + 3e-3 * np.random.default_rng(0).standard_normal(24_000)
    soundfile.write(made / "a.wav", wave, 16_000)
    content = (made / "a.wav").read_bytes()
    (made / "b.wav").write_bytes(content[: 44 + 2 * 16_000])
    soundfile.write(made / "c.wav", 3 * wave[::2], 8_000)
    return made


@pytest.fixture
def converter(small_config: RunConfig) -> Converter:
    statistics = Statistics(np.zeros(24), np.ones(24), np.log(120.0), 0.2)
    return Converter(identity, statistics, statistics, small_config.features)


def test_warnings_are_printed_once(
    folder: Path, tmp_path: Path, small_config: RunConfig, converter: Converter
) -> None:
    """By the samples for TensorBoard, and by the conversions at the end."""
    names = sorted(path.name for path in folder.iterdir())
    speaker = SimpleNamespace(held_out_dir=folder, held_out=names, folder=folder)
    run = SimpleNamespace(
        path=tmp_path / "run", config=small_config, set_converted=lambda step: None
    )
    printed: list[str] = []
    converters = dict.fromkeys(Direction, converter)
    held_out = HeldOutRecordings(run, {"A": speaker, "B": speaker}, converters, printed.append)  # type: ignore[arg-type]
    for _ in range(2):
        held_out.convert()
    assert set(held_out._examples) == set(Direction)
    warnings = [line for line in printed if line.startswith("warning: ")]
    assert warnings == [f"warning: {folder}/b.wav {CUT}", f"warning: {folder}/c.wav {LOW}"]


def test_an_evaluation_has_the_warnings(folder: Path, converter: Converter) -> None:
    sources = {path.stem: path for path in sorted(folder.iterdir())}
    scorer = Scorer(EvaluationSet(sources, {}, [], []), 16_000, NeuralMetrics())
    for _ in range(2):
        scorer.convert(converter)
    assert scorer.warnings == {folder / "b.wav": (CUT,), folder / "c.wav": (LOW,)}

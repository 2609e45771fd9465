"""The benchmark of voices that a run was not trained with."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY

from benchmarks import other_voices
from cyclegan_vc_tf.evaluation.neural_metrics import NeuralMetrics


class Loudness:
    """In place of an embedding: one number, the root mean square."""

    def embed(self, wave: np.ndarray, rate_hz: int) -> np.ndarray:
        """Return the level."""
        assert rate_hz == 16_000
        return np.array([np.sqrt(np.mean(np.square(wave)))])

    def centroid(self, embeddings: list[np.ndarray]) -> np.ndarray:
        """Return a hundred: a similarity is the level in percent."""
        assert len(embeddings) == other_voices.ENROLMENT
        return np.full(1, 100.0)


def test_a_row_has_the_recording_and_its_conversions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    metrics = NeuralMetrics(Loudness())  # type: ignore[arg-type]
    monkeypatch.setattr(other_voices, "load_metrics", lambda transcripts: metrics)
    (tmp_path / "anna").mkdir()
    shutil.copy("data/demo/held_out/heart/089.flac", tmp_path / "anna")
    # Nearly the whole sentence is converted by what was heard.
    monkeypatch.setattr(other_voices, "LISTEN_S", 0.5)
    flags = [f"--voice={tmp_path}/anna", "--direction=B2A"]
    monkeypatch.setattr(sys, "argv", ["other_voices", *flags])
    other_voices.main()
    row = capsys.readouterr().out.splitlines()[-1]
    name, *cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert name == "anna"
    recorded, converted, adapted, live, *others = (float(cell) for cell in cells if cell)
    samples, _ = soundfile.read("data/demo/held_out/heart/089.flac")
    assert recorded == pytest.approx(100 * np.sqrt(np.mean(np.square(samples))), abs=1e-3)
    assert len({recorded, converted, adapted, live, *others}) == 6
    # A stream converts as loud as a file.
    assert live == pytest.approx(converted, rel=0.1)
    assert others == pytest.approx([adapted] * 2, rel=0.25)

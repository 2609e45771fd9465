"""The benchmark of voices that a run was not trained with."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from benchmarks import other_voices


class Levels:
    """Judges that measure the root mean square."""

    def __init__(self, enrolment: Path, transcripts: Path, rate_hz: int) -> None:
        assert (enrolment.name, rate_hz) == ("heart", 16_000)

    def score(self, waves: dict[str, np.ndarray]) -> str:
        """Return the level, and no words."""
        assert list(waves) == ["089"]
        return f"{np.sqrt(np.mean(np.square(waves['089']))):.6f} | "


def test_a_row_has_the_recording_its_conversion_and_its_adapted_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(other_voices, "Judges", Levels)
    (tmp_path / "anna").mkdir()
    shutil.copy("data/demo/held_out/heart/089.flac", tmp_path / "anna")
    flags = [f"--voice={tmp_path}/anna", "--direction=B2A"]
    monkeypatch.setattr(sys, "argv", ["other_voices", *flags])
    other_voices.main()
    row = capsys.readouterr().out.splitlines()[-1]
    name, *cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert name == "anna"
    assert len({float(cell) for cell in cells if cell}) == 3

"""Scripts without a main guard: whatever starts processes finishes in them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, voice, write_voices

PREPARE = """
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import preparation

corpus = CorpusConfig(
    source_dir="low", target_dir="high", features_dir="features", workers=2, held_out_fraction=0.0
)
speakers = preparation.prepare(corpus, FeatureConfig(f0_method="dio"))
print({name: len(speaker.training) for name, speaker in speakers.items()})
"""

CONVERT = """
from pathlib import Path
import numpy as np
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion import batch
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import pool

pool.available_cores = lambda: 2
batch.MIN_PARALLEL_S = 0.0
speaker = Statistics(np.zeros(24), np.ones(24), 5.0, 0.1)
converter = Converter(lambda spectra: spectra, speaker, speaker, FeatureConfig(f0_method="dio"))
outputs = {path: Path("out", path.name) for path in sorted(Path("low").iterdir())}
print(batch.convert_files(converter, outputs).failed, len(list(Path("out").iterdir())))
"""


def run(folder: Path, way: str, script: str) -> str:
    """Run a script within a time limit, and return what it prints."""
    (folder / "a_script.py").write_text(script)
    arguments = {"file": ["a_script.py"], "-c": ["-c", script], "standard input": ["-"]}[way]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, input=script, capture_output=True, text=True,
        timeout=120, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("way", ["file", "-c", "standard input"])
def test_a_script_prepares_two_folders(tmp_path: Path, way: str) -> None:
    write_voices(tmp_path / "low", 110.0, 3)
    write_voices(tmp_path / "high", 210.0, 2)
    # Printed once: the script runs in no worker.
    assert run(tmp_path, way, PREPARE) == "{'A': 3, 'B': 2}\n"


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_script_converts_several_recordings(tmp_path: Path, way: str) -> None:
    write_voices(tmp_path / "low", 110.0, 3)
    assert run(tmp_path, way, CONVERT) == "{} 3\n"
    expected = voice(110.0, 0.6, seed=110)
    converted, _ = soundfile.read(tmp_path / "out" / "00.wav")
    assert len(converted) == len(expected)
    # Nothing but analysis and synthesis.
    assert np.std(converted) == pytest.approx(np.std(expected), rel=0.3)

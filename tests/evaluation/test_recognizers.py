"""Recognizers of speech: real recognition, and word error rates worked out by hand."""

import json
import shutil
from pathlib import Path

import pytest
import soundfile
from conftest import REPOSITORY, run_here, write_voices

from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.evaluation import neural_metrics, recognizers
from cyclegan_vc_tf.evaluation.evaluation_sets import read_transcripts
from cyclegan_vc_tf.system.errors import InputError

DEMO = REPOSITORY / "data" / "demo"
NAMES = ("089", "090", "091")


def test_words_are_counted_over_all_sentences() -> None:
    """One wrong, one missing and one added word of 5 and 1 words: 3 / 6."""
    references = {"a": "The cat, sat down — there.", "b": "Yes!", "c": "not recognized"}
    hypotheses = {"a": "the CAT sits there", "b": "oh yes"}
    assert recognizers.word_error_rate(references, hypotheses) == pytest.approx(3 / 6)


def test_pocketsphinx_understands_most_words() -> None:
    transcripts = read_transcripts(DEMO / "transcripts.tsv")
    recognizer = recognizers.PocketSphinx()
    heard = {}
    for name in NAMES:
        wave, rate_hz = soundfile.read(DEMO / "held_out" / "heart" / f"{name}.flac")
        heard[name] = recognizer.transcribe(wave, rate_hz)
    assert recognizers.word_error_rate(transcripts, heard) < 0.2
    # What was heard before does not matter.
    assert recognizer.transcribe(wave, rate_hz) == heard[NAMES[-1]]


@pytest.mark.parametrize(
    ("config", "kind", "reason"),
    [
        (MetricsConfig(), type(None), "no recognizer is chosen"),
        (MetricsConfig(transcripts="x"), type(None), "no recognizer is chosen"),
        (MetricsConfig(recognizer="pocketsphinx"), type(None), "no transcripts are given"),
        (MetricsConfig(whisper_model="x"), type(None), "no transcripts are given"),
        (
            MetricsConfig(transcripts="x", recognizer="pocketsphinx"),
            recognizers.PocketSphinx,
            "",
        ),
    ],
)
def test_settings_choose_the_recognizer(config: MetricsConfig, kind: type, reason: str) -> None:
    recognizer, said = recognizers.choose(config)
    assert isinstance(recognizer, kind)
    assert said.startswith(reason) and bool(said) == bool(reason)


def test_a_recognizer_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural_metrics, "missing_reason", lambda *_: neural_metrics.NOT_INSTALLED)
    config = MetricsConfig(transcripts="x", recognizer="pocketsphinx")
    with pytest.raises(InputError, match=r"^--recognizer=pocketsphinx cannot be used: the extra"):
        neural_metrics.load_neural_metrics(config)


@pytest.mark.usefixtures("without_graph")
def test_an_evaluation_counts_wrong_words(tmp_path: Path) -> None:
    """Natural speech keeps its words; an untrained generator loses them."""
    for folder in ("A", "B"):
        write_voices(tmp_path / folder, 150.0, 2)
    for side, speaker in (("source", "heart"), ("target", "michael")):
        (tmp_path / side).mkdir()
        shutil.copy(DEMO / "held_out" / speaker / "089.flac", tmp_path / side)
    done = run_here(
        "train.py", f"--run_dir={tmp_path}/run", f"--source_dir={tmp_path}/A",
        f"--target_dir={tmp_path}/B", f"--features_dir={tmp_path}/features", "--channels=4",
        "--residual_blocks=1", "--crop_frames=16", "--f0_method=dio", "--steps=1",
        "--convert_every=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = run_here(
        "evaluate", f"--run_dir={tmp_path}/run", f"--json={tmp_path}/scores.json",
        f"--held_out_source_dir={tmp_path}/source", f"--held_out_target_dir={tmp_path}/target",
        f"--transcripts={DEMO}/transcripts.tsv", "--recognizer=pocketsphinx",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "word_error_rate: recognized by PocketSphinx" in done.stdout
    scores = json.loads((tmp_path / "scores.json").read_text())["A2B"]
    assert scores["source"]["word_error_rate"] < 0.25
    assert scores["converted"]["word_error_rate"] > 0.5

"""Evaluation of a trained run: against itself, without neural metrics, by the command."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import run_here, steps_without_graph

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation import evaluation_sets, evaluator, neural_metrics, report
from cyclegan_vc_tf.evaluation.scoring import METRICS, SYSTEMS, Scorer
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import neural
from cyclegan_vc_tf.vocoders.conditioning import count_values
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

FORMULAS = ("mcd_db", "voicing_error", "msd_db", "global_variance_ratio")
NEURAL = ("speaker_similarity", "source_similarity", "dnsmos", "word_error_rate")


@pytest.fixture(scope="module")
def run_dir(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of training, half of the recordings held out."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with steps_without_graph():
        done = run_here(
            "train.py", f"--run_dir={folder}", f"--source_dir={corpus / 'low'}",
            f"--target_dir={corpus / 'high'}", f"--features_dir={corpus / 'features'}",
            "--held_out_fraction=0.5", "--f0_method=dio", "--channels=2", "--residual_blocks=1",
            "--crop_frames=16", "--steps=2", "--convert_every=0",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def no_neural_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        neural_metrics, "missing_reason", lambda *packages: neural_metrics.NOT_INSTALLED
    )


def held_out(run_dir: Path, speaker: str) -> list[Path]:
    corpus = json.loads((run_dir / "corpus.json").read_text())[speaker]
    return [Path(corpus["held_out_folder"], name) for name in corpus["held_out"]]


def test_speech_has_no_distance_from_itself(run_dir: Path, tmp_path: Path) -> None:
    """With the sources as references, the source system is perfect and the others are not."""
    for speaker, other in (("A", "B"), ("B", "A")):
        (tmp_path / other).mkdir()
        for path in held_out(run_dir, speaker):
            shutil.copy(path, tmp_path / other)
    run = run_folder.open_run(run_dir)
    done = evaluator.evaluate(run, 2, MetricsConfig(reference_dir=str(tmp_path)))
    assert done.step == 2
    for systems in done.scores.values():
        source = systems["source"].summary
        assert source["mcd_db"] == pytest.approx(0, abs=1e-9)
        assert source["log_f0_rmse"] == pytest.approx(0, abs=1e-9)
        assert source["voicing_error"] == source["msd_db"] == 0
        assert source["global_variance_ratio"] == pytest.approx(1)
        assert systems["world_target"].summary["mcd_db"] > 0.5
        assert systems["converted"].summary["mcd_db"] > systems["world_target"].summary["mcd_db"]
        assert systems["f0_only"].summary["log_f0_rmse"] > 0.3, (
            "the other speaker's range is far away"
        )
    assert set(done.not_measured) == set(NEURAL)


def test_the_command_writes_a_page_a_table_and_numbers(run_dir: Path, tmp_path: Path) -> None:
    done = run_here("evaluate", f"--run_dir={run_dir}", f"--json={tmp_path / 'means.json'}")
    assert done.returncode == 0, done.stderr
    assert f"not measured: dnsmos: {neural_metrics.NOT_INSTALLED}" in done.stdout
    folder = run_dir / "evaluation" / "step-2"
    assert f"Report: {folder / 'report.html'}" in done.stdout
    means = json.loads((tmp_path / "means.json").read_text())
    assert means == json.loads((folder / "metrics.json").read_text())
    assert set(means) == {"A2B", "B2A"}
    for systems in means.values():
        assert tuple(systems) == SYSTEMS
        for values in systems.values():
            assert tuple(values) == METRICS
            assert all(values[metric] is None for metric in NEURAL)
            assert all(isinstance(values[metric], float) for metric in FORMULAS)
    with (folder / "recordings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = [row for row in rows if (row["direction"], row["system"]) == ("A2B", "converted")]
    mean = sum(float(row["mcd_db"]) for row in ours if row["mcd_db"]) / len(ours)
    assert means["A2B"]["converted"]["mcd_db"] == pytest.approx(mean)
    page = (folder / "report.html").read_text()
    assert page.count("<audio") == 2 * 3 * min(3, len(ours))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--run_dir=nowhere"], "not a run folder"),
        (["--whisper_model=nowhere", "--transcripts=x"], "has no model.bin"),
        (["--reference_dir=nowhere"], "nowhere/A does not exist"),
        (["--step=7"], "has no checkpoint of step 7; expected one of [2]"),
        (["--vocoder=melgan"], "--vocoder and its settings cannot be given"),
        (["--vocoder=pretrained:vocoder-demo"], "--spectra is log_mel there and mel_cepstra in"),
    ],
)
def test_impossible_evaluations_are_refused_in_a_line(
    run_dir: Path, flags: list[str], expected: str
) -> None:
    done = run_here("evaluate", f"--run_dir={run_dir}", *flags)
    assert done.returncode == 2
    assert expected in done.stderr and done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def vocoder(run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained vocoder of the run's features."""
    folder = tmp_path_factory.mktemp("vocoder")
    features = run_folder.open_run(run_dir).config.features
    sizes = VocoderNetworkConfig(channels=4, blocks=1, synthesis_frames=1)
    count = count_values(features)
    mean, std = np.zeros(count, np.float32), np.ones(count, np.float32)
    networks = neural.build_networks(features, sizes, seed=0)
    neural.save(folder, NeuralVocoder(features, sizes, networks, mean, std))
    return folder


def test_conversions_of_another_vocoder_are_evaluated(
    run_dir: Path, vocoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what the converter makes with it; the run's own report stays as it is."""
    monkeypatch.chdir(tmp_path)
    evaluation = vc.evaluate(run_dir, vocoder=vocoder, examples=1)
    folder = Path("evaluation") / run_dir.name / f"step-2-{vocoder.name}"
    assert evaluation.folder == folder and evaluation.title.endswith(f"vocoder {vocoder.name}")
    assert f"vocoder {vocoder.name}" in (tmp_path / folder / "report.html").read_text()
    voices = vc.load(run_dir, vocoder=vocoder)
    for direction, examples in evaluation.examples.items():
        (example,) = examples.values()
        expected = voices.convert(example["source"], voices.sample_rate_hz, direction)
        np.testing.assert_allclose(example["converted"], expected, atol=1e-6)
        own = vc.load(run_dir).convert(example["source"], voices.sample_rate_hz, direction)
        assert np.abs(example["converted"] - own).max() > 1e-3
    done = run_here("evaluate", f"--run_dir={run_dir}", f"--vocoder={vocoder}", "--examples=0")
    assert done.returncode == 0, done.stderr
    assert f"Report: {folder / 'report.html'}" in done.stdout


@pytest.fixture
def imported(run_dir: Path, tmp_path: Path) -> run_folder.RunFolder:
    """The run without its recordings, as an imported or a published one."""
    shutil.copytree(run_dir, tmp_path / "run")
    corpus = {name: {"training": {}} for name in "AB"}
    (tmp_path / "run" / "corpus.json").write_text(json.dumps(corpus))
    return run_folder.open_run(tmp_path / "run")


@pytest.fixture
def folders(run_dir: Path, tmp_path: Path) -> dict[str, str]:
    """Copies of the run's held-out recordings, by speaker."""
    for speaker in "AB":
        (tmp_path / f"held_{speaker}").mkdir()
        for path in held_out(run_dir, speaker):
            shutil.copy(path, tmp_path / f"held_{speaker}")
    return {speaker: str(tmp_path / f"held_{speaker}") for speaker in "AB"}


def test_a_run_that_was_imported_has_no_recordings(imported: run_folder.RunFolder) -> None:
    with pytest.raises(
        InputError, match="imported or published and has no recordings of its own; give --held_out_"
    ):
        evaluator.evaluate(imported, 2, MetricsConfig())


def test_a_run_without_recordings_is_evaluated_on_any(
    run_dir: Path, imported: run_folder.RunFolder, folders: dict[str, str]
) -> None:
    """The recordings that the run held out give the run's own scores."""
    expected = evaluator.evaluate(run_folder.open_run(run_dir), 2, MetricsConfig())
    done = evaluator.evaluate(imported, 2, MetricsConfig(), held_out_dirs=folders)
    assert done.scores == expected.scores
    assert done.notes == {}, "similarities are not measured"
    with pytest.raises(InputError, match="has no recordings of its own"):
        evaluator.evaluate(imported, 2, MetricsConfig(), held_out_dirs={"A": folders["A"]})


def test_a_folder_replaces_the_recordings_of_its_speaker_only(
    run_dir: Path, folders: dict[str, str]
) -> None:
    first = sorted(Path(folders["A"]).iterdir())[0]
    first.rename(first.with_name("renamed.wav"))
    for path in Path(folders["A"]).iterdir():
        if path.name != "renamed.wav":
            path.unlink()
    run = run_folder.open_run(run_dir)
    sets = evaluation_sets.load_evaluation_sets(run, held_out_dirs={"A": folders["A"], "B": ""})
    assert sets["A2B"].sources == {"renamed": first.with_name("renamed.wav")}
    assert list(sets["B2A"].sources.values()) == held_out(run_dir, "B")
    assert not sets["A2B"].enrolled_from_held_out
    assert len(sets["A2B"].source_enrolment) == len(run.recordings["A"])


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("nowhere", "does not exist; expected a folder"), (".", "has no audio file; expected files")],
)
def test_folders_without_recordings_are_refused_by_their_flag(
    run_dir: Path, tmp_path: Path, folder: str, expected: str
) -> None:
    flag = f"--held_out_target_dir={tmp_path / folder}"
    done = run_here("evaluate", f"--run_dir={run_dir}", flag)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"--held_out_target_dir {tmp_path / folder} {expected}" in done.stderr


def test_voices_without_training_recordings_are_those_of_the_held_out_ones(
    imported: run_folder.RunFolder,
    folders: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A made-up embedding, of level and zero crossings, gives similarities worked out here."""

    def embed(_: object, wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        crossings = np.mean(np.diff(np.sign(wave)) != 0) * sample_rate_hz / 1000
        vector = np.array([np.abs(wave).mean(), crossings])
        return vector / np.linalg.norm(vector)

    monkeypatch.setattr(neural_metrics.SpeakerSimilarity, "embed", embed)
    monkeypatch.setattr(
        neural_metrics, "missing_reason",
        lambda *packages: "" if packages == ("resemblyzer",) else neural_metrics.NOT_INSTALLED,
    )  # fmt: skip
    done = evaluator.evaluate(imported, 2, MetricsConfig(), 0, folders)
    embeddings = {
        speaker: [embed(None, *audio_files.read(path)) for path in sorted(Path(folder).iterdir())]
        for speaker, folder in folders.items()
    }
    centroid = np.sum(embeddings["B"], axis=0) / np.linalg.norm(np.sum(embeddings["B"], axis=0))
    expected = np.mean([vector @ centroid for vector in embeddings["A"]])
    found = done.scores["A2B"]["source"].summary["speaker_similarity"]
    assert found == pytest.approx(expected, rel=1e-5)
    assert set(done.notes) == {"speaker_similarity", "source_similarity"}
    assert "not comparable" in done.notes["speaker_similarity"]
    report.write_html(done, tmp_path / "page.html", {})
    assert "Target similarity, Source similarity: the run has no tr" in (
        (tmp_path / "page.html").read_text()
    )


def test_bounds_are_scored_once_for_any_number_of_steps(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation in training is the evaluation of the finished run."""
    made: list[Scorer] = []
    make_bounds = Scorer.make_bounds

    def counted(scorer: Scorer, converter: Converter) -> dict[str, dict[str, np.ndarray]]:
        made.append(scorer)
        return make_bounds(scorer, converter)

    run = run_folder.open_run(run_dir)
    expected = evaluator.evaluate(run, 2, MetricsConfig()).scores
    monkeypatch.setattr(Scorer, "make_bounds", counted)
    converters = {
        direction: Converter.for_run(run, direction, run.load_generator(direction, 2)[0])
        for direction in Direction
    }
    in_training, scored = evaluator.Evaluator(run, MetricsConfig()), []
    for step, systems_scored in ((1, 8), (2, 2)):
        scored.clear()
        done = in_training.evaluate(converters, step, on_scored=lambda: scored.append(1))
        assert done.scores == expected and done.step == step
        assert len(scored) == systems_scored
    assert len(made) == 2, "once per direction"

"""Points and plots of features, against NumPy and tones of known frequency."""

from pathlib import Path

import numpy as np
import pytest
from conftest import other_events, run_here, write_voices
from tensorboard.plugins import projector

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data import speakers as prepared_speakers
from cyclegan_vc_tf.evaluation import metrics
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.training import feature_plots

PICTURES = ("modulation_spectrum", "global_variance")


def read_rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_a_point_is_worked_out_by_hand() -> None:
    spectra = np.array([[1.0, 10.0], [9.0, 10.0]], np.float32)
    statistics = Statistics(np.array([1.0, 4.0]), np.array([2.0, 3.0]), 0.0, 0.0)
    # In units of the speaker: 0 and 4; 2 and 2.
    np.testing.assert_allclose(
        feature_plots.utterance_point(spectra, statistics), [2.0, 2.0, 2.0, 0.0]
    )


def test_a_swaying_feature_is_at_its_modulation_frequency() -> None:
    """With frames of 5 ms, 10 Hz; ten times the amplitude is 20 dB more."""
    time_s = np.arange(1024) * 0.005
    sway = np.sin(2 * np.pi * 10 * time_s)[:, np.newaxis] + 3.0
    figure = feature_plots.plot_modulation_spectra(
        {"source": [sway], "converted": [10 * sway] * 2}, 0.005
    )
    source, converted = figure.axes[0].get_lines()
    frequency_hz, level = (np.asarray(values) for values in source.get_data())
    assert len(frequency_hz) == metrics.MODULATION_FRAMES // 2
    assert frequency_hz[-1] == pytest.approx(100.0), "half of 200 frames per second"
    assert abs(frequency_hz[np.argmax(level)] - 10.0) < 0.4
    peak = np.argmax(level)
    louder = np.asarray(converted.get_ydata())[peak] - level[peak]
    assert louder == pytest.approx(20.0, abs=1e-6)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["source", "converted"]


def test_variances_are_per_utterance_and_coefficient() -> None:
    """Levels that differ between utterances do not count, so frames are not pooled."""
    still = [
        np.full((50, 2), level) + np.array([[1.0, 2.0], [-1.0, -2.0]] * 25) for level in (0, 9)
    ]
    figure = feature_plots.plot_global_variances({"target": still}, first=1)
    [line] = figure.axes[0].get_lines()
    np.testing.assert_allclose(line.get_xdata(), [1, 2])
    np.testing.assert_allclose(line.get_ydata(), [1.0, 4.0])


class Halved(Converter):
    """Converter with a generator that halves its input."""

    def __init__(self, source: Statistics, target: Statistics, config: RunConfig) -> None:
        super().__init__(lambda frames: frames / 2, source, target, config.features)


@pytest.fixture
def prepared(
    tmp_path: Path, small_config: RunConfig
) -> tuple[RunFolder, feature_plots.FeaturePlots]:
    """Run of two synthetic voices: A with a held-out folder, B with a held-out share."""
    folders = {
        "source_dir": write_voices(tmp_path / "low", 110.0, 3),
        "target_dir": write_voices(tmp_path / "high", 210.0, 9),
        "held_out_source_dir": write_voices(tmp_path / "apart" / "low", 115.0, 2),
        "features_dir": tmp_path / "features",
    }
    corpus = type(small_config.corpus)(
        **{name: str(folder) for name, folder in folders.items()}, held_out_fraction=0.3, workers=1
    )
    config = RunConfig(corpus, small_config.features, small_config.network, small_config.training)
    speakers = preparation.prepare(corpus, config.features)
    assert speakers["B"].held_out and speakers["B"].training
    statistics = {name: speaker.statistics for name, speaker in speakers.items()}
    recordings = prepared_speakers.recordings_table(speakers)
    run = run_folder.create_run(tmp_path / "run", config, statistics, recordings)
    converters = {
        way: Halved(statistics[way[0]], statistics[way[2]], config) for way in ("A2B", "B2A")
    }
    return run, feature_plots.FeaturePlots(run, speakers, converters, print)


def test_points_lie_where_the_utterances_do(
    prepared: tuple[RunFolder, feature_plots.FeaturePlots],
) -> None:
    run, feature_plot = prepared
    feature_plot.write(0)
    config = projector.ProjectorConfig()
    from google.protobuf import text_format

    text_format.Parse((run.path / "projector_config.pbtxt").read_text(), config)
    assert [embedding.tensor_name for embedding in config.embeddings] == ["A2B", "B2A"]
    for embedding, source in zip(config.embeddings, "AB", strict=True):
        header, *metadata = read_rows(run.path / embedding.metadata_path)
        points = np.array(read_rows(run.path / embedding.tensor_path), float)
        assert header == ["kind", "set", "utterance"]
        assert points.shape == (len(metadata), 2 * 24) and np.isfinite(points).all()
        speakers = {name: len(speaker.held_out) for name, speaker in feature_plot.speakers.items()}
        kinds = {
            kind: [row for row in metadata if row[0] == kind] for kind in feature_plots.COLOURS
        }
        assert [row[1:] for row in kinds["source"]] == [row[1:] for row in kinds["converted"]]
        assert sum(row[1] == "held_out" for row in kinds["source"]) == speakers[source]
        # Frames of the target's training utterances have mean 0 and deviation 1.
        target = feature_plot.speakers["B" if source == "A" else "A"]
        frames = np.array([utterance.frames for utterance in target.training])
        rows = [row[0] == "target" and row[1] == "training" for row in metadata]
        means, deviations = points[rows][:, :24], points[rows][:, 24:]
        np.testing.assert_allclose(np.average(means, 0, frames), 0, atol=1e-4)
        power = np.average(means**2 + deviations**2, 0, frames)
        np.testing.assert_allclose(power, 1, atol=1e-3)
        # Features halved in units of their speaker are half as large in units of the target.
        converted = points[[row[0] == "converted" and row[1] == "training" for row in metadata]]
        frames = np.array(
            [utterance.frames for utterance in feature_plot.speakers[source].training]
        )
        power = np.average(converted[:, :24] ** 2 + converted[:, 24:] ** 2, 0, frames)
        np.testing.assert_allclose(power, 0.25, atol=1e-3)


def test_held_out_utterances_are_plotted_if_both_speakers_have_some(
    prepared: tuple[RunFolder, feature_plots.FeaturePlots], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, feature_plot = prepared
    given: list[dict] = []
    monkeypatch.setattr(
        feature_plots,
        "plot_modulation_spectra",
        lambda tracks, _: given.append(tracks) or feature_plots.Figure(),
    )
    feature_plot.write(0)
    shapes = [{kind: len(utterances) for kind, utterances in tracks.items()} for tracks in given]
    held_out = {name: len(speaker.held_out) for name, speaker in feature_plot.speakers.items()}
    for found, source, target in zip(shapes, "AB", "BA", strict=True):
        assert found["source"] == found["converted"] == held_out[source]
        assert found["target"] == held_out[target]
    assert all(
        track.shape[1] == 23
        for tracks in given
        for utterances in tracks.values()
        for track in utterances
    )


def test_many_utterances_are_thinned_out(
    prepared: tuple[RunFolder, feature_plots.FeaturePlots], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_plots, "MAX_TRAINING_UTTERANCES", 2)
    monkeypatch.setattr(feature_plots, "MAX_UTTERANCE_S", 0.1)
    _, feature_plot = prepared
    for samples in feature_plot._samples.values():
        assert 1 <= sum(sample.split == "training" for sample in samples) <= 2
        assert {len(sample.spectra) for sample in samples} == {20}


@pytest.mark.usefixtures("without_graph")
@pytest.mark.parametrize(("every", "steps"), [("2", {2, 3}), ("5", {3}), ("0", set())])
def test_a_training_plots_features_when_it_converts_and_at_its_end(
    corpus: Path, tmp_path: Path, every: str, steps: set[int]
) -> None:
    """Without held-out utterances it plots training utterances; --convert_every=0 plots none."""
    done = run_here(
        "train.py", f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
        f"--features_dir={corpus / 'features'}", "--f0_method=dio", "--held_out_fraction=0",
        "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--steps=3",
        f"--convert_every={every}", f"--run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = other_events(tmp_path / "run")
    assert found["hparams _hparams_/session_start_info"] == {0}
    for direction in ("A2B", "B2A"):
        for name in PICTURES:
            assert found.get(f"images {direction}/{name}", set()) == steps
        assert (tmp_path / f"run/projector/{direction}/tensors.tsv").exists() == bool(steps)
    assert run_here("inspect_run", f"--run_dir={tmp_path / 'run'}").returncode == 0

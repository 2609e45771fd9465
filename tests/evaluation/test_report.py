"""Reports, read back by an HTML parser, a CSV reader, JSON, a WAV decoder and TensorFlow."""

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from conftest import voice
from html_pages import Page

from cyclegan_vc_tf.evaluation import figures, report
from cyclegan_vc_tf.evaluation.evaluator import Evaluation
from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO, SYSTEM_INFO
from cyclegan_vc_tf.evaluation.scoring import METRICS, SYSTEMS, UTTERANCE_METRICS, Scores
from cyclegan_vc_tf.runs import events

NAME = "<b>&\".flac<script>alert('x')</script>"
REASON = "no <i>recogniser</i> was given"
HEARD = "the <u>quick</u> & brown"
RATE_HZ = 16_000


def scores(offset: float) -> Scores:
    """Scores with distinct values; the word error rate is missing, and one value is NaN."""
    names = [NAME, "two", "three"]
    utterances = {
        name: {
            metric: offset + place + 0.1 * number
            for number, metric in enumerate(UTTERANCE_METRICS)
            if metric != "word_error_rate"
        }
        | {"word_error_rate": None}
        for place, name in enumerate(names)
    }
    utterances["two"]["log_f0_correlation"] = float("nan")
    summary: dict[str, float | None] = {
        metric: offset + number / 8 for number, metric in enumerate(METRICS)
    }
    summary |= {"word_error_rate": None, "source_similarity": -offset}
    return Scores(summary, utterances, {NAME: HEARD})


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    waves = {
        kind: voice(f0_hz, 0.2, seed=index)
        for index, (kind, f0_hz) in enumerate(
            {"source": 110.0, "converted": 180.0, "target": 200.0}.items()
        )
    }
    loud = {"source": 3.0 * waves["source"] / np.max(np.abs(waves["source"]))}
    return Evaluation(
        "run <em>&</em>",
        1200,
        RATE_HZ,
        {
            "A2B": {system: scores(10.0 * place) for place, system in enumerate(SYSTEMS, 1)},
            "B2A": {system: scores(10.0 * place) for place, system in enumerate(SYSTEMS, 5)},
        },
        {"word_error_rate": REASON},
        {"A2B": {NAME: waves}, "B2A": {"loud": loud}},
    )


@pytest.fixture(scope="module")
def page(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Page:
    noisy = list(np.random.default_rng(0).standard_normal(400))
    curves = {"loss/generator": (list(range(400)), noisy), "evaluation/x": ([1, 2], [3.0, 2.0])}
    folder = tmp_path_factory.mktemp("page")
    report.write_html(evaluation, folder / "page.html", curves)
    assert [path.name for path in folder.iterdir()] == ["page.html"]
    return Page((folder / "page.html").read_text(encoding="utf-8"))


def test_settings_are_not_drawn_as_curves(evaluation: Evaluation, tmp_path: Path) -> None:
    for name, there in (("weight/cycle", False), ("score/real_A", True)):
        curves = {name: ([1, 2], [3.0, 2.0])}
        report.write_html(replace(evaluation, examples={}), tmp_path / "page.html", curves)
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert ("Scalars of the training" in page) == there


def test_a_page_refers_to_nothing_outside_and_runs_nothing(page: Page) -> None:
    assert page.open == [], "every element is closed"
    text = page.source
    assert "http:" not in text and "https:" not in text and "url(" not in text
    links = [
        value
        for _, attributes in page.elements
        for key, value in attributes.items()
        if key in ("src", "href", "srcset", "data", "action")
    ]
    assert links and all(link and link.startswith("data:") for link in links)
    assert not {tag for tag, _ in page.elements} & {"script", "b&", "em", "i", "u", "iframe"}


def test_names_are_shown_as_they_are(page: Page) -> None:
    text_shown = "".join(page.texts)
    for name in (NAME, HEARD, REASON, "run <em>&</em>"):
        assert name in text_shown
    assert any(cell.get("title") == REASON for cell in page.all("td"))


def test_every_system_and_metric_has_its_number(page: Page, evaluation: Evaluation) -> None:
    body = [row for row in page.rows if not row[0].startswith("System")]
    assert len(page.rows) == 10 and len(body) == 8
    expected = [
        (system, scored.summary)
        for systems in evaluation.scores.values()
        for system, scored in systems.items()
    ]
    for row, (system, summary) in zip(body, expected, strict=True):
        assert (
            row[0].startswith(SYSTEM_INFO[system].title) and SYSTEM_INFO[system].meaning in row[0]
        )
        for metric, cell in zip(METRICS, row[1:], strict=True):
            value = summary[metric]
            if value is None:
                assert cell == "not measured"
            else:
                assert "-" not in cell, "a hyphen is no minus"
                shown = float(cell.replace("\N{MINUS SIGN}", "-"))
                assert abs(shown - value) <= 0.5 * 10.0 ** -METRIC_INFO[metric].digits + 1e-9
                assert len(cell.partition(".")[2]) == METRIC_INFO[metric].digits
    heads = [row for row in page.rows if row[0].startswith("System")]
    for head in heads:
        for metric, cell in zip(METRICS, head[1:], strict=True):
            assert cell == f"{(info := METRIC_INFO[metric]).title}{info.better} {info.unit}"


def test_sound_is_that_of_the_examples(page: Page, evaluation: Evaluation) -> None:
    waves = [
        wave
        for examples in evaluation.examples.values()
        for kinds in examples.values()
        for wave in kinds.values()
    ]
    players = page.all("audio")
    assert len(players) == len(waves) == 4
    for player, wave in zip(players, waves, strict=True):
        content = (player["src"] or "").removeprefix("data:audio/wav;base64,")
        with soundfile.SoundFile(io.BytesIO(base64.b64decode(content))) as sound:
            assert (sound.samplerate, sound.subtype, sound.channels) == (RATE_HZ, "PCM_16", 1)
            heard = sound.read()
        # The last, which would clip, is scaled down.
        expected = wave / max(1.0, np.max(np.abs(wave)))
        np.testing.assert_allclose(heard, expected, rtol=0, atol=2**-15 * 1.5)


def test_pictures_can_be_decoded(page: Page) -> None:
    pictures = [
        tf.io.decode_png(base64.b64decode((each["src"] or "").partition(",")[2])).numpy()
        for each in page.all("img")
    ]
    # A distribution and an example for each direction, and the training.
    assert len(pictures) == 5
    for pixels in pictures:
        assert pixels.min() < 100 and pixels.max() == 255


def test_a_page_of_an_empty_evaluation(tmp_path: Path) -> None:
    """An evaluation without values, with a name that is not valid text."""
    nothing = Scores(dict.fromkeys(METRICS), {"\udcff": dict.fromkeys(UTTERANCE_METRICS)}, {})
    examples = {"A2B": {"\udcff": {"source": np.zeros(800)}}}
    little = Evaluation("little", 1, RATE_HZ, {"A2B": {"converted": nothing}}, {}, examples)
    report.write_html(little, tmp_path / "page.html", {})
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [row[1:] for row in page.rows[1:]] == [["not measured"] * len(METRICS)]
    assert any("\\udcff" in text for text in page.texts)
    assert len(page.all("img")) == len(page.all("audio")) == 1
    report.write_csv(little, tmp_path / "table.csv")
    assert b"A2B,converted,\xff," in (tmp_path / "table.csv").read_bytes()


def test_distributions_show_every_value_under_its_system(evaluation: Evaluation) -> None:
    figure = figures.plot_distributions(evaluation.scores["A2B"])
    assert figure is not None
    # Words were not measured.
    assert len(figure.axes) == len(UTTERANCE_METRICS) - 1
    for axes, metric in zip(figure.axes, UTTERANCE_METRICS, strict=False):
        assert axes.get_title().startswith(METRIC_INFO[metric].title)
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels == [SYSTEM_INFO[system].title for system in SYSTEMS]
        for place, (dots, system) in enumerate(zip(axes.collections, SYSTEMS, strict=True)):
            points = np.asarray(dots.get_offsets())
            values = [u[metric] for u in evaluation.scores["A2B"][system].utterances.values()]
            finite = [value for value in values if value is not None and np.isfinite(value)]
            np.testing.assert_allclose(points[:, 1], finite)
            assert np.all(np.abs(points[:, 0] - place) <= 0.21)


def test_a_running_mean_lies_over_its_curve() -> None:
    """The running mean of a straight line is the line itself."""
    steps = list(range(0, 2000, 10))
    curves = {"line": (steps, [3.0 * step for step in steps]), "few": ([1, 2], [0.5, 0.25])}
    line, few = figures.plot_training_curves(curves).axes
    raw, mean = line.get_lines()
    np.testing.assert_allclose(raw.get_ydata(), 3.0 * np.asarray(raw.get_xdata()))
    # A window of four values has its middle between two steps.
    np.testing.assert_allclose(mean.get_ydata(), 3.0 * np.asarray(mean.get_xdata()), atol=15.01)
    assert len(few.get_lines()) == 1 and few.get_title() == "few"


def test_a_table_says_what_each_utterance_has(evaluation: Evaluation, tmp_path: Path) -> None:
    report.write_csv(evaluation, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 4 * 3
    for row in rows:
        scored = evaluation.scores[row["direction"]][row["system"]]
        for metric, value in scored.utterances[row["utterance"]].items():
            if value is None or np.isnan(value):
                assert row[metric] == ""
            else:
                assert float(row[metric]) == value
        assert row["heard"] == (HEARD if row["utterance"] == NAME else "")
    assert len({(row["direction"], row["system"], row["utterance"]) for row in rows}) == len(rows)


def test_json_holds_every_mean_and_no_nan(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.scores["B2A"]["converted"].summary["msd_db"] = float("nan")
    evaluation.scores["B2A"]["converted"].summary["mcd_db"] = np.float32(0.5)
    report.write_json(evaluation, tmp_path / "summary.json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    found = json.loads(text, parse_constant=refuse)
    assert found == report.to_json(evaluation)
    assert list(found) == ["A2B", "B2A"] and list(found["A2B"]) == list(SYSTEMS)
    assert found["A2B"]["converted"]["mcd_db"] == 30.0
    assert found["A2B"]["converted"]["word_error_rate"] is None
    assert found["B2A"]["converted"] | {"msd_db": 0.0, "mcd_db": 0.0} == {
        **evaluation.scores["B2A"]["converted"].summary, "msd_db": 0.0, "mcd_db": 0.0
    }  # fmt: skip
    assert found["B2A"]["converted"]["msd_db"] is None
    assert found["B2A"]["converted"]["mcd_db"] == 0.5


def test_curves_are_those_of_the_event_files(tmp_path: Path) -> None:
    """Files may be in any order, and other summaries than scalars are ignored."""
    for suffix, steps in ((".a", (30, 40)), (".b", (10, 20))):
        writer = tf.summary.create_file_writer(str(tmp_path), filename_suffix=suffix)
        with writer.as_default():
            for step in steps:
                tf.summary.scalar("loss/generator", step / 4, step)
                tf.summary.text("settings", "text", step)
            tf.summary.scalar("evaluation/A2B/mcd_db", 7.5, steps[0])
        writer.close()
    assert events.read_scalars(tmp_path) == {
        "evaluation/A2B/mcd_db": ([10, 30], [7.5, 7.5]),
        "loss/generator": ([10, 20, 30, 40], [2.5, 5.0, 7.5, 10.0]),
    }
    assert events.read_scalars(tmp_path / "nothing") == {}


def test_every_metric_and_system_is_explained() -> None:
    assert tuple(METRIC_INFO) == METRICS
    assert tuple(SYSTEM_INFO) == SYSTEMS

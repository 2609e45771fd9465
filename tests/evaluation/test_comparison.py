"""Comparisons of runs: the page's files against conversions by the runs themselves."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from browsers import FLAGS, WAIT_MS, browser_path
from conftest import run_here, steps_without_graph
from html_pages import Page
from playwright.sync_api import sync_playwright

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.evaluation import artifacts, comparison, evaluation_sets
from cyclegan_vc_tf.evaluation.comparison_page import ARTIFACT_INFO
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.vocoders import selection

SMALL = ("--channels=2", "--residual_blocks=1", "--crop_frames=16")
LOG_MEL = ("--spectra=log_mel", "--mel_bins=8", "--fft_samples=256", "--hop_samples=64")


@pytest.fixture(scope="module")
def runs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs of two steps: `cepstra`, and `mel & <b>` of log-mel spectra."""
    folder = tmp_path_factory.mktemp("runs")
    for name, flags in (("cepstra", ("--f0_method=dio",)), ("mel & <b>", LOG_MEL)):
        with steps_without_graph():
            done = run_here(
                "train.py", f"--run_dir={folder / name}", f"--source_dir={corpus / 'low'}",
                f"--target_dir={corpus / 'high'}", f"--features_dir={corpus / 'features'}",
                "--held_out_fraction=0.5", "--steps=2", "--convert_every=0", *SMALL, *flags,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def folder(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a page of both runs, with two vocoders of which one fits one run."""
    made = tmp_path_factory.mktemp("made") / "page"
    done = run_here(
        "compare", f"--run_dirs={runs / 'cepstra'},{runs / 'mel & <b>'}",
        "--vocoders=griffin_lim,pretrained:vocoder-demo", f"--output={made}", "--examples=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Page: {made}/index.html" in done.stdout
    assert "left out: cepstra with pretrained:vocoder-demo: --vocoder" in done.stdout
    assert done.stdout.count("left out:") == 2
    return made


def first_recording(runs: Path, speaker: str) -> Path:
    corpus = json.loads((runs / "cepstra" / "corpus.json").read_text())[speaker]
    return Path(corpus["held_out_folder"], sorted(corpus["held_out"])[0])


def test_players_hold_what_the_runs_convert(runs: Path, folder: Path) -> None:
    page = Page((folder / "index.html").read_text(encoding="utf-8"))
    assert page.open == []
    sources = [str(each["src"]) for each in page.all("audio")]
    source = first_recording(runs, "A")
    assert len(sources) == len(set(sources)) == 2 * 4
    names = {"cepstra": "1-cepstra-WORLD", "mel & <b>": "2-mel-b-Griffin-Lim"}
    for run, name in names.items():
        found, rate_hz = soundfile.read(folder / "A2B" / "1" / f"{name}.wav", dtype="int16")
        voices = vc.load(runs / run)
        samples, _ = audio_files.read_resampled(source, voices.sample_rate_hz)
        expected = voices.convert(samples, voices.sample_rate_hz, "A2B")
        expected /= max(1.0, np.abs(expected).max())
        assert rate_hz == voices.sample_rate_hz
        assert np.abs(found - 32768 * expected.astype(np.float64)).max() <= 1
    assert "A2B/1/0-source.wav" in sources and "A2B/1/3-target.wav" in sources


def test_measures_are_those_of_the_recordings(runs: Path, folder: Path) -> None:
    measured = json.loads((folder / "artifacts.json").read_text())
    source, name = first_recording(runs, "A"), "A2B/1/1-cepstra-WORLD.wav"
    recordings = measured["recordings"]["A2B"]["cepstra, WORLD"]
    assert list(recordings) == [source.stem]
    wave, rate_hz = soundfile.read(folder / name)
    original, _ = audio_files.read_resampled(source, rate_hz)
    expected = artifacts.measure(wave, rate_hz, original)
    for measure, value in recordings[source.stem].items():
        # A wav file is quantised.
        assert value == pytest.approx(getattr(expected, measure), rel=0.01, abs=0.01), measure
        assert measured["means"]["A2B"]["cepstra, WORLD"][measure] == value
    assert list(recordings[source.stem]) == list(ARTIFACT_INFO)
    page = Page((folder / "index.html").read_text(encoding="utf-8"))
    row = next(row for row in page.rows if row[0] == "cepstra, WORLD")
    assert row[1] == f"{recordings[source.stem]['peak']:.2f}"


def test_the_page_is_whole_and_accessible_in_a_browser(folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=[*FLAGS])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.set_default_timeout(WAIT_MS)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "index.html").as_uri())
        loaded = "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode())))"
        page.evaluate(loaded)
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        duration_s = page.evaluate(
            "new Promise(done => { const a = document.querySelector('audio'); a.preload = 'auto';"
            " a.onloadedmetadata = () => done(a.duration); a.load(); })"
        )
        first = soundfile.info(folder / "A2B" / "1" / "0-source.wav")
        assert duration_s == pytest.approx(first.duration, abs=0.01)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        faults = Axe().run(page).response["violations"]
        assert [fault["id"] for fault in faults if fault["impact"] in ("serious", "critical")] == []
        assert all(url.startswith(("file:", "data:")) for url in asked)
        assert page.get_by_text("mel & <b>, Griffin-Lim").count() > 0
        browser.close()


def test_a_page_is_replaced_and_nothing_else(runs: Path, folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "page"
    made.mkdir()
    for _ in range(2):
        comparison = vc.compare([runs / "cepstra"], made, examples=1)
        assert list(comparison.artifacts["A2B"]) == ["source", "cepstra", "target"]
        (made / "leftover").write_text("of the page before")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("not to be lost")
    with pytest.raises(vc.InputError, match="holds other files"):
        vc.compare([runs / "cepstra"], other)
    with pytest.raises(vc.InputError, match="is a file"):
        vc.compare([runs / "cepstra"], other / "thesis.txt")
    assert (other / "thesis.txt").read_text() == "not to be lost"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "--run_dirs is not given"),
        (["--run_dirs=RUNS/cepstra"], "--output is not given"),
        (["--run_dirs=RUNS/cepstra,RUNS/cepstra", "--output=OUT"], "cepstra twice"),
        (["--run_dirs=RUNS/none", "--output=OUT"], "none is not a run folder"),
        (["--run_dirs=RUNS/cepstra", "--output=OUT", "--step=9"], "no checkpoint of step 9"),
        (["--run_dirs=RUNS/cepstra", "--output=OUT", "--examples=0"], "--examples"),
        (
            ["--run_dirs=RUNS/cepstra", "--output=OUT", "--vocoders=pretrained:vocoder-demo"],
            "no vocoder of --vocoders fits --run_dirs cepstra",
        ),
        (["--run_dirs=pretrained:vc1-demo", "--output=OUT"], "give --held_out_source_dir"),
    ],
)
def test_impossible_comparisons_are_refused_in_a_line(
    runs: Path, tmp_path: Path, flags: list[str], expected: str
) -> None:
    given = [
        flag.replace("RUNS", str(runs)).replace("OUT", str(tmp_path / "page")) for flag in flags
    ]
    done = run_here("compare", *given)
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_vocoders_of_one_name_are_told_apart(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vocoders stand for folders of the same name; the first one is given twice."""
    made: list[str] = []

    def make(config: FeatureConfig, choice: VocoderConfig) -> selection.Vocoder:
        made.append(choice.vocoder)
        return lambda features, samples: np.full(samples, 0.1 * len(made), np.float32)

    monkeypatch.setattr(selection, "make_vocoder", make)
    vocoders = ["/one/vocoder", "/two/vocoder", "/one/vocoder", "griffin_lim"]
    opened = {"mel": run_folder.open_run(runs / "mel & <b>")}
    systems, left_out = comparison.make_systems(opened, "last", vocoders)
    assert [system.title for system in systems] == [
        "mel, /one/vocoder", "mel, /two/vocoder", "mel, Griffin-Lim",
    ]  # fmt: skip
    assert left_out == [] and len(made) == 2 * 3


def test_the_function_names_its_own_arguments(tmp_path: Path) -> None:
    with pytest.raises(vc.InputError, match=r"^runs is not given; expected one run or more"):
        vc.compare([], tmp_path / "page")


def test_runs_of_one_name_are_told_apart(runs: Path, tmp_path: Path) -> None:
    for name in ("cepstra", "target"):
        (tmp_path / name).symlink_to(runs / "cepstra")
    given = [runs / "cepstra", tmp_path / "cepstra", tmp_path / "target"]
    comparison = vc.compare(given, tmp_path / "page", examples=1)
    titles = list(comparison.artifacts["B2A"])
    assert titles == ["source", *map(str, given), "target"]


def test_a_direction_without_a_generator_is_left_out(runs: Path, tmp_path: Path) -> None:
    run = run_folder.open_run(runs / "cepstra")
    (both,), _ = comparison.make_systems({"run": run}, "last", [])
    system = comparison.System("run", {Direction.B2A: both.converters[Direction.B2A]})
    sets = evaluation_sets.load_evaluation_sets(run)
    found = comparison.write(tmp_path / "page", [system], sets, 1)
    assert list(found.artifacts) == ["B2A"]
    assert not (tmp_path / "page" / "A2B").exists()


def test_damaged_recordings_are_named(runs: Path, tmp_path: Path) -> None:
    """Half of each file is missing."""
    for speaker in ("A", "B"):
        path = first_recording(runs, speaker)
        samples, rate_hz = audio_files.read(path)
        (tmp_path / speaker).mkdir()
        cut = tmp_path / speaker / "one.wav"
        soundfile.write(cut, samples, rate_hz)
        content = cut.read_bytes()
        cut.write_bytes(content[: len(content) // 2])
    done = run_here(
        "compare", f"--run_dirs={runs / 'cepstra'},{runs / 'mel & <b>'}",
        f"--output={tmp_path / 'page'}", f"--held_out_source_dir={tmp_path / 'A'}",
        f"--held_out_target_dir={tmp_path / 'B'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for speaker in ("A", "B"):
        lines = [line for line in done.stdout.splitlines() if str(tmp_path / speaker) in line]
        assert len(lines) == 1 and lines[0].startswith("warning: ")
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert lines[0].partition("one.wav ")[2] in page

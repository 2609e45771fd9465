"""A page that converts in the browser, in Chromium, against the conversion in Python."""

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from browsers import FLAGS, browser_path, refuse
from conftest import REPOSITORY, run_here, voice
from live_runs import make_mel_run
from page_visitor import PageVisitor, served
from playwright.sync_api import Browser, expect, sync_playwright

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import resampling, segmentation
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.conversion import conditions
from cyclegan_vc_tf.conversion.inference import inference_function
from cyclegan_vc_tf.features import average, log_mel, normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import page_export
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import melgan, neural, vocoder_folders
from cyclegan_vc_tf.vocoders.excitation import excite

RATE_HZ = 22_050

SENTENCE = REPOSITORY / "data/demo/held_out/heart/089.flac"

RUNTIME_VERSION = "1.30.0"
"""Version of the npm package onnxruntime-web."""

FEATURE_TOLERANCE = 1e-4
"""Largest difference of a log-mel value; they lie between -5 and about 1."""

SAMPLE_TOLERANCE = 1e-3
"""Largest difference of a sample; 16 bits have steps of 3e-5."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the npm package, which is downloaded once into the user's cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = home / "cyclegan_vc_tf-tests" / f"onnxruntime-web-{RUNTIME_VERSION}"
    package = Path("node_modules") / page_export.RUNTIME
    if not (cache / package).is_dir():
        npm = shutil.which("npm")
        if npm is None:
            refuse("no npm on the PATH, which downloads onnxruntime-web: apt-get install npm")
        work = tmp_path_factory.mktemp("npm")
        done = subprocess.run(
            [str(npm), "install", f"--prefix={work}", "--ignore-scripts", "--no-audit", "--no-fund",
             f"{page_export.RUNTIME}@{RUNTIME_VERSION}"],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            refuse(f"npm cannot download onnxruntime-web: {done.stderr.strip()[-500:]}")
        cache.parent.mkdir(parents=True, exist_ok=True)
        # Another process may have been faster.
        if not (cache / package).is_dir():
            shutil.copytree(work, cache, dirs_exist_ok=True)
    return cache / package


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Untrained run of log-mel spectra, with the statistics of two made-up voices."""
    config: RunConfig = vc.preset(
        "vc3", channels=4, residual_blocks=1, griffin_lim_iterations=8, crop_frames=16
    )
    statistics = {}
    for speaker, f0_hz in (("A", 120.0), ("B", 210.0)):
        spectra = log_mel.log_mel(voice(f0_hz, 3.0, 1, RATE_HZ), config.features)
        mean, std = normalization.mean_and_std(lambda spectra=spectra: [spectra])
        statistics[speaker] = Statistics(mean, std, 0.0, 0.0)
    folder = tmp_path_factory.mktemp("run") / "run"
    opened = run_folder.create_run(
        folder, config, statistics, {name: {"training": {}} for name in "AB"}
    )
    opened.checkpoints.save(Trainer(config).checkpoint, 3, keep=1)
    return run_folder.open_run(folder)


@pytest.fixture(scope="module")
def page(run: RunFolder, runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Page of both directions, with Griffin-Lim."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "card.md").write_text("# Low and high\n\n<b>Made-up</b> voices.\n")
    done = run_here(
        "export", f"--run_dir={run.path}", "--format=page", f"--output={folder}/low-high",
        f"--runtime={runtime}", f"--about={folder}/card.md", "--licence=CC0",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Step 3: A2B, B2A, ")
    return folder / "low-high"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield Chromium without a user's profile."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_path(), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def visitor(browser: Browser, page: Path) -> Iterator[PageVisitor]:
    """Yield a visitor of the page; no request left this machine, and no script failed."""
    with served(page) as address:
        opened = PageVisitor(browser, address)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recording of 1.2 s in 16 bits, much quieter than the training, with an incomplete hop."""
    path = tmp_path_factory.mktemp("recording") / "low.wav"
    soundfile.write(path, 0.04 * voice(130.0, 1.2, 4, RATE_HZ), RATE_HZ)
    return path


def test_a_recording_is_converted_as_in_python(
    visitor: PageVisitor, run: RunFolder, recording: Path, tmp_path: Path
) -> None:
    """Level, analysis, generator, Griffin-Lim and file, for both directions."""
    samples, _ = soundfile.read(recording, dtype="float32")
    config = run.config.features
    assert conditions.examine(samples, run.statistics["A"], config).gain > 1
    for direction in ("A2B", "B2A"):
        visitor.convert(recording, direction)
        visitor.see("Converted 1.2 s of low.wav")
        converted, rate_hz = visitor.download(tmp_path / f"{direction}.wav")
        expected = vc.load(run.path).convert(samples, RATE_HZ, direction)
        assert rate_hz == RATE_HZ and converted.shape == expected.shape
        expected /= max(np.abs(expected).max(), 1.0)
        assert np.abs(expected).max() > 10 * SAMPLE_TOLERANCE
        np.testing.assert_allclose(converted, expected, atol=SAMPLE_TOLERANCE)
    expect(visitor.page.locator("#warnings")).to_be_hidden()
    assert Axe().run(visitor.page).response["violations"] == []


def test_spectra_are_those_of_python(visitor: PageVisitor, run: RunFolder, recording: Path) -> None:
    """Analysis and generator by themselves, from samples that Python read."""
    samples, _ = soundfile.read(recording, dtype="float32")
    answer = visitor.call(
        "converter.js",
        """async ({ Converter }, samples) => {
          const converter = await Converter.load();
          const spectra = converter.analyse(Float32Array.from(samples));
          const converted = await converter.convertSpectra(spectra, "A2B");
          return [Array.from(spectra), Array.from(converted)];
        }""",
        samples.tolist(),
    )
    spectra, converted = (np.reshape(each, (-1, 80)) for each in answer)
    expected = log_mel.log_mel(samples, run.config.features)
    np.testing.assert_allclose(spectra, expected, atol=FEATURE_TOLERANCE)
    generator, _ = run.load_generator("A2B", 3)
    statistics = run.statistics
    outputs = inference_function(generator)(normalization.normalize(expected, statistics["A"]))
    target = normalization.denormalize(outputs, statistics["B"])
    assert np.std(target) > 0.1
    np.testing.assert_allclose(converted, target, atol=FEATURE_TOLERANCE)


@pytest.mark.parametrize("count", [1, 90, 255, 256, 257, 2000])
def test_short_recordings_are_mirrored_as_in_python(
    visitor: PageVisitor, run: RunFolder, count: int
) -> None:
    samples = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    spectra = visitor.call(
        "converter.js",
        "async ({ Converter }, samples) => Array.from((await Converter.load()).analyse(samples))",
        samples.tolist(),
    )
    expected = log_mel.log_mel(samples, run.config.features)
    np.testing.assert_allclose(np.reshape(spectra, (-1, 80)), expected, atol=FEATURE_TOLERANCE)


def test_levels_pieces_and_random_numbers_are_those_of_python(
    visitor: PageVisitor, run: RunFolder
) -> None:
    numbers = visitor.call(
        "griffin_lim.js",
        """({ MersenneTwister }) => {
          const random = new MersenneTwister(0);
          return Array.from({ length: 700 }, () => random.random());
        }""",
    )
    assert numbers == np.random.RandomState(0).random_sample(700).tolist()
    rng = np.random.default_rng(2)
    count = 75 * RATE_HZ // 10
    # Loud for a tenth of the time, and 40 dB lower in the pauses between.
    loudness = np.where(np.arange(count) // 2000 % 10 == 0, 1.0, 0.01)
    samples = (loudness * rng.standard_normal(count)).round(5)
    pieces, *gains = visitor.call(
        "levels.js",
        """({ splitAtQuiet, findGain }, [samples, gains]) => fetch("page.json")
          .then((answer) => answer.json())
          .then((settings) => [
            splitAtQuiet(Float64Array.from(samples), { ...settings, max_piece_s: 3 }),
            ...gains.map((gain) => findGain(
              Float64Array.from(samples, (each) => gain * each),
              settings.directions[0].level_dbfs, settings)),
          ])""",
        [samples.tolist(), [1e-3, 0.01, 0.1, 0.3, 1, 0]],
    )
    expected = segmentation.split_at_quiet(samples, RATE_HZ, 3.0)
    assert pieces == [[piece.start, piece.stop] for piece in expected] and len(pieces) == 4
    known = run.statistics["A"], run.config.features
    assert gains == [
        conditions.examine(gain * samples, *known).gain for gain in (1e-3, 0.01, 0.1, 0.3, 1, 0)
    ]
    assert len(set(gains)) > 3


def test_other_rates_and_channels_become_the_models(
    visitor: PageVisitor, run: RunFolder, tmp_path: Path
) -> None:
    """The browser's resampler differs from soxr most in the highest bands, which are left out."""
    wave = voice(130.0, 1.0, 4, 48_000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([wave, 0.5 * wave], 1), 48_000)
    visitor.convert(tmp_path / "stereo.flac")
    visitor.see("Converted 1.0 s of stereo.flac")
    converted, _ = visitor.download(tmp_path / "out.wav")
    expected = vc.load(run.path).convert(0.75 * wave, 48_000, "A2B")
    # Chromium leaves out what is less than a sample.
    assert len(converted) in (RATE_HZ - 1, RATE_HZ)
    config = run.config.features
    again = resampling.resample(expected, 48_000, RATE_HZ)[: len(converted)]
    difference = log_mel.log_mel(converted, config) - log_mel.log_mel(again, config)
    assert np.abs(difference[:, :60]).mean() < 0.1


def test_a_melgan_synthesizes_in_the_page(
    browser: Browser, run: RunFolder, runtime: Path, recording: Path, tmp_path: Path
) -> None:
    network = melgan.melgan_generator(channels=2)
    melgan.save(network, tmp_path / "melgan.npz")
    made = vc.export_page(
        run.path, tmp_path / "page", "A2B", runtime=runtime / "dist",
        vocoder_checkpoint=tmp_path / "melgan.npz",
    )  # fmt: skip
    assert (made.directions, made.vocoder) == (("A2B",), "melgan")
    with served(tmp_path / "page") as address:
        visitor = PageVisitor(browser, address)
        visitor.convert(recording)
        visitor.see("Converted 1.2 s of low.wav")
        converted, _ = visitor.download(tmp_path / "out.wav")
        # Chunks are joined, and a spectrum of two frames is extended.
        answers = visitor.call(
            "converter.js",
            """async ({ Converter }, frames) => {
              const converter = await Converter.load();
              const make = (count) => Float32Array.from(
                { length: 80 * count }, (_, n) => -2 + Math.sin(n * n));
              const results = [];
              for (const count of frames) {
                const samples = await converter.synthesize(make(count), () => {});
                results.push(Array.from(samples));
              }
              return results;
            }""",
            [2, 700],
        )
        visitor.close()
    samples, _ = soundfile.read(recording, dtype="float32")
    choice = {"vocoder": "melgan", "vocoder_checkpoint": str(tmp_path / "melgan.npz")}
    expected = vc.load(run.path, **choice).convert(samples, RATE_HZ, "A2B")
    np.testing.assert_allclose(converted, expected, atol=SAMPLE_TOLERANCE)
    for count, received in zip((2, 700), answers, strict=True):
        place = np.arange(80.0 * count)
        spectra = (-2 + np.sin(place * place)).astype(np.float32).reshape(-1, 80)
        known = melgan.synthesize(network, spectra)
        np.testing.assert_allclose(received, known, atol=1e-5)


class Turns:
    """Random numbers of the page: its first one is the phase, and there is no noise."""

    def uniform(self) -> float:
        """Return the first number of NumPy's `RandomState(0)`."""
        return float(np.random.RandomState(0).random_sample())

    def standard_normal(self, samples: int, dtype: type) -> np.ndarray:
        """Return zeros."""
        return np.zeros(samples, dtype)


def test_a_vocoder_that_was_trained_here_synthesizes_in_the_page(
    browser: Browser, runtime: Path, tmp_path: Path
) -> None:
    """The noise is the page's own: what it makes is given to the vocoder in Python."""
    vocoder = neural.load(vocoder_folders.find("pretrained:vocoder-demo"))
    run = make_mel_run(tmp_path / "run", vocoder.features)
    made = vc.export_page(
        run.path, tmp_path / "page", "A2B", runtime=runtime,
        vocoder_checkpoint="pretrained:vocoder-demo",
    )  # fmt: skip
    assert made.vocoder == "source_filter"
    speech, rate_hz = soundfile.read(SENTENCE, dtype="float32")
    spectra = log_mel.log_mel(speech[: 3 * rate_hz], vocoder.features)
    soundfile.write(tmp_path / "a.wav", speech[:rate_hz], rate_hz)
    with served(tmp_path / "page") as address:
        visitor = PageVisitor(browser, address)
        visitor.convert(tmp_path / "a.wav")
        visitor.see("Converted 1.0 s of a.wav")
        converted, _ = visitor.download(tmp_path / "out.wav")
        answer = visitor.call(
            "converter.js",
            """async ({ Converter }, spectra) => {
              const { decodePitch, excite } = await import("./source_filter.js");
              const converter = await Converter.load();
              const { settings } = converter;
              settings.vocoder.chunk_frames = 50;
              const values = Float32Array.from(spectra);
              const silence = new Float32Array(2 * 256 * (values.length / 80));
              const scores = await converter.runSourceFilter(values, silence, "pitch");
              const f0 = decodePitch(scores, settings.vocoder.pitch);
              const samples = await converter.synthesize(values, () => {});
              return [f0, excite(f0, settings), samples].map((each) => Array.from(each));
            }""",
            spectra.ravel().tolist(),
        )
        visitor.close()
    assert np.std(converted) > 1e-4
    f0_hz, excitation, samples = (np.array(each, np.float32) for each in answer)
    expected_hz = vocoder.estimate_f0(log_mel.MelFeatures(spectra))
    assert 0.3 < np.mean(expected_hz > 0) < 0.95
    np.testing.assert_allclose(f0_hz, expected_hz, rtol=1e-4)
    excitation = excitation.reshape(-1, 2)
    pulses = excite(f0_hz.astype(np.float64), 256, 16_000, Turns())[:, 0]  # type: ignore[arg-type]
    # F0 in single precision moves late pulses a little.
    assert np.corrcoef(excitation[:, 0], pulses)[0, 1] > 0.999
    assert np.std(excitation[:, 1]) == pytest.approx(1.0, abs=0.02)
    assert abs(np.mean(excitation[:, 1])) < 0.02
    known = vocoder.filter(spectra, excitation)
    assert np.std(known) > 0.02
    np.testing.assert_allclose(samples, known, atol=SAMPLE_TOLERANCE)


def test_the_page_says_what_is_wrong(visitor: PageVisitor, tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("no sound")
    visitor.convert(tmp_path / "notes.wav")
    visitor.see("notes.wav cannot be decoded by this browser")
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE_HZ), RATE_HZ)
    visitor.convert(tmp_path / "silence.wav")
    visitor.see("Converted 1.0 s of silence.wav")
    converted, _ = visitor.download(tmp_path / "out.wav")
    assert not converted.any()
    narrow = voice(130.0, 1.0, 4, 8_000)
    soundfile.write(tmp_path / "telephone.wav", narrow, 8_000)
    visitor.convert(tmp_path / "telephone.wav")
    visitor.see("of telephone.wav")
    expect(visitor.page.locator("#warnings")).to_contain_text("has little above 3.")
    about = visitor.page.locator("#about")
    about.locator("summary").click()
    # A card is text: its markup is not.
    expect(about).to_contain_text("<b>Made-up</b> voices.")
    expect(about).to_contain_text("Licence: CC0")


def test_a_conversion_is_stopped_and_another_follows(
    visitor: PageVisitor, recording: Path, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "long.wav", voice(130.0, 60.0, 4, RATE_HZ), RATE_HZ)
    visitor.convert(tmp_path / "long.wav")
    visitor.see("Converting 60.0 s.")
    visitor.page.get_by_role("button", name="Stop").click()
    visitor.see("Stopped.")
    visitor.convert(recording)
    visitor.see("Converted 1.2 s of low.wav")


def test_the_folder_is_whole_and_small(page: Path, run: RunFolder, runtime: Path) -> None:
    """Other files of the npm package are left out; its licence comes along."""
    assert sorted(path.name for path in (page / "onnxruntime-web").iterdir()) == [
        "LICENSE", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "ort.wasm.min.mjs"
    ]  # fmt: skip
    assert "MIT License" in (page / "onnxruntime-web" / "LICENSE").read_text()
    assert sum(path.stat().st_size for path in page.rglob("*") if path.is_file()) < 20e6
    settings = json.loads((page / "page.json").read_text())
    assert settings["directions"][1]["level_dbfs"] == average.level_dbfs(
        run.statistics["B"], run.config.features
    )
    # A page is replaced, and a folder of somebody is not.
    vc.export_page(run.path, page.parent / "again", "B2A", runtime=runtime)
    vc.export_page(run.path, page.parent / "again", "A2B", runtime=runtime, quantize="float16")
    assert [path.name for path in (page.parent / "again").glob("*.onnx")] == ["generator_A2B.onnx"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"run": "pretrained:vc1-demo"}, "converts mel-cepstra"),
        ({"runtime": "."}, "npm install onnxruntime-web"),
        ({"direction": "C2D"}, "received direction C2D; expected A2B or B2A"),
        ({"quantize": "int8"}, "expected none or float16"),
        ({"output": "mine"}, "has other files in it"),
        ({"output": "mine/photo.jpg"}, "is a file"),
        ({"vocoder_checkpoint": "no.npz"}, "no.npz does not exist"),
        ({"vocoder_checkpoint": "other.npz"}, "synthesizes 80 bands every 64 of 1024 samples"),
    ],
)
def test_pages_that_cannot_be_made(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").touch()
    (tmp_path / "dist").mkdir()
    for name in page_export.RUNTIME_FILES:
        (tmp_path / "dist" / name).touch()
    melgan.save(melgan.melgan_generator(channels=1, ratios=(8, 8)), tmp_path / "other.npz")
    if changes.get("runtime"):
        shutil.rmtree(tmp_path / "dist")
    before = sorted(tmp_path.rglob("*"))
    given = {"run": run.path, "output": "page", "runtime": tmp_path, **changes}
    with pytest.raises(InputError, match=expected):
        vc.export_page(given.pop("run"), given.pop("output"), **given)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_transform_of_another_length_is_refused(run: RunFolder, tmp_path: Path) -> None:
    features = dataclasses.replace(run.config.features, fft_samples=1000)

    class Other:
        path = run.path
        config = dataclasses.replace(run.config, features=features)

    with pytest.raises(InputError, match="expected a power of two"):
        page_export.check(Other(), tmp_path / "page")  # type: ignore[arg-type]

"""Conversion: lengths, silence, statistics of both speakers, F0, files and processes."""

import multiprocessing
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, SMALL_NETWORK, voice

from cyclegan_vc_tf.audio import audio_files, segmentation
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.conversion import batch
from cyclegan_vc_tf.conversion import converter as converter_module
from cyclegan_vc_tf.conversion.converter import Converter, F0Options
from cyclegan_vc_tf.features import frontend, normalization, world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.system import pool

DIO = FeatureConfig(f0_method="dio")


def identity_generator() -> keras.Model:
    """Return a generator that changes nothing, and needs a multiple of four frames as all do."""
    inputs = keras.Input((None, 24))
    folded = keras.layers.Reshape((-1, 96))(inputs)
    return keras.Model(inputs, keras.layers.Reshape((-1, 24))(folded))


def small_generator() -> keras.Model:
    return registry.build_generators(RunConfig(features=DIO, network=SMALL_NETWORK))["A2B"]


def measure_statistics(wave: np.ndarray) -> Statistics:
    f0_hz, mel_cepstra = frontend.analyse_for_training(wave, DIO)
    log_f0 = np.log(f0_hz[f0_hz > 0])
    mean, deviation = normalization.mean_and_std(lambda: [mel_cepstra])
    return Statistics(mean, deviation, float(log_f0.mean()), float(log_f0.std()))


LOW, HIGH = voice(110.0, 1.0, seed=1), voice(210.0, 1.0, seed=2)
LOW_STATISTICS, HIGH_STATISTICS = measure_statistics(LOW), measure_statistics(HIGH)


def converter(generator: keras.Model) -> Converter:
    return Converter(generator, LOW_STATISTICS, HIGH_STATISTICS, DIO)


@pytest.mark.parametrize("samples", [1, 2, 100, 239, 240, 241, 1000, 4801, 8000])
def test_the_output_is_as_long_as_the_input(samples: int) -> None:
    converted = converter(small_generator()).convert(LOW[4000 : 4000 + samples])
    assert converted.shape == (samples,)
    assert converted.dtype == np.float32
    assert np.isfinite(converted).all()


@pytest.mark.parametrize(("rate_hz", "bins"), [(8_000, 20), (22_050, 34), (48_000, 36)])
def test_any_sample_rate_and_number_of_bins_converts(rate_hz: int, bins: int) -> None:
    config = FeatureConfig(sample_rate_hz=rate_hz, mel_cepstra=bins, f0_method="dio")
    wave = voice(110.0, 0.333, seed=5, sample_rate_hz=rate_hz)
    mel_cepstra = frontend.analyse_for_training(wave, config)[1]
    mean, deviation = normalization.mean_and_std(lambda: [mel_cepstra])
    one = Statistics(mean, deviation, np.log(110.0), 0.1)
    run = RunConfig(features=config, network=SMALL_NETWORK)
    generator = registry.build_generators(run)["A2B"]
    converted = Converter(generator, one, one, config).convert(wave)
    assert converted.shape == wave.shape
    assert np.isfinite(converted).all()


def test_silence_and_single_samples_are_returned_unchanged() -> None:
    convert = converter(small_generator()).convert
    for wave in (np.zeros(5000), np.full(5000, 0.2), np.array([0.3]), np.array([0.1, -0.1])):
        np.testing.assert_array_equal(convert(wave.astype(np.float32)), wave.astype(np.float32))


def test_spectra_are_denormalized_with_the_targets_statistics() -> None:
    features = frontend.analyse(LOW, DIO)
    converted = converter(identity_generator()).convert_features(features)
    # An identity in normalised units moves the source's mean and deviation to the target's.
    np.testing.assert_allclose(
        converted.spectra.mean(axis=0), HIGH_STATISTICS.mean, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(converted.spectra.std(axis=0), HIGH_STATISTICS.std, rtol=1e-4)
    np.testing.assert_array_equal(converted.aperiodicity, features.aperiodicity)


def test_no_frame_gets_louder_where_the_power_is_limited() -> None:
    """The generator raises all peaks: c1 to c23 are multiplied by 1.5."""
    features = frontend.analyse(LOW, DIO)
    one = Statistics(np.zeros(24), np.ones(24), np.log(110.0), 0.1)

    def peaky(spectra: np.ndarray) -> np.ndarray:
        return spectra * np.where(np.arange(24) == 0, 1.0, 1.5)

    before = world.log_power(features.spectra, DIO)
    found = {}
    for limit in (False, True):
        vocoder = VocoderConfig(limit_power=limit)
        found[limit] = Converter(peaky, one, one, DIO, vocoder).convert_features(features).spectra
    free, limited = (world.log_power(found[limit], DIO) for limit in (False, True))
    assert (free > before + 1.0).mean() > 0.5
    np.testing.assert_allclose(limited, np.minimum(free, before), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(found[True][:, 1:], found[False][:, 1:])


def test_f0_is_mapped_to_the_target_in_both_directions() -> None:
    generator = identity_generator()
    up = Converter(generator, LOW_STATISTICS, HIGH_STATISTICS, DIO).convert(LOW)
    down = Converter(generator, HIGH_STATISTICS, LOW_STATISTICS, DIO).convert(HIGH)
    for wave, statistics in ((up, HIGH_STATISTICS), (down, LOW_STATISTICS)):
        f0_hz, _ = world.f0(wave, DIO)
        median = np.median(f0_hz[f0_hz > 0])
        assert median == pytest.approx(np.exp(statistics.log_f0_mean), rel=0.05)


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        (F0Options(convert=False), 1.0),
        (F0Options(convert=False, semitones=12.0), 2.0),
        (F0Options(convert=False, semitones=-7.0), 2 ** (-7 / 12)),
    ],
)
def test_f0_can_be_kept_and_shifted_by_semitones(options: F0Options, factor: float) -> None:
    features = frontend.analyse(LOW, DIO)
    converted = converter(identity_generator()).convert_features(features, options)
    np.testing.assert_allclose(converted.f0_hz, factor * features.f0_hz, rtol=1e-12)


def test_lengths_that_are_not_a_multiple_of_four_are_padded_and_cut() -> None:
    one = converter(identity_generator())
    for frames in (1, 3, 4, 5, 30, 31):
        mel_cepstra = np.random.default_rng(frames).standard_normal((frames, 24))
        expected = normalization.denormalize(
            normalization.normalize(mel_cepstra, LOW_STATISTICS), HIGH_STATISTICS
        )
        np.testing.assert_allclose(one.convert_spectra(mel_cepstra), expected, rtol=1e-5)


def test_long_recordings_are_cut_where_they_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.concatenate([LOW, np.zeros(800, np.float32), LOW, LOW[:9000]])
    # The middle third of 41800 samples begins at 13933; the pause is from 16000 to 16800.
    assert 16_000 <= segmentation.quietest_sample(wave, 16_000) <= 16_800
    one = converter(identity_generator())
    monkeypatch.setattr(converter_module, "MAX_PIECE_S", 1.1)
    lengths = []
    analyse = frontend.analyse
    monkeypatch.setattr(
        frontend,
        "analyse",
        lambda samples, config: lengths.append(len(samples)) or analyse(samples, config),
    )
    assert len(one.convert(wave)) == len(wave)
    assert len(lengths) >= 3 and max(lengths) <= 1.1 * 16_000
    assert sum(lengths) == len(wave)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("keep", [False, True])
def test_files_last_as_long_as_their_source(tmp_path: Path, rate_hz: int, keep: bool) -> None:
    samples = int(0.3456 * rate_hz)
    stereo = np.repeat(voice(110.0, 0.4, 3, rate_hz)[:samples, np.newaxis], 2, axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, rate_hz)
    converter_module.convert_file(
        converter(identity_generator()),
        tmp_path / "a.flac",
        tmp_path / "out" / "a.wav",
        keep_sample_rate=keep,
    )
    info = soundfile.info(tmp_path / "out" / "a.wav")
    expected = samples if keep else round(samples * 16_000 / rate_hz)
    assert (info.frames, info.samplerate) == (expected, rate_hz if keep else 16_000)
    assert (info.channels, info.subtype) == (1, "PCM_16")


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 192_000])
@pytest.mark.parametrize("wave", [[0.25], [0.25, -0.5, 0.1], [0.0] * 5000])
def test_unconvertible_recordings_are_copied_at_every_rate(
    tmp_path: Path, rate_hz: int, wave: list[float]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.array(wave), rate_hz, subtype="FLOAT")
    one = converter(identity_generator())
    converter_module.convert_file(
        one, tmp_path / "a.wav", tmp_path / "b.wav", keep_sample_rate=True
    )
    kept, kept_hz = soundfile.read(tmp_path / "b.wav")
    assert kept_hz == rate_hz
    np.testing.assert_allclose(kept, wave, atol=1e-4)
    converter_module.convert_file(one, tmp_path / "a.wav", tmp_path / "b.wav")
    at_16_khz, _ = soundfile.read(tmp_path / "b.wav")
    assert len(at_16_khz) == max(1, round(len(wave) * 16_000 / rate_hz))
    assert at_16_khz[0] == pytest.approx(wave[0], abs=1e-4)


def test_a_model_with_nan_outputs_writes_no_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", LOW[:4000], 16_000)
    broken = Statistics(np.full(24, np.nan), HIGH_STATISTICS.std, np.log(210), 0.1)
    one = Converter(identity_generator(), LOW_STATISTICS, broken, DIO)
    done = batch.convert_files(one, {tmp_path / "a.wav": tmp_path / "b.wav"})
    assert "NaN" in done.failed[tmp_path / "a.wav"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_bad_file_stops_no_other(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", LOW[:4000], 16_000)
    (tmp_path / "b.wav").write_text("no audio")
    soundfile.write(tmp_path / "c.wav", LOW[:4000], 16_000)
    soundfile.write(tmp_path / "d.wav", LOW[:4000], 16_000)
    (tmp_path / "out" / "c.wav").mkdir(parents=True)
    outputs = {tmp_path / f"{name}.wav": tmp_path / "out" / f"{name}.wav" for name in "abcd"}
    done = batch.convert_files(converter(identity_generator()), outputs)
    assert list(done.failed) == [tmp_path / "b.wav", tmp_path / "c.wav"]
    assert "Is a directory" in done.failed[tmp_path / "c.wav"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.wav", "c.wav", "d.wav"]


FULL_DISK = """
import contextlib, resource, sys
from pathlib import Path
import numpy as np
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion import batch
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import files

if sys.argv[1] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
else:
    files.replacing = lambda path: contextlib.nullcontext(Path("/dev/full"))
speaker = Statistics(np.zeros(24), np.ones(24), 5.0, 0.1)
converter = Converter(lambda spectra: spectra, speaker, speaker, FeatureConfig(f0_method="dio"))
done = batch.convert_files(converter, {Path("a.wav"): Path("out/a.wav")})
print(done.failed[Path("a.wav")])
"""


@pytest.mark.parametrize(
    ("disk", "reason"), [("limit", "File too large"), ("full", "No space left on device")]
)
def test_a_full_disk_is_named_as_the_reason(tmp_path: Path, disk: str, reason: str) -> None:
    """The system refuses: no file may be larger than 8 KiB, or the device is always full."""
    soundfile.write(tmp_path / "a.wav", LOW, 16_000)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, disk], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, timeout=60,
    )  # fmt: skip
    assert done.stdout == f"out/a.wav cannot be written: {reason}\n", done.stderr
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_a_recording_that_would_clip_is_scaled_and_its_peak_reported(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", LOW[:4000], 16_000)
    loud = Statistics(
        HIGH_STATISTICS.mean + np.eye(24)[0] * 8, HIGH_STATISTICS.std, np.log(210), 0.1
    )
    one = Converter(identity_generator(), LOW_STATISTICS, loud, DIO)
    done = batch.convert_files(one, {tmp_path / "a.wav": tmp_path / "b.wav"})
    peak = done.scaled[tmp_path / "b.wav"]
    assert peak > 1.0
    written, _ = soundfile.read(tmp_path / "b.wav")
    assert np.max(np.abs(written)) == pytest.approx(1.0, abs=1e-3)
    # All samples are scaled by one factor: none is clipped.
    unscaled = one.convert(audio_files.read(tmp_path / "a.wav")[0])
    np.testing.assert_allclose(written * peak, unscaled, atol=peak * 1e-4)


def test_wav_names_keep_folders_and_are_distinct() -> None:
    names = ["a.flac", "b/a.flac", "b/c.mp3", "b/c.ogg", "d.x.wav"]
    assert batch.wav_names(names) == {
        "a.flac": "a.wav",
        "b/a.flac": "b/a.wav",
        "b/c.mp3": "b/c.mp3.wav",
        "b/c.ogg": "b/c.ogg.wav",
        "d.x.wav": "d.x.wav",
    }
    tricky = ["a.flac", "a.wav", "a.flac.wav", "a.flac.wav.mp3"]
    assert len(set(batch.wav_names(tricky).values())) == len(tricky)


@pytest.mark.parametrize("spectra", ["mel_cepstra", "log_mel"])
def test_a_model_with_infinite_outputs_fails_every_file_and_stops_at_none(
    spectra: str, tmp_path: Path
) -> None:
    config = FeatureConfig(spectra=spectra)
    inputs = keras.Input((None, config.bins))
    broken = keras.Model(inputs, keras.layers.Rescaling(np.inf)(inputs))
    speaker = Statistics(np.zeros(config.bins), np.ones(config.bins), 5.0, 0.1)
    one = Converter(broken, speaker, speaker, config)
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", LOW, 16_000)
    outputs = {tmp_path / f"{name}.wav": tmp_path / "out" / f"{name}.wav" for name in "ab"}
    done = batch.convert_files(one, outputs)
    assert list(done.failed) == list(outputs)
    assert all("came out with NaN or infinite" in reason for reason in done.failed.values())
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_files_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name, (begin, end), rate_hz in (
        ("a", (0, 9000), 16_000), ("b", (2000, 16000), 22_050), ("d", (0, 50), 16_000),
    ):  # fmt: skip
        soundfile.write(tmp_path / "in" / f"{name}.wav", LOW[begin:end], rate_hz)
    (tmp_path / "in" / "c.wav").write_text("no audio")
    one, options = converter(small_generator()), F0Options(convert=False, semitones=5.0)
    one.vocoder = VocoderConfig(limit_power=True)
    expected = one.convert(audio_files.read(tmp_path / "in" / "a.wav")[0], options)
    made, done = [], []
    for cores in (1, 2):
        monkeypatch.setattr(pool, "available_cores", lambda cores=cores: cores)
        monkeypatch.setattr(batch, "MIN_PARALLEL_S", 0.0)
        folder = tmp_path / str(cores)
        outputs = {tmp_path / "in" / f"{name}.wav": folder / f"{name}.wav" for name in "abcd"}
        result = batch.convert_files(one, outputs, options, keep_sample_rate=True)
        done.append(result.failed)
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1] and sorted(made[0]) == ["a.wav", "b.wav", "d.wav"]
    assert done[0] == done[1] and list(done[0]) == [tmp_path / "in" / "c.wav"]
    assert soundfile.info(tmp_path / "2" / "b.wav").samplerate == 22_050
    written, _ = soundfile.read(tmp_path / "2" / "a.wav")
    scale = result.scaled.get(tmp_path / "2" / "a.wav", 1.0)
    np.testing.assert_allclose(written * scale, expected, atol=scale * 1e-4)


def wait_until_asleep(number: int) -> None:
    """Wait until a process sleeps for half a second, as a worker that waits for an answer."""
    end, asleep = time.monotonic() + 60, 0
    while asleep < 50:
        assert time.monotonic() < end
        status = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if status == "S" else 0
        time.sleep(0.01)


def test_a_recording_fails_where_its_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both workers are killed while both ask; a third one converts the last recording."""
    for name, samples in (("a", 8_000), ("b", 8_800), ("c", 9_600)):
        soundfile.write(tmp_path / f"{name}.wav", LOW[:samples], 16_000)
    outputs = {tmp_path / f"{name}.wav": tmp_path / "out" / f"{name}.wav" for name in "abc"}
    questions = []

    def deadly(spectra: np.ndarray) -> np.ndarray:
        questions.append(len(spectra))
        for worker in multiprocessing.active_children() if len(questions) == 1 else ():
            wait_until_asleep(worker.pid)
        for worker in multiprocessing.active_children() if len(questions) == 1 else ():
            worker.kill()
            worker.join()
        return spectra

    monkeypatch.setattr(pool, "available_cores", lambda: 2)
    monkeypatch.setattr(batch, "MIN_PARALLEL_S", 0.0)
    one = Converter(deadly, LOW_STATISTICS, HIGH_STATISTICS, DIO)
    done = batch.convert_files(one, outputs)
    assert done.failed == {tmp_path / f"{name}.wav": batch.WORKER_DIED for name in "ab"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.wav"]
    # The number of frames identifies the recording of a question.
    *before, last = questions
    assert last == 121
    assert sorted(before) in ([101], [111], [101, 111])


def test_short_recordings_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", LOW, 16_000)
    outputs = {tmp_path / f"{name}.wav": tmp_path / "out" / f"{name}.wav" for name in "ab"}
    one = converter(small_generator())
    monkeypatch.setattr(pool, "available_cores", lambda: 2)
    assert batch._count_processes(one, outputs) == 1
    monkeypatch.setattr(batch, "MIN_PARALLEL_S", 1.9)
    assert batch._count_processes(one, outputs) == 2
    long = {path: outputs[path] for path in list(outputs)[:1]}
    monkeypatch.setattr(batch, "MIN_PARALLEL_S", 0.0)
    assert batch._count_processes(one, long) == 1, "more processes than recordings"
    one.vocoder = VocoderConfig(vocoder="melgan")
    assert batch._count_processes(one, outputs) == 1, "a MelGAN uses all cores"


def test_a_long_recording_is_converted_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the samples, memory is needed for one piece alone, however long the recording is."""
    monkeypatch.setattr(converter_module, "MAX_PIECE_S", 1.0)
    one = converter(identity_generator())
    monkeypatch.setattr(one, "vocode", lambda features, samples: np.full(samples, 0.5, np.float32))
    monkeypatch.setattr(frontend, "analyse", lambda samples, config: None)
    monkeypatch.setattr(one, "convert_features", lambda features, options: features)
    peaks = []
    for seconds in (600, 2400):
        samples = np.resize(LOW, seconds * 16_000)
        tracemalloc.start()
        one.convert_in_place(samples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (samples == 0.5).all()
    assert peaks[1] < peaks[0] + 2e6
    assert peaks[1] < 30e6 < samples.nbytes

"""A vocoder that begins with another one, and learns from spectra that went there and back."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import finished_here, run_here, steps_without_graph, variables

from cyclegan_vc_tf.audio.audio_files import AudioError
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import (
    RecordingsConfig,
    VocoderRunConfig,
    VocoderScheduleConfig,
)
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.models.generators import generate
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.vocoder_training import cycles as cycles_of_run
from cyclegan_vc_tf.vocoder_training import examples, initial, run
from cyclegan_vc_tf.vocoder_training.examples import Crops, Recording
from cyclegan_vc_tf.vocoder_training.trainer import VocoderTrainer
from cyclegan_vc_tf.vocoders import neural

SIZES = (
    "--channels=8", "--blocks=1", "--pitch_channels=6", "--pitch_blocks=1",
    "--synthesis_fft_samples=256",
)  # fmt: skip
COURSE = (
    "--discriminator_channels=2", "--discriminator_ffts=256,128", "--batch_size=2",
    "--crop_frames=16", "--adversarial_start=1000", "--log_every=1", "--checkpoint_every=1",
    "--sample_every=0", "--sample_recordings=1", "--held_out_fraction=0",
)  # fmt: skip
MEL_CEPSTRA = ("--spectra=mel_cepstra", "--f0_method=dio", "--synthesis_frames=1")


def arguments(corpus: Path, run_dir: Path, *more: str) -> tuple[str, ...]:
    folders = f"--audio_dir={corpus}/low,{corpus}/high"
    return ("train_vocoder", folders, f"--run_dir={run_dir}", *COURSE, *more)


def refused(*given: str) -> str:
    done = run_here(*given)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (line,) = done.stderr.splitlines()[-1:]
    return line


@pytest.fixture(scope="module", autouse=True)
def steps_in_python() -> Iterator[None]:
    """Train without a graph, which takes as long to build as ten steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VocoderTrainer, "_train", VocoderTrainer._train.python_function)
        yield


@pytest.fixture(scope="module")
def first(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of a vocoder that others begin with."""
    run_dir = tmp_path_factory.mktemp("first") / "vocoder"
    finished_here(*arguments(corpus, run_dir, *SIZES, "--steps=2"))
    return run_dir


@pytest.fixture(scope="module")
def converters(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of two runs that convert: `mask` log-mel spectra, `vc1` mel-cepstra."""
    folder = tmp_path_factory.mktemp("converters")
    small = (
        "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--workers=1", "--steps=1",
        "--convert_every=0", "--held_out_fraction=0", "--sample_rate_hz=16000",
        f"--source_dir={corpus}/low", f"--target_dir={corpus}/high",
        f"--features_dir={folder}/features",
    )  # fmt: skip
    with steps_without_graph():
        for variant in ("mask", "vc1"):
            more = ("--f0_method=dio",) if variant == "vc1" else ()
            names = (f"--variant={variant}", f"--run_dir={folder}/{variant}")
            finished_here("train", *small, *names, *more)
    return folder


def test_a_training_begins_with_the_weights_sizes_and_statistics_of_another_vocoder(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    """With a learning rate of 0 they stay what they were."""
    begin = (f"--initial_vocoder={first}", "--learning_rate=0", "--steps=1")
    # Other recordings have other statistics.
    given = arguments(corpus, tmp_path / "run", *begin, f"--audio_dir={corpus}/low")
    finished_here(*given)
    before, after = neural.load(first), neural.load(tmp_path / "run")
    assert after.config.channels == 8 and after.step == 1
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_array_equal(after.std, before.std)
    for name, network in before.networks.items():
        for one, other in zip(
            network.get_weights(), after.networks[name].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_a_resumed_training_needs_the_first_vocoder_no_more(
    corpus: Path, first: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    begin = (f"--initial_vocoder={copy}",)
    finished_here(*arguments(corpus, tmp_path / "whole", *begin, "--steps=3"))
    finished_here(*arguments(corpus, tmp_path / "parts", *begin, "--steps=1"))
    shutil.rmtree(copy)
    finished_here(*arguments(corpus, tmp_path / "parts", *begin, "--steps=3"))
    whole, parts = (variables(tmp_path / name, 3) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)


def test_cycles_are_what_both_generators_make_one_after_the_other(
    corpus: Path, converters: Path, tmp_path: Path
) -> None:
    name = f"--cycle_run={converters}/mask"
    output = finished_here(*arguments(corpus, tmp_path / "run", *SIZES, name, "--steps=1"))
    assert "warning" not in output
    cycles = np.load(tmp_path / "run/cycles.npy")
    converter = run_folder.open_run(converters / "mask")
    generators = {each: converter.load_generator(each)[0] for each in ("A2B", "B2A")}
    paths, _ = examples.find_recordings(
        RecordingsConfig((f"{corpus}/low", f"{corpus}/high"), held_out_fraction=0.0)
    )
    recordings, _ = examples.load_recordings(paths, FeatureConfig(spectra="log_mel"), "")
    first = 0
    for recording in recordings:
        spectra = recording.values
        order = {"low": ("A2B", "B2A"), "high": ("B2A", "A2B")}[recording.path.parent.name]
        for each in order:
            source, target = (converter.statistics[side] for side in (each[0], each[2]))
            inputs = (spectra - source.mean) / source.scale
            inputs = np.pad(inputs, ((0, -len(inputs) % 4), (0, 0)), mode="edge")
            outputs = generate(generators[each], inputs[np.newaxis].astype("float32"))
            spectra = np.asarray(outputs)[0, : len(spectra)] * target.scale + target.mean
        ours = cycles[first : first + len(spectra)]
        np.testing.assert_allclose(ours, spectra, atol=1e-4)
        assert np.abs(ours - recording.values).mean() > 0.01
        first += len(spectra)
    assert first == len(cycles)


def test_what_generators_do_not_convert_stays_the_recordings_own(
    corpus: Path, converters: Path, tmp_path: Path
) -> None:
    """F0, voicing and aperiodicity of WORLD's features."""
    name = f"--cycle_run={converters}/vc1"
    given = arguments(corpus, tmp_path / "run", *SIZES, *MEL_CEPSTRA, name, "--steps=1")
    finished_here(*given)
    config = run.open_run(tmp_path / "run").config
    paths, _ = examples.find_recordings(config.recordings)
    recordings, _ = examples.load_recordings(paths, config.features, "")
    rows = np.load(tmp_path / "run/cycles.npy")
    cycles = cycles_of_run.add_cycles(tmp_path / "run", config, recordings, print)
    np.testing.assert_array_equal(np.concatenate([each.cycle[:, :24] for each in cycles]), rows)
    for each in cycles:
        assert each.cycle is not None and np.abs(each.cycle - each.values)[:, :24].mean() > 0.01
        np.testing.assert_array_equal(each.cycle[:, 24:], each.values[:, 24:])


def made_up(cycle: bool) -> Recording:
    values = np.random.default_rng(0).normal(size=(40, 80)).astype(np.float32)
    samples = np.arange(40 * 256, dtype=np.float32)
    return Recording(Path("a"), samples, values, np.zeros(40), values + 100 if cycle else None)


@pytest.mark.parametrize(
    ("fraction", "least", "most"), [(0.0, 0, 0), (0.5, 70, 130), (1.0, 200, 200)]
)
def test_a_fraction_of_the_crops_has_been_there_and_back(
    fraction: float, least: int, most: int
) -> None:
    """Of 200 crops; half of them has a deviation of 7. The waveform is always the recording's."""
    config = VocoderRunConfig(
        RecordingsConfig(cycle_fraction=fraction),
        schedule=VocoderScheduleConfig(batch_size=200, crop_frames=16, gain_db=0.0),
    )
    mean, std = np.zeros(80, np.float32), np.ones(80, np.float32)
    batch = Crops([made_up(cycle=True)], config, mean, std).batch(3)
    gone = batch.values.mean((1, 2)) > 50
    assert least <= gone.sum() <= most
    starts = batch.samples[:, 0].astype(int) // 256
    for values, start, is_cycle in zip(batch.values, starts, gone, strict=True):
        expected = made_up(cycle=False).values[start : start + 16] + 100 * is_cycle
        np.testing.assert_allclose(values, expected, atol=1e-4)


def test_a_resumed_training_takes_the_cycles_of_its_folder(
    corpus: Path, converters: Path, tmp_path: Path
) -> None:
    copy, run_dir = tmp_path / "copy", tmp_path / "run"
    shutil.copytree(converters / "mask", copy)
    given = arguments(corpus, run_dir, *SIZES, f"--cycle_run={copy}")
    finished_here(*given, "--steps=1")
    shutil.rmtree(copy)
    finished_here(*given, "--steps=2")
    whole = arguments(corpus, tmp_path / "whole", *SIZES, f"--cycle_run={converters}/mask")
    finished_here(*whole, "--steps=2")
    ours, theirs = (variables(each, 2) for each in (run_dir, tmp_path / "whole"))
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)
    cycles = np.load(run_dir / "cycles.npy")
    for damaged in (cycles[1:], cycles.astype(np.float64), np.full_like(cycles, np.nan)):
        np.save(run_dir / "cycles.npy", damaged)
        assert "cycles.npy is damaged" in refused(*given, "--steps=3")
    (run_dir / "cycles.npy").write_bytes(b"nothing")
    assert "cycles.npy is damaged" in refused(*given, "--steps=3")


def test_speakers_the_other_way_round_are_named(
    corpus: Path, converters: Path, tmp_path: Path
) -> None:
    swapped = (f"--audio_dir={corpus}/high,{corpus}/low", f"--cycle_run={converters}/mask")
    output = finished_here(*arguments(corpus, tmp_path / "run", *SIZES, *swapped, "--steps=1"))
    for folder, side in (("high", "A"), ("low", "B")):
        assert re.search(f"warning: .*{folder} does not sound like speaker {side} of", output)
    # Rows of cycles and numbers of recordings are of the order that the training began with.
    right = arguments(corpus, tmp_path / "run", *SIZES, swapped[1], "--steps=2")
    assert "names its folders in another order" in refused(*right)


def test_a_generator_without_finite_output_is_named(
    corpus: Path, converters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Converter, "convert_spectra", lambda self, spectra: refuse_output())
    given = arguments(corpus, tmp_path / "run", *SIZES, f"--cycle_run={converters}/mask")
    assert re.search(r"--cycle_run .*mask: .*00.wav came out with NaN", refused(*given))


def refuse_output() -> None:
    raise AudioError("came out with NaN or infinite values; the model is not usable")


def test_one_folder_twice_is_refused(corpus: Path, converters: Path, tmp_path: Path) -> None:
    given = (f"--audio_dir={corpus}/low,{corpus}/low", f"--cycle_run={converters}/mask")
    line = refused(*arguments(corpus, tmp_path / "run", *SIZES, *given))
    assert "has no recording of speaker B" in line


def test_long_recordings_are_converted_in_equal_pieces(
    corpus: Path, converters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of at most 0.5 s here, 31 frames of 16 ms; the recordings have 38 to 54 frames."""
    monkeypatch.setattr(cycles_of_run, "MAX_PIECE_S", 0.5)
    lengths: list[int] = []
    convert = Converter.convert_spectra

    def count(converter: Converter, spectra: np.ndarray) -> np.ndarray:
        lengths.append(len(spectra))
        return convert(converter, spectra)

    monkeypatch.setattr(Converter, "convert_spectra", count)
    name = f"--cycle_run={converters}/mask"
    finished_here(*arguments(corpus, tmp_path / "run", *SIZES, name, "--steps=1"))
    assert len(lengths) == 11 * 2 * 2 and min(lengths) >= 19 and max(lengths) <= 31
    assert len(np.load(tmp_path / "run/cycles.npy")) == sum(lengths) // 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["--cycle_run={corpus}/low"], "--cycle_run .*low: .* is not a run folder"),
        (["--cycle_run={converters}/vc1"], "other features: --spectra is mel_cepstra there and"),
        (["--cycle_run={converters}/mask", "--audio_dir={corpus}/low"], "names 1 folders; expect"),
        (["--initial_vocoder={corpus}/low"], "--initial_vocoder .*low cannot be read"),
        (["--initial_vocoder=pretrained:nothing"], "pretrained:nothing is not a vocoder"),
        (["--initial_vocoder={first}", "--channels=9"], "--channels is 8 there and 9 in this run"),
        (["--initial_vocoder={first}", "--mel_bins=40"], "--mel_bins is 80 there and 40"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(
    corpus: Path, converters: Path, first: Path, tmp_path: Path, given: list[str], text: str
) -> None:
    known = {"corpus": corpus, "converters": converters, "first": first}
    flags = [flag.format(**known) for flag in given]
    assert re.search(text, refused(*arguments(corpus, tmp_path / "run", *flags)))
    assert not (tmp_path / "run").exists()


def test_the_demos_vocoder_begins_a_training_with_its_own_sizes() -> None:
    config = initial.default_settings("pretrained:vocoder-demo")
    assert config == VocoderRunConfig()

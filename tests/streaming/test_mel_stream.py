"""Live conversion of log-mel spectra: each part equals the conversion of whole recordings."""

from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from conftest import run_here, voice
from live_runs import Later, make_mel_run, speaker

from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import log_mel
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.features.mel_windows import StreamingMelAnalyser
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming.mel_pipeline import MelPipeline
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.streaming.stream_adaptation import StreamAdaptation
from cyclegan_vc_tf.streaming.window_vocoder import WindowVocoder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan, selection

FEATURES = api.preset("mask").features
SPEECH = voice(150.0, 1.2, seed=3, sample_rate_hz=FEATURES.sample_rate_hz)
BLOCK = StreamConfig().block_frames
EDGE_FRAMES = -(-FEATURES.fft_samples // FEATURES.hop_samples)
"""Frames at the beginning whose windows reach before the first sample."""


@pytest.fixture(scope="module")
def generator() -> keras.Model:
    """MelGAN with random weights."""
    architecture = melgan.Architecture(bins=FEATURES.mel_bins, channels=2)
    rng = np.random.default_rng(5)
    arrays = {
        address: (0.1 if len(shape) == 1 else 1.2 / np.sqrt(np.prod(shape[:2])))
        * rng.standard_normal(shape)
        for address, shape in architecture.weight_shapes().items()
    }
    return melgan.build(architecture, arrays)


@pytest.fixture(scope="module")
def vocoder_file(generator: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocoder") / "melgan.npz"
    melgan.save(generator, path, melgan.Analysis(FEATURES.sample_rate_hz, FEATURES.fft_samples))
    return path


def test_frames_of_a_stream_are_those_of_a_recording() -> None:
    analyser = StreamingMelAnalyser(FEATURES, BLOCK)
    blocks, begin = [], 0
    while begin + analyser.needed_samples <= len(SPEECH):
        needed = analyser.needed_samples
        blocks.append(analyser.push(SPEECH[begin : begin + needed]))
        begin += needed
    found = np.concatenate(blocks)
    assert len(found) == len(blocks) * BLOCK > 2 * EDGE_FRAMES
    expected = log_mel.log_mel(SPEECH, FEATURES)[EDGE_FRAMES : len(found)]
    np.testing.assert_allclose(found[EDGE_FRAMES:], expected, atol=2e-6)


def test_blocks_of_the_vocoder_are_those_of_a_recording(generator: keras.Model) -> None:
    """Bit for bit they need not be: convolutions of another length add in another order."""
    context = melgan.Architecture.from_model(generator).context_frames
    vocoder = WindowVocoder(generator, context, BLOCK, FEATURES.hop_samples)
    spectra = log_mel.log_mel(SPEECH, FEATURES)
    spectra = spectra[: len(spectra) // BLOCK * BLOCK]
    for _ in range(2):
        found = np.concatenate(
            [vocoder.push(each) for each in np.split(spectra, len(spectra) // 4)]
        )
        vocoder.reset()
        expected = melgan.synthesize(generator, spectra)
        delay, edge = context * FEATURES.hop_samples, (context + 1) * FEATURES.hop_samples
        assert np.std(expected) > 0.01
        np.testing.assert_allclose(found[delay + edge :], expected[edge:-delay], atol=1e-5)


SPEAKER = speaker(FEATURES)


def copy_stream(
    generator: keras.Model, lookahead_frames: int, adaptation: Adaptation | None = None
) -> Stream:
    """A stream with a generator that changes nothing."""
    config = StreamConfig(lookahead_frames=lookahead_frames)
    context = melgan.Architecture.from_model(generator).context_frames
    vocoder = WindowVocoder(generator, context, BLOCK, FEATURES.hop_samples)
    pipeline = MelPipeline(
        Later(lookahead_frames, FEATURES.mel_bins),  # type: ignore[arg-type]
        vocoder, SPEAKER, SPEAKER, FEATURES, config,
        StreamAdaptation(adaptation, SPEAKER, FEATURES),
    )  # fmt: skip
    return Stream(pipeline, FEATURES.sample_rate_hz)


@pytest.mark.parametrize("lookahead_frames", [0, 8])
def test_a_stream_equals_copy_synthesis_after_its_delay(
    generator: keras.Model, vocoder_file: Path, lookahead_frames: int
) -> None:
    """With a generator that changes nothing, and one speaker's statistics on both sides."""
    context = melgan.Architecture.from_model(generator).context_frames
    stream = copy_stream(generator, lookahead_frames)
    hop = FEATURES.hop_samples
    ahead = (BLOCK + lookahead_frames + context) * hop
    assert stream.delay_samples == ahead + log_mel.margin_samples(FEATURES)[1]
    found = np.concatenate([*map(stream.push, np.array_split(SPEECH, 37)), stream.flush()])
    vocode = selection.make_vocoder(
        FEATURES, VocoderConfig(vocoder="melgan", vocoder_checkpoint=str(vocoder_file))
    )
    features = log_mel.MelFeatures(log_mel.log_mel(SPEECH, FEATURES))
    expected = vocode(features, len(SPEECH))
    inner = slice((EDGE_FRAMES + context + 1) * hop, -(EDGE_FRAMES + context + 1) * hop)
    np.testing.assert_allclose(found[stream.delay_samples :][inner], expected[inner], atol=1e-5)


def test_a_level_is_moved_before_the_generator_and_moved_back(generator: keras.Model) -> None:
    """Log-mel spectra are log10 of amplitudes: a gain g adds log10 g to them."""
    gain = 2.0
    bins = FEATURES.mel_bins
    louder = Adaptation(np.eye(bins), np.full(bins, np.log10(gain)), gain, SPEAKER, SPEAKER)
    plain, adapted = (
        np.concatenate([stream.push(wave), stream.flush()])
        for stream, wave in (
            (copy_stream(generator, 0), SPEECH),
            (copy_stream(generator, 0, louder), SPEECH / np.float32(gain)),
        )
    )
    # Silence before and after the speech is at the lower limit of log-mel spectra.
    inner = slice(8 * FEATURES.fft_samples, -8 * FEATURES.fft_samples)
    assert np.std(plain[inner]) > 0.01
    np.testing.assert_allclose(gain * adapted[inner], plain[inner], atol=1e-4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An untrained run of MaskCycleGAN-VC."""
    return make_mel_run(tmp_path_factory.mktemp("mask") / "run", FEATURES)


def test_a_run_is_converted_live_by_the_command(
    run: RunFolder, vocoder_file: Path, tmp_path: Path
) -> None:
    """The written file has the input's length, and is what a stream returns."""
    soundfile.write(tmp_path / "in.wav", SPEECH, FEATURES.sample_rate_hz, subtype="FLOAT")
    arguments = (
        f"--run_dir={run.path}", f"--input={tmp_path}/in.wav", f"--output={tmp_path}/out.wav",
        "--vocoder=melgan", f"--vocoder_checkpoint={vocoder_file}",
    )  # fmt: skip
    done = run_here("live", *arguments)
    assert done.returncode == 0, done.stderr
    stream = Stream.for_run(
        run,
        Direction.A2B,
        vocoder=VocoderConfig(vocoder="melgan", vocoder_checkpoint=str(vocoder_file)),
    )
    expected = np.concatenate([stream.push(SPEECH), stream.flush()])[stream.delay_samples :]
    found = audio_files.read(tmp_path / "out.wav")[0]
    assert len(found) == len(SPEECH)
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), atol=2 / 32768)
    refused = run_here("live", *arguments, "--semitones=2")
    assert refused.returncode == 2
    assert "--semitones cannot be given" in refused.stderr


def test_the_vocoder_has_to_fit(run: RunFolder, generator: keras.Model, tmp_path: Path) -> None:
    melgan.save(generator, tmp_path / "other.npz", melgan.Analysis(sample_rate_hz=8000))
    with pytest.raises(InputError, match="at 8000 Hz"):
        Stream.for_run(
            run,
            Direction.A2B,
            vocoder=VocoderConfig(vocoder="melgan", vocoder_checkpoint=str(tmp_path / "other.npz")),
        )

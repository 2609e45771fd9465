"""Live conversion with a vocoder that was trained here: blocks equal whole recordings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_here
from live_runs import make_mel_run

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming.source_filter_stream import SourceFilterStream
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import neural, vocoder_folders
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

NAME = "pretrained:vocoder-demo"


@pytest.fixture(scope="module")
def vocoder() -> NeuralVocoder:
    """The vocoder that comes with the package."""
    return neural.load(vocoder_folders.find(NAME))


@pytest.fixture(scope="module")
def speech(vocoder: NeuralVocoder) -> np.ndarray:
    """A sentence of the demo."""
    path = REPOSITORY / "data/demo/held_out/michael/093.flac"
    samples, rate_hz = audio_files.read(path)
    assert rate_hz == vocoder.features.sample_rate_hz
    return samples


@pytest.mark.parametrize("block_frames", [4, 16])
def test_blocks_are_those_of_a_recording(
    vocoder: NeuralVocoder, speech: np.ndarray, block_frames: int
) -> None:
    """Bit for bit they need not be: convolutions of another length add in another order."""
    stream = SourceFilterStream(vocoder, block_frames)
    features = frontend.analyse(speech, vocoder.features)
    frames = len(features.spectra) // block_frames * block_frames
    assert frames > 100
    features = MelFeatures(features.spectra[:frames])
    f0_hz, expected = vocoder.estimate_f0(features), vocoder.synthesize(features)
    assert 0.2 < np.mean(f0_hz > 0) < 0.95, "speech has voiced and unvoiced frames"
    hop = vocoder.features.hop_samples
    delay, edge = stream.context_frames * hop, (sum(vocoder.context_frames) + 1) * hop
    for _ in range(2):
        blocks = np.split(features.spectra, frames // block_frames)
        found = np.concatenate([stream.push(each) for each in blocks])
        stream.reset()
        assert len(found) == len(expected) and np.std(expected) > 0.02
        np.testing.assert_allclose(found[delay + edge :], expected[edge:-delay], atol=1e-4)


@pytest.fixture(scope="module")
def run(vocoder: NeuralVocoder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An untrained run of MaskCycleGAN-VC with the vocoder's features."""
    return make_mel_run(tmp_path_factory.mktemp("mask") / "run", vocoder.features)


def test_a_run_is_converted_live_by_the_command(
    run: RunFolder, vocoder: NeuralVocoder, speech: np.ndarray, tmp_path: Path
) -> None:
    """The written file is what a stream returns, whatever the size of its pieces."""
    rate_hz = vocoder.features.sample_rate_hz
    soundfile.write(tmp_path / "in.wav", speech, rate_hz, subtype="FLOAT")
    arguments = (
        f"--run_dir={run.path}", f"--input={tmp_path}/in.wav", f"--output={tmp_path}/out.wav",
        "--block_frames=16",
    )  # fmt: skip
    done = run_here("live", *arguments, f"--vocoder={NAME}")
    assert done.returncode == 0, done.stderr
    config = StreamConfig(block_frames=16)
    stream = Stream.for_run(run, Direction.A2B, config=config, vocoder=VocoderConfig(vocoder=NAME))
    pieces = np.array_split(speech, 41)
    expected = np.concatenate([*map(stream.push, pieces), stream.flush()])[stream.delay_samples :]
    found = audio_files.read(tmp_path / "out.wav")[0]
    assert len(found) == len(speech) and np.std(found) > 1e-4
    np.testing.assert_allclose(found, np.clip(expected, -1, 1), atol=2 / 32768)
    refused = run_here("live", *arguments)
    assert refused.returncode == 2
    assert "needs whole recordings" in refused.stderr and "train_vocoder" in refused.stderr


def test_the_vocoder_has_to_fit(run: RunFolder, vocoder: NeuralVocoder, tmp_path: Path) -> None:
    features = replace(vocoder.features, hop_samples=64)
    other = replace(vocoder, features=features)
    neural.save(tmp_path, other)
    with pytest.raises(InputError, match="--hop_samples is 64 there"):
        Stream.for_run(run, Direction.A2B, vocoder=VocoderConfig(vocoder=str(tmp_path)))

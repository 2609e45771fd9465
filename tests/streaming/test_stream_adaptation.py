"""Streams that adapt to the voice that speaks, against maps of the whole recording."""

from pathlib import Path

import numpy as np
import pytest
from live_runs import Later, make_mel_run
from test_stream import push_in_chunks

import cyclegan_vc_tf as vc
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import adaptation, frontend
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming import stream_adaptation
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.streaming.stream_adaptation import StreamAdaptation, frame_levels_dbfs
from cyclegan_vc_tf.streaming.world_pipeline import WorldPipeline

RATE_HZ = 16_000
MEL = FeatureConfig(spectra="log_mel")


@pytest.fixture(scope="module")
def run() -> RunFolder:
    return run_folder.open_run(api.find_run("pretrained:vc1-demo"))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Sentences of a woman, who is not the voice that B2A was trained with."""
    folder = vc.demo_corpus_dir() / "held_out" / "heart"
    waves = [audio_files.read(path)[0] for path in sorted(folder.glob("*.flac"))[:2]]
    return np.concatenate(waves).astype(np.float32)


def found_map(stream: Stream) -> Adaptation:
    assert stream._pipeline is not None
    found = stream._pipeline.adaptation.current
    assert found is not None and not stream.is_listening
    return found


def open_stream(run: RunFolder, adapt_after_s: float, **options: object) -> Stream:
    config = StreamConfig(adapt_after_s=adapt_after_s)
    return Stream.for_run(run, Direction.B2A, config=config, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def heard(run: RunFolder, speech: np.ndarray) -> Adaptation:
    """The map of a stream that heard speech alone."""
    stream = open_stream(run, 3.0)
    assert stream.is_listening
    stream.push(speech[: 6 * RATE_HZ])
    return found_map(stream)


def test_the_map_is_that_of_the_recording(
    run: RunFolder, speech: np.ndarray, heard: Adaptation
) -> None:
    """Estimated offline, from another analysis of the same seconds."""
    analysed = [frontend.analyse(speech[: 4 * RATE_HZ], run.config.features)]
    expected = adaptation.estimate(analysed, run.statistics["B"], run.config.features)
    assert heard.voice.log_f0_mean == pytest.approx(expected.voice.log_f0_mean, abs=0.05)
    assert abs(heard.voice.log_f0_mean - run.statistics["B"].log_f0_mean) > 0.3
    # Means of a few seconds differ by what was said in them; the speakers' differ by more.
    scale = run.statistics["B"].scale
    moved = np.abs(heard.offset / scale).mean()
    assert np.abs((heard.offset - expected.offset) / scale).mean() < 0.25 * moved
    assert np.log(heard.gain / expected.gain) == pytest.approx(0.0, abs=np.log(10) / 10)


def test_until_then_nothing_changes_and_chunks_never_matter(
    run: RunFolder, speech: np.ndarray
) -> None:
    speech = speech[: 3 * RATE_HZ]
    plain = push_in_chunks(open_stream(run, 0.0), speech, 3000)
    found = push_in_chunks(open_stream(run, 1.0), speech, 3000)
    other = push_in_chunks(open_stream(run, 1.0), speech, 977)
    np.testing.assert_array_equal(found, other)
    different = np.flatnonzero(found != plain)
    assert RATE_HZ < different[0] < 2.5 * RATE_HZ


@pytest.mark.parametrize("noise_dbfs", [-80, -60, -50])
def test_silence_and_noise_are_no_speech(
    run: RunFolder, speech: np.ndarray, heard: Adaptation, noise_dbfs: float
) -> None:
    """Before the first word."""
    noise = np.random.default_rng(0).standard_normal(3 * RATE_HZ).astype(np.float32)
    noise *= np.float32(10 ** (noise_dbfs / 20))
    stream = open_stream(run, 3.0)
    stream.push(noise)
    stream.push(np.zeros(RATE_HZ, np.float32))
    assert stream.is_listening
    stream.push(speech[: 6 * RATE_HZ])
    after, scale = found_map(stream), run.statistics["B"].scale
    assert np.abs((after.offset - heard.offset) / scale).mean() < 0.1
    assert after.voice.log_f0_mean == pytest.approx(heard.voice.log_f0_mean, abs=0.02)


def test_a_given_map_holds_until_the_voice_is_heard(run: RunFolder, speech: np.ndarray) -> None:
    speaker = run.statistics["B"]
    given = Adaptation(np.eye(24), np.zeros(24), 1.0, speaker, speaker)
    stream = open_stream(run, 1.0, adaptation=given)
    stream.push(speech[: RATE_HZ // 2])
    assert stream._pipeline is not None and stream._pipeline.adaptation.current is given
    stream.push(speech[RATE_HZ // 2 : 3 * RATE_HZ])
    assert found_map(stream) is not given


def test_log_mel_spectra_are_adapted_too(tmp_path: Path, speech: np.ndarray) -> None:
    run = make_mel_run(tmp_path / "mel", MEL)
    stream = open_stream(run, 2.0, vocoder=VocoderConfig(vocoder="pretrained:vocoder-demo"))
    stream.push(speech[: 4 * RATE_HZ])
    found = found_map(stream)
    mean = frontend.analyse(speech[: 3 * RATE_HZ], MEL).spectra.mean(axis=0)
    # Nearly the whole way, and without a stretch: two seconds count as much as the prior.
    np.testing.assert_allclose(found.offset, 0.5 * (-2.0 - mean), atol=0.25)


def test_the_level_changes_where_the_mapped_frames_are_heard() -> None:
    """Blocks of 200 samples; those of mapped frames begin 500 samples later, in 320 samples' time.

    At 16 kHz, 20 ms are 320 samples.
    """
    speaker = Statistics(np.zeros(80), np.ones(80), 5.0, 0.1)
    quiet = Adaptation(np.eye(80), np.zeros(80), 0.25, speaker, speaker)
    stream = StreamAdaptation(None, speaker, MEL)
    ones = np.ones(200)
    np.testing.assert_array_equal(stream.restore_level(ones, 500), ones)
    stream._map = quiet
    heard = np.concatenate([stream.restore_level(ones, 500) for _ in range(6)])
    np.testing.assert_array_equal(heard[:501], 1.0)
    np.testing.assert_allclose(heard[820:], 4.0)
    # Equal steps in dB.
    np.testing.assert_allclose(np.diff(np.log(heard[500:821])), np.log(4) / 320, rtol=1e-6)
    np.testing.assert_array_equal(stream.restore_level(ones, 500), 4 * ones)


@pytest.mark.parametrize("config", [FeatureConfig(f0_method="dio"), MEL])
def test_the_level_of_white_noise_is_its_mean_square(config: FeatureConfig) -> None:
    """-20 dB for a root mean square of 0.1. The mean of a logarithm lies up to 2.5 dB lower."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    spectra = frontend.analyse(noise, config).spectra
    levels = frame_levels_dbfs(spectra, config)
    assert levels.shape == (len(spectra),)
    assert -23.0 < np.median(levels) < -19.0
    louder = frame_levels_dbfs(frontend.analyse(10 * noise, config).spectra, config)
    assert np.median(louder - levels) == pytest.approx(20.0, abs=0.2)


def test_memory_is_bounded_while_nobody_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 silent seconds, 5 are kept, and as long as the speech that is waited for, 2 s."""
    monkeypatch.setattr(stream_adaptation, "MAX_HEARD_S", 5.0)
    speaker = Statistics(np.full(80, -2.0), np.ones(80), 5.0, 0.1)
    stream = StreamAdaptation(None, speaker, MEL, listen_s=2.0)
    silence = MelFeatures(np.full((4, 80), -5.0, np.float32))
    for _ in range(round(20 / (4 * MEL.hop_s))):
        stream.apply(silence)
    assert stream.is_listening and stream._listener is not None
    frames = sum(len(levels) for _, levels in stream._listener._groups)
    assert frames * MEL.hop_s == pytest.approx(7, abs=0.5)


def test_what_is_kept_has_no_aperiodicity(run: RunFolder, speech: np.ndarray) -> None:
    """It is a hundred megabytes in two minutes; a view would keep it."""
    stream = open_stream(run, 60.0)
    stream.push(speech[:RATE_HZ])
    assert stream._pipeline is not None and stream._pipeline.adaptation._listener is not None
    kept = [
        each.aperiodicity
        for blocks, _ in stream._pipeline.adaptation._listener._groups
        for each in blocks
        if isinstance(each, WorldFeatures)
    ]
    assert kept and all(each.base is None and each.nbytes == 0 for each in kept)


def test_a_stream_keeps_its_level_while_it_adapts(
    speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A map makes frames 18 dB louder, a generator changes nothing, and the gain is undone.

    With the change at another time than that of the frames, some 20 ms would be 18 dB off.
    """
    config, speaker = (
        FeatureConfig(f0_method="dio"),
        Statistics(np.zeros(24), np.ones(24), 5.0, 0.1),
    )
    gain, offset = 8.0, np.zeros(24)
    # Coefficient 0 is the mean of the logarithm of the power.
    offset[0] = 2 * np.log(gain)
    louder = Adaptation(np.eye(24), offset, gain, speaker, speaker)
    monkeypatch.setattr(adaptation, "estimate", lambda *arguments: louder)

    def convert(listen_s: float) -> np.ndarray:
        sizes = StreamConfig(lookahead_frames=16)
        pipeline = WorldPipeline(
            Later(16, 24), speaker, speaker, config, sizes,  # type: ignore[arg-type]
            StreamAdaptation(None, speaker, config, listen_s), limit_power=False, convert_f0=False,
        )  # fmt: skip
        stream = Stream(pipeline, RATE_HZ)
        converted = stream.push(speech[: 4 * RATE_HZ])
        assert not stream.is_listening
        return converted

    plain, adapted = (convert(each).reshape(-1, 320) for each in (0.0, 1.0))
    levels = [10 * np.log10(np.mean(np.square(each), axis=1) + 1e-9) for each in (plain, adapted)]
    is_heard = levels[0] > -50
    assert is_heard.sum() > 100 and not np.array_equal(plain, adapted)
    assert np.abs(levels[1] - levels[0])[is_heard].max() < 3.0

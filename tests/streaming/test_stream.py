"""Streams: the same output for any chunks, a constant delay, constant memory, clear refusals."""

from dataclasses import replace

import numpy as np
import pytest
from live_runs import NO_ADAPTATION

from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config import preset_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError


class Echo:
    """Pipeline that returns its input 40 samples later, after a look-ahead of 100 samples."""

    block_samples = 64
    lookahead_samples = 100
    shift_samples = 40
    adaptation = NO_ADAPTATION

    def __init__(self) -> None:
        self.needed_samples = 164
        self._queue = np.zeros(40, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return blocks of 64 samples."""
        self.needed_samples = 64
        queue = np.concatenate([self._queue, samples])
        output, self._queue = queue[:64], queue[64:]
        return output


class Early(Echo):
    """Pipeline that returns something before the conversion of the first input sample."""

    def __init__(self) -> None:
        super().__init__()
        self._queue += 1.0


def push_in_chunks(stream: Stream, wave: np.ndarray, largest: int, seed: int = 0) -> np.ndarray:
    """Push chunks of random sizes, also empty ones, and flush."""
    rng, begin, parts = np.random.default_rng(seed), 0, []
    while begin < len(wave):
        chunk = wave[begin : begin + int(rng.integers(0, largest + 1))]
        parts.append(stream.push(chunk))
        assert len(parts[-1]) == len(chunk)
        begin += len(chunk)
    return np.concatenate([*parts, stream.flush()])


@pytest.fixture(scope="module")
def run() -> RunFolder:
    return run_folder.open_run(api.find_run("pretrained:vc1-demo"))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    path = preset_files.demo_corpus_dir() / "held_out" / "heart" / "089.flac"
    return audio_files.read(path)[0][:32_000]


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_output_is_the_input_after_a_constant_delay(rate_hz: int) -> None:
    """Through a pipeline that changes nothing, at any rate."""
    time_s = np.arange(rate_hz) / rate_hz
    wave = (0.1 * np.sin(2 * np.pi * 440 * time_s**2)).astype(np.float32)
    stream = Stream(Echo(), 16_000, rate_hz)
    found = push_in_chunks(stream, wave, 3000)
    delay = stream.delay_samples
    assert len(found) == len(wave) + delay
    assert np.max(np.abs(found[: delay - 200])) < 1e-3
    middle = slice(rate_hz // 10, -rate_hz // 10)
    differences = (found[delay:] - wave)[middle]
    # The shift of 40 samples is 110.25 samples at 44.1 kHz, and is rounded.
    limit = 0 if rate_hz == 16_000 else 0.03
    assert np.std(differences) <= limit * np.std(wave)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_chunks_do_not_matter(run: RunFolder, speech: np.ndarray, rate_hz: int) -> None:
    """Bit for bit, with chunks of 1 to 5,000 samples."""
    outputs = [
        push_in_chunks(Stream.for_run(run, Direction.A2B, rate_hz=rate_hz), speech, *sizes)
        for sizes in ((5000, 1), (160, 2), (7, 3))
    ]
    assert np.std(outputs[0]) > 0.01
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])


def test_delay_is_what_is_stated(run: RunFolder, speech: np.ndarray) -> None:
    """Level over time fits that of the source best at the stated delay; 100 ms is not exceeded."""
    stream = Stream.for_run(run, Direction.A2B)
    converted = push_in_chunks(stream, speech, 2000)
    assert stream.delay_samples == 65 * 16
    levels = [
        np.log(np.convolve(np.square(wave), np.ones(160), "same")[::80] + 1e-6)
        for wave in (speech, converted)
    ]
    scores = [
        np.corrcoef(levels[0][:300], levels[1][shift : shift + 300])[0, 1] for shift in range(40)
    ]
    assert abs(int(np.argmax(scores)) - 13) <= 1  # 13 times 5 ms.


def test_what_comes_later_does_not_matter(run: RunFolder, speech: np.ndarray) -> None:
    """The first half of the output is complete when the first half of the input is."""
    whole = push_in_chunks(Stream.for_run(run, Direction.A2B), speech, 1000)
    half = Stream.for_run(run, Direction.A2B).push(speech[:16_000])
    np.testing.assert_array_equal(half, whole[:16_000])


def test_silence_stays_silent(run: RunFolder) -> None:
    stream = Stream.for_run(run, Direction.A2B)
    found = push_in_chunks(stream, np.zeros(8000, np.float32), 500)
    assert np.max(np.abs(found)) < 1e-4


def state_bytes(value: object, seen: set[int] | None = None) -> int:
    """Return the bytes of all arrays that an object holds, but not of its generator."""
    seen = set() if seen is None else seen
    if id(value) in seen or type(value).__name__ == "WindowGenerator":
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes if value.base is None else value.base.nbytes
    if isinstance(value, tuple | list):
        return sum(state_bytes(each, seen) for each in value)
    if hasattr(value, "__self__"):
        return state_bytes(value.__self__, seen)
    return sum(state_bytes(each, seen) for each in getattr(value, "__dict__", {}).values())


def test_state_does_not_grow(run: RunFolder, speech: np.ndarray) -> None:
    stream = Stream.for_run(run, Direction.A2B)
    sizes = []
    for begin in range(0, 28_800, 3200):
        stream.push(speech[begin : begin + 3200])
        sizes.append(state_bytes(stream))
    assert sizes[0] > 20_000
    assert max(sizes[1:]) == min(sizes[1:])


def test_what_comes_before_the_first_sample_is_silent() -> None:
    assert not push_in_chunks(Stream(Early(), 16_000), np.zeros(1000, np.float32), 100).any()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 8), np.float32), "shape"),
        (np.zeros(8, np.int16), "int16"),
        (np.array([np.nan], np.float32), "NaN"),
    ],
)
def test_unusable_samples_are_refused(samples: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Stream(Echo(), 16_000).push(samples)


def test_a_closed_stream_is_refused() -> None:
    with Stream(Echo(), 16_000) as stream:
        stream.push(np.zeros(8, np.float32))
    with pytest.raises(InputError, match="closed"):
        stream.push(np.zeros(8, np.float32))


@pytest.mark.parametrize("rate_hz", [4000, 400_000])
def test_an_unusable_rate_is_refused(rate_hz: int) -> None:
    with pytest.raises(InputError, match="sample rate"):
        Stream(Echo(), 16_000, rate_hz)


def test_numbers_of_frames_are_multiples_of_four(run: RunFolder) -> None:
    with pytest.raises(InputError, match="--lookahead_frames is 6"):
        Stream.for_run(run, Direction.A2B, config=StreamConfig(lookahead_frames=6))


def test_griffin_lim_is_refused(run: RunFolder) -> None:
    features = replace(run.config.features, spectra="log_mel")
    other = replace(run, config=replace(run.config, features=features, vocoder=VocoderConfig()))
    with pytest.raises(InputError, match=r"griffin_lim for .*, which needs whole"):
        Stream.for_run(other, Direction.A2B)

"""WORLD's synthesis as a stream, against pyworld's synthesis of whole recordings."""

import numpy as np
import pytest
from conftest import voice
from scipy import signal

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.world import pyworld
from cyclegan_vc_tf.vocoders.world_stream import StreamingSynthesizer

CONFIG = FeatureConfig(f0_method="dio")
FFT_SAMPLES = 1024


def synthesize(
    f0_hz: np.ndarray, power: np.ndarray, aperiodicity: np.ndarray, blocks: list[int]
) -> np.ndarray:
    """Synthesize in blocks of these sizes, which are repeated."""
    synthesizer = StreamingSynthesizer(16_000, 5.0, FFT_SAMPLES)
    parts, begin, index = [], 0, 0
    while begin < len(f0_hz):
        end = begin + blocks[index % len(blocks)]
        parts.append(synthesizer.push(f0_hz[begin:end], power[begin:end], aperiodicity[begin:end]))
        begin, index = end, index + 1
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F0, envelopes without power below 80 Hz, and aperiodicity of a made-up voice."""
    features = world.analyse(voice(130.0, 1.5, seed=1), CONFIG)
    power = world.decode(features.spectra, CONFIG)
    power[:, :6] *= np.linspace(0, 1, 6) ** 4 + 1e-9
    return features.f0_hz, power, features.aperiodicity


def test_pulses_are_those_of_pyworld(spoken: tuple[np.ndarray, ...]) -> None:
    """Without noise, the two differ by the mean of responses and by whole gaps in the gain."""
    _, power, aperiodicity = spoken
    f0_hz = 130 + 30 * np.sin(np.arange(len(power)) / 40)
    expected = pyworld.synthesize(f0_hz, power, np.zeros_like(aperiodicity), 16_000, 5.0)
    found = synthesize(f0_hz, power, np.zeros_like(aperiodicity), [4])
    middle = slice(2000, len(found) - 2000)
    difference = found[middle] - expected[middle]
    assert np.std(difference) < 0.01 * np.std(expected[middle])
    # A sample's shift would be thirty times as much.
    assert np.std(found[1999:-2001] - expected[middle][: len(found) - 4000]) > 0.1 * np.std(found)


def test_noise_has_the_power_of_the_envelope() -> None:
    """White noise of power 1 per bin has a variance of 1, in WORLD as here."""
    frames = 400
    f0_hz, ones = np.zeros(frames), np.ones((frames, FFT_SAMPLES // 2 + 1))
    found = synthesize(f0_hz, ones, ones, [4])
    reference = pyworld.synthesize(f0_hz, ones, ones, 16_000, 5.0)
    assert np.var(found) == pytest.approx(1.0, rel=0.05)
    assert np.var(reference) == pytest.approx(1.0, rel=0.05)
    # Neighbours are not correlated.
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.03


def test_spectra_of_speech_are_those_of_pyworld(spoken: tuple[np.ndarray, ...]) -> None:
    f0_hz, power, aperiodicity = spoken
    reference = pyworld.synthesize(f0_hz, power, aperiodicity, 16_000, 5.0)
    found = synthesize(f0_hz, power, aperiodicity, [4])
    levels = [
        10 * np.log10(signal.welch(wave[: len(found)], nperseg=512)[1][6:240])
        for wave in (found, reference)
    ]
    assert np.mean(np.abs(levels[0] - levels[1])) < 1.0


@pytest.mark.parametrize("blocks", [[1], [7, 1, 3], [1000]])
def test_blocks_do_not_matter(spoken: tuple[np.ndarray, ...], blocks: list[int]) -> None:
    expected = synthesize(*spoken, [4])
    found = synthesize(*spoken, blocks)
    assert len(found) == len(expected) == 80 * (len(spoken[0]) - 1)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_frame_period_need_not_be_whole_samples() -> None:
    """5 ms at 22,050 Hz are 110.25 samples."""
    synthesizer = StreamingSynthesizer(22_050, 5.0, FFT_SAMPLES)
    ones = np.ones((4, FFT_SAMPLES // 2 + 1))
    lengths = [len(synthesizer.push(np.zeros(4), ones, ones)) for _ in range(100)]
    assert sum(lengths) == int(399 * 110.25)
    assert set(lengths[1:]) == {441}


def test_phases_go_on_between_blocks() -> None:
    """A steady voice is periodic everywhere: 125 Hz are 128 samples."""
    frames = 100
    bins = np.arange(FFT_SAMPLES // 2 + 1)
    power = np.tile(np.exp(-bins / 60.0), (frames, 1))
    wave = synthesize(np.full(frames, 125.0), power, np.zeros_like(power), [4])
    steady = wave[1000:-1000]
    assert np.max(np.abs(steady[128:] - steady[:-128])) < 0.02 * np.max(np.abs(steady))


def test_a_steady_voice_has_no_mean() -> None:
    """A flat envelope makes pulses of one sample, whose mean WORLD removes: 1/128 of each."""
    power = np.ones((100, FFT_SAMPLES // 2 + 1))
    wave = synthesize(np.full(100, 125.0), power, np.zeros_like(power), [4])
    steady = wave[1280 : 1280 + 40 * 128]
    assert np.max(steady) > 5.0
    assert abs(np.mean(steady)) < 1e-3


def test_state_does_not_grow() -> None:
    synthesizer = StreamingSynthesizer(16_000, 5.0, FFT_SAMPLES)
    ones = np.ones((4, FFT_SAMPLES // 2 + 1))
    sizes = set()
    for _ in range(200):
        synthesizer.push(np.full(4, 100.0), ones, 0.5 * ones)
        sizes.add(synthesizer._tail.size + sum(each.size for each in synthesizer._last))
    assert len(sizes) == 1

"""Faults that one hears, put into signals on purpose."""

import math

import numpy as np
import pytest

from cyclegan_vc_tf.evaluation import artifacts

RATE_HZ = 16_000
F0_HZ = 120.0


def noise(seconds: float = 1.0, level: float = 0.01, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))


def harmonics(seconds: float = 1.0) -> np.ndarray:
    """A voiced sound below 3 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    numbers = np.arange(1, int(3000 / F0_HZ))
    return 0.1 * np.sum(np.sin(2 * np.pi * F0_HZ * numbers[:, None] * time_s), axis=0)


def test_a_click_is_found_where_it_is() -> None:
    wave = noise()
    assert len(artifacts.find_clicks(wave, RATE_HZ)) == 0
    for time_s in (0.2504, 0.75):
        wave[round(time_s * RATE_HZ)] += 0.5
    assert artifacts.find_clicks(wave, RATE_HZ) == pytest.approx([0.2504, 0.75], abs=0.001)
    assert artifacts.measure(wave, RATE_HZ).clicks_per_s == pytest.approx(2.0)


@pytest.mark.parametrize("at", range(8000, 8020))
def test_a_click_between_two_frames_is_one(at: int) -> None:
    wave = noise()
    wave[at : at + 3] += (0.5, 1.0, 0.5)
    assert len(artifacts.find_clicks(wave, RATE_HZ)) == 1


def test_a_missing_sample_is_a_click() -> None:
    """The phase of a tone jumps by a quarter of its period."""
    tone = np.sin(2 * np.pi * 200 * np.arange(RATE_HZ) / RATE_HZ)
    spliced = np.concatenate([tone[:8000], tone[8020:]])
    assert len(artifacts.find_clicks(tone, RATE_HZ)) == 0
    assert artifacts.find_clicks(spliced, RATE_HZ) == pytest.approx([0.5], abs=0.001)


def test_pulses_of_a_voice_and_bursts_of_consonants_are_no_clicks() -> None:
    pulses = noise(level=0.001)
    pulses[:: round(RATE_HZ / 80)] += 0.5
    assert len(artifacts.find_clicks(pulses, RATE_HZ)) == 0
    plosive = noise(level=0.001)
    plosive[8000:8240] += noise(0.015, 0.3, seed=1)
    assert len(artifacts.find_clicks(plosive, RATE_HZ)) == 0


def test_a_recording_that_begins_in_the_middle_of_a_sound_has_a_loud_edge() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    assert artifacts.edge_db(tone, RATE_HZ) == pytest.approx(0, abs=0.2)
    faded = tone.copy()
    faded[:16] *= 0.01
    faded[-16:] *= 0.001
    assert artifacts.edge_db(faded, RATE_HZ) == pytest.approx(-40, abs=0.2)
    faded[-16:] = 0.1
    assert artifacts.edge_db(faded, RATE_HZ) == pytest.approx(-20, abs=0.2)
    assert artifacts.edge_db(np.zeros(100), RATE_HZ) == -100


def levels(wave: np.ndarray) -> np.ndarray:
    return artifacts.frame_levels_db(wave, RATE_HZ)


def test_levels_are_mean_powers() -> None:
    # The mean power of a sine of amplitude 1 is 1/2, and 1 kHz has whole periods in 20 ms.
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    found = levels(np.concatenate([tone, np.zeros(RATE_HZ)]))
    assert found[:190] == pytest.approx(10 * math.log10(0.5), abs=1e-6)
    # Silence is raised to 60 dB below the loudest frame.
    assert found[-190:] == pytest.approx(10 * math.log10(0.5) - 60, abs=1e-6)


def test_a_burst_is_measured_in_db() -> None:
    source = noise()
    converted = 0.5 * source
    assert artifacts.largest_burst_db(levels(converted), levels(source)) == pytest.approx(0)
    # 40 ms hold whole windows.
    converted[8000:8640] *= 8.0
    expected_db = 20 * math.log10(8.0)
    found_db = artifacts.largest_burst_db(levels(converted), levels(source))
    assert found_db == pytest.approx(expected_db, abs=1e-6)
    # What is far below the loudest frame is not heard, whatever its gain.
    source[:4000] *= 1e-3
    converted[:4000] *= 1e-2
    found_db = artifacts.largest_burst_db(levels(converted), levels(source))
    assert found_db == pytest.approx(expected_db, abs=1e-6)


def test_a_burst_where_the_source_is_silent_counts() -> None:
    source, converted = noise(), noise()
    source[8000:8640] *= 1e-3
    found_db = artifacts.largest_burst_db(levels(converted), levels(source))
    assert found_db == pytest.approx(60, abs=3)


@pytest.mark.parametrize(("gain_db", "jumps"), [(-30.0, 2), (-10.0, 0), (30.0, 2)])
def test_jumps_of_the_level_are_counted(gain_db: float, jumps: int) -> None:
    source = noise()
    converted = 0.5 * source
    converted[6000:10_000] *= 10 ** (gain_db / 20)
    assert artifacts.count_jumps(levels(converted), levels(source)) == jumps
    assert artifacts.measure(converted, RATE_HZ, source).jumps_per_s == pytest.approx(jumps)


def test_a_change_that_the_source_makes_too_is_no_jump() -> None:
    source = noise()
    source[6000:10_000] *= 10 ** (-25 / 20)
    assert artifacts.count_jumps(levels(0.5 * source), levels(source)) == 0


@pytest.mark.parametrize("depth", [0.3, 0.6, 0.9])
def test_modulation_of_noise_by_f0_is_measured(depth: float) -> None:
    """Oracle: noise times 1 + m cos(2 pi F0 t) has depth m."""
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    breath = noise(2.0, 0.02) * (1 + depth * np.cos(2 * np.pi * F0_HZ * time_s))
    found = artifacts.modulation_by_f0(harmonics(2.0) + breath, RATE_HZ)
    assert found == pytest.approx(depth, abs=0.06)


def test_steady_noise_is_hardly_modulated_and_pulses_are() -> None:
    steady = artifacts.modulation_by_f0(harmonics(2.0) + noise(2.0, 0.02), RATE_HZ)
    assert steady is not None and steady < 0.15
    pulses = np.zeros(2 * RATE_HZ)
    pulses[:: round(RATE_HZ / F0_HZ)] = 0.5
    buzzing = artifacts.modulation_by_f0(harmonics(2.0) + pulses, RATE_HZ)
    assert buzzing is not None and 1.5 < buzzing <= 2


def test_what_cannot_be_measured_is_none() -> None:
    assert artifacts.modulation_by_f0(np.zeros(RATE_HZ), RATE_HZ) is None
    assert artifacts.modulation_by_f0(harmonics(), 8000) is None
    alone = artifacts.measure(noise(), RATE_HZ)
    assert alone.burst_db is None and alone.jumps_per_s is None


@pytest.mark.parametrize("samples", [0, 1, 2, 3, 15, 16, 100, 700])
def test_short_recordings_and_silence_are_measured(samples: int) -> None:
    for wave in (np.zeros(samples), noise()[:samples]):
        found = artifacts.measure(wave, RATE_HZ, wave)
        assert found.burst_db == pytest.approx(0)
        assert found.jumps_per_s == found.clicks_per_s == 0


def test_a_source_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="received 16000 samples, and a source of 15999"):
        artifacts.measure(noise(), RATE_HZ, noise()[:-1])

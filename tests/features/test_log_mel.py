"""Tests of log-mel spectra against librosa and the formula, and of Griffin-Lim's output."""

import dataclasses

import librosa
import numpy as np
import pytest
from conftest import REPOSITORY, run_command, voice

from cyclegan_vc_tf.audio import audio_files, resampling
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import frontend, log_mel
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import griffin_lim, selection

CONFIG = FeatureConfig(spectra="log_mel")
WAVE = voice(130.0, 1.0, seed=7)


def slaney_hz(mels: np.ndarray) -> np.ndarray:
    """Convert mel to Hz: 200/3 Hz per mel up to 1 kHz, above it a factor of 6.4 per 27 mel."""
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


def formula_filters(config: FeatureConfig) -> np.ndarray:
    """Make triangles between neighbouring edges, each of unit area in Hz."""
    nyquist_hz = config.sample_rate_hz / 2
    top = 15 + 27 * np.log(nyquist_hz / 1000) / np.log(6.4)
    edges_hz = slaney_hz(np.linspace(0, top, config.mel_bins + 2))
    bins_hz = np.linspace(0, nyquist_hz, config.fft_samples // 2 + 1)
    rows = []
    for low, middle, high in zip(edges_hz, edges_hz[1:], edges_hz[2:], strict=False):
        rising, falling = (bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle)
        rows.append(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))
    return np.array(rows)


def formula(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute log10(max(filters · |DFT of each window|, 1e-5)) step by step."""
    size, hop = config.fft_samples, config.hop_samples
    front = (size - hop) // 2
    behind = size - hop - front
    # Mirrored without repeating the first and the last sample.
    padded = np.concatenate([samples[front:0:-1], samples, samples[-2 : -behind - 2 : -1]])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    starts = range(0, len(samples), hop)
    magnitudes = [np.abs(np.fft.rfft(hann * padded[start : start + size])) for start in starts]
    return np.log10(np.maximum(np.array(magnitudes) @ formula_filters(config).T, 1e-5))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sample_rate_hz": 22_050},
        {"mel_bins": 34, "fft_samples": 512, "hop_samples": 128},
        {"mel_bins": 128, "fft_samples": 2048, "hop_samples": 301},
    ],
    ids=str,
)
def test_log_mel_equals_its_formula_and_librosa(changes: dict) -> None:
    config = dataclasses.replace(CONFIG, **changes)
    whole = WAVE[: len(WAVE) // config.hop_samples * config.hop_samples].astype(np.float64)
    spectra = log_mel.log_mel(whole, config)
    assert spectra.shape == (len(whole) // config.hop_samples, config.mel_bins)
    assert spectra.dtype == np.float32
    np.testing.assert_allclose(spectra, formula(whole, config), atol=1e-5)
    both = config.fft_samples - config.hop_samples
    margin = both // 2, both - both // 2
    bands = librosa.feature.melspectrogram(
        y=np.pad(whole, margin, mode="reflect"), sr=config.sample_rate_hz,
        n_fft=config.fft_samples, hop_length=config.hop_samples, n_mels=config.mel_bins,
        power=1.0, center=False,
    )  # fmt: skip
    np.testing.assert_allclose(spectra, np.log10(np.maximum(bands, 1e-5)).T, atol=1e-5)
    # A last hop that is not whole is filled up with zeros.
    filled = np.concatenate([whole[:-50], np.zeros(50)])
    np.testing.assert_array_equal(
        log_mel.log_mel(whole[:-50], config), log_mel.log_mel(filled, config)
    )


def test_a_change_of_any_setting_changes_the_spectra() -> None:
    """The key of a feature store depends on every setting, so none may be without effect."""
    changes = {"sample_rate_hz": 22_050, "mel_bins": 40, "fft_samples": 512, "hop_samples": 250}
    assert {*changes, "spectra"} == set(CONFIG.used)
    spectra = log_mel.log_mel(WAVE, CONFIG)
    for name, value in changes.items():
        config = dataclasses.replace(CONFIG, **{name: value})
        changed = log_mel.log_mel(resampling.resample(WAVE, 16_000, config.sample_rate_hz), config)
        same = changed.shape == spectra.shape and np.allclose(changed, spectra, atol=0.1)
        assert not same, name


def test_a_tone_is_in_its_band_and_silence_at_the_floor() -> None:
    time_s = np.arange(16_000) / 16_000
    tone = log_mel.log_mel(0.5 * np.sin(2 * np.pi * 3000 * time_s), CONFIG)
    peaks = np.argmax(tone[5:-5], axis=1)
    centres_hz = slaney_hz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), 82))[1:-1]
    assert set(peaks) == {int(np.argmin(np.abs(centres_hz - 3000)))}
    np.testing.assert_array_equal(log_mel.log_mel(np.zeros(1000), CONFIG), -5.0)


@pytest.mark.parametrize("samples", [1, 2, 100, 255, 256, 257, 1000, 4096])
def test_every_sample_is_in_a_frame(samples: int) -> None:
    features = frontend.analyse(WAVE[4000 : 4000 + samples], CONFIG)
    expected = -(-samples // 256)
    assert features.spectra.shape == (expected, 80)
    assert frontend.frame_count(samples, CONFIG) == expected
    f0_hz, spectra = frontend.analyse_for_training(WAVE[4000 : 4000 + samples], CONFIG)
    np.testing.assert_array_equal(spectra, features.spectra)
    np.testing.assert_array_equal(f0_hz, np.zeros(expected))


@pytest.mark.parametrize("speaker", ["heart", "michael"])
def test_griffin_lim_synthesizes_the_spectra(speaker: str) -> None:
    """The bands of a sentence are within 1.5 dB on average, because of the iterations."""
    wave, _ = audio_files.read(REPOSITORY / "data/demo/held_out" / speaker / "089.flac")
    features = frontend.analyse(wave, CONFIG)
    distance_db = {}
    for iterations in (1, 60):
        vocoder = selection.make_vocoder(CONFIG, VocoderConfig(griffin_lim_iterations=iterations))
        again = vocoder(features, len(wave))
        assert again.shape == wave.shape and again.dtype == np.float32
        distance_db[iterations] = 20 * np.mean(
            np.abs(log_mel.log_mel(again, CONFIG) - features.spectra)
        )
    assert distance_db[60] < 1.5
    assert distance_db[1] > 1.5 * distance_db[60]


def test_griffin_lim_equals_librosa_s_fast_algorithm() -> None:
    """Expected: least-squares magnitudes, librosa's default momentum, phases from seed 0."""
    wave, _ = audio_files.read(REPOSITORY / "data/demo/held_out/heart/089.flac")
    spectra = log_mel.log_mel(wave, CONFIG)
    bands = 10.0 ** spectra.T.astype(np.float64)
    inverse = np.linalg.pinv(formula_filters(CONFIG))
    # Renamed in librosa 1.0.
    phases = "random_state" if librosa.__version__.startswith("0.") else "rng"
    expected = librosa.griffinlim(
        np.maximum(inverse @ bands, 0), n_iter=8, n_fft=1024, hop_length=256, center=False,
        momentum=0.99, **{phases: np.random.RandomState(0)},
    )[384:]  # fmt: skip
    ours = griffin_lim.synthesize(spectra, CONFIG, 8)
    assert ours.shape == (256 * len(spectra),)
    np.testing.assert_allclose(ours, expected[: len(ours)], atol=1e-3)


def test_extreme_bands_do_not_break_griffin_lim() -> None:
    spectra = np.full((8, 80), 400.0, np.float32)
    assert np.isfinite(griffin_lim.synthesize(spectra, CONFIG, 4)).all()


@pytest.mark.parametrize("fft_samples", [4096, 8192])
def test_memory_does_not_grow_with_the_square_of_the_window(fft_samples: int) -> None:
    """A process limited to half a gigabyte more memory succeeds."""
    code = (
        "import numpy as np, resource\n"
        "from cyclegan_vc_tf.vocoders import griffin_lim\n"
        "from cyclegan_vc_tf.config.features import FeatureConfig\n"
        f"config = FeatureConfig(spectra='log_mel', fft_samples={fft_samples})\n"
        "griffin_lim.synthesize(np.zeros((40, 80), np.float32), config, 1)\n"
        "pages = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages + 2**29,) * 2)\n"
        "griffin_lim.synthesize(np.zeros((200, 80), np.float32), config, 2)\n"
    )
    done = run_command("-c", code)
    assert done.returncode == 0, done.stderr


def test_griffin_lim_is_in_time_with_its_source() -> None:
    """A click moves by less than a quarter of a hop."""
    wave = 1e-3 * np.random.default_rng(0).standard_normal(16_000)
    wave[7000:7040] += 0.8
    again = selection.make_vocoder(CONFIG)(frontend.analyse(wave, CONFIG), len(wave))
    level = np.convolve(np.square(again), np.ones(64), mode="same")
    assert abs(int(np.argmax(level)) - 7020) < 64


def test_griffin_lim_is_deterministic() -> None:
    features = frontend.analyse(WAVE[:8000], CONFIG)
    first, again = (selection.make_vocoder(CONFIG)(features, 8000) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_samples": 513}, "--hop_samples is 513; windows have to overlap by half"),
        ({"f0_method": "dio"}, "--f0_method is dio, and log_mel spectra do not depend on it"),
        (
            {"spectra": "mel_cepstra", "mel_bins": 40},
            "--mel_bins is 40, and mel_cepstra spectra do not depend on it",
        ),
        (
            {"mel_bins": 128, "fft_samples": 256, "hop_samples": 64},
            r"--mel_bins is 128, and \d+ of them have no bin of a transform",
        ),
    ],
)
def test_settings_that_give_no_spectra_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        frontend.validate(dataclasses.replace(CONFIG, **changes))


def test_the_settings_of_the_papers_are_accepted() -> None:
    for sample_rate_hz in (16_000, 22_050):
        for bins in (24, 34, 36, 80, 128):
            frontend.validate(
                dataclasses.replace(CONFIG, sample_rate_hz=sample_rate_hz, mel_bins=bins)
            )


def test_world_refuses_log_mel_features() -> None:
    features = frontend.analyse(WAVE[:8000], CONFIG)
    with pytest.raises(TypeError, match="WORLD needs WorldFeatures; received MelFeatures"):
        selection.make_vocoder(FeatureConfig())(features, 8000)


def test_melgan_needs_a_file_and_world_takes_no_vocoder_settings() -> None:
    choice = VocoderConfig(vocoder="melgan")
    with pytest.raises(InputError, match="--vocoder_checkpoint is not given"):
        selection.make_vocoder(CONFIG, choice)
    with pytest.raises(InputError, match="WORLD synthesizes this run's mel-cepstra"):
        selection.make_vocoder(FeatureConfig(), choice)


def test_limit_power_is_refused_for_log_mel() -> None:
    with pytest.raises(InputError, match="--limit_power cannot be given"):
        selection.make_vocoder(CONFIG, VocoderConfig(limit_power=True))

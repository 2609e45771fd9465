"""Short-time spectra without librosa, against librosa."""

import numpy as np
import pytest
from conftest import voice

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel, short_time
from cyclegan_vc_tf.system import caches
from cyclegan_vc_tf.vocoders import griffin_lim

CONFIGS = (
    FeatureConfig(spectra="log_mel", sample_rate_hz=22_050),
    FeatureConfig(
        spectra="log_mel", sample_rate_hz=16_000, fft_samples=600, hop_samples=150, mel_bins=30
    ),
    FeatureConfig(
        spectra="log_mel", sample_rate_hz=8_000, fft_samples=256, hop_samples=100, mel_bins=20
    ),
)


@pytest.mark.parametrize("config", CONFIGS)
def test_spectra_without_librosa_are_librosas(
    config: FeatureConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = voice(120.0, 0.7, 5, config.sample_rate_hz)
    expected = log_mel.log_mel(samples, config)
    wave = griffin_lim.synthesize(expected, config, 8)
    filters = log_mel.mel_filters(config)
    np.testing.assert_allclose(short_time.mel_filters(config), filters, rtol=1e-6, atol=1e-12)
    monkeypatch.setattr(caches, "has_librosa", lambda: False)
    np.testing.assert_allclose(log_mel.log_mel(samples, config), expected, atol=1e-6)
    alone = griffin_lim.synthesize(expected, config, 8)
    assert alone.dtype == np.float32
    # Phases follow rounding where a magnitude is nearly zero.
    np.testing.assert_allclose(alone, wave, atol=1e-4 * np.abs(wave).max())


def test_a_transform_is_undone() -> None:
    config = CONFIGS[1]
    samples = np.random.default_rng(2).standard_normal(600 + 150 * 9)
    again = short_time.istft(short_time.stft(samples, config), config)
    # The window is zero at the first sample.
    np.testing.assert_allclose(again[1:], samples[1:], atol=1e-9)

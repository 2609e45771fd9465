"""Losses of a vocoder against librosa and numbers worked by hand."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel
from cyclegan_vc_tf.models.ordered_sum import fan_out
from cyclegan_vc_tf.vocoder_training import waveform_losses
from cyclegan_vc_tf.vocoder_training.spectrum_discriminators import (
    spectrum_discriminator,
    spectrum_input,
)


def noise(seed: int, samples: int = 1088) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, samples))


def test_magnitudes_are_librosas() -> None:
    waves = noise(0)
    theirs = np.abs(librosa.stft(waves, n_fft=64, hop_length=16, center=False))
    ours = waveform_losses.magnitudes(tf.constant(waves), 64, 16)
    np.testing.assert_allclose(ours, theirs.transpose(0, 2, 1), atol=1e-9)


def test_the_stft_loss_is_the_papers() -> None:
    """Spectral convergence sqrt(1 + 4) / sqrt(1 + 16); logarithms ln 2 and ln (4 / 2)."""
    real, fake = tf.constant([[[1.0, 4.0]]]), tf.constant([[[2.0, 2.0]]])
    expected = np.sqrt(5 / 17) + np.log(2)
    assert waveform_losses.stft_loss(real, fake).numpy() == pytest.approx([expected], rel=1e-6)


def test_several_resolutions_are_averaged() -> None:
    real, fake = (tf.constant(noise(seed)) for seed in (1, 2))
    each = [
        waveform_losses.stft_loss(
            *(waveform_losses.magnitudes(wave, size, size // 4) for wave in (real, fake))
        )
        for size in (64, 32)
    ]
    found = waveform_losses.multi_resolution_stft_loss(real, fan_out(fake, 2), (64, 32))
    np.testing.assert_allclose(found, (each[0] + each[1]) / 2, rtol=1e-12)


def test_the_mel_loss_is_that_of_log_mel_spectra() -> None:
    """In natural logarithms, and without the mirrored ends of the analysis."""
    config = FeatureConfig(spectra="log_mel", fft_samples=256, hop_samples=64, mel_bins=20)
    filters = log_mel.mel_filters(config)
    waves = [0.1 * noise(seed, 256 + 64 * 9) for seed in (3, 4)]
    spectra = [
        np.log(filters @ np.abs(librosa.stft(w, n_fft=256, hop_length=64, center=False)))
        for w in waves
    ]
    found = waveform_losses.mel_loss(*map(tf.constant, waves), filters, 256, 64)
    np.testing.assert_allclose(found, np.abs(spectra[0] - spectra[1]).mean((1, 2)), rtol=1e-6)


def test_features_are_matched_in_proportion_to_their_size() -> None:
    reals = [tf.fill((1, 2, 2, 1), 4.0), tf.fill((1, 1, 1, 3), 0.5)]
    fakes = [tf.fill((1, 2, 2, 1), 3.0), tf.fill((1, 1, 1, 3), 0.75)]
    found = waveform_losses.feature_matching_loss(reals, fakes)
    assert found.numpy() == pytest.approx([(1 / 4 + 0.25 / 0.5) / 2])


def test_an_unvoiced_frame_has_no_class() -> None:
    """A voiced frame of even scores costs ln 4 + ln 2; an unvoiced one ln 2."""
    targets = tf.constant([[[0.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0]]])
    found = waveform_losses.pitch_loss(tf.zeros((1, 2, 5)), targets)
    assert found.numpy() == pytest.approx([(np.log(4) + 2 * np.log(2)) / 2])


def test_the_discriminator_sees_compressed_spectra() -> None:
    """A tone of eight times the level has 8 ** 0.3 times the size, and its phase."""
    time = np.arange(512) / 16
    quiet, loud = (
        spectrum_input(tf.constant([[gain * np.sin(2 * np.pi * time)]][0]), 64).numpy()[0]
        for gain in (1.0, 8.0)
    )
    peak = np.unravel_index(np.abs(quiet).sum(-1).argmax(), quiet.shape[:2])
    np.testing.assert_allclose(loud[peak], 8**0.3 * quiet[peak], rtol=1e-4)


def test_the_discriminator_gives_all_layers() -> None:
    model = spectrum_discriminator("discriminator_64", 3, seed=0)
    *hidden, scores = model(spectrum_input(tf.constant(noise(5), tf.float32), 64))
    assert len(hidden) == 4 and all(layer.shape[-1] == 3 for layer in hidden)
    # 65 frames and 33 bins, strides of 2 frames and of 16 bins in all.
    assert scores.shape == (2, 33, 3, 1)

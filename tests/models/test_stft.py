"""Short-time transforms against NumPy and librosa, and gradients against their definition."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.models.stft import inverse_stft, overlap_add, split_frames, stft


def waves(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, samples))


@pytest.mark.parametrize(("size", "hop"), [(16, 4), (12, 5), (8, 8)])
def test_spectra_are_numpys_of_each_windowed_frame(size: int, hop: int) -> None:
    given = waves(size + 6 * hop)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    expected = [np.fft.rfft(window * given[:, n * hop : n * hop + size]) for n in range(7)]
    np.testing.assert_allclose(
        stft(tf.constant(given), size, hop), np.stack(expected, 1), atol=1e-12
    )


@pytest.mark.parametrize(("size", "hop"), [(16, 4), (12, 5), (16, 8)])
def test_the_inverse_is_librosas(size: int, hop: int) -> None:
    rng = np.random.default_rng(1)
    shape = (2, 9, size // 2 + 1)
    spectra = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    ours = inverse_stft(tf.constant(spectra), size, hop).numpy()
    theirs = librosa.istft(
        spectra.transpose(0, 2, 1), n_fft=size, hop_length=hop, window="hann", center=False
    )
    np.testing.assert_allclose(ours[:, 1:], theirs[:, 1:], atol=1e-9)


@pytest.mark.parametrize(("size", "hop"), [(16, 4), (12, 5), (16, 8)])
def test_the_inverse_gives_every_sample_back_but_the_first(size: int, hop: int) -> None:
    """A Hann window is zero at its first sample alone."""
    given = waves(size + 6 * hop)
    again = inverse_stft(stft(tf.constant(given), size, hop), size, hop).numpy()
    assert (again[:, 0] == 0).all()
    np.testing.assert_allclose(again[:, 1:], given[:, 1:], atol=1e-12)


def test_overlapping_frames_are_added() -> None:
    frames = tf.constant([[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]])
    np.testing.assert_array_equal(overlap_add(frames, 2), [[1.0, 2.0, 13.0, 20.0, 30.0]])


@pytest.mark.parametrize("function", [split_frames, overlap_add])
def test_gradients_are_the_numeric_ones(function: object) -> None:
    rng = np.random.default_rng(2)
    if function is split_frames:
        given, apply = rng.standard_normal((1, 17)), lambda x: split_frames(x, 5, 3)
    else:
        given, apply = rng.standard_normal((1, 5, 5)), lambda x: overlap_add(x, 3)
    theoretical, numeric = tf.test.compute_gradient(apply, [tf.constant(given)])
    np.testing.assert_allclose(theoretical[0], numeric[0], atol=1e-6)

"""Short-time spectra, mel filters and Griffin-Lim where librosa is not installed.

The formulas are librosa's. Its own functions are used wherever it is installed, because they made
the spectra of trained models to the last bit.
"""

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig

LINEAR_HZ = 1000.0
"""Frequency up to which Slaney's mel scale is linear, at mel 15."""

HZ_PER_MEL = 200.0 / 3
"""Slope of the mel scale below."""

LOG_STEP = np.log(6.4) / 27
"""Logarithm of the ratio of two frequencies one mel apart, above."""


def mel_filters(config: FeatureConfig) -> np.ndarray:
    """Return Slaney's mel filters, each of unit area in Hz, (bins, 1 + fft_samples // 2) float32.

    Source: Slaney, 1998, Auditory Toolbox, as implemented in librosa.
    """
    nyquist_hz = config.sample_rate_hz / 2
    bin_hz = np.fft.rfftfreq(config.fft_samples, 1.0 / config.sample_rate_hz)
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(nyquist_hz), config.mel_bins + 2))
    widths_hz = np.diff(edges_hz)
    distances = edges_hz[:, np.newaxis] - bin_hz
    rising = -distances[:-2] / widths_hz[:-1, np.newaxis]
    falling = distances[2:] / widths_hz[1:, np.newaxis]
    filters = np.zeros(rising.shape, np.float32)
    filters[:] = np.maximum(0.0, np.minimum(rising, falling))
    filters *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis]
    return filters


def _hz_to_mel(frequency_hz: float) -> float:
    """Return a frequency above 1000 Hz, such as every Nyquist frequency, in mel."""
    return LINEAR_HZ / HZ_PER_MEL + float(np.log(frequency_hz / LINEAR_HZ)) / LOG_STEP


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    """Return frequencies in Hz."""
    break_mel = LINEAR_HZ / HZ_PER_MEL
    return np.where(
        mels >= break_mel, LINEAR_HZ * np.exp(LOG_STEP * (mels - break_mel)), HZ_PER_MEL * mels
    )


def _window(config: FeatureConfig) -> np.ndarray:
    """Return a periodic Hann window as long as the transform."""
    return np.hanning(config.fft_samples + 1)[:-1]


def stft(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Compute a short-time Fourier transform without padding.

    Args:
        samples: Waveform, (samples,) float64.
        config: Window and hop.

    Returns:
        Spectra, (1 + fft_samples // 2, frames) complex128.
    """
    size = config.fft_samples
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: config.hop_samples]
    return np.fft.rfft(frames * _window(config)).T


def istft(spectra: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Return the samples with the nearest short-time spectra, in least squares.

    Args:
        spectra: (1 + fft_samples // 2, frames).
        config: Window and hop.

    Returns:
        Samples, (fft_samples + hop · (frames - 1),) float64.

    Source: Griffin and Lim, 1984, "Signal estimation from modified short-time Fourier transform",
        equation 6.
    """
    size, hop, window = config.fft_samples, config.hop_samples, _window(config)
    frames = np.fft.irfft(spectra.T, size) * window
    samples = np.zeros(size + hop * (len(frames) - 1))
    weights = np.zeros_like(samples)
    for number, frame in enumerate(frames):
        part = slice(number * hop, number * hop + size)
        samples[part] += frame
        weights[part] += np.square(window)
    return np.divide(samples, weights, where=weights > np.finfo(np.float32).tiny, out=samples)


def griffin_lim(
    magnitudes: np.ndarray, config: FeatureConfig, iterations: int, momentum: float
) -> np.ndarray:
    """Return samples that have about the given magnitudes, by the fast Griffin-Lim algorithm.

    Args:
        magnitudes: (1 + fft_samples // 2, frames) float64.
        config: Window and hop.
        iterations: Number of iterations.
        momentum: Momentum of the fast algorithm.

    Returns:
        Samples, (fft_samples + hop · (frames - 1),) float64.

    Source: Perraudin, Balazs and Søndergaard, 2013, "A fast Griffin-Lim algorithm".
    """
    turns = np.random.RandomState(0).random_sample(magnitudes.shape)
    spectra = magnitudes * np.exp(2j * np.pi * turns)
    before: np.ndarray | None = None
    for _ in range(iterations):
        consistent = stft(istft(spectra, config), config)
        phases = consistent.copy()
        if before is not None:
            phases -= momentum / (1 + momentum) * before
        phases /= np.abs(phases) + np.finfo(np.float64).tiny
        spectra, before = magnitudes * phases, consistent
    return istft(spectra, config)

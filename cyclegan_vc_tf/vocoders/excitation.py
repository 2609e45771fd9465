"""Excitation of the source-filter vocoder: pulses at F0, and noise."""

import numpy as np


def interpolate_f0(f0_hz: np.ndarray, hop: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate F0 and voicing between the centres of frames.

    Frame n lies in the middle of hop n. F0 runs linearly between two voiced frames and is constant
    beyond the last one; voicing changes halfway between two frames.

    Args:
        f0_hz: F0 per frame, (frames,); 0 where unvoiced.
        hop: Samples per frame.
        samples: Number of samples.

    Returns:
        F0 in Hz of all samples, and whether they are voiced, both (samples,). Without any voiced
        frame, F0 is 0.
    """
    time = (np.arange(samples) + 0.5) / hop - 0.5
    frames = np.arange(len(f0_hz))
    is_voiced = f0_hz > 0
    if not is_voiced.any():
        return np.zeros(samples), np.zeros(samples, bool)
    voiced = np.interp(time, frames, is_voiced.astype(np.float64)) > 0.5
    return np.interp(time, frames[is_voiced], f0_hz[is_voiced]), voiced


def harmonics(
    f0_hz: np.ndarray, voiced: np.ndarray, sample_rate_hz: int, turns: float = 0.0
) -> np.ndarray:
    """Add cosines at all multiples of F0 below the Nyquist frequency, with a power of 1.

    Their phases agree at each pulse. The sum of K cosines of phase p has a closed form,
    sin((K + 1/2) p) / (2 sin(p / 2)) - 1/2, and the power K / 2.

    Args:
        f0_hz: F0 of each sample, (samples,).
        voiced: Whether a sample is voiced, (samples,); others are 0.
        sample_rate_hz: Sample rate.
        turns: Initial phase in turns.

    Returns:
        (samples,) float64.
    """
    turns = turns + np.cumsum(f0_hz) / sample_rate_hz
    half = np.pi * (turns - np.round(turns))
    safe_f0_hz = np.maximum(f0_hz, 1.0)
    count = np.maximum(np.ceil(sample_rate_hz / 2 / safe_f0_hz) - 1, 1.0)
    sine = np.sin(half)
    is_peak = np.abs(sine) < 1e-6
    ratio = np.sin((2 * count + 1) * half) / np.where(is_peak, 1.0, 2 * sine)
    sums = np.where(is_peak, count + 0.5, ratio) - 0.5
    return np.where(voiced, np.sqrt(2 / count) * sums, 0.0)


def excite(
    f0_hz: np.ndarray, hop: int, sample_rate_hz: int, random: np.random.Generator
) -> np.ndarray:
    """Make the excitation of a recording or a crop.

    Args:
        f0_hz: F0 per frame, (frames,); 0 where unvoiced.
        hop: Samples per frame.
        sample_rate_hz: Sample rate.
        random: Source of the initial phase and of the noise.

    Returns:
        Harmonics and white noise of power 1, (frames · hop, 2) float32.
    """
    samples = len(f0_hz) * hop
    turns = float(random.uniform())
    noise = random.standard_normal(samples, np.float32)
    periodic = harmonics(*interpolate_f0(f0_hz, hop, samples), sample_rate_hz, turns)
    return np.stack([periodic.astype(np.float32), noise], axis=1)

"""Excitation of the source-filter vocoder: pulses at F0, and noise."""

import numpy as np


def interpolate_f0(f0_hz: np.ndarray, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate F0 and voicing between the middles of frames.

    Frame n lies in the middle of hop n. F0 runs linearly between two voiced frames, and is constant
    between a voiced and an unvoiced one; voicing changes halfway between them. A sample depends on
    the two frames around it, so that a stream makes the samples of a recording.

    Args:
        f0_hz: F0 per frame, (frames + 2,), with the frames before and after; 0 where unvoiced.
        hop: Samples per frame.

    Returns:
        F0 in Hz of all samples, 0 between unvoiced frames, and whether they are voiced, both
        (frames · hop,).
    """
    frames = len(f0_hz) - 2
    time = (np.arange(frames * hop) + 0.5) / hop + 0.5
    earlier = time.astype(int)
    share = time - earlier
    left, right = f0_hz[earlier], f0_hz[earlier + 1]
    voiced = (1 - share) * (left > 0) + share * (right > 0) > 0.5
    left, right = np.where(left > 0, left, right), np.where(right > 0, right, left)
    return left + share * (right - left), voiced


def harmonics(
    f0_hz: np.ndarray, voiced: np.ndarray, turns: np.ndarray, sample_rate_hz: int
) -> np.ndarray:
    """Add cosines at all multiples of F0 below the Nyquist frequency, with a power of 1.

    Their phases agree at each pulse. The sum of K cosines of phase p has a closed form,
    sin((K + 1/2) p) / (2 sin(p / 2)) - 1/2, and the power K / 2.

    Args:
        f0_hz: F0 of each sample, (samples,).
        voiced: Whether a sample is voiced, (samples,); others are 0.
        turns: Phase of the fundamental in turns, (samples,).
        sample_rate_hz: Sample rate.

    Returns:
        (samples,) float64.
    """
    half = np.pi * (turns - np.round(turns))
    safe_f0_hz = np.maximum(f0_hz, 1.0)
    count = np.maximum(np.ceil(sample_rate_hz / 2 / safe_f0_hz) - 1, 1.0)
    sine = np.sin(half)
    is_peak = np.abs(sine) < 1e-6
    ratio = np.sin((2 * count + 1) * half) / np.where(is_peak, 1.0, 2 * sine)
    sums = np.where(is_peak, count + 0.5, ratio) - 0.5
    return np.where(voiced, np.sqrt(2 / count) * sums, 0.0)


class Excitation:
    """Excitation of a recording or of a stream, as its frames come in.

    All voiced parts begin with one phase, so that an error of F0 ends with its part.

    Args:
        hop: Samples per frame.
        sample_rate_hz: Sample rate.
        random: Source of the initial phase and of the noise.
    """

    def __init__(self, hop: int, sample_rate_hz: int, random: np.random.Generator) -> None:
        self._hop, self._sample_rate_hz, self._random = hop, sample_rate_hz, random
        self._first_turns = self._turns = float(random.uniform())
        self._was_voiced = False
        self._f0_hz = np.zeros(0)

    def push(self, f0_hz: np.ndarray) -> np.ndarray:
        """Make the excitation of frames whose next frame is known.

        Args:
            f0_hz: F0 of the next frames, (frames,); 0 where unvoiced.

        Returns:
            Harmonics and white noise of power 1, (frames · hop, 2) float32, one frame later: the
            first call returns a frame less.
        """
        if not len(self._f0_hz):  # F0 is constant before the first frame.
            self._f0_hz = f0_hz[:1]
        self._f0_hz = np.concatenate([self._f0_hz, f0_hz])
        found = self._make(self._f0_hz)
        self._f0_hz = self._f0_hz[-2:]
        return found

    def finish(self) -> np.ndarray:
        """Make the excitation of the last frame, (hop, 2) float32; of none if there was none."""
        return self._make(np.concatenate([self._f0_hz, self._f0_hz[-1:]]))

    def _make(self, f0_hz: np.ndarray) -> np.ndarray:
        """Make the excitation of all frames but the first and the last."""
        samples = max(len(f0_hz) - 2, 0) * self._hop
        if not samples:
            return np.zeros((0, 2), np.float32)
        values_hz, voiced = interpolate_f0(f0_hz, self._hop)
        turns = self._continue_phase(values_hz, voiced)
        periodic = harmonics(values_hz, voiced, turns, self._sample_rate_hz)
        noise = self._random.standard_normal(samples, np.float32)
        return np.stack([periodic.astype(np.float32), noise], axis=1)

    def _continue_phase(self, f0_hz: np.ndarray, voiced: np.ndarray) -> np.ndarray:
        """Return the phase of the next samples in turns, (samples,)."""
        turns = self._turns + np.cumsum(f0_hz) / self._sample_rate_hz
        is_onset = voiced & ~np.concatenate([[self._was_voiced], voiced[:-1]])
        onsets = np.maximum.accumulate(np.where(is_onset, np.arange(len(turns)), -1))
        turns -= np.where(onsets < 0, 0.0, turns[onsets] - self._first_turns)
        self._turns, self._was_voiced = turns[-1] % 1.0, bool(voiced[-1])
        return turns


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
    source = Excitation(hop, sample_rate_hz, random)
    return np.concatenate([source.push(f0_hz), source.finish()])

"""WORLD's synthesis as a stream: frames in, samples out, with phases that continue.

pyworld synthesizes whole recordings only. This module places the same pulses, one block of frames
after another. Each pulse and each stretch of noise is filtered by a minimum-phase response, which
never begins before its pulse, so a block is final as soon as its last frame is known.

Source: Morise, Yokomori and Ozawa, 2016, "WORLD: a vocoder-based high-quality speech synthesis
system for real-time applications", section 2.4, and `synthesis.cpp` of WORLD for the timing of
pulses.
"""

from itertools import pairwise

import numpy as np

UNVOICED_F0_HZ = 500.0
"""F0 at which the phase runs on in unvoiced speech, as in WORLD; no pulse is heard there."""

NOISE_MS = 2.5
"""Duration of a stretch of noise with one spectrum, about, in ms."""

SAFE_POWER = 1e-12
"""Power that is added before a logarithm, as in WORLD."""

MIN_APERIODICITY, MAX_APERIODICITY = 0.001, 0.999999999999
"""Limits of the aperiodicity, as in WORLD."""

MAX_PERIODIC_RATIO = 0.999
"""Share of noise in the power of bin 0 above which a pulse is left out, as in WORLD."""


class StreamingSynthesizer:
    """Synthesizer of WORLD's features, block by block.

    The samples do not depend on how frames are divided into blocks, apart from rounding. Memory is
    constant: one frame, one phase, and the tails of responses.

    Args:
        sample_rate_hz: Sample rate.
        frame_period_ms: Time between two frames.
        fft_samples: Length of the responses; envelopes have `fft_samples // 2 + 1` bins.
        seed: Seed of the noise.
    """

    def __init__(
        self, sample_rate_hz: int, frame_period_ms: float, fft_samples: int, seed: int = 0
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.frame_samples = sample_rate_hz * frame_period_ms / 1000
        self.fft_samples = fft_samples
        self._segments = max(1, round(frame_period_ms / NOISE_MS))
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._frames = 0
        self._samples = 0
        self._phase = 0.0
        self._last: tuple[np.ndarray, ...] = ()
        self._tail = np.zeros(fft_samples + 1)
        half = fft_samples // 2
        # It begins at zero: a step would be heard, and is seen at high frequencies.
        hump = np.hanning(half)
        self._dc_shape = hump / hump.sum()

    def push(self, f0_hz: np.ndarray, power: np.ndarray, aperiodicity: np.ndarray) -> np.ndarray:
        """Synthesize the samples up to the time of the last frame.

        Args:
            f0_hz: F0 of the next frames, (frames,); 0 where unvoiced.
            power: Envelopes, as power, (frames, spectral bins).
            aperiodicity: Aperiodicity between 0 and 1, (frames, spectral bins).

        Returns:
            Samples between the last frame of the previous block and the last frame of this block,
            (samples,) float64. The very first frame is at sample 0.
        """
        ratio = np.square(np.clip(aperiodicity, MIN_APERIODICITY, MAX_APERIODICITY))
        new: tuple[np.ndarray, ...] = (
            np.asarray(f0_hz, np.float64), np.asarray(power, np.float64), ratio,
        )  # fmt: skip
        is_first = not self._last
        if not is_first:
            new = tuple(np.concatenate(pair) for pair in zip(self._last, new, strict=True))
        self._last = tuple(values[-1:].copy() for values in new)
        self._frames += len(f0_hz)
        first_frame, begin = self._frames - len(new[0]), self._samples
        end = int((self._frames - 1) * self.frame_samples + 1e-9)
        position = np.arange(begin, end + 1) / self.frame_samples - first_frame
        rate_hz, voiced = _pitch(new[0], position)
        if is_first:
            self._phase = 2 * np.pi * rate_hz[0] / self.sample_rate_hz
        pulses, shift = self._find_pulses(rate_hz)
        is_heard = voiced[pulses]
        pulses, shift = pulses[is_heard], shift[is_heard]
        self._samples = end
        sound = np.concatenate([self._tail, np.zeros(end - begin)])
        self._add_noise(sound, new, position, voiced)
        if len(pulses):
            self._add_pulses(sound, new, position, rate_hz, pulses, shift)
        finished, self._tail = sound[: end - begin], sound[end - begin :].copy()
        return finished

    def _find_pulses(self, rate_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance the phase; return samples before each pulse, and the way to it in samples."""
        step = 2 * np.pi / self.sample_rate_hz
        phase = self._phase + np.concatenate([[0.0], np.cumsum(step * rate_hz[1:])])
        self._phase = float(phase[-1] % (2 * np.pi))
        turns = np.floor(phase / (2 * np.pi))
        pulses = np.flatnonzero(np.diff(turns) > 0)
        ahead = 2 * np.pi * turns[pulses + 1] - phase[pulses]
        return pulses, ahead / (phase[pulses + 1] - phase[pulses])

    def _add_pulses(
        self,
        sound: np.ndarray,
        frames: tuple[np.ndarray, ...],
        position: np.ndarray,
        rate_hz: np.ndarray,
        pulses: np.ndarray,
        shift: np.ndarray,
    ) -> None:
        """Add the periodic responses of pulses to `sound`, one sample behind each as in WORLD."""
        _, power, ratio = frames
        power, ratio = _interpolate(power, position[pulses]), _interpolate(ratio, position[pulses])
        is_periodic = ratio[:, 0] <= MAX_PERIODIC_RATIO
        spectra = self._minimum_phase(power * (1.0 - ratio) + SAFE_POWER)
        turn = -2j * np.pi / self.fft_samples * np.arange(spectra.shape[1])
        half = self.fft_samples // 2
        responses = np.fft.irfft(spectra * np.exp(shift[:, np.newaxis] * turn))[:, :half]
        # WORLD spreads the mean over both sides of a pulse; a stream can only spread it behind.
        responses -= responses.sum(axis=1, keepdims=True) * self._dc_shape
        gains = np.sqrt(self.sample_rate_hz / rate_hz[pulses]) * is_periodic
        for pulse, gain, response in zip(pulses, gains, responses, strict=True):
            sound[pulse + 1 : pulse + 1 + half] += gain * response

    def _add_noise(
        self,
        sound: np.ndarray,
        frames: tuple[np.ndarray, ...],
        position: np.ndarray,
        voiced: np.ndarray,
    ) -> None:
        """Add noise with the aperiodic part of the spectrum, in stretches of about 2.5 ms."""
        intervals = len(frames[0]) - 1
        if not intervals:
            return
        edges = np.arange(intervals * self._segments + 1) / self._segments
        bounds = np.searchsorted(position, edges - 1e-9)
        bounds[0], bounds[-1] = 0, len(position) - 1
        middles = (edges[:-1] + edges[1:]) / 2
        power, ratio = _interpolate(frames[1], middles), _interpolate(frames[2], middles)
        is_voiced = voiced[(bounds[:-1] + bounds[1:]) // 2]
        ratio = np.where(is_voiced[:, np.newaxis], ratio, 1.0)
        noise = np.zeros((len(middles), self.fft_samples))
        drawn = self._random.standard_normal(len(position) - 1)
        for row, (start, stop) in enumerate(pairwise(bounds)):
            noise[row, : stop - start] = drawn[start:stop]
        spectra = self._minimum_phase(power * ratio + SAFE_POWER) * np.fft.rfft(noise)
        for start, response in zip(bounds[:-1], np.fft.irfft(spectra), strict=True):
            sound[start : start + self.fft_samples] += response

    def _minimum_phase(self, power: np.ndarray) -> np.ndarray:
        """Return minimum-phase spectra of powers, both (rows, spectral bins), by the cepstrum."""
        cepstra = np.fft.irfft(0.5 * np.log(power))
        half = self.fft_samples // 2
        cepstra[:, 1:half] *= 2
        cepstra[:, half + 1 :] = 0
        return np.exp(np.fft.rfft(cepstra))


def _pitch(f0_hz: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate F0 and voicing between frames, as WORLD does.

    Returns:
        Rate of the phase in Hz, and whether a sample is voiced, both (samples,).
    """
    index = np.arange(len(f0_hz))
    voiced = np.interp(position, index, (f0_hz > 0).astype(np.float64)) > 0.5
    return np.where(voiced, np.interp(position, index, f0_hz), UNVOICED_F0_HZ), voiced


def _interpolate(frames: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate frames, (frames, bins), at positions in frames; returns (positions, bins)."""
    low = np.clip(np.floor(position).astype(int), 0, len(frames) - 1)
    high = np.minimum(low + 1, len(frames) - 1)
    weight = (position - low)[:, np.newaxis]
    return frames[low] * (1 - weight) + frames[high] * weight

"""Bandwidth of a recording: the frequency above which its spectrum is empty.

It is found in the samples. A recording with a low sampling rate stays band-limited after
resampling. Telephones and mp3 encoders limit the band without changing the sampling rate.
"""

import numpy as np

MIN_DROP_DB = 45.0
"""Smallest drop of the spectrum at a band limit.

Excerpts of full-band speech, 0.2 s to whole sentences, drop by 36 dB at most. Speech that was
resampled to a higher rate drops by 88 dB, telephone speech in 16 bits by 60 dB.
"""

MIN_LIMIT_HZ = 2000.0
"""Lowest band limit to look for, because speech has little else below."""

MAX_LIMIT = 0.9
"""Highest band limit to look for, relative to the Nyquist frequency.

Filters of resamplers and recorders end between there and the Nyquist frequency.
"""

TRANSITION = 0.15
"""Width of the transition above a limit, relative to the limit."""

PASSBAND_HZ = 500.0
"""Width of the band below a limit that the band above is compared with."""

SMOOTHING_HZ = 125.0
MAX_RANGE_DB = 75.0
"""Largest distance of a limit's passband from the loudest band; below it is numerical noise."""

EDGE_DB = 15.0
"""Distance from the passband's level at which the spectrum ends."""

WINDOW_S = 0.032
_WINDOWS_PER_BLOCK = 256


class BandMeter:
    """Long-time spectrum of a recording whose blocks are added in order.

    Args:
        sample_rate_hz: Sampling rate of the blocks.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.hop = max(1, round(sample_rate_hz * WINDOW_S / 2))
        self.bin_hz = sample_rate_hz / (2 * self.hop)
        self.window = np.hanning(2 * self.hop)
        self.power = np.zeros(self.hop + 1)
        self.rest = np.zeros(0, np.float32)

    def add(self, samples: np.ndarray) -> None:
        """Add the next block, (samples,)."""
        step = self.hop * _WINDOWS_PER_BLOCK
        for begin in range(0, len(samples), step):
            part = np.concatenate([self.rest, samples[begin : begin + step]])
            if len(part) >= 2 * self.hop:
                windows = np.lib.stride_tricks.sliding_window_view(part, 2 * self.hop)
                spectra = np.fft.rfft(windows[:: self.hop] * self.window)
                self.power += np.square(np.abs(spectra)).sum(axis=0)
                part = part[(len(part) // self.hop - 1) * self.hop :]
            self.rest = part

    @property
    def limit_hz(self) -> float | None:
        """Frequency at which the spectrum ends; None if it reaches the Nyquist frequency."""
        width = max(1, round(SMOOTHING_HZ / self.bin_hz))
        smooth = _to_db(np.convolve(self.power, np.ones(width) / width, "same"))
        loudest_above = np.maximum.accumulate(smooth[::-1])[::-1]
        sums = np.concatenate([[0.0], np.cumsum(self.power)])
        nyquist = len(self.power) - 1
        first = np.arange(round(MIN_LIMIT_HZ / self.bin_hz), int(MAX_LIMIT * nyquist) + 1)
        above = np.ceil(first * (1 + TRANSITION)).astype(int)
        first, above = first[above <= nyquist], above[above <= nyquist]
        if not len(first):
            return None
        count = max(1, round(PASSBAND_HZ / self.bin_hz))
        passband = _to_db((sums[first + 1] - sums[first + 1 - count]) / count)
        drop = np.where(
            passband < smooth.max() - MAX_RANGE_DB, 0.0, passband - loudest_above[above]
        )
        found = int(np.argmax(drop))
        if drop[found] < MIN_DROP_DB:
            return None
        edge = int(np.flatnonzero(smooth > passband[found] - EDGE_DB)[-1])
        return edge * self.bin_hz if edge <= MAX_LIMIT * nyquist else None


def find_limit_hz(samples: np.ndarray, sample_rate_hz: int) -> float | None:
    """Find the frequency at which the spectrum of a recording ends.

    Args:
        samples: Waveform, (samples,).
        sample_rate_hz: Sampling rate of the waveform.

    Returns:
        Frequency in Hz; None if the spectrum reaches the Nyquist frequency.
    """
    meter = BandMeter(sample_rate_hz)
    meter.add(samples)
    return meter.limit_hz


def _to_db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 1e-30))

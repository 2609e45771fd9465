"""Measures of faults that one hears in converted speech: clicks, bursts, level jumps and buzz.

None of them needs a recording of the target speaker. Natural speech is not at zero: its lips click,
its consonants burst, and its breath moves with the pulses of the voice. Read each value beside the
source's.
"""

import math
from dataclasses import dataclass

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import world

CLICK_DB = 15.0
"""Level by which a click exceeds everything near it, in dB."""

CLICK_S, CLICK_SURROUNDINGS_S = 0.001, 0.025
"""Duration of a click, and of its surroundings on either side."""

QUIETEST_CLICK_DB = -70.0
"""Level of second differences below which nothing is a click, in dB of full scale."""

JUMP_DB = 20.0
"""Change of the gain within `JUMP_FRAMES` that is a jump of the level, in dB."""

JUMP_FRAMES = 4
"""Frames between the two gains of a jump: the windows of their levels do not overlap."""

LEVEL_HOP_S, LEVEL_WINDOW_S = 0.005, 0.02
"""Distance and duration of the windows of levels."""

AUDIBLE_DB = -30.0
"""Level from the loudest frame on which a frame is audible, in dB."""

LEVEL_FLOOR_DB = -60.0
"""Least level of a frame, in dB from the loudest frame."""

BUZZ_BAND_HZ = (4000.0, 7500.0)
"""Band in which the modulation by F0 is measured: breath noise, in natural speech."""

BUZZ_WINDOW_S = 0.04
"""Duration of the windows of the modulation."""


@dataclass(frozen=True)
class Artifacts:
    """Faults of a recording.

    Attributes:
        peak: Largest sample, full scale 1.0; above it a file clips or is scaled down.
        clicks_per_s: Clicks per second.
        edge_db: Level of the recording's first and last millisecond from its peak, in dB; near 0
            where it begins or ends with a click.
        burst_db: Largest gain of an audible frame over its median gain, in dB. The gain is the
            level minus the source's. None without a source.
        jumps_per_s: Jumps of the gain per second. None without a source.
        buzz: Depth of the modulation by F0 of the band `BUZZ_BAND_HZ`, mean over voiced frames: 0
            for steady noise, up to 2 for pulses. None where nothing is voiced, or the band is
            above half the sample rate.
    """

    peak: float
    clicks_per_s: float
    edge_db: float
    burst_db: float | None
    jumps_per_s: float | None
    buzz: float | None


def measure(wave: np.ndarray, sample_rate_hz: int, source: np.ndarray | None = None) -> Artifacts:
    """Measure the faults of a recording.

    Args:
        wave: Waveform, (samples,), full scale 1.0.
        sample_rate_hz: Its sample rate, in Hz.
        source: The recording that it was converted from, (samples,), at the same rate.

    Raises:
        ValueError: The source has another length.
    """
    duration_s = max(1, len(wave)) / sample_rate_hz
    burst_db = jumps_per_s = None
    if source is not None:
        if len(wave) != len(source):
            raise ValueError(
                f"received {len(wave)} samples, and a source of {len(source)}; expected equal "
                "lengths"
            )
        levels_db = [frame_levels_db(each, sample_rate_hz) for each in (wave, source)]
        burst_db = largest_burst_db(*levels_db)
        jumps_per_s = count_jumps(*levels_db) / duration_s
    return Artifacts(
        float(np.max(np.abs(wave), initial=0.0)),
        len(find_clicks(wave, sample_rate_hz)) / duration_s,
        edge_db(wave, sample_rate_hz),
        burst_db,
        jumps_per_s,
        modulation_by_f0(wave, sample_rate_hz),
    )


def find_clicks(wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Find clicks: sudden changes that are over within a millisecond.

    Second differences of the samples are summed as energy over frames of `CLICK_S`. A click is a
    frame that exceeds all frames within `CLICK_SURROUNDINGS_S` on both sides by `CLICK_DB`, except
    its two neighbours, which share its energy.

    Args:
        wave: Waveform, (samples,), full scale 1.0.
        sample_rate_hz: Its sample rate, in Hz.

    Returns:
        Times of the clicks in seconds, (clicks,).
    """
    length = max(1, round(CLICK_S * sample_rate_hz))
    changes = np.diff(wave.astype(np.float64), n=2) if len(wave) > 2 else np.zeros(0)
    frames = len(changes) // length
    if frames == 0:
        return np.zeros(0)
    energy = np.square(changes[: frames * length]).reshape(frames, length).sum(axis=1)
    around = round(CLICK_SURROUNDINGS_S / CLICK_S)
    # Silence before the beginning and after the end.
    padded = np.pad(energy, around + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 3)
    loudest_near = np.maximum(windows[:, :around].max(axis=1), windows[:, -around:].max(axis=1))
    least = length * 10 ** (QUIETEST_CLICK_DB / 10)
    clicks = energy > np.maximum(10 ** (CLICK_DB / 10) * loudest_near, least)
    # Of two neighbours the larger one is the click.
    neighbours = np.maximum(padded[around : -around - 2], padded[around + 2 : -around])
    clicks &= energy >= neighbours
    return (np.flatnonzero(clicks) + 0.5) * length / sample_rate_hz


def edge_db(wave: np.ndarray, sample_rate_hz: int) -> float:
    """Return the level of the first and last millisecond from the peak, in dB; at least -100."""
    length = max(1, round(CLICK_S * sample_rate_hz))
    peak = float(np.max(np.abs(wave), initial=0.0))
    edges = np.abs(np.concatenate([wave[:length], wave[-length:]]))
    edge = float(np.max(edges, initial=0.0))
    return 20 * math.log10(max(edge / peak, 1e-5)) if peak > 0 else -100.0


def largest_burst_db(levels_db: np.ndarray, source_levels_db: np.ndarray) -> float:
    """Return the largest gain over the median gain, in dB; 0 where no frame is audible.

    The gain is the level minus the source's, in the recording's audible frames.

    Args:
        levels_db: Levels of a recording, see `frame_levels_db`.
        source_levels_db: Levels of its source, of the same shape.
    """
    audible = _is_audible(levels_db)
    gains_db = (levels_db - source_levels_db)[audible]
    return float(gains_db.max() - np.median(gains_db)) if gains_db.size else 0.0


def count_jumps(levels_db: np.ndarray, source_levels_db: np.ndarray) -> int:
    """Count places where the gain changes by more than `JUMP_DB` within `JUMP_FRAMES`.

    The gain is the level minus the source's, in the source's audible frames.

    Args:
        levels_db: Levels of a recording, see `frame_levels_db`.
        source_levels_db: Levels of its source, of the same shape.
    """
    gains_db = np.where(_is_audible(source_levels_db), levels_db - source_levels_db, np.nan)
    changes = np.abs(gains_db[JUMP_FRAMES:] - gains_db[:-JUMP_FRAMES])
    jumps = np.nan_to_num(changes) > JUMP_DB
    # Changes that follow each other are one jump.
    return int(np.count_nonzero(np.diff(jumps.astype(int), prepend=0) == 1))


def frame_levels_db(wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Return mean powers of windows in dB, (frames,) every `LEVEL_HOP_S`.

    Levels more than `-LEVEL_FLOOR_DB` below the loudest one are raised to that floor.

    Args:
        wave: Waveform, (samples,).
        sample_rate_hz: Its sample rate, in Hz.
    """
    hop, length = (round(each * sample_rate_hz) for each in (LEVEL_HOP_S, LEVEL_WINDOW_S))
    padded = np.pad(wave.astype(np.float64), (0, max(0, length - len(wave))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]
    power = np.mean(np.square(windows), axis=1)
    least = max(float(power.max()) * 10 ** (LEVEL_FLOOR_DB / 10), 1e-20)
    return 10 * np.log10(np.maximum(power, least))


def modulation_by_f0(wave: np.ndarray, sample_rate_hz: int) -> float | None:
    """Measure how deep F0 modulates the upper band, mean over voiced frames.

    The envelope e is the magnitude of the analytic signal of the band. A frame's depth is
    2 · |Σ w e exp(-2πi F0 t)| / Σ w e under a Hann window w of `BUZZ_WINDOW_S`: m for noise times
    1 + m cos(2π F0 t), and near 2 for narrow pulses.

    Args:
        wave: Waveform, (samples,).
        sample_rate_hz: Its sample rate, in Hz.

    Returns:
        Depth; None where no frame is voiced, or the band is above half the sample rate.
    """
    # Its import is slow.
    import scipy.fft
    import scipy.signal

    if max(BUZZ_BAND_HZ) >= sample_rate_hz / 2:
        return None
    config = FeatureConfig(sample_rate_hz=sample_rate_hz, f0_method="dio")
    f0_hz, time_s = world.f0(wave, config)
    length = round(BUZZ_WINDOW_S * sample_rate_hz)
    begins = np.round(time_s * sample_rate_hz).astype(int) - length // 2
    whole = (f0_hz > 0) & (begins >= 0) & (begins + length <= len(wave))
    if not whole.any():
        return None
    band = scipy.signal.butter(4, BUZZ_BAND_HZ, "bandpass", fs=sample_rate_hz, output="sos")
    # Transforms of any other length may be slow.
    padded = scipy.fft.next_fast_len(len(wave))
    analytic = scipy.signal.hilbert(scipy.signal.sosfiltfilt(band, wave), padded)[: len(wave)]
    envelope, window = np.abs(analytic), np.hanning(length)
    offsets = np.arange(length)
    framed = window * envelope[begins[whole, None] + offsets]
    waves = np.exp(-2j * np.pi * f0_hz[whole, None] * offsets / sample_rate_hz)
    sums = np.maximum(framed.sum(axis=1), np.finfo(float).tiny)
    return float(np.mean(2 * np.abs(np.sum(framed * waves, axis=1)) / sums))


def _is_audible(levels_db: np.ndarray) -> np.ndarray:
    """Return which frames are audible beside the loudest one."""
    return levels_db > levels_db.max() + AUDIBLE_DB

"""Convert live for a long time, at real pace on one core, and watch memory and lateness.

    python -m benchmarks.live_soak --minutes=60

The held-out recordings of the demo are repeated with pauses. Each minute prints the resident
memory, chunks that were finished after their period, and underruns. A chunk is an underrun if it is
finished later than the slack of `live --slack_ms` after its last sample.

A virtual machine may stop a core. A second process that only sleeps and wakes, on that core and
before all others, measures how late it wakes. Underruns while it could not wake either are counted
apart: no program would have played then.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from benchmarks.harness import machine
from cyclegan_vc_tf.config.live import LiveConfig, StreamConfig
from cyclegan_vc_tf.serving import live, session
from cyclegan_vc_tf.serving.meter import Tally
from cyclegan_vc_tf.system import processor

PAUSE_S = 0.5
"""Digital silence between two recordings."""


STOPPED_S = 0.005
"""Lateness of the sleeping process, in seconds, from which on the core counts as stopped."""

SLEEPER = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
parent, last = os.getppid(), time.monotonic()
while os.getppid() == parent:
    time.sleep(0.002)
    now = time.monotonic()
    if now - last > 0.002 + float(sys.argv[2]):
        print(last, now, flush=True)
    last = now
"""
"""Script that prints between which moments the core was stopped."""


class Stops:
    """Moments at which a core was stopped, as a sleeping process of its own saw them.

    Args:
        core: Number of the core.
    """

    def __init__(self, core: int) -> None:
        self.longest_ms = 0.0
        self.count = 0
        self._end_s = -np.inf
        self._process = subprocess.Popen(
            [sys.executable, "-c", SLEEPER, str(core), str(STOPPED_S)], stdout=subprocess.PIPE
        )
        self._output = cast(BinaryIO, self._process.stdout)
        os.set_blocking(self._output.fileno(), False)

    def was_recent(self, now_s: float) -> bool:
        """Return whether the core was stopped in the second before a moment."""
        for line in (self._output.read() or b"").splitlines():
            begin_s, end_s = map(float, line.split())
            self._end_s = end_s
            self.count += 1
            self.longest_ms = max(self.longest_ms, 1000 * (end_s - begin_s))
        return now_s - self._end_s < 1.0

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._output.close()


class Nowhere:
    """Sink that discards samples, and remembers whether any were heard."""

    clipped = 0
    peak = 0.0

    def write(self, samples: np.ndarray) -> None:
        """Discard samples."""
        self.peak = max(self.peak, float(np.max(np.abs(samples), initial=0.0)))


def repeat(folder: Path, samples: int, chunk: int, rate_hz: int) -> Iterator[np.ndarray]:
    """Repeat the recordings of a folder in chunks, with pauses, for a number of samples."""
    from cyclegan_vc_tf.audio import audio_files

    pause = np.zeros(round(PAUSE_S * rate_hz), np.float32)
    parts = []
    for name in audio_files.find(folder):
        parts += [audio_files.read_resampled(folder / name, rate_hz)[0], pause]
    wave = np.concatenate(parts)
    for begin in range(0, samples, chunk):
        yield np.take(wave, np.arange(begin, begin + chunk), mode="wrap")


def resident_mb() -> float:
    """Return the resident memory of this process, in 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(config: LiveConfig, minutes: float, folder: Path, stops: Stops) -> Tally:
    """Convert at real pace, and print a line per minute."""
    stream = live.open_stream(config, StreamConfig(), config.rate_hz)
    rate_hz = stream.sample_rate_hz
    chunk = round(config.period_ms * rate_hz / 1000)
    counts, sink = Tally(), Nowhere()
    next_s = time.monotonic() + 60
    minute = counted = excused = 0
    print(
        "minute, resident MB, load, chunks, late, longest ms, underruns, of these while the core "
        "was stopped, stops, longest stop ms",
        flush=True,
    )

    def observe(received: np.ndarray, converted: np.ndarray, tally: Tally) -> None:
        nonlocal next_s, minute, counted, excused
        now_s = time.monotonic()
        if tally.underruns > counted:
            excused += (tally.underruns - counted) * stops.was_recent(now_s)
            counted = tally.underruns
        if now_s < next_s:
            return
        stops.was_recent(now_s)
        next_s, minute = next_s + 60, minute + 1
        print(
            f"{minute}, {resident_mb():.1f}, {os.getloadavg()[0]:.1f}, {tally.chunks}, "
            f"{tally.late}, {tally.worst_ms:.1f}, {tally.underruns}, {excused}, {stops.count}, "
            f"{stops.longest_ms:.1f}",
            flush=True,
        )

    samples = round(60 * minutes * rate_hz)
    session.convert(
        stream, repeat(folder, samples, chunk, rate_hz), sink, slack_ms=config.slack_ms,
        tally=counts, observe=observe,
    )  # fmt: skip
    print(counts.describe(rate_hz), f"peak {sink.peak:.2f}", sep="; ", flush=True)
    return counts


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(
        prog="live_soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", default="pretrained:vc1-demo", help="run to convert with")
    parser.add_argument("--minutes", type=float, default=60.0, help="duration in minutes")
    parser.add_argument(
        "--audio_dir", type=Path, default=Path("data/demo/held_out/heart"), help="recordings"
    )
    parser.add_argument("--rate_hz", type=int, default=0, help="sample rate; 0 is the model's")
    arguments = parser.parse_args()
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    allowed = processor.request_realtime()
    print(machine.describe(), time.strftime("%Y-%m-%d %H:%M"), sep="; ")
    print(f"one core; real-time scheduling {'allowed' if allowed else 'not allowed'}", flush=True)
    config = LiveConfig(
        run_dir=arguments.run_dir, input="-", output="-", realtime=True, rate_hz=arguments.rate_hz
    )
    stops = Stops(core)
    try:
        soak(config, arguments.minutes, arguments.audio_dir, stops)
    finally:
        stops.close()


if __name__ == "__main__":
    main()

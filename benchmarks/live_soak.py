"""Convert live for a long time, at real pace on one core, and watch memory and lateness.

    python -m benchmarks.live_soak --minutes=60

The held-out recordings of the demo are repeated with pauses. Each minute prints the resident
memory, chunks that were finished after their period, and underruns. A chunk is an underrun if it is
finished later than the slack of 15 ms after its last sample.
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.harness import machine
from cyclegan_vc_tf.config.live import LiveConfig, StreamConfig
from cyclegan_vc_tf.serving import live, session
from cyclegan_vc_tf.serving.meter import Tally
from cyclegan_vc_tf.system import processor

PAUSE_S = 0.5
"""Digital silence between two recordings."""


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


def soak(config: LiveConfig, minutes: float, folder: Path) -> Tally:
    """Convert at real pace, and print a line per minute."""
    stream = live.open_stream(config, StreamConfig(), config.rate_hz)
    rate_hz = stream.sample_rate_hz
    chunk = round(config.period_ms * rate_hz / 1000)
    counts, sink = Tally(), Nowhere()
    next_s = time.monotonic() + 60
    minute = 0
    print("minute, resident MB, load, chunks, late, longest ms, underruns", flush=True)

    def observe(received: np.ndarray, converted: np.ndarray, tally: Tally) -> None:
        nonlocal next_s, minute
        if time.monotonic() < next_s:
            return
        next_s, minute = next_s + 60, minute + 1
        print(
            f"{minute}, {resident_mb():.1f}, {os.getloadavg()[0]:.1f}, {tally.chunks}, "
            f"{tally.late}, {tally.worst_ms:.1f}, {tally.underruns}",
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
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    allowed = processor.request_realtime()
    print(machine.describe(), time.strftime("%Y-%m-%d %H:%M"), sep="; ")
    print(f"one core; real-time scheduling {'allowed' if allowed else 'not allowed'}", flush=True)
    config = LiveConfig(
        run_dir=arguments.run_dir, input="-", output="-", realtime=True, rate_hz=arguments.rate_hz
    )
    soak(config, arguments.minutes, arguments.audio_dir)


if __name__ == "__main__":
    main()

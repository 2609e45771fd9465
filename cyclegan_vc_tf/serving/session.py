"""Live conversion from a source of chunks to a sink, at real pace or as fast as possible."""

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from cyclegan_vc_tf.serving.meter import Tally
from cyclegan_vc_tf.serving.sinks import Sink
from cyclegan_vc_tf.streaming.stream import Stream


def convert(
    stream: Stream,
    chunks: Iterable[np.ndarray],
    sink: Sink,
    *,
    slack_ms: float | None = None,
    tally: Tally | None = None,
    observe: Callable[[np.ndarray, np.ndarray, Tally], None] = lambda *values: None,
) -> Tally:
    """Convert chunks; the output has as many samples as the input, at their places.

    The first `delay_samples` samples of the stream are left out, and its end is fetched.

    Args:
        stream: Stream; it is closed at the end.
        chunks: Chunks, (samples,) float32.
        sink: Destination.
        slack_ms: Converted speech that waits to be played, at real pace. A chunk that is later
            than that is an underrun. None converts as fast as possible.
        tally: Counts to add to; by default new ones.
        observe: Function that is called after each chunk with input, output and counts.

    Returns:
        Counts.
    """
    tally = Tally() if tally is None else tally
    rate_hz, skipped = stream.sample_rate_hz, stream.delay_samples
    begin_s, received = 0.0, 0
    for chunk in chunks:
        begin_s = begin_s or time.perf_counter()
        received += len(chunk)
        due_s = begin_s + received / rate_hz
        if slack_ms is not None and (wait_s := due_s - time.perf_counter()) > 0:
            time.sleep(wait_s)
        start_s = time.perf_counter()
        converted = stream.push(chunk)
        end_s = time.perf_counter()
        lateness_ms = 1000 * (end_s - (start_s if slack_ms is None else due_s))
        tally.add(len(chunk), end_s - start_s, lateness_ms, 1000 * len(chunk) / rate_hz)
        if slack_ms is not None:
            tally.underruns += lateness_ms > slack_ms
        sink.write(converted[skipped:])
        skipped = max(0, skipped - len(converted))
        observe(chunk, converted, tally)
    rest = stream.flush()
    sink.write(rest[skipped:])
    return tally


def limit(chunks: Iterable[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """Pass on the first samples of chunks; 0 passes on all."""
    left = samples
    for chunk in chunks:
        if samples and len(chunk) >= left:
            yield chunk[:left]
            return
        left -= len(chunk)
        yield chunk


def until(chunks: Iterable[np.ndarray], is_over: Callable[[], bool]) -> Iterator[np.ndarray]:
    """Pass on chunks until `is_over` returns true."""
    for chunk in chunks:
        if is_over():
            return
        yield chunk

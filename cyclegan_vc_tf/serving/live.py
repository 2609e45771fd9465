"""Live conversion as the command `live` does it: devices, a recording, or a pipe."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from cyclegan_vc_tf import api
from cyclegan_vc_tf.config import overrides
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import PIPE, LiveConfig, StreamConfig
from cyclegan_vc_tf.serving import devices, session, sinks, sources
from cyclegan_vc_tf.serving.meter import Meter, Tally
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system import processor, signals, startup
from cyclegan_vc_tf.system.errors import InputError


def check(config: LiveConfig) -> None:
    """Refuse flags that contradict each other, before anything is loaded.

    Raises:
        InputError: Flags of devices and of files are mixed, or one of a pair is missing.
    """
    if bool(config.input) != bool(config.output):
        given, missing = ("input", "output") if config.input else ("output", "input")
        raise InputError(f"--{given} is given without --{missing}; expected both or none")
    if config.input:
        for name in ("input_device", "output_device"):
            if getattr(config, name):
                raise InputError(f"--{name} has no effect with --input; leave one of them out")
        if config.rate_hz and config.input != PIPE:
            raise InputError("--rate_hz has no effect with a recording; leave it out")
        if config.input != PIPE and not Path(config.input).is_file():
            raise InputError(f"--input {config.input} is not a file; expected a recording or -")
        if config.output != PIPE and Path(config.output).is_dir():
            raise InputError(f"--output {config.output} is a folder; expected a wav file to write")
        if PIPE not in (config.input, config.output) and (
            Path(config.input).resolve() == Path(config.output).resolve()
        ):
            raise InputError(f"--output {config.output} is the recording; name another file")
    elif config.realtime:
        raise InputError("--realtime is given without --input; devices are always at real pace")


def open_stream(
    config: LiveConfig,
    windows: StreamConfig,
    rate_hz: int,
    vocoder_settings: Mapping[str, Any] = MappingProxyType({}),
) -> Stream:
    """Load a run and open the stream of a direction.

    TensorFlow gets one thread: a block is too small to be divided.

    Args:
        config: Run, direction, step, F0 and voice.
        windows: Sizes of windows.
        rate_hz: Sample rate of the stream; 0 is the model's.
        vocoder_settings: Changes of the run's vocoder settings.
    """
    run_dir = api.find_run(config.run_dir)
    windows.validate()
    if config.realtime or not config.input:
        # Before TensorFlow starts its threads, which inherit it.
        processor.request_realtime()
    processor.keep_memory()
    processor.use_one_thread()
    # A collection of TensorFlow's objects would take longer than a block.
    with startup.fast_import():
        from cyclegan_vc_tf.conversion import live_adaptation
        from cyclegan_vc_tf.runs import run_folder

        run = run_folder.open_run(run_dir)
        return Stream.for_run(
            run,
            Direction(config.direction),
            run.pick(config.step),
            rate_hz=rate_hz or None,
            convert_f0=config.f0 == "convert",
            semitones=config.semitones,
            config=windows,
            vocoder=overrides.override(run.config.vocoder, vocoder_settings),
            adaptation=live_adaptation.find(run, Direction(config.direction), config.adapt_to),
        )


def run(
    config: LiveConfig,
    windows: StreamConfig,
    log: Callable[[str], None],
    vocoder_settings: Mapping[str, Any] = MappingProxyType({}),
) -> Tally:
    """Convert live until the input ends or the user stops it.

    Args:
        config: Settings of the call.
        windows: Sizes of windows.
        log: Prints a line.
        vocoder_settings: Changes of the run's vocoder settings.

    Returns:
        Counts.

    Raises:
        InputError: A flag, a run, a recording or a device is not usable.
    """
    check(config)

    def open_at(rate_hz: int) -> Stream:
        return open_stream(config, windows, rate_hz, vocoder_settings)

    return _run_file(config, open_at, log) if config.input else _run_devices(config, open_at, log)


def _run_file(
    config: LiveConfig, open_at: Callable[[int], Stream], log: Callable[[str], None]
) -> Tally:
    """Convert a recording or standard input to a wav file or standard output."""
    with ExitStack() as stack:
        if config.input == PIPE:
            stream = open_at(config.rate_hz)
            period = sources.chunk_samples(config.period_ms, stream.sample_rate_hz)
            chunks = sources.read_raw(_binary(sys.stdin), config.sample_format, period)
        else:
            rate_hz, chunks = stack.enter_context(
                sources.open_recording(Path(config.input), config.period_ms)
            )
            stream = open_at(rate_hz)
        chunks = session.limit(chunks, round(config.seconds * stream.sample_rate_hz))
        log(describe(stream))
        opened: list[sinks.Sink] = [
            sinks.RawSink(_binary(sys.stdout), config.sample_format)
            if path == PIPE
            else stack.enter_context(sinks.open_wav(Path(path), stream.sample_rate_hz))
            for path in (config.output, config.record)
            if path
        ]
        meter = Meter(1000 * stream.delay_samples / stream.sample_rate_hz)
        slack_ms = config.slack_ms if config.realtime else None
        tally = Tally()
        try:
            with signals.stop_request() as stop:
                session.convert(
                    stream, session.until(chunks, stop.is_set), sinks.Tee(opened),
                    slack_ms=slack_ms, tally=tally, observe=meter.update,
                )  # fmt: skip
        except BrokenPipeError:
            sys.stdout = None
        meter.close()
        _report(tally, stream, opened, log)
    return tally


def _run_devices(
    config: LiveConfig, open_at: Callable[[int], Stream], log: Callable[[str], None]
) -> Tally:
    """Convert from a microphone to a loudspeaker."""
    microphone = devices.find_device(config.input_device, "input")
    loudspeaker = devices.find_device(config.output_device, "output")
    stream = open_at(config.rate_hz)
    duplex = devices.Duplex(stream, microphone, loudspeaker, config.period_ms, config.slack_ms)
    delay_ms = 1000 * stream.delay_samples / stream.sample_rate_hz + config.slack_ms
    log(describe(stream))
    log("Stop with Ctrl-C.")
    meter, begin_s = Meter(delay_ms), time.monotonic()
    with ExitStack() as stack, signals.stop_request() as stop:
        opened: list[sinks.Sink] = []
        if config.record:
            opened.append(
                stack.enter_context(sinks.open_wav(Path(config.record), stream.sample_rate_hz))
            )
        sink = sinks.Tee(opened)

        def observe(received: np.ndarray, converted: np.ndarray, tally: Tally) -> None:
            sink.write(converted)
            meter.update(received, converted, tally)

        def is_over() -> bool:
            return stop.is_set() or 0 < config.seconds <= time.monotonic() - begin_s

        tally = duplex.run(observe, is_over)
        meter.close()
        log(f"Delay of the devices, as they report it: {duplex.latency_ms:.0f} ms")
        _report(tally, stream, opened, log)
    return tally


def describe(stream: Stream) -> str:
    """Return a line about a stream: rate, delay, norms."""
    delay_ms = 1000 * stream.delay_samples / stream.sample_rate_hz
    norms = ""
    if stream.running_norms:
        norms = "; norms run along, because the run has no statistics of them"
    listens = "; listens to the voice, to adapt to it" if stream.is_listening else ""
    return f"{stream.sample_rate_hz} Hz, delay of the conversion {delay_ms:.0f} ms{norms}{listens}"


def _report(
    tally: Tally, stream: Stream, opened: Sequence[sinks.Sink], log: Callable[[str], None]
) -> None:
    """Print the counts at the end."""
    log(tally.describe(stream.sample_rate_hz))
    if stream.is_listening:
        log("warning: too little speech was heard to adapt to its voice (--adapt_after_s)")
    if clipped := max((sink.clipped for sink in opened), default=0):
        log(f"warning: {clipped} samples were beyond full scale and were clipped")


def _binary(file: Any) -> BinaryIO:
    """Return the file of bytes below standard input or output."""
    return file.buffer

"""Microphone to loudspeaker, through PortAudio (sounddevice; extra `live`)."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_vc_tf.serving.meter import Tally
from cyclegan_vc_tf.serving.sources import chunk_samples
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError, single_line

MAX_WAITING_S = 0.5
"""Sound of the microphone that may wait to be converted; more is dropped and counted."""

POLL_S = 0.1
"""Time after which a wait for the microphone looks whether it shall stop."""


def load_sounddevice() -> Any:
    """Return the module sounddevice.

    Raises:
        InputError: It is not installed, or it does not find PortAudio.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise InputError(
            'sounddevice is not installed; install the extra: pip install "cyclegan-vc-tf[live]", '
            "or convert a recording with --input and --output"
        ) from error
    except OSError as error:
        raise InputError(
            f"sounddevice cannot be used ({single_line(str(error))}); install PortAudio, such as "
            "apt-get install libportaudio2, or convert a recording with --input and --output"
        ) from error
    return sounddevice


def list_devices() -> list[str]:
    """Return a line per sound device: number, name, channels in and out, usual sample rate.

    Raises:
        InputError: sounddevice is not usable, or there is no device.
    """
    devices = _query_devices(load_sounddevice())
    return [
        f"{number:3}  {device['name']}  in {device['max_input_channels']}, "
        f"out {device['max_output_channels']}, {device['default_samplerate']:.0f} Hz"
        for number, device in enumerate(devices)
    ]


def find_device(wanted: str, kind: str) -> int | None:
    """Return the number of a device.

    Args:
        wanted: Its number, or a part of its name in any case; empty is the system's default.
        kind: "input" or "output".

    Returns:
        The number; None for the system's default.

    Raises:
        InputError: No device or several devices fit, or the system has no default.
    """
    module = load_sounddevice()
    devices = _query_devices(module)
    usable = {
        number: device["name"]
        for number, device in enumerate(devices)
        if device[f"max_{kind}_channels"] > 0
    }
    if not wanted:
        try:
            module.query_devices(kind=kind)
        except (module.PortAudioError, ValueError) as error:
            raise InputError(
                f"there is no {kind} device; connect one, or see --list_devices"
            ) from error
        return None
    if wanted.isdecimal():
        found = [int(wanted)] if int(wanted) in usable else []
    else:
        found = [number for number, name in usable.items() if wanted.lower() in name.lower()]
        found = [number for number in found if usable[number] == wanted] or found
    if len(found) != 1:
        which = f"{len(found)} {kind} devices" if found else f"no {kind} device"
        raise InputError(
            f"--{kind}_device={wanted} fits {which}; expected a number or a part of one name of "
            "--list_devices"
        )
    return found[0]


class Duplex:
    """Live conversion between two sound devices.

    PortAudio's thread exchanges periods with two queues; the calling thread converts. What is not
    ready in time is played as silence and then left out, so that the delay stays constant.

    Args:
        stream: Stream, at the sample rate of the devices.
        input_device: Number of the microphone; None is the system's default.
        output_device: Number of the loudspeaker; None is the system's default.
        period_ms: Time between two exchanges.
        slack_ms: Converted speech that waits to be played.

    Attributes:
        tally: Counts so far.
        latency_ms: Delay that the devices add, as they report it; 0 before the start.
    """

    def __init__(
        self,
        stream: Stream,
        input_device: int | None,
        output_device: int | None,
        period_ms: float,
        slack_ms: float,
    ) -> None:
        self.tally, self.latency_ms = Tally(), 0.0
        self._stream, self._devices = stream, (input_device, output_device)
        rate_hz = stream.sample_rate_hz
        self._period = chunk_samples(period_ms, rate_hz)
        most = max(2, round(MAX_WAITING_S * rate_hz / self._period))
        self._received: queue.Queue[tuple[float, np.ndarray]] = queue.Queue(most)
        self._lock = threading.Lock()
        # The exchange itself takes one period: a period is handed over when it is complete.
        slack = chunk_samples(slack_ms, rate_hz) if slack_ms else 0
        self._ready = np.zeros(self._period + slack, np.float32)
        self._owed = 0

    def run(
        self,
        observe: Callable[[np.ndarray, np.ndarray, Tally], None],
        is_over: Callable[[], bool],
    ) -> Tally:
        """Convert until `is_over` returns true.

        Args:
            observe: Function that is called after each period with input, output and counts.
            is_over: Function that tells whether to stop.

        Raises:
            InputError: A device cannot be opened, such as at this sample rate, or is unplugged.
        """
        module = load_sounddevice()
        try:
            with module.Stream(
                samplerate=self._stream.sample_rate_hz, blocksize=self._period,
                device=self._devices, channels=1, dtype="float32", latency="low",
                callback=self._exchange,
            ) as sound:  # fmt: skip
                self.latency_ms = 1000 * sum(sound.latency)
                while not is_over():
                    if not sound.active:
                        raise InputError("a sound device stopped; connect it and start again")
                    self._convert_next(observe)
        except (module.PortAudioError, ValueError) as error:
            raise InputError(
                f"the sound devices cannot be opened at {self._stream.sample_rate_hz} Hz "
                f"({single_line(str(error))}); see --list_devices, or give another --rate_hz"
            ) from error
        return self.tally

    def _convert_next(self, observe: Callable[[np.ndarray, np.ndarray, Tally], None]) -> None:
        """Convert the next period of the microphone, if there is one."""
        try:
            arrived_s, samples = self._received.get(timeout=POLL_S)
        except queue.Empty:
            return
        start_s = time.perf_counter()
        converted = self._stream.push(samples)
        end_s = time.perf_counter()
        period_ms = 1000 * self._period / self._stream.sample_rate_hz
        self.tally.add(len(samples), end_s - start_s, 1000 * (end_s - arrived_s), period_ms)
        with self._lock:
            late = min(self._owed, len(converted))
            self._owed -= late
            self._ready = np.concatenate([self._ready, converted[late:]])
        observe(samples, converted, self.tally)

    def _exchange(
        self, received: np.ndarray, played: np.ndarray, frames: int, _: Any, status: Any
    ) -> None:
        """Take a period from the microphone and give one to the loudspeaker (PortAudio's call)."""
        self.tally.overflows += bool(status.input_overflow)
        self.tally.underruns += bool(status.output_underflow)
        try:
            self._received.put_nowait((time.perf_counter(), received[:, 0].copy()))
        except queue.Full:
            self.tally.overflows += 1
            with self._lock:
                # What was never converted is not owed any more, and is silent.
                self._owed -= frames
        with self._lock:
            ready = self._ready[:frames]
            self._ready = self._ready[frames:]
            missing = frames - len(ready)
            self._owed += missing
        self.tally.underruns += missing > 0
        played[: len(ready), 0] = np.clip(ready, -1.0, 1.0)
        played[len(ready) :, 0] = 0.0


def _query_devices(module: Any) -> Any:
    """Return all sound devices.

    Raises:
        InputError: There is none.
    """
    try:
        devices = list(module.query_devices())
    except module.PortAudioError as error:
        raise InputError(f"sound devices cannot be listed ({single_line(str(error))})") from error
    if not devices:
        raise InputError(
            "there is no sound device; connect one, or convert a recording with --input and "
            "--output"
        )
    return devices

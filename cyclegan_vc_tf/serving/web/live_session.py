"""Live conversions of the page: one thread per session, a bounded queue, counts."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio.audio_files import AudioError
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system import processor
from cyclegan_vc_tf.system.errors import InputError, TrainingError, single_line

MAX_WAITING_S = 0.5
"""Speech that waits for its conversion at most, in seconds; what is older is left out."""

MAX_SILENT_S = 30.0
"""Time without any samples after which a session ends, in seconds."""

REPORT_EVERY_S = 0.5
"""Time between two reports, in seconds."""

STOP_WAIT_S = 10.0
"""Time that a new session waits for one that is ending, in seconds."""


@dataclass(frozen=True)
class Chunk:
    """Samples of one frame of the connection.

    Attributes:
        position: Number of samples that the microphone had given before.
        samples: (samples,) float32, full scale 1.0.
    """

    position: int
    samples: np.ndarray


@dataclass(frozen=True)
class Report:
    """Message of a session to its user.

    Attributes:
        kind: "started", "adapted", "report" or "ended".
        values: Values by name.
    """

    kind: str
    values: dict[str, Any]


class LiveSession:
    """Conversion of the chunks of one user, in a thread of its own.

    Args:
        open_stream: Function that loads the voice and opens the stream; it is called in the thread.
        deliver: Function that takes converted chunks and reports; it is called in the thread.
        max_seconds: Time after which the session ends, in seconds.
        on_end: Function that is called last.
    """

    def __init__(
        self,
        open_stream: Callable[[], Stream],
        deliver: Callable[[Chunk | Report], None],
        max_seconds: float,
        on_end: Callable[["LiveSession"], None] = lambda session: None,
    ) -> None:
        self._open_stream, self._deliver = open_stream, deliver
        self._max_seconds, self._on_end = max_seconds, on_end
        self._changed = threading.Condition()
        self._waiting: deque[Chunk] = deque()
        self._is_started = self._is_stopped = False
        self._rate_hz = 0
        self._dropped = 0
        # Since the last report.
        self._converted, self._busy_s = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin to load the voice."""
        self._thread.start()

    @property
    def is_stopped(self) -> bool:
        """Whether the session was told to end."""
        return self._is_stopped

    def push(self, chunk: Chunk) -> None:
        """Add a chunk to convert; the oldest ones are left out where too many wait."""
        with self._changed:
            if not self._is_started or self._is_stopped:
                return
            self._waiting.append(chunk)
            limit = MAX_WAITING_S * self._rate_hz
            while sum(len(each.samples) for each in self._waiting) > limit:
                self._dropped += len(self._waiting.popleft().samples)
            self._changed.notify()

    def stop(self) -> None:
        """Tell the session to end; the thread ends after the chunk at hand."""
        with self._changed:
            self._is_stopped = True
            self._waiting.clear()
            self._changed.notify()

    def join(self, seconds: float) -> bool:
        """Wait for the end of the thread, and return whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        reason = ""
        try:
            with contextlib.closing(self._open_stream()) as stream:
                reason = self._convert(stream)
        except (InputError, TrainingError, AudioError, OSError) as error:
            reason = single_line(str(error))
        except Exception as error:
            reason = f"The conversion failed ({type(error).__name__}); start again."
            raise
        finally:
            self.stop()
            self._deliver(Report("ended", {"reason": reason}))
            self._on_end(self)

    def _convert(self, stream: Stream) -> str:
        """Convert chunks until the end, and return the reason of the end."""
        with self._changed:
            self._rate_hz, self._is_started = stream.sample_rate_hz, True
        self._deliver(
            Report(
                "started",
                {
                    "rate_hz": stream.sample_rate_hz,
                    "delay_samples": stream.delay_samples,
                    "running_norms": stream.running_norms,
                    "is_listening": stream.is_listening,
                },
            )
        )
        # Loading took longer than a block, and did not need it.
        processor.prefer_thread()
        begin_s = report_s = time.monotonic()
        while (chunk := self._next()) is not None:
            if time.monotonic() - begin_s > self._max_seconds:
                return (
                    f"A live conversion lasts at most {self._max_seconds:g} s "
                    "(--max_live_seconds); start again."
                )
            was_listening, push_s = stream.is_listening, time.perf_counter()
            converted = stream.push(chunk.samples)
            self._busy_s += time.perf_counter() - push_s
            self._converted += len(converted)
            self._deliver(Chunk(chunk.position, converted))
            if was_listening and not stream.is_listening:
                self._deliver(Report("adapted", {}))
            if (now_s := time.monotonic()) - report_s >= REPORT_EVERY_S:
                report_s = now_s
                self._deliver(Report("report", self._counts()))
        if self._is_stopped:
            return ""
        return f"No sound arrived for {MAX_SILENT_S:g} s; start again."

    def _next(self) -> Chunk | None:
        """Return the next chunk; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopped, MAX_SILENT_S)
            return self._waiting.popleft() if self._waiting else None

    def _counts(self) -> dict[str, float]:
        """Return the time left out so far, and the recent time per second of speech."""
        busy_s_per_s = self._busy_s / (self._converted / self._rate_hz)
        self._converted, self._busy_s = 0, 0.0
        return {
            "dropped_ms": round(1000 * self._dropped / self._rate_hz, 1),
            "busy_s_per_s": round(busy_s_per_s, 3),
        }


class LiveSessions:
    """Live conversions of all users.

    Args:
        max_sessions: Largest number at once.
        max_seconds: Time after which each ends, in seconds.
    """

    def __init__(self, max_sessions: int, max_seconds: float) -> None:
        self._max_sessions, self._max_seconds = max_sessions, max_seconds
        self._sessions: set[LiveSession] = set()
        self._is_closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """Return the number of sessions that have not ended."""
        return len(self._sessions)

    def open(
        self, open_stream: Callable[[], Stream], deliver: Callable[[Chunk | Report], None]
    ) -> LiveSession:
        """Begin a session; it waits for a session that is ending, if there are too many.

        Args:
            open_stream: Function that loads the voice and opens the stream.
            deliver: Function that takes converted chunks and reports, in the session's thread.

        Raises:
            InputError: There are as many sessions as there may be.
        """
        session = LiveSession(open_stream, deliver, self._max_seconds, self._remove)
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    len(self._sessions) < self._max_sessions
                    or not any(each.is_stopped for each in self._sessions)
                ),
                STOP_WAIT_S,
            )
            if self._is_closed:
                raise InputError("The page is being closed; start it again.")
            if len(self._sessions) >= self._max_sessions:
                raise InputError(
                    f"{len(self._sessions)} live conversions run already, as many as this page "
                    "allows (--max_live); wait until one ends, then start again."
                )
            self._sessions.add(session)
        session.start()
        return session

    def close(self) -> None:
        """End all sessions, wait for their threads, and allow no further one."""
        with self._changed:
            self._is_closed = True
            sessions = list(self._sessions)
        for session in sessions:
            session.stop()
        for session in sessions:
            session.join(STOP_WAIT_S)

    def _remove(self, session: LiveSession) -> None:
        with self._changed:
            self._sessions.discard(session)
            self._changed.notify_all()

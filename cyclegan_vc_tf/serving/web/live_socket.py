"""Connection of a live conversion between browser and server: a WebSocket and its scripts.

Browser to server: one text with the choices, then binary frames of samples.
Server to browser: texts ("started", "adapted", "report", "ended" with a reason), and binary
frames.
A binary frame is a 32-bit unsigned position in samples and 32-bit floats, all little-endian. A
converted frame has the position of the frame that it was made from.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from cyclegan_vc_tf.serving.web import live_access, run_list, vocoder_choices
from cyclegan_vc_tf.serving.web.live_session import Chunk, LiveSession, Report
from cyclegan_vc_tf.serving.web.services import Services
from cyclegan_vc_tf.streaming.stream import Stream
from cyclegan_vc_tf.system.errors import InputError, single_line

PATH = "/live"
"""Address of the connection and its scripts."""

SCRIPTS = ("live_page.js", "live_socket.js", "live_worklet.js")

HEAD = f'<script type="module" src=".{PATH}/{SCRIPTS[0]}"></script>'
"""Element of the page's head that loads its script."""

MAX_TEXT = 10_000
"""Largest number of characters of a text frame."""

MAX_SAMPLES = 16_384
"""Largest number of samples of a binary frame."""

MAX_UNSENT = 256
"""Largest number of frames that wait to be sent; further samples are left out."""

ADAPT_AFTER_S = 10.0
"""Duration of speech after which a conversion adapts to a voice, in seconds."""

MAX_CHOICE_S = 30.0
"""Time that a browser has to send its choices, in seconds."""

POLICY_VIOLATION, NORMAL = 1008, 1000
"""Codes of a WebSocket's end, from RFC 6455."""


def routes(services: Services) -> list[BaseRoute]:
    """Return the routes of live conversion.

    Args:
        services: Objects behind the page.
    """

    async def converse(websocket: WebSocket) -> None:
        await _Conversation(websocket, services).run()

    folder = Path(__file__).parent
    files = [
        # The name is one of three, and never part of a path unseen.
        Route(f"{PATH}/{name}", _script(folder / name), methods=["GET"])
        for name in SCRIPTS
    ]
    return [*files, WebSocketRoute(f"{PATH}/socket", converse)]


def encode(chunk: Chunk) -> bytes:
    """Return the binary frame of a chunk."""
    position = np.asarray(chunk.position, "<u4").tobytes()
    return position + chunk.samples.astype("<f4").tobytes()


def decode(frame: bytes) -> Chunk:
    """Return the chunk of a binary frame.

    Raises:
        InputError: The frame has a wrong length. The stream refuses samples that are not finite.
    """
    if len(frame) % 4 or not 8 <= len(frame) <= 4 * (MAX_SAMPLES + 1):
        raise InputError(
            f"received a frame of {len(frame)} bytes; expected a position and 1 to {MAX_SAMPLES} "
            "samples, 4 bytes each"
        )
    samples = np.frombuffer(frame, "<f4", offset=4).astype(np.float32)
    return Chunk(int(np.frombuffer(frame, "<u4", 1)[0]), samples)


class _Conversation:
    """One connection, from the check of its origin to the end of its session."""

    def __init__(self, websocket: WebSocket, services: Services) -> None:
        self._websocket, self._services = websocket, services
        self._unsent: asyncio.Queue[Chunk | Report] = asyncio.Queue()
        self._session: LiveSession | None = None

    async def run(self) -> None:
        """Convert until either side ends the connection."""
        websocket = self._websocket
        if not live_access.is_from_this_page(websocket) or not live_access.is_logged_in(
            websocket, websocket.scope["app"]
        ):
            # Before it is accepted: the browser sees status 403.
            await websocket.close(POLICY_VIOLATION)
            return
        await websocket.accept()
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send())
        try:
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._session:
                self._session.stop()
            for task in (receiving, sending):
                task.cancel()
            await asyncio.wait({receiving, sending})

    async def _receive(self) -> None:
        """Take the choices, then samples."""
        try:
            first = await asyncio.wait_for(self._websocket.receive(), MAX_CHOICE_S)
            if first["type"] == "websocket.disconnect":
                return
            choices = _parse(first.get("text") or "")
            loop = asyncio.get_running_loop()

            def deliver(message: Chunk | Report) -> None:
                # The loop is closed where the server ends.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._put, message)

            self._session = await asyncio.to_thread(
                self._services.live.open, lambda: _open_stream(self._services, choices), deliver
            )
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                self._session.push(decode(message.get("bytes") or b""))
        except InputError as error:
            self._put(Report("ended", {"reason": single_line(str(error))}))
            # The reason is sent, which ends the other task and this one.
            await asyncio.sleep(MAX_CHOICE_S)
        except asyncio.TimeoutError:
            return

    async def _send(self) -> None:
        """Send converted samples and reports, until the last one."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                message = await self._unsent.get()
                if isinstance(message, Chunk):
                    await self._websocket.send_bytes(encode(message))
                    continue
                text = json.dumps({"kind": message.kind, **message.values})
                await self._websocket.send_text(text)
                if message.kind == "ended":
                    await self._websocket.close(NORMAL)
                    return

    def _put(self, message: Chunk | Report) -> None:
        """Keep a message for sending; samples are left out where the network is too slow."""
        if isinstance(message, Report) or self._unsent.qsize() < MAX_UNSENT:
            self._unsent.put_nowait(message)


def _parse(text: str) -> dict[str, Any]:
    """Return the choices of a text frame.

    Raises:
        InputError: The text has another form.
    """
    expected = (
        "expected run, direction, vocoder, f0, semitones, adapt and rate_hz; load the page again"
    )
    if len(text) > MAX_TEXT:
        raise InputError(f"received choices of {len(text)} characters; {expected}")
    try:
        values = json.loads(text)
        return {
            "run": str(values["run"]),
            "direction": str(values["direction"]),
            "vocoder": str(values["vocoder"]),
            "f0": str(values["f0"]),
            "semitones": float(values["semitones"]),
            "adapt": bool(values["adapt"]),
            "rate_hz": int(values["rate_hz"]),
        }
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"received choices that cannot be read; {expected}") from error


def _open_stream(services: Services, choices: dict[str, Any]) -> Stream:
    """Load a voice and open its stream.

    Raises:
        InputError: The run or a choice is not usable.
    """
    path, runs_dir = services.runs.find(choices["run"]), services.runs.runs_dir
    config = run_list.read_config(path)
    offered, _ = vocoder_choices.live_vocoder_choices(config, runs_dir)
    if reason := vocoder_choices.live_refusal(choices["run"], offered):
        raise InputError(reason)
    vocoder = vocoder_choices.vocoder_settings(choices["vocoder"], config, runs_dir)
    voices = services.voices.load(path, **vocoder)
    return voices.stream(
        choices["direction"],
        choices["rate_hz"],
        f0=choices["f0"],
        semitones=choices["semitones"],
        adapt_after_s=ADAPT_AFTER_S if choices["adapt"] else 0.0,
    )


def _script(path: Path) -> Any:
    """Return the handler that sends a script."""

    async def send(request: Any) -> FileResponse:
        # A browser asks each time, so that page and server are of one version.
        return FileResponse(
            path, media_type="text/javascript", headers={"Cache-Control": "no-cache"}
        )

    return send

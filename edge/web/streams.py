"""Answers without an end: server-sent events, and motion JPEG."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from starlette.types import Receive, Scope, Send

from edge.web.bell import rung_within
from edge.web.bulletin import Bulletin

BOUNDARY = "edgecount-picture"
MJPEG = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
EVENTS = "text/event-stream; charset=utf-8"
STATE_EVERY_S = 1.0
HEARTBEAT_S = 15.0
_PATIENCE_S = 20.0  # how long somebody may read nothing


class Streamed:
    """An ASGI answer that goes on until it ends, the client goes, or reads nothing for too long."""

    def __init__(
        self,
        parts: AsyncGenerator[bytes, None],
        media_type: str,
        done: Callable[[], None] = lambda: None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Keep what is sent.

        Args:
            parts: Sent each as it comes.
            media_type: Value of the header Content-Type.
            done: Called once at the end, whatever ended it.
            patience_s: How long the client may take for one part.
        """
        self._parts = parts
        self._media_type = media_type
        self._done = done
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send; `scope`, `receive` and `send` as ASGI has them."""
        headers = [
            (b"content-type", self._media_type.encode()),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # a proxy that collects would show nothing
        ]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] != "HEAD":
                await self._pump(receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._done()

    async def _pump(self, receive: Receive, send: Send) -> None:
        pumping = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({pumping, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pumping.cancel()
            leaving.cancel()
            await asyncio.gather(pumping, leaving, return_exceptions=True)
            await self._parts.aclose()

    async def _send_all(self, send: Send) -> None:
        async for part in self._parts:
            message = {"type": "http.response.body", "body": part, "more_body": True}
            await asyncio.wait_for(send(message), self._patience_s)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def mjpeg(pictures: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Pictures as the parts of `multipart/x-mixed-replace`."""
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
    try:
        yield head
        async for jpeg in pictures:
            # With the next boundary and head at once, or browsers show each picture one late, and
            # the last of a recording never; so no head can tell a length.
            yield jpeg + b"\r\n" + head
    finally:
        await pictures.aclose()


async def server_sent(
    bulletin: Bulletin,
    state: Callable[[], str],
    after: int,
    is_over: Callable[[], bool],
) -> AsyncGenerator[bytes, None]:
    """Each event after a number as `count`, and the state as `state` when it is another one.

    Args:
        bulletin: The events.
        state: JSON in one line.
        after: Number of the last event that the browser has.
        is_over: Whether to end.
    """
    shown, said_s = "", time.monotonic()
    with bulletin.bell.heard() as rung:
        yield b"retry: 2000\n\n"
        due_s = said_s
        while not is_over():
            rung.clear()
            posted = bulletin.after(after)
            after = posted[-1].number if posted else after
            text = "".join(
                f"id: {bulletin.id_of(each.number)}\nevent: count\ndata: {each.text}\n\n"
                for each in posted
            )
            now_s = time.monotonic()
            if now_s >= due_s:
                due_s = now_s + STATE_EVERY_S
                if (latest := state()) != shown:
                    shown = latest
                    text += f"event: state\ndata: {latest}\n\n"
            if not text and now_s - said_s >= HEARTBEAT_S:
                text = ": still here\nevent: beat\ndata: {}\n\n"  # scripts do not see comments
            if text:
                said_s = now_s
                yield text.encode()
            await rung_within(rung, max(0.01, due_s - time.monotonic()))

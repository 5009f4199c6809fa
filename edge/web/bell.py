"""Telling coroutines from another thread that there is something new. Standard library only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Bell:
    """Rung by any thread, heard by coroutines of one event loop. Ringing never waits.

    What there is to be heard is kept elsewhere: whoever was rung looks there, so that many rings
    may become one.

    Cost:
        `ring` with nobody listening: two look-ups. Else some 10 us, once until it is heard.
    """

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_due = False

    def ring(self) -> None:
        """Wake all who listen; after what they are to find is in its place."""
        if not self._listeners or self._is_due or self._loop is None:
            return
        self._is_due = True
        with suppress(RuntimeError):  # the loop has ended, and with it all listeners
            self._loop.call_soon_threadsafe(self._wake)

    @contextmanager
    def heard(self) -> Iterator[asyncio.Event]:
        """An event that is set at each ring, in the running loop; to be cleared before looking."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # another server's, whose end may have swallowed a ring
            self._loop, self._is_due = loop, False
        rung = asyncio.Event()
        self._listeners.add(rung)
        try:
            yield rung
        finally:
            self._listeners.discard(rung)

    def _wake(self) -> None:
        self._is_due = False  # first: what is written from here on rings again
        for rung in self._listeners:
            rung.set()


async def rung_within(rung: asyncio.Event, timeout_s: float) -> bool:
    """Wait for the next ring; whether one came in time."""
    try:
        await asyncio.wait_for(rung.wait(), timeout_s)
    except asyncio.TimeoutError:  # until Python 3.11 it was another class
        return False
    return True

"""Live pictures: drawn once for all who look, not at all for nobody, on a thread of its own.

Standard library only; what draws is given.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edge.web.bell import Bell, rung_within

MOST_FPS = 10.0
PLAIN = "/plain"  # after a camera's name: its pictures without rules, on which they are drawn
STILL_S = 5.0  # how long a still may take
_RATE_OF = 100  # frames over which a rate is taken
_STALE_S = 3.0  # without a frame, after which the rate is 0
_LOOK_S = 1.0  # how often a viewer sees that all is over

log = logging.getLogger("edge.web")


class _Slot:
    """The newest of one camera: what is to be drawn, and what was."""

    def __init__(self) -> None:
        self.scene: Any = None
        self.number = 0  # of the scene
        self.drawn = 0  # number of the scene that `jpeg` shows
        self.jpeg: bytes | None = None
        self.viewers = 0
        self.times_s: deque[float] = deque(maxlen=_RATE_OF)
        self.bell = Bell()


class Pictures:
    """Takes scenes from the main loop and gives JPEG pictures to viewers.

    The main loop leaves each scene in a slot of size one and goes on; a thread named edge-pictures
    draws and encodes the newest, at most ten a second, while somebody looks. A viewer who is slow
    gets the newest when ready for it.

    Cost:
        `offer`: about 1 us a frame. One scene a camera is kept.
    """

    def __init__(self, drawn: Callable[[str, Any], bytes], most_fps: float = MOST_FPS) -> None:
        """Begin.

        Args:
            drawn: JPEG of a camera's scene; called in the thread, one at a time.
            most_fps: pictures a second of each camera.
        """
        self._drawn = drawn
        self._interval_s = 1.0 / most_fps
        self._slots: dict[str, _Slot] = {}
        self._work = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="edge-pictures", daemon=True)
        self._thread.start()

    def offer(self, camera: str, scene: Any) -> None:
        """Leave the newest scene of a camera; never waits."""
        slot = self._slots.get(camera)
        if slot is None:
            slot = self._slots.setdefault(camera, _Slot())
        slot.scene = scene
        slot.number += 1
        slot.times_s.append(time.monotonic())
        if slot.viewers:
            self._work.set()

    def fps(self, camera: str) -> float:
        """Scenes a second of a camera of late."""
        slot = self._slots.get(camera)
        times_s = () if slot is None else tuple(slot.times_s)
        if len(times_s) < 2 or time.monotonic() - times_s[-1] > _STALE_S:
            return 0.0
        return (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-6)

    @property
    def viewers(self) -> int:
        """How many are looking."""
        return sum(slot.viewers for slot in list(self._slots.values()))

    def forget(self, camera: str) -> None:
        """Forget a camera, and let its viewers go: one of that name may come back as another."""
        for view in (camera, camera + PLAIN):
            if (slot := self._slots.pop(view, None)) is not None:
                slot.bell.ring()

    async def newest(self, camera: str) -> AsyncGenerator[bytes, None]:
        """JPEG pictures of a camera, each newer than the one before, until it is forgotten."""
        slot = self._slots.setdefault(camera, _Slot())
        with self._looking(slot), slot.bell.heard() as rung:
            seen = -1
            while not self._closed.is_set() and self._slots.get(camera) is slot:
                rung.clear()
                if slot.jpeg is not None and slot.drawn != seen:
                    seen = slot.drawn
                    yield slot.jpeg
                else:
                    await rung_within(rung, _LOOK_S)

    async def still(self, camera: str, timeout_s: float = STILL_S) -> bytes | None:
        """One picture of a camera; None if there is none in time."""
        pictures = self.newest(camera)
        try:
            return await asyncio.wait_for(anext(pictures), timeout_s)
        except (asyncio.TimeoutError, StopAsyncIteration):
            return None
        finally:
            await pictures.aclose()

    def close(self, timeout_s: float = 1.0) -> None:
        """Stop drawing, and let viewers go."""
        self._closed.set()
        self._work.set()
        for slot in list(self._slots.values()):
            slot.bell.ring()
        self._thread.join(timeout_s)

    @contextmanager
    def _looking(self, slot: _Slot) -> Iterator[None]:
        if not slot.viewers:
            slot.jpeg, slot.drawn = None, 0  # of the last time that somebody looked
        slot.viewers += 1
        self._work.set()
        try:
            yield
        finally:
            slot.viewers -= 1

    def _draw(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            if self._closed.is_set():
                return
            began_s = time.monotonic()
            for camera, slot in list(self._slots.items()):
                if slot.viewers and slot.number != slot.drawn:
                    self._draw_one(camera, slot)
            self._closed.wait(max(0.0, self._interval_s - (time.monotonic() - began_s)))

    def _draw_one(self, camera: str, slot: _Slot) -> None:
        number = slot.number
        try:
            slot.jpeg = self._drawn(camera, slot.scene)
        except Exception:  # a picture is never worth a count
            log.exception("web: %s: expected a picture, got an error", camera)
        slot.drawn = number
        slot.bell.ring()

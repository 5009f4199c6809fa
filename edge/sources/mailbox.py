"""What waits to be polled: the newest frame and every notice, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Generic, TypeVar

from edge.types import Notice, Stamp

T = TypeVar("T")
TELL_DROPS_EVERY_S = 10.0


class Mailbox(Generic[T]):
    """A queue in which a frame replaces the one that waits before it; notices all stay.

    Replaced frames are counted, and told by a notice at most every ten seconds.
    """

    def __init__(self, now_s: float) -> None:
        """Begin empty; times are `time.monotonic()`."""
        self.dropped = 0
        self._items: deque[T | Notice] = deque()
        self._untold = 0
        self._told_s = now_s

    def put(self, frame: T) -> None:
        """Offer a frame."""
        if self._is_frame_last():
            self._items.pop()
            self.dropped += 1
            self._untold += 1
        self._items.append(frame)

    def tell(self, notice: Notice) -> None:
        """Say something; what waits before it keeps its place."""
        last = self._items[-1] if self._items else None
        if (
            isinstance(last, Notice)
            and notice.kind == last.kind == "frames_dropped"
            and notice.session == last.session
        ):  # nobody polls: one notice with the sum
            notice = replace(notice, frames=notice.frames + last.frames)
            self._items.pop()
        self._items.append(notice)

    def tell_drops(self, stamp: Stamp, session: int, now_s: float, is_due: bool = False) -> None:
        """Say how many frames were replaced, if some were and it is time, or `is_due`."""
        if not self._untold or not (is_due or now_s - self._told_s >= TELL_DROPS_EVERY_S):
            return
        newest = self._items.pop() if self._is_frame_last() else None
        self.tell(Notice("frames_dropped", stamp, session, frames=self._untold))
        if newest is not None:
            self._items.append(newest)
        self._untold, self._told_s = 0, now_s

    def take(self) -> T | Notice | None:
        """The next item; None: there is none."""
        return self._items.popleft() if self._items else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items

    def forget_frames(self) -> None:
        """Keep only the notices: no frame will be taken any more."""
        self._items = deque(item for item in self._items if isinstance(item, Notice))

    def _is_frame_last(self) -> bool:
        return bool(self._items) and not isinstance(self._items[-1], Notice)

"""Media time cut into windows of one length, and how much of each was really seen."""

from __future__ import annotations

from collections import deque
from statistics import median_low

from edge.events.info import Window
from edge.types import Stamp

_GAP_S, _GAP_INTERVALS = 1.0, 5.0  # a longer gap between frames was not seen
_REMEMBERED = 25  # intervals, of which the median is taken


class Windows:
    """Windows from a multiple of their length to the next; times of frames decide their coverage.

    Between two frames the scene counts as seen, unless they lie further apart than 1 s and
    than five times the median of the last intervals. The time before the first frame was not
    seen. Windows of which nothing was seen are joined into one.
    """

    def __init__(self, every_s: float) -> None:
        """Begin before the first frame; windows are `every_s` long."""
        self._every_s = every_s
        self._number = 0  # of the window that has begun
        self._seen_s = 0.0  # in it
        self._last_s: float | None = None
        self._intervals: deque[float] = deque(maxlen=_REMEMBERED)

    def update(self, stamp: Stamp) -> list[Window]:
        """The windows that ended before this frame, or with it."""
        now_s = stamp.media_s
        if self._last_s is None:
            self._number = min(0, int(now_s // self._every_s))
            self._last_s = self._start_s(self._number)
            ended = self._passed(now_s, is_seen=False)
        elif now_s <= self._last_s:
            return []
        else:
            self._intervals.append(now_s - self._last_s)
            longest_s = max(_GAP_S, _GAP_INTERVALS * median_low(self._intervals))
            ended = self._passed(now_s, is_seen=self._intervals[-1] <= longest_s)
        self._last_s = now_s
        return ended

    def close(self) -> Window | None:
        """The window that has begun, at the end of the recording; None without any frame."""
        return None if self._last_s is None else self._window(self._number + 1)

    def _passed(self, now_s: float, is_seen: bool) -> list[Window]:
        """Let the time from the last frame to `now_s` pass."""
        ended: list[Window] = []
        at_s = self._last_s or 0.0
        while now_s >= (end_s := self._start_s(self._number + 1)) - 1e-9:
            self._seen_s += (end_s - at_s) * is_seen
            next_number, at_s = self._number + 1, end_s
            if not is_seen and self._seen_s == 0:  # of this one and all until now nothing was seen
                next_number = max(next_number, int((now_s + 1e-9) // self._every_s))
            ended.append(self._window(next_number))
            self._number, self._seen_s = next_number, 0.0
        self._seen_s += max(0.0, now_s - at_s) * is_seen
        return ended

    def _window(self, next_number: int) -> Window:
        start_s, end_s = self._start_s(self._number), self._start_s(next_number)
        return Window(start_s, end_s, min(1.0, self._seen_s / (end_s - start_s)))

    def _start_s(self, number: int) -> float:
        return number * self._every_s

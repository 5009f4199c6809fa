"""Time cut into windows of one length, and how much of each was really seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import median_low
from typing import Any

from edge.events.info import Window
from edge.types import Stamp

_GAP_S, _GAP_INTERVALS = 1.0, 5.0  # a longer gap between frames was not seen
_LONGEST_GAP_S = 600.0  # nor was this one, however far apart frames usually are
_REMEMBERED = 25  # intervals, of which the median is taken


class Windows:
    """Windows from a multiple of their length to the next; times of frames decide their coverage.

    Between two frames the scene counts as seen, unless they lie further apart than 1 s and
    than five times the median of the last intervals, or than ten minutes. The time before the
    first frame was not seen. Windows of which nothing was seen are joined into one.

    Of frames with world time, windows are of world time, and the first is that in which the
    first frame lies; of others, windows are of media time and the first begins at 0.
    """

    def __init__(self, every_s: float, state: Mapping[str, Any] | None = None) -> None:
        """Begin before the first frame, or where `state` left off; windows are `every_s` long."""
        self._every_s = every_s
        self._is_utc = False
        self._is_broken = False  # nothing is seen until the next frame
        self._number = 0  # of the window that has begun
        self._seen_s = 0.0  # in it
        self._last_s: float | None = None
        self._intervals: deque[float] = deque(maxlen=_REMEMBERED)
        if state and state.get("every_s") == every_s:
            self._is_utc = bool(state["is_utc"])
            self._number, self._seen_s = int(state["number"]), float(state["seen_s"])
            self._last_s = float(state["last_s"])
            self._is_broken = True  # nobody looked in between

    def state(self) -> dict[str, Any]:
        """What another one needs to go on from here; empty before the first frame."""
        if self._last_s is None:
            return {}
        return {
            "every_s": self._every_s,
            "is_utc": self._is_utc,
            "number": self._number,
            "seen_s": self._seen_s,
            "last_s": self._last_s,
        }

    def update(self, stamp: Stamp) -> list[Window]:
        """The windows that ended before this frame, or with it."""
        now_s = _time_s(stamp)
        if self._last_s is None:
            self._is_utc = stamp.wall is not None
            first = int(now_s // self._every_s)
            self._number = first if self._is_utc else min(0, first)
            self._last_s = self._start_s(self._number)
            ended = self._passed(now_s, is_seen=False)
        elif now_s <= self._last_s:
            if self._is_utc:  # a clock was set back: the window that has begun is only longer
                self._last_s = now_s
                if now_s < self._start_s(self._number - 1):  # or would be so for hours or years
                    self._number, self._seen_s = int(now_s // self._every_s), 0.0
            return []
        elif self._is_broken:
            ended = self._passed(now_s, is_seen=False)
        else:
            self._intervals.append(now_s - self._last_s)
            usual_s = _GAP_INTERVALS * median_low(self._intervals)
            longest_s = min(max(_GAP_S, usual_s), _LONGEST_GAP_S)
            ended = self._passed(now_s, is_seen=self._intervals[-1] <= longest_s)
        self._is_broken = False
        self._last_s = now_s
        return ended

    def interrupt(self, stamp: Stamp | None = None, unseen_s: float = 0.0) -> None:
        """The source is lost: the time until its next frame will not have been seen.

        Nor were the `unseen_s` before `stamp`, though frames came, which showed nothing. Of those
        the window that has begun is told; one that has ended is out.
        """
        self._is_broken = True
        if stamp is not None and unseen_s > 0 and self._last_s is not None:
            since_s = max(_time_s(stamp) - unseen_s, self._start_s(self._number))
            self._seen_s = max(0.0, self._seen_s - max(0.0, self._last_s - since_s))

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
        return Window(start_s, end_s, min(1.0, self._seen_s / (end_s - start_s)), self._is_utc)

    def _start_s(self, number: int) -> float:
        return number * self._every_s


def _time_s(stamp: Stamp) -> float:
    return stamp.media_s if stamp.wall is None else stamp.wall.utc_s

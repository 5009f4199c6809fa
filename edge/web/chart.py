"""Counts per minute and hour, and how long stays were: what events add up to, in flat memory.

Standard library only.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

By = Literal["minute", "hour"]
STEPS_S: dict[By, int] = {"minute": 60, "hour": 3600}
KEPT: dict[By, int] = {"minute": 120, "hour": 48}  # intervals: 2 h, 48 h
STAYS = 200  # whose length is kept
COUNTING = ("line_crossed", "line_crossing_reverted", "zone_entered", "zone_exited")
TYPES = (*COUNTING, "counter_reset")  # what a history is made of
Key = tuple[str, str]  # camera, rule


@dataclass(slots=True)
class _Past:
    """One rule's."""

    counts: dict[By, dict[int, list[int]]] = field(
        default_factory=lambda: {"minute": {}, "hour": {}}
    )  # in and out by number of the interval
    stays_s: deque[float] = field(default_factory=lambda: deque(maxlen=STAYS))
    stays: int = 0
    longest_s: float = 0.0

    def add(self, by: By, interval: int, ins: int, outs: int) -> None:
        found = self.counts[by]
        pair = found.get(interval)
        if pair is None:
            pair = found[interval] = [0, 0]
            while len(found) > KEPT[by]:
                del found[min(found)]
        pair[0] += ins
        pair[1] += outs


class History:
    """Counts of each rule by minute and hour of its camera's time, and lengths of stays.

    Time is world time where events have it, else media time, as in recordings. May be used by
    several threads.

    Cost:
        At most 168 pairs of numbers and 200 lengths a rule.
    """

    def __init__(self) -> None:
        self._rules: dict[Key, _Past] = {}
        self._newest_s: dict[str, float] = {}  # media time by camera, where there is no other
        self._has_utc: set[str] = set()
        self._reset: set[Key] = set()
        self._lock = threading.Lock()

    def take(self, camera: str, event: dict[str, Any]) -> None:
        """Add one event, whatever its type."""
        if event["type"] not in TYPES:
            return
        key = camera, event["rule"]["id"]
        with self._lock:
            if event["type"] == "counter_reset":
                self._reset.add(key)
                self._rules.pop(key, None)
                return
            past = self._rules.setdefault(key, _Past())
            time_s = self._time_s(camera, event["time"])
            delta, way = event["count"]["delta"], event["rule"].get("direction")
            for by, step_s in STEPS_S.items():
                past.add(by, int(time_s // step_s), delta * (way == "in"), delta * (way == "out"))
            if (dwell_s := event.get("zone", {}).get("dwell_s")) is not None:
                past.stays_s.append(dwell_s)
                past.stays += 1
                past.longest_s = max(past.longest_s, dwell_s)

    def begin_with(self, earlier: History) -> None:
        """Put what is read from the journal before what has come since."""
        with self._lock:
            self._has_utc |= earlier._has_utc
            for key, old in earlier._rules.items():
                if key in self._reset:  # since then: another geometry, other counts
                    continue
                past = self._rules.setdefault(key, _Past())
                for by, found in old.counts.items():
                    for interval, (ins, outs) in found.items():
                        past.add(by, interval, ins, outs)
                stays_s = [*old.stays_s, *past.stays_s]
                past.stays_s = deque(stays_s, maxlen=STAYS)
                past.stays += old.stays
                past.longest_s = max(past.longest_s, old.longest_s)

    def forget(self, camera: str) -> None:
        """Forget a camera."""
        with self._lock:
            for key in [key for key in self._rules if key[0] == camera]:
                del self._rules[key]
            self._has_utc.discard(camera)
            self._newest_s.pop(camera, None)

    def series(self, camera: str, rule: str, by: By, now_s: float) -> dict[str, Any]:
        """Counts of the last 2 h by minute, or 48 h by hour, as JSON knows them.

        Args:
            camera: Its name.
            rule: Its line or zone; one without events has zeros.
            by: Length of the intervals.
            now_s: Unix seconds, at which world time ends.

        Returns:
            `axis` utc or media; `step_s`; `start_s` of the first interval; `in` and `out`, a number
            for each interval, the last one still open.
        """
        step_s, count = STEPS_S[by], KEPT[by]
        with self._lock:
            is_utc = camera in self._has_utc or camera not in self._newest_s
            end_s = now_s if is_utc else self._newest_s[camera]
            past = self._rules.get((camera, rule))
            found = {} if past is None else {k: tuple(v) for k, v in past.counts[by].items()}
        last = int(end_s // step_s)
        first = last - count + 1 if is_utc else max(0, last - count + 1)
        pairs = [found.get(interval, (0, 0)) for interval in range(first, last + 1)]
        return {
            "axis": "utc" if is_utc else "media",
            "by": by,
            "step_s": step_s,
            "start_s": first * step_s,
            "in": [pair[0] for pair in pairs],
            "out": [pair[1] for pair in pairs],
        }

    def dwell(self, camera: str, rule: str) -> dict[str, Any] | None:
        """How long the stays were that have ended: seconds; None if none has."""
        with self._lock:
            past = self._rules.get((camera, rule))
            if past is None or not past.stays_s:
                return None
            stays_s = list(past.stays_s)
            return {
                "stays": past.stays,
                "median_s": round(statistics.median(stays_s), 1),
                "longest_s": round(past.longest_s, 1),
                "last_s": round(stays_s[-1], 1),
            }

    def note_media_s(self, camera: str, media_s: float) -> None:
        """Tell how far a recording is, whose chart ends there."""
        self._newest_s[camera] = media_s

    def _time_s(self, camera: str, time: dict[str, Any]) -> float:
        if "utc" in time:
            self._has_utc.add(camera)
            return unix_s(time["utc"])
        media_s = float(time["media_s"])
        self._newest_s[camera] = max(media_s, self._newest_s.get(camera, 0.0))
        return media_s


def unix_s(text: str) -> float:
    """Unix seconds of a time as events have it.

    >>> unix_s("1970-01-01T00:01:00.500Z")
    60.5
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

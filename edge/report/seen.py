"""How much of each interval was seen. Imports its own folder only."""

from __future__ import annotations

from collections.abc import Sequence

from edge.report.calendar import Calendar
from edge.report.reading import Event, unix_s
from edge.report.summary import Gap
from edge.report.tally import regrouped

_Seconds = tuple[float, float]  # seen, and looked at


class Seen:
    """Adds up the windows of snapshots; where there are none, gaps tell."""

    def __init__(self) -> None:
        """Begin without windows."""
        self._by_interval: dict[int, _Seconds] = {}
        self._last: tuple[float, float] | None = None

    def window(self, event: Event, calendar: Calendar, span: tuple[float, float]) -> None:
        """Take the window of a `count_snapshot`; of the rules of a source only the first counts.

        Args:
            event: the snapshot.
            calendar: of the intervals.
            span: first and last moment of the source so far; of more nothing can be known.
        """
        window = event["window"]
        bounds = _at(window["start"]), _at(window["end"])
        if bounds == self._last:
            return
        self._last = bounds
        at_s, end_s = max(bounds[0], span[0]), min(bounds[1], span[1])
        if at_s >= end_s:
            return
        # What is cut off was not seen: all that was seen lies in the rest.
        share = min(1.0, max(0.0, event["coverage"]) * (bounds[1] - bounds[0]) / (end_s - at_s))
        while at_s < end_s:
            start = calendar.start(at_s)
            until_s = min(float(calendar.after(start)), end_s)
            seen, looked = self._by_interval.get(start, (0.0, 0.0))
            span_s = until_s - at_s
            self._by_interval[start] = seen + share * span_s, looked + span_s
            at_s = until_s

    def regroup(self, calendar: Calendar) -> None:
        """Go over to longer intervals."""
        self._by_interval = regrouped(
            self._by_interval, calendar, lambda a, b: (a[0] + b[0], a[1] + b[1])
        )

    def seconds(
        self,
        starts: Sequence[int],
        calendar: Calendar,
        span: tuple[float, float],
        gaps: Sequence[Gap],
    ) -> dict[int, float]:
        """Seconds of each interval that were seen.

        Args:
            starts: of the intervals.
            calendar: of theirs.
            span: first and last moment of the source.
            gaps: in which it was not seen.
        """
        found: dict[int, float] = {}
        for start in starts:
            low_s, high_s = max(float(start), span[0]), min(float(calendar.after(start)), span[1])
            found[start] = max(0.0, high_s - low_s)
        for gap in gaps:
            self._leave_out(gap, found, calendar, span)
        for start, (seen, looked) in self._by_interval.items():
            if start in found:  # what lies in no window yet, gaps tell
                found[start] = seen + max(0.0, found[start] - looked)
        return found

    @staticmethod
    def _leave_out(
        gap: Gap,
        found: dict[int, float],
        calendar: Calendar,
        span: tuple[float, float],
    ) -> None:
        at_s = max(gap.start_unix_s, span[0])
        end_s = span[1] if gap.end_unix_s is None else min(gap.end_unix_s, span[1])
        while at_s < end_s:
            start = calendar.start(at_s)
            until_s = min(float(calendar.after(start)), end_s)
            found[start] = max(0.0, found.get(start, 0.0) - (until_s - at_s))
            at_s = until_s


def _at(value: str | float) -> float:
    return unix_s(value) if isinstance(value, str) else float(value)

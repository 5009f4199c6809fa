"""When live sources were not seen, read off their events in order. Imports nothing of edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

STOPPED = "stopped"
KILLED = "ended without stopping"  # kill -9, power loss


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a live source was not seen."""

    source_id: str
    reason: str  # of source_lost, or STOPPED, or KILLED
    start_unix_s: float  # for KILLED the last event before: it may have been seen for longer
    end_unix_s: float | None = None  # None: not over yet
    gap_s: float | None = None  # as source_restored states it, else from the two times


class Outages:
    """Follows one source from event to event.

    >>> outages = Outages("gate")
    >>> outages.update({"type": "started", "source": {"session": 1}}, 100.0)
    >>> lost = {"type": "source_lost", "reason": "timed out", "source": {"session": 1}}
    >>> outages.update(lost, 160.0)
    >>> outages.gaps
    [Gap(source_id='gate', reason='timed out', start_unix_s=160.0, end_unix_s=None, gap_s=None)]
    >>> back = {"type": "source_restored", "gap_s": 4.5, "source": {"session": 2}}
    >>> outages.update(back, 165.0)
    >>> outages.gaps[0].end_unix_s, outages.gaps[0].gap_s
    (165.0, 4.5)
    """

    def __init__(self, source_id: str) -> None:
        """Begin before the first event."""
        self._source_id = source_id
        self._closed: list[Gap] = []
        self._open: Gap | None = None
        self._session = 0
        self._last_type = ""
        self._last_unix_s = 0.0

    @property
    def gaps(self) -> list[Gap]:
        """All gaps so far, an open one last."""
        return self._closed + ([self._open] if self._open else [])

    def update(self, event: Mapping[str, Any], at_unix_s: float) -> None:
        """Take the next event and its world time in Unix seconds."""
        kind, session = event["type"], event["source"]["session"]
        if kind == "source_restored":
            self._restored(event["gap_s"], at_unix_s)
        elif session > self._session and self._session:
            self._restarted(at_unix_s, is_lost=kind == "source_lost")
        if kind == "source_lost" and self._open is None:
            self._open = Gap(self._source_id, event["reason"], at_unix_s)
        self._session = max(session, self._session)
        self._last_type, self._last_unix_s = kind, at_unix_s

    def _restored(self, gap_s: float, at_unix_s: float) -> None:
        if self._open is not None:
            # One that froze was not seen long before it was called lost.
            start_s = min(self._open.start_unix_s, at_unix_s - gap_s)
            closed = replace(self._open, start_unix_s=start_s, end_unix_s=at_unix_s, gap_s=gap_s)
            self._closed.append(closed)
            self._open = None
        elif gap_s > 0:
            start_s = at_unix_s - gap_s
            self._closed.append(Gap(self._source_id, "unknown", start_s, at_unix_s, gap_s))

    def _restarted(self, at_unix_s: float, is_lost: bool) -> None:
        """The program began again, and the source is there or still lost."""
        if self._open is None:
            reason = STOPPED if self._last_type == "stopped" else KILLED
            self._open = Gap(self._source_id, reason, self._last_unix_s)
            is_lost = False  # the time until now is a gap of its own
        if not is_lost:
            gap_s = max(0.0, at_unix_s - self._open.start_unix_s)
            self._closed.append(replace(self._open, end_unix_s=at_unix_s, gap_s=gap_s))
            self._open = None

"""What a report says, as plain values. Imports numpy and its own folder only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Protocol

import numpy as np

from edge.report.calendar import Calendar
from edge.report.flow import Place
from edge.report.reading import Pair
from edge.types import F64

# Direction and class; the class is None where events were lost and only their sum is known.
Kind = tuple[str, str | None]
Counts = Mapping[Kind, int]


class Gap(Protocol):
    """A time in which a live source was not seen."""

    @property
    def reason(self) -> str:
        """What was seen instead."""

    @property
    def start_unix_s(self) -> float:
        """When it began."""

    @property
    def end_unix_s(self) -> float | None:
        """When it ended; None: not yet."""

    @property
    def gap_s(self) -> float | None:
        """How long it was."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one line or zone counted from one beginning at 0 to the next.

    A rule that is moved begins again; what it counted before is a `Rule` of its own, with a lower
    `part` and not `is_current`.
    """

    id: str
    name: str | None
    kind: str  # line or zone
    in_name: str | None
    out_name: str | None
    part: int
    is_current: bool
    counts: Counts
    by_interval: Mapping[int, Counts]  # by the start of the interval
    stated: Pair | None  # totals of the counter itself as the newest event has them
    carried: Pair  # of these, counted before the first event here, so not in `counts`
    missing: Pair  # counted by events that are not here
    restarts: int  # how often the counter of a live source began at 0 without having been moved
    since: str | None  # world time from which the counter counts
    config_revs: Sequence[str]

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name or self.id

    @property
    def words(self) -> tuple[str, str]:
        """What in and out are called of this kind of rule."""
        return ("in", "out") if self.kind == "line" else ("entered", "left")

    @property
    def ways(self) -> tuple[str, str]:
        """What in and out are called of this rule: its own names, else the words of its kind."""
        return self.in_name or self.words[0], self.out_name or self.words[1]

    @property
    def count_in(self) -> int:
        """Passages in, or entries."""
        return sum(n for (way, _), n in self.counts.items() if way == "in")

    @property
    def count_out(self) -> int:
        """Passages out, or exits."""
        return sum(n for (way, _), n in self.counts.items() if way == "out")

    @property
    def net(self) -> int:
        """In less out."""
        return self.count_in - self.count_out

    @property
    def classes(self) -> list[str | None]:
        """Classes that were counted, the most frequent first, unknown ones last."""
        sums: dict[str | None, int] = {}
        for (_, name), n in self.counts.items():
            sums[name] = sums.get(name, 0) + n
        return sorted(sums, key=lambda name: (name is None, -sums[name], name or ""))

    def of(self, way: str, class_name: str | None) -> int:
        """What was counted in one direction of one class."""
        return self.counts.get((way, class_name), 0)

    def in_interval(self, start: int, way: str) -> int:
        """What was counted in one direction in one interval."""
        return sum(n for (d, _), n in self.by_interval.get(start, {}).items() if d == way)

    def busiest(self) -> tuple[int, int] | None:
        """The interval with most passages in both directions, and how many; None: there is none."""
        sums = {start: sum(counts.values()) for start, counts in self.by_interval.items()}
        best = max(sums, key=lambda start: (sums[start], -start), default=None)
        return None if best is None or sums[best] <= 0 else (best, sums[best])


@dataclass(frozen=True, slots=True)
class Zone:
    """Who was in a zone, and for how long."""

    id: str
    dwells_s: F64  # (N,) of stays that were seen to end, ascending
    cut_stays: int  # ended because the camera or the program did; not in `dwells_s`
    most: tuple[int, float] | None  # at once, and when first
    inside: int | None  # as the newest event about it says
    mean: Mapping[int, float]  # occupancy by interval, over the time that was seen
    peak: Mapping[int, int]  # the highest by interval
    overcrowded: int  # how often
    overcrowded_s: float  # for how long in all

    def quantile_s(self, share: float) -> float:
        """The dwell time that a share of stays does not exceed.

        Raises:
            ValueError: there are no stays.
        """
        if not len(self.dwells_s):
            raise ValueError("expected stays, got none")
        return float(np.quantile(self.dwells_s, share, method="inverted_cdf"))


@dataclass(frozen=True, slots=True)
class Maker:
    """What made the events."""

    device: str
    app: str | None
    model_sha256: str | None
    provider: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """One camera or recording."""

    id: str
    label: str  # its id, and which recording if there are several of that name
    kind: str
    calendar: Calendar
    first_s: float  # Unix seconds if the calendar is of world time, else media time
    last_s: float
    starts: Sequence[int]  # of all intervals from first to last
    rules: Sequence[Rule]
    zones: Sequence[Zone]
    gaps: Sequence[Gap]
    coverage: Mapping[int, float]  # share of each interval that was seen
    seen_s: float  # from first to last
    sessions: int
    frames_dropped: int
    lost_events: int
    clock_steps: int
    flows: Mapping[tuple[Place, Place], int]
    flags: Mapping[str, int]  # counted events with each flag
    judged: int  # counted events that could have flags
    makers: Sequence[Maker]
    size: tuple[int, int] | None  # of the frame, width and height
    feet: F64 | None  # (rows, columns) where objects stood at events

    @property
    def observed(self) -> float:
        """Share of the time from first to last that was seen, 0..1."""
        span_s = self.last_s - self.first_s
        if span_s <= 0:
            return 0.0 if self.gaps else 1.0
        return min(1.0, self.seen_s / span_s)

    @property
    def is_live(self) -> bool:
        """Whether its time is world time."""
        return self.calendar.is_utc

    def title_of(self, place: Place) -> str:
        """A place of a flow in words."""
        rule = next((r for r in self.rules if r.id == place[0] and r.is_current), None)
        if rule is None:
            return f"{place[0]} {place[1]}"
        if rule.kind == "zone":
            return f"{rule.title} (zone)"
        return f"{rule.title}: {rule.ways[place[1] == 'out']}"


@dataclass(frozen=True, slots=True)
class Summary:
    """All that a report says."""

    sources: Sequence[Source]
    events: int  # read, repeats left out
    repeats: int
    interval_s: int
    zone: tzinfo
    notes: Sequence[str] = field(default_factory=tuple)  # what was amiss with the input

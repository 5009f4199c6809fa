"""Adds up one rule's events, and what happens in a zone, interval by interval.

Imports numpy and its own folder only.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from edge.report.calendar import Calendar
from edge.report.reading import Event, Pair
from edge.report.summary import Kind, Rule, Zone

_T = TypeVar("_T")
_NOTHING: Pair = (0, 0)


def regrouped(
    old: Mapping[int, _T], calendar: Calendar, join: Callable[[_T, _T], _T]
) -> dict[int, _T]:
    """Values by intervals as values by the longer ones of another calendar."""
    found: dict[int, _T] = {}
    for key, value in old.items():
        start = calendar.start(key)
        found[start] = join(found[start], value) if start in found else value
    return found


def _less(a: Pair, b: Pair) -> Pair:
    return a[0] - b[0], a[1] - b[1]


def _plus(a: Pair, b: Pair) -> Pair:
    return a[0] + b[0], a[1] + b[1]


class PartTally:
    """What a rule counted since it last began at 0 because it was moved."""

    def __init__(self) -> None:
        """Begin without events."""
        self.counts: Counter[Kind] = Counter()
        self.by_interval: dict[int, Counter[Kind]] = {}
        self.carried = self.missing = _NOTHING
        self.shown: Pair | None = None  # the totals as the newest event states them
        self.restarts = 0
        self.since: str | None = None

    @property
    def total(self) -> Pair:
        """In and out: what was counted before the first event here, and by the events."""
        ins, outs = (
            sum(n for (d, _), n in self.counts.items() if d == way) for way in ("in", "out")
        )
        return _plus(self.carried, (ins, outs))

    def add(self, kind: Kind, delta: int, start: int) -> None:
        """Count."""
        self.counts[kind] += delta
        self.by_interval.setdefault(start, Counter())[kind] += delta


class RuleTally:
    """All parts of one rule. What totals state is held against the sum of the events."""

    def __init__(self, rule_id: str, restarts_are_parts: bool) -> None:
        """Begin without events.

        Args:
            rule_id: of the line or zone.
            restarts_are_parts: whether totals that begin at 0 again mean a rule that was moved, as
                in recordings; of a live source `counter_reset` says so.
        """
        self.id = rule_id
        self.kind = "line"
        self.name: str | None = None
        self.names: dict[str, str] = {}  # of the directions
        self.config_revs: dict[str, None] = {}
        self.parts = [PartTally()]
        self._restarts_are_parts = restarts_are_parts

    def describe(self, rule: Event) -> None:
        """Take names from `rule` of an event or from an entry of `rules`."""
        self.kind = rule["kind"]
        self.name = rule.get("name", self.name)
        for way in ("in", "out"):
            if name := rule.get(f"{way}_name"):
                self.names[way] = name
        if name := rule.get("direction_name"):
            self.names[rule["direction"]] = name
        if rev := rule.get("config_rev"):
            self.config_revs[rev] = None

    def state(self, stated: Pair, delta: Pair = _NOTHING, since: str | None = None) -> None:
        """Take the totals after an event that added `delta`, before that is counted."""
        part, before = self.parts[-1], _less(stated, delta)
        if part.shown is None:
            part.carried = before
        elif before != part.shown:
            if before != _NOTHING:
                part.missing = _plus(part.missing, _less(before, part.shown))
            elif self._restarts_are_parts:
                part = PartTally()
                self.parts.append(part)
            else:
                part.restarts += 1
        part.shown = stated
        part.since = part.since or since

    def lose(self, pair: Pair, start: int) -> None:
        """Count what lost events counted."""
        part = self.parts[-1]
        part.shown = None if part.shown is None else _plus(part.shown, pair)
        for way, n in zip(("in", "out"), pair, strict=True):
            if n:
                part.add((way, None), n, start)

    def reset(self, before: Pair) -> None:
        """Begin again at 0, because the rule was moved."""
        self.state(before)
        self.parts.append(PartTally())

    def regroup(self, calendar: Calendar) -> None:
        """Go over to longer intervals."""
        for part in self.parts:
            part.by_interval = regrouped(part.by_interval, calendar, lambda a, b: a + b)

    def rules(self, total: Pair | None) -> list[Rule]:
        """One `Rule` for each part.

        Args:
            total: the present total as a journal keeps it, which says which part is current; None:
                the last one is.
        """
        parts = self.parts
        current = parts[-1]
        if total is not None:
            fitting = [p for p in parts if p.total == total]
            fitting = fitting or [p for p in parts if (p.shown or _NOTHING) == total]
            current = (fitting or parts)[-1]
            if total == _NOTHING and (current.shown or _NOTHING) != total:
                current = PartTally()  # it was moved, and has counted nothing since
                parts = [*parts, current]
        return [
            Rule(
                id=self.id,
                name=self.name,
                kind=self.kind,
                in_name=self.names.get("in"),
                out_name=self.names.get("out"),
                part=number,
                is_current=part is current,
                counts={kind: n for kind, n in part.counts.items() if n},
                by_interval=part.by_interval,
                stated=part.shown,
                carried=part.carried,
                missing=part.missing,
                restarts=part.restarts,
                since=part.since,
                config_revs=tuple(self.config_revs),
            )
            for number, part in enumerate(parts, 1)
            if part is current or +part.counts
        ]


class ZoneTally:
    """Occupancy and dwell of one zone."""

    def __init__(self, zone_id: str) -> None:
        """Begin with an empty zone that nobody looks at."""
        self.id = zone_id
        self._dwells_s = array("d")
        self._cut_stays = 0
        self._last: tuple[float, int] | None = None  # when, and how many were inside from then on
        self._inside: int | None = None
        self._person_s: dict[int, float] = {}
        self._peak: dict[int, int] = {}
        self._most: tuple[int, float] | None = None
        self._crowded_at_s: float | None = None
        self._crowded = (0, 0.0)

    def occupied(self, at_s: float, count: int, calendar: Calendar) -> None:
        """Note how many are inside from now on."""
        self._pass_time(at_s, calendar)
        self._last = (at_s, count)
        self._inside = count
        start = calendar.start(at_s)
        self._peak[start] = max(count, self._peak.get(start, 0))
        if count and (self._most is None or count > self._most[0]):
            self._most = (count, at_s)

    def stayed(self, dwell_s: float | None, is_cut: bool) -> None:
        """Note the end of a stay."""
        if dwell_s is None or is_cut:
            self._cut_stays += 1
        else:
            self._dwells_s.append(dwell_s)

    def crowded(self, is_so: bool, at_s: float) -> None:
        """Note the beginning or end of overcrowding."""
        times, span_s = self._crowded
        if is_so:
            self._crowded = times + 1, span_s
            self._crowded_at_s = at_s
        elif self._crowded_at_s is not None:
            self._crowded = times, span_s + max(0.0, at_s - self._crowded_at_s)
            self._crowded_at_s = None

    def interrupt(self) -> None:
        """Another session begins: what happened in between nobody knows."""
        self._last = None

    def regroup(self, calendar: Calendar) -> None:
        """Go over to longer intervals."""
        self._person_s = regrouped(self._person_s, calendar, lambda a, b: a + b)
        self._peak = regrouped(self._peak, calendar, max)

    def zone(self, last_s: float, calendar: Calendar, seen_s: Mapping[int, float]) -> Zone:
        """The result, if nothing happened since until `last_s`.

        Args:
            last_s: end of the source's time.
            calendar: of its intervals.
            seen_s: seconds of each interval that were seen.
        """
        self._pass_time(last_s, calendar)
        if self._crowded_at_s is not None:
            self.crowded(False, last_s)
        dwells_s = np.sort(np.array(self._dwells_s, np.float64))
        return Zone(
            id=self.id,
            dwells_s=dwells_s,
            cut_stays=self._cut_stays,
            most=self._most,
            inside=self._inside,
            mean={
                start: min(self._person_s.get(start, 0.0) / span_s, self._peak.get(start, 0))
                for start, span_s in seen_s.items()
                if span_s > 0
            },
            peak=dict(self._peak),
            overcrowded=self._crowded[0],
            overcrowded_s=self._crowded[1],
        )

    def _pass_time(self, until_s: float, calendar: Calendar) -> None:
        if self._last is None or self._last[1] <= 0:
            return
        at_s, count = self._last
        while at_s < until_s:
            start = calendar.start(at_s)
            end_s = min(float(calendar.after(start)), until_s)
            self._person_s[start] = self._person_s.get(start, 0.0) + count * (end_s - at_s)
            self._peak[start] = max(count, self._peak.get(start, 0))
            at_s = end_s
        self._last = (until_s, count)

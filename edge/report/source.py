"""Adds up the events of one source. Imports its own folder only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from edge.report.calendar import Calendar
from edge.report.feet import Feet
from edge.report.flow import Flow
from edge.report.reading import COUNTING, RECORDED, RULED, Event, Pair, deltas_of, unix_s
from edge.report.seen import Seen
from edge.report.summary import Gap, Maker, Source
from edge.report.tally import RuleTally, ZoneTally

Between = tuple[float | None, float | None]


class Outages(Protocol):
    """Follows a live source from event to event, as `edge.events.outages.Outages` does."""

    @property
    def gaps(self) -> Sequence[Gap]:
        """All gaps so far."""

    def update(self, event: Event, at_unix_s: float) -> None:
        """Take the next event."""


class SourceTally:
    """What the events of one source say so far."""

    def __init__(
        self,
        source_id: str,
        kind: str,
        calendar: Calendar,
        outages: Outages,
        between: Between,
        widen: Callable[[float], None],
    ) -> None:
        """Begin without events.

        Args:
            source_id: its name.
            kind: file, folder, or of a live source.
            calendar: of the intervals to begin with.
            outages: follows it.
            between: Unix seconds from and to which world time counts; None: any.
            widen: told `span_s` before an event of that time is added up.
        """
        self._widen = widen
        self.id = source_id
        self.kind = kind
        self.is_recorded = kind in RECORDED
        self.calendar = calendar
        self.feet: Feet | None = None
        self._anchors = Feet()
        self._between = between
        self._first_s: float | None = None
        self._last_s = self._now_s = 0.0
        self._early: list[Event] = []  # of a live source, before its time is known
        self._outages = outages
        self._seen = Seen()
        self._rules: dict[str, RuleTally] = {}
        self._zones: dict[str, ZoneTally] = {}
        self._flow = Flow()
        self._flags: Counter[str] = Counter()
        self._said: Counter[str] = Counter()  # numbers of what befell the source
        self._judged = 0
        self._sessions: set[int] = set()
        self._device: Event = {}  # as the newest event has it
        self._makers: dict[Maker, None] = {}
        self.size: tuple[int, int] | None = None

    @property
    def span_s(self) -> float:
        """Seconds from its first event to its last, as far as they are asked for."""
        first_s, last_s = self._span() or (0.0, 0.0)
        return last_s - first_s

    def _span(self) -> tuple[float, float] | None:
        """First and last moment, as far as they are asked for; None: nothing is."""
        from_s, to_s = self._between
        if self._first_s is None:
            return None
        first_s = self._first_s if from_s is None else max(self._first_s, from_s)
        last_s = self._last_s if to_s is None else min(self._last_s, to_s - 1e-3)
        return (first_s, last_s) if first_s <= last_s else None

    def regroup(self, interval_s: int) -> None:
        """Go over to longer intervals."""
        self.calendar = replace(self.calendar, interval_s=interval_s)
        for rule in self._rules.values():
            rule.regroup(self.calendar)
        for zone in self._zones.values():
            zone.regroup(self.calendar)
        self._seen.regroup(self.calendar)

    def add(self, event: Event) -> None:
        """Take the next event, which is checked and none that came before."""
        at_s = self._time_of(event)
        if at_s is None:
            self._early.append(event)
            return
        early, self._early = self._early, []
        for each in (*early, event):
            self._take(each, at_s)

    def _time_of(self, event: Event) -> float | None:
        """When it happened; of a live source that does not know, when the last event did."""
        if self.is_recorded:
            return float(event["time"]["media_s"])
        if "utc" in event["time"]:
            return unix_s(event["time"]["utc"])
        return None if self._first_s is None else self._now_s

    def _take(self, event: Event, at_s: float) -> None:
        time, kind = event["time"], event["type"]
        decided_s = at_s + max(0.0, time.get("decided_media_s", time["media_s"]) - time["media_s"])
        if self._first_s is None:
            self._first_s = self._last_s = at_s
        if self.is_recorded and kind == "started":
            self._first_s = min(at_s, self._first_s)
        self._now_s = decided_s
        self._first_s = min(self._first_s, at_s)
        self._last_s = max(self._last_s, decided_s)
        self._widen(self.span_s)
        if not self.is_recorded:
            self._outages.update(event, decided_s)
        self._note_source(event)
        from_s, to_s = self._between
        is_asked = (from_s is None or at_s >= from_s) and (to_s is None or at_s < to_s)
        self._note_rules(event, at_s, is_asked)
        if is_asked:
            self._note_quality(event)
            self._note_befallen(event)

    def _note_source(self, event: Event) -> None:
        source, device = event["source"], event.get("device", {})
        if source["session"] not in self._sessions:
            self._sessions.add(source["session"])
            for zone in self._zones.values():
                zone.interrupt()
        if "width" in source and "height" in source:
            self.size = (source["width"], source["height"])
        if device != self._device:
            self._device = device
            about = (device.get(key) for key in ("app", "model_sha256", "provider"))
            app, model, provider = (str(each) if each is not None else None for each in about)
            self._makers[Maker(str(device.get("id", "")), app, model, provider)] = None

    def _rule(self, rule_id: str) -> RuleTally:
        if rule_id not in self._rules:
            self._rules[rule_id] = RuleTally(rule_id, self.is_recorded)
        return self._rules[rule_id]

    def _note_rules(self, event: Event, at_s: float, is_asked: bool) -> None:
        kind, start = event["type"], self.calendar.start(at_s)
        if kind in ("started", "config_changed"):
            for entry in event["rules"]:
                self._rule(entry["id"]).describe(entry)
        if kind == "stopped":
            for entry in event["counts"]:
                total = entry["count"]
                self._rule(entry["rule_id"]).state((total["in"], total["out"]))
        if kind == "events_lost" and is_asked:
            for rule_id, pair in deltas_of(event).items():
                self._rule(rule_id).lose(pair, start)
        if kind in RULED:
            self._note_rule(event, at_s, is_asked)

    def _note_rule(self, event: Event, at_s: float, is_asked: bool) -> None:
        kind, count = event["type"], event["count"]
        rule = self._rule(event["rule"]["id"])
        rule.describe(event["rule"])
        if kind == "counter_reset":
            rule.reset((event["before"]["in"], event["before"]["out"]))
        delta = deltas_of(event).get(rule.id, (0, 0))
        rule.state((count["in"], count["out"]), delta, count.get("since"))
        if kind in COUNTING and is_asked:
            counted = (event["rule"]["direction"], event["object"]["class"])
            rule.parts[-1].add(counted, count["delta"], self.calendar.start(at_s))
            self._note_path(event, at_s)
        if is_asked and "zone" in event:
            self._note_zone(event, at_s)

    def _note_zone(self, event: Event, at_s: float) -> None:
        zone_id, kind, facts = event["rule"]["id"], event["type"], event["zone"]
        if zone_id not in self._zones:
            self._zones[zone_id] = ZoneTally(zone_id)
        zone = self._zones[zone_id]
        if "occupancy" in facts:
            zone.occupied(self._now_s, facts["occupancy"], self.calendar)
        if kind == "zone_exited":
            zone.stayed(facts.get("dwell_s"), "end_reason" in event)
        if kind in ("overcrowding_started", "overcrowding_ended"):
            zone.crowded(kind == "overcrowding_started", at_s)

    def _note_path(self, event: Event, at_s: float) -> None:
        rule, who, kind = event["rule"], event["object"]["track_uid"], event["type"]
        if kind == "line_crossing_reverted":
            self._flow.took_back(who, str(event.get("corrects")))
        elif kind != "zone_exited":
            self._flow.passed(who, (rule["id"], rule["direction"]), at_s, event["event_id"])

    def _note_quality(self, event: Event) -> None:
        if event["type"] not in COUNTING or event["count"]["delta"] <= 0:
            return
        self._judged += 1
        self._flags.update(str(flag) for flag in event.get("quality", {}).get("flags", ()))
        anchor = event["object"].get("anchor")
        if anchor and "x" in anchor and "y" in anchor and self.size:
            self._anchors.add(anchor["x"], anchor["y"], *self.size)

    def _note_befallen(self, event: Event) -> None:
        kind = event["type"]
        if kind == "frames_dropped":
            self._said[kind] += event["frames"]
        elif kind == "events_lost":
            self._said[kind] += event["lost"]["events"]
        elif kind == "clock_step":
            self._said[kind] += 1
        elif kind == "count_snapshot":
            self._seen.window(event, self.calendar, (self._first_s or 0.0, self._last_s))

    def source(self, label: str, totals: Mapping[str, Pair]) -> Source | None:
        """The result; None: nothing of it lies in the time that is asked for.

        Args:
            label: what to call it.
            totals: the present total of each rule, as far as a journal knows it.
        """
        for event in self._early:  # its time was never known
            self._take(event, 0.0)
        self._early = []
        span = self._span()
        if span is None:
            return None
        first_s, last_s = span
        calendar = self.calendar
        starts = calendar.starts(first_s, last_s)
        gaps = [
            gap
            for gap in self._outages.gaps
            if gap.start_unix_s <= last_s and (gap.end_unix_s is None or gap.end_unix_s >= first_s)
        ]
        seen_s = self._seen.seconds(starts, calendar, span, gaps)
        lengths_s = {start: calendar.after(start) - start for start in starts}
        feet = self.feet or self._anchors
        return Source(
            id=self.id,
            label=label,
            kind=self.kind,
            calendar=calendar,
            first_s=first_s,
            last_s=last_s,
            starts=starts,
            rules=[r for rule in self._rules.values() for r in rule.rules(totals.get(rule.id))],
            zones=[zone.zone(last_s, calendar, seen_s) for zone in self._zones.values()],
            gaps=gaps,
            coverage={start: min(1.0, seen_s[start] / lengths_s[start]) for start in starts},
            seen_s=sum(seen_s.values()),
            sessions=len(self._sessions),
            frames_dropped=self._said["frames_dropped"],
            lost_events=self._said["events_lost"],
            clock_steps=self._said["clock_step"],
            flows=dict(self._flow.pairs()),
            flags=dict(self._flags),
            judged=self._judged,
            makers=tuple(self._makers),
            size=self.size,
            feet=feet.grid() if feet else None,
        )

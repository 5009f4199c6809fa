"""What has been counted, as a page shows it: fed by events, read when somebody looks.

Imports its own folder only.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from edge.web.bulletin import KEPT, Bulletin
from edge.web.chart import History, Key

# What is told one by one; the others change numbers at most.
TOLD = (
    *("line_crossed", "line_crossing_reverted", "zone_entered", "zone_exited", "zone_dwell"),
    *("overcrowding_started", "overcrowding_ended", "counter_reset", "config_changed"),
    *("source_lost", "source_restored"),
)


class Rule(NamedTuple):
    """A line or zone; points in 0..1 of the frame."""

    id: str
    kind: str
    points: tuple[tuple[float, float], ...]
    classes: tuple[str, ...] | None = None
    in_name: str | None = None
    out_name: str | None = None
    dwell_s: float | None = None


class Totals(NamedTuple):
    """Of one rule, by class name: in, out. `since` is a time as events have it, if known."""

    count_in: int = 0
    count_out: int = 0
    by_class: Mapping[str, tuple[int, int]] = {}
    since: str | None = None

    def facts(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "in": self.count_in,
            "out": self.count_out,
            "net": self.count_in - self.count_out,
            "by_class": {n: {"in": i, "out": o} for n, (i, o) in self.by_class.items()},
            "since": self.since,
        }


class Board:
    """Totals and occupancy of each rule as the events so far have it.

    Attributes:
        bulletin: the last events.
        history: counts per interval, and stays.

    Cost:
        `take`: some 50 us an event, in the main loop; nothing a frame.
    """

    def __init__(self, bulletin: Bulletin | None = None) -> None:
        self.bulletin = bulletin or Bulletin()
        self.history = History()
        self._totals: dict[Key, Totals] = {}
        self._inside: dict[Key, int] = {}
        self._crossed_s: dict[Key, float] = {}  # media time of the last passage
        self._promised: deque[str] = deque(maxlen=KEPT)  # paths of the last pictures
        self._lock = threading.Lock()

    def take(self, camera: str, event: dict[str, Any]) -> None:
        """Take one event of a camera, as it is sent to receivers."""
        rule, count = event.get("rule"), event.get("count")
        if rule is not None and count is not None:
            key = camera, rule["id"]
            with self._lock:
                self._totals[key] = _totals(count)
                if "zone" in event:
                    self._inside[key] = event["zone"]["occupancy"]
                elif event["type"] == "line_crossed":
                    self._crossed_s[key] = event["time"].get("decided_media_s", 0.0)
        self.history.take(camera, event)
        if event["type"] in TOLD:
            if (evidence := event.get("evidence")) is not None:
                self._promised.append(evidence["snapshot"])
            self.bulletin.post(told(camera, event))

    def begin_with(self, camera: str, rule: str, totals: Totals) -> None:
        """Take what a journal has of a rule."""
        with self._lock:
            self._totals[camera, rule] = totals

    def forget(self, camera: str) -> None:
        """Forget a camera."""
        with self._lock:
            for found in (self._totals, self._inside, self._crossed_s):
                for key in [key for key in found if key[0] == camera]:
                    del found[key]
        self.history.forget(camera)

    def totals(self, camera: str, rule: str) -> Totals:
        """All that a rule has counted."""
        with self._lock:
            return self._totals.get((camera, rule), Totals())

    def inside(self, camera: str, rule: str) -> int:
        """How many are in a zone."""
        with self._lock:
            return self._inside.get((camera, rule), 0)

    def is_promised(self, snapshot: str) -> bool:
        """Whether an event of late has said that there will be such a picture."""
        return snapshot in tuple(self._promised)

    def crossed_s(self, camera: str, rule: str) -> float | None:
        """Media time at which the last passage of a line was settled; None: there was none."""
        with self._lock:
            return self._crossed_s.get((camera, rule))

    def rule_facts(self, camera: str, rule: Rule) -> dict[str, Any]:
        """A rule and its numbers, as JSON knows them."""
        facts: dict[str, Any] = {
            "id": rule.id,
            "kind": rule.kind,
            "points": rule.points,
            "classes": rule.classes,
            "in_name": rule.in_name,
            "out_name": rule.out_name,
            "totals": self.totals(camera, rule.id).facts(),
        }
        if rule.kind == "zone":
            facts["occupancy"] = self.inside(camera, rule.id)
            facts["dwell"] = self.history.dwell(camera, rule.id)
            facts["dwell_s"] = rule.dwell_s
        return facts


def told(camera: str, event: dict[str, Any]) -> dict[str, Any]:
    """What the page needs of an event, and no more: no ids of devices, no fingerprints."""
    rule, time = event.get("rule", {}), event["time"]
    picked: dict[str, Any] = {
        "event_id": event["event_id"],
        "type": event["type"],
        "camera": camera,
        "rule": rule.get("id"),
        "rule_kind": rule.get("kind"),
        "direction": rule.get("direction"),
        "direction_name": rule.get("direction_name"),
        "utc": time.get("utc"),
        "media_s": time["media_s"],
    }
    if (who := event.get("object")) is not None:
        picked |= {"class": who["class"], "track_id": who.get("track_id")}
    if (count := event.get("count")) is not None:
        picked["totals"] = _totals(count).facts()
    if (zone := event.get("zone")) is not None:
        picked |= {"occupancy": zone["occupancy"], "dwell_s": zone.get("dwell_s")}
    if (evidence := event.get("evidence")) is not None:
        picked["picture"] = f"/evidence/{evidence['snapshot']}"
    for key in ("reason", "gap_s", "end_reason"):
        if key in event:
            picked[key] = event[key]
    return {key: value for key, value in picked.items() if value is not None}


def _totals(count: Mapping[str, Any]) -> Totals:
    by_class = {name: (pair["in"], pair["out"]) for name, pair in count["by_class"].items()}
    return Totals(count["in"], count["out"], by_class, count.get("since"))

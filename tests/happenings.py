"""Events as the schema has them, made by hand, for tests of what reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from edge.events.envelope import utc_text
from edge.events.outages import Outages
from edge.report import Gathering, Summary

DAY = 1_790_208_000.0  # 2026-09-24 00:00 UTC


class Teller:
    """Tells what one source sees: numbers events, keeps totals, makes ids."""

    def __init__(self, source: str = "door", kind: str = "rtsp", begin_s: float = DAY) -> None:
        self.source, self.kind, self.begin_s = source, kind, begin_s
        self.session = 1
        self.seq = 0
        self.totals: dict[str, list[int]] = {}
        self.classes: dict[str, dict[str, list[int]]] = {}
        self.told: list[dict[str, Any]] = []
        self.run = 0

    def crossed(self, at_s: float, way: str = "in", rule: str = "gate", **more: Any):
        return self._counted("line_crossed", "line", at_s, way, rule, 1, **more)

    def reverted(self, at_s: float, corrects: Mapping[str, Any]):
        rule = corrects["rule"]
        more = {"name": corrects["object"]["class"], "track": corrects["object"]["track_id"]}
        found = self._counted(
            "line_crossing_reverted", "line", at_s, rule["direction"], rule["id"], -1, **more
        )
        found["corrects"] = corrects["event_id"]
        return found

    def entered(self, at_s: float, occupancy: int, rule: str = "hall", **more: Any):
        found = self._counted("zone_entered", "zone", at_s, "in", rule, 1, **more)
        found["zone"] = {"occupancy": occupancy}
        return found

    def exited(self, at_s: float, occupancy: int, dwell_s: float | None, rule="hall", **more: Any):
        found = self._counted("zone_exited", "zone", at_s, "out", rule, 1, **more)
        found["zone"] = {"occupancy": occupancy} | ({"dwell_s": dwell_s} if dwell_s else {})
        return found

    def said(self, at_s: float, kind: str, rule: str | None = None, **more: Any) -> dict[str, Any]:
        """An event that counts nothing; with a rule it states the totals."""
        parts: dict[str, Any] = {}
        if rule is not None:
            parts["rule"] = {"id": rule, "kind": "line", "config_rev": "sha256:1"}
            parts["count"] = self._count(rule, 0)
        return self._event(kind, at_s, {**parts, **more})

    def stopped(self, at_s: float) -> dict[str, Any]:
        counts = [{"rule_id": rule, "count": self._count(rule, 0)} for rule in self.totals]
        return self._event("stopped", at_s, {"counts": counts})

    def started(self, at_s: float = 0.0, *rules: str) -> dict[str, Any]:
        """Also of a run after another: then totals begin again at 0, as without a journal."""
        self.run += 1
        self.seq, self.totals, self.classes = 0, {}, {}
        listed = [{"id": r, "kind": "line", "config_rev": "sha256:1"} for r in rules]
        return self._event("started", at_s, {"rules": listed})

    def _counted(self, kind, rule_kind, at_s, way, rule, delta, name="person", track=1, **more):
        place = ("in", "out").index(way)
        self.totals.setdefault(rule, [0, 0])[place] += delta
        self.classes.setdefault(rule, {}).setdefault(name, [0, 0])[place] += delta
        parts = {
            "rule": {"id": rule, "kind": rule_kind, "direction": way, "config_rev": "sha256:1"},
            "object": {
                "track_id": track,
                "track_uid": f"{self.source}:{self.session}:{track}",
                "class": name,
                "class_id": 0,
                "class_share": 1.0,
                "confidence": 0.9,
                "age_s": 1.0,
                "hits": 9,
                "bbox": [20.0, 10.0, 30.0, 40.0],
                "anchor": {"x": 25.0, "y": 40.0, "kind": "mask_foot"},
            },
            "count": self._count(rule, delta),
            "quality": {"flags": [], "group_size": 1},
        }
        return self._event(kind, at_s, parts | more)

    def _count(self, rule: str, delta: int) -> dict[str, Any]:
        ins, outs = self.totals.setdefault(rule, [0, 0])
        classes = self.classes.get(rule, {})
        by_class = {n: {"in": b[0], "out": b[1]} for n, b in classes.items()}
        count = {"delta": delta, "in": ins, "out": outs, "net": ins - outs, "by_class": by_class}
        return count | {"since_media_s": 0.0}

    def _event(self, kind: str, at_s: float, parts: Mapping[str, Any]) -> dict[str, Any]:
        self.seq += 1
        what = f"{self.source} {self.kind} {self.run} {self.session} {self.seq}"
        time: dict[str, Any] = {"media_s": at_s, "frame": max(0, int(at_s * 10))}
        if self.kind not in ("file", "folder"):
            time["utc"] = utc_text(self.begin_s + at_s)
        event = {
            "schema": "count-event/1.0",
            "event_id": hashlib.sha256(what.encode()).hexdigest()[:32],
            "seq": self.seq,
            "type": kind,
            "time": time,
            "source": {"id": self.source, "kind": self.kind, "session": self.session}
            | {"width": 64, "height": 48},
            **parts,
            "device": {"id": "box", "app": "0"},
        }
        self.told.append(event)
        return event


def summed(events: Iterable[Mapping[str, Any]], **options: Any) -> Summary:
    """The summary of events."""
    gathering = Gathering(Outages, **options)
    for event in events:
        gathering.add(event)
    return gathering.summary()

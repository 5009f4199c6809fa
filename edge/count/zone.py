"""Counting in a zone: who entered, who left, how long they stayed.

With hysteresis in space (the edge is a band) and in time (a stay must last to count), so that
somebody who lingers on the edge neither enters nor leaves twice. All tracks move at once, as
arrays; only those that enter, leave or reach the dwell time are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from edge.count.crowd import Covered, Crowd, Overcrowding
from edge.count.facts import facts
from edge.count.line import Band
from edge.count.live import LiveRecords
from edge.geometry import polygon_distance
from edge.types import (
    F64,
    I64,
    CountEvent,
    EventKind,
    Instances,
    Stamp,
    Totals,
    TrackFacts,
    Tracks,
    TrackState,
)


@dataclass(frozen=True, slots=True)
class ZoneTimes:
    """How long something must last, seconds."""

    enter_s: float = 0.3
    exit_s: float = 0.5
    dwell_s: float | None = None  # a longer stay gives one zone_dwell event


_RECORD = np.dtype(
    [
        ("inside", np.bool_),
        ("since_s", np.float64),  # start of an unbroken stay on the side not yet taken; or NaN
        ("since_frame", np.int64),
        ("entered_s", np.float64),
        ("dwelt", np.bool_),
        ("class_id", np.int32),  # with which it entered
        ("seen_s", np.float64),  # last sighting
    ]
)


@dataclass(frozen=True, slots=True)
class _Scene:
    """One frame, as far as events need it."""

    stamp: Stamp
    tracks: Tracks
    instances: Instances

    def facts_of(self, track_id: int) -> TrackFacts:
        row = int(np.searchsorted(self.tracks.ids, track_id))
        crop = self.instances.masks.crop(int(self.tracks.instance[row]))
        return facts(self.tracks, row, int(np.count_nonzero(crop)))


class ZoneCounter:
    """One zone; remembers live tracks only."""

    def __init__(
        self,
        rule_id: str,
        polygon: F64,
        class_ids: Collection[int] | None,
        band: Band,
        times: ZoneTimes,
        crowd: Crowd | None = None,
    ) -> None:
        """Begin empty.

        Args:
            rule_id: name of the zone.
            polygon: float64 (K, 2) corners in frame pixels.
            class_ids: which classes count; None: all.
            band: how far from the edge a side is clear.
            times: how long a side must be held.
            crowd: when to say how full it is; None: never.
        """
        self.rule_id = rule_id
        self.polygon = polygon
        self._low, self._high = polygon.min(0), polygon.max(0)  # the box round it
        self._class_ids = None if class_ids is None else sorted(class_ids)
        self._band = band
        self._times = times
        self._crowd = crowd or Crowd()
        self._next_s = 0.0  # when to say so again
        self._overcrowding = Overcrowding(self._crowd, times.enter_s, times.exit_s)
        self._covered = Covered(polygon, class_ids)
        blank = np.zeros((), _RECORD)
        blank["since_s"] = blank["seen_s"] = np.nan
        self._live = LiveRecords(blank)
        self._before: _Scene | None = None  # the last frame with sightings
        self._newest: _Scene | None = None
        self._vanished: dict[int, tuple[TrackFacts, Stamp]] = {}  # inside, as last seen
        self._by_class: dict[int, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """Entries and exits so far; a track leaves in the class in which it entered."""
        ins = sum(i for i, _ in self._by_class.values())
        outs = sum(o for _, o in self._by_class.values())
        return Totals(ins, outs, dict(sorted(self._by_class.items())))

    @property
    def occupancy(self) -> int:
        """Tracks inside now."""
        return int(np.count_nonzero(self._live.records["inside"]))

    def update(self, stamp: Stamp, tracks: Tracks, instances: Instances) -> list[CountEvent]:
        """Entries, exits and long stays that this frame settles, by track id."""
        scene = _Scene(stamp, tracks, instances)
        is_seen = (tracks.instance >= 0) & (tracks.states == TrackState.CONFIRMED)
        rows = np.flatnonzero(is_seen)
        at = self._live.find(tracks.ids[rows])
        if self._class_ids is not None:  # whoever entered also leaves, whatever it turned into
            counts = np.isin(tracks.class_ids[rows], self._class_ids)
            counts |= self._live.records["inside"][at]
            rows, at = rows[counts], at[counts]
        self._note_vanished(stamp, at)
        events = self._ended(scene)
        if len(rows):
            at = self._live.find(tracks.ids[rows])
            events += self._seen(scene, rows, at)
            self._before = scene
        self._newest = scene
        return events + self._fullness(scene)

    def finish(self) -> list[CountEvent]:
        """What ends with the pictures: the stays of all inside, as last seen, and overcrowding."""
        events: list[CountEvent] = []
        if (scene := self._before) is not None:
            for track_id in self._live.ids[self._live.records["inside"]].tolist():
                if track_id in self._vanished:
                    track, seen = self._vanished.pop(track_id)
                else:
                    track, seen = scene.facts_of(track_id), scene.stamp
                at = int(self._live.find(np.array([track_id]))[0])
                events.append(self._left(at, seen, scene, track))
        if (scene := self._newest) is not None and self._overcrowding.finish():
            events.append(self._event("overcrowding_ended", scene.stamp, scene, None, 0.0))
        return events

    def _note_vanished(self, stamp: Stamp, at: I64) -> None:
        """Keep how tracks inside looked when they were last seen, in case they end."""
        live = self._live.records
        live["seen_s"][at] = stamp.media_s
        if self._vanished:
            for track_id in self._vanished.keys() & set(self._live.ids[at].tolist()):
                del self._vanished[track_id]
        before = self._before
        if before is not None and before.stamp.media_s < stamp.media_s:
            gone = live["inside"] & (live["seen_s"] == before.stamp.media_s)
            for track_id in self._live.ids[gone].tolist():
                self._vanished[track_id] = (before.facts_of(track_id), before.stamp)

    def _ended(self, scene: _Scene) -> list[CountEvent]:
        events: list[CountEvent] = []
        ended = scene.tracks.ended
        if self._vanished:
            for track_id in sorted(self._vanished.keys() & set(ended.tolist())):
                track, seen = self._vanished.pop(track_id)
                at = int(self._live.find(np.array([track_id]))[0])
                events.append(self._left(at, seen, scene, track))
        self._live.forget(ended)
        return events

    def _seen(self, scene: _Scene, rows: I64, at: I64) -> list[CountEvent]:
        stamp, tracks, times = scene.stamp, scene.tracks, self._times
        live = self._live.records
        feet = tracks.feet[rows].astype(np.float64)
        # Who is far outside, and was before, has nothing to settle.
        near = ((feet > self._low) & (feet < self._high)).all(1)
        near |= live["inside"][at] | ~np.isnan(live["since_s"][at])
        if not near.all():
            rows, at, feet = rows[near], at[near], feet[near]
        distances = polygon_distance(feet, self.polygon)
        widths_px = self._band.width_px(tracks.heights[rows].astype(np.float64))
        inside = live["inside"][at]
        outward = np.where(inside, -distances, distances)  # towards the side not yet taken
        since_s = live["since_s"][at]
        since_s[outward < 0] = np.nan
        starts = (outward > widths_px) & np.isnan(since_s)
        since_s[starts] = stamp.media_s
        live["since_s"][at] = since_s
        live["since_frame"][at[starts]] = stamp.frame
        needed_s = np.where(inside, times.exit_s, times.enter_s)
        special = stamp.media_s - since_s >= needed_s - 1e-9
        if times.dwell_s is not None:
            special |= (
                inside
                & ~live["dwelt"][at]
                & (stamp.media_s - live["entered_s"][at] >= times.dwell_s)
            )
        events: list[CountEvent] = []
        for k in np.flatnonzero(special).tolist():
            events += self._settled(int(at[k]), scene)
        return events

    def _settled(self, at: int, scene: _Scene) -> list[CountEvent]:
        """Entry, exit or long stay of one track."""
        r, stamp = self._live.records[at], scene.stamp
        track = scene.facts_of(int(self._live.ids[at]))
        events: list[CountEvent] = []
        needed_s = self._times.exit_s if r["inside"] else self._times.enter_s
        if stamp.media_s - r["since_s"] >= needed_s - 1e-9:
            settled = Stamp(int(r["since_frame"]), float(r["since_s"]))
            r["since_s"] = np.nan
            if r["inside"]:
                events.append(self._left(at, settled, scene, track))
            else:
                r["inside"], r["entered_s"], r["dwelt"] = True, settled.media_s, False
                r["class_id"] = track.class_id
                self._add(track.class_id, entered=True)
                events.append(self._event("zone_entered", settled, scene, track, 0.0))
        stayed_s = stamp.media_s - float(r["entered_s"])
        threshold_s = self._times.dwell_s
        if r["inside"] and threshold_s is not None and not r["dwelt"] and stayed_s >= threshold_s:
            r["dwelt"] = True
            events.append(self._event("zone_dwell", stamp, scene, track, stayed_s))
        return events

    def _left(self, at: int, when: Stamp, scene: _Scene, track: TrackFacts) -> CountEvent:
        r = self._live.records[at]
        r["inside"] = False
        self._add(int(r["class_id"]), entered=False)
        return self._event("zone_exited", when, scene, track, when.media_s - float(r["entered_s"]))

    def _fullness(self, scene: _Scene) -> list[CountEvent]:
        """What is said of the zone as a whole."""
        events: list[CountEvent] = []
        stamp, crowd = scene.stamp, self._crowd
        if crowd.is_limited:
            area_share = 0.0 if crowd.area_share is None else self._covered.share(scene.instances)
            change = self._overcrowding.update(stamp, self.occupancy, area_share)
            if change is not None:
                kind: EventKind = "overcrowding_started" if change[0] else "overcrowding_ended"
                events.append(self._event(kind, change[1], scene, None, 0.0))
        if crowd.every_s is not None and stamp.media_s >= self._next_s - 1e-9:
            self._next_s = (stamp.media_s // crowd.every_s + 1) * crowd.every_s
            events.append(self._event("zone_occupancy", stamp, scene, None, 0.0))
        return events

    def _add(self, class_id: int, entered: bool) -> None:
        ins, outs = self._by_class.get(class_id, (0, 0))
        self._by_class[class_id] = (ins + entered, outs + (not entered))

    def _event(
        self,
        kind: EventKind,
        when: Stamp,
        scene: _Scene,
        track: TrackFacts | None,
        dwell_s: float,
    ) -> CountEvent:
        return CountEvent(
            kind=kind,
            rule_id=self.rule_id,
            media_s=when.media_s,
            frame=when.frame,
            decided=scene.stamp,
            direction="in" if kind == "zone_entered" else "out" if kind == "zone_exited" else "",
            delta=1 if kind in ("zone_entered", "zone_exited") else 0,
            totals=self.totals,
            track=track,
            dwell_s=dwell_s,
            occupancy=self.occupancy,
            area_fraction=self._covered.share(scene.instances),
        )

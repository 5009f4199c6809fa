"""Counting in a zone: who entered, who left, how long they stayed.

With hysteresis in space (the edge is a band) and in time (a stay must last to count), so that
somebody who lingers on the edge neither enters nor leaves twice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from edge import masks as mask_ops
from edge.count.facts import facts
from edge.count.line import Band
from edge.geometry import polygon_distance, polygon_mask
from edge.types import (
    F64,
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


@dataclass(slots=True)
class _Stay:
    """Where one track stands with regard to the zone."""

    inside: bool = False
    since: Stamp | None = None  # start of an unbroken stay on the side not yet taken
    entered_s: float = 0.0
    dwelt: bool = False
    last: tuple[TrackFacts, Stamp] | None = None  # as last seen, for one that vanishes


class ZoneCounter:
    """One zone; remembers live tracks only."""

    def __init__(
        self,
        rule_id: str,
        polygon: F64,
        class_ids: Collection[int] | None,
        band: Band,
        times: ZoneTimes,
    ) -> None:
        """Begin empty.

        Args:
            rule_id: name of the zone.
            polygon: float64 (K, 2) corners in frame pixels.
            class_ids: which classes count; None: all.
            band: how far from the edge a side is clear.
            times: how long a side must be held.
        """
        self.rule_id = rule_id
        self.polygon = polygon
        self._class_ids = class_ids
        self._band = band
        self._times = times
        self._stays: dict[int, _Stay] = {}
        self._by_class: dict[int, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """Entries and exits so far."""
        ins = sum(i for i, _ in self._by_class.values())
        outs = sum(o for _, o in self._by_class.values())
        return Totals(ins, outs, dict(sorted(self._by_class.items())))

    @property
    def occupancy(self) -> int:
        """Tracks inside now."""
        return sum(s.inside for s in self._stays.values())

    def update(self, stamp: Stamp, tracks: Tracks, instances: Instances) -> list[CountEvent]:
        """Entries, exits and long stays that this frame settles, by track id."""
        events: list[CountEvent] = []
        for track_id in tracks.ended.tolist():
            stay = self._stays.pop(track_id, None)
            if stay and stay.inside and stay.last:
                track, seen = stay.last
                events += self._left(stay, seen, stamp, track, instances)
        confirmed = (tracks.instance >= 0) & (tracks.states == TrackState.CONFIRMED)
        rows = [r for r in np.flatnonzero(confirmed).tolist() if self._counts(tracks, r)]
        distances = polygon_distance(tracks.feet[rows], self.polygon)
        areas = mask_ops.area(instances.masks)
        for row, distance in zip(rows, distances.tolist(), strict=True):
            stay = self._stays.setdefault(int(tracks.ids[row]), _Stay())
            track = facts(tracks, row, int(areas[tracks.instance[row]]))
            width_px = self._band.width_px(float(tracks.heights[row]))
            events += self._step(stay, distance, width_px, stamp, track, instances)
            stay.last = (track, stamp)
        return events

    def _counts(self, tracks: Tracks, row: int) -> bool:
        return self._class_ids is None or int(tracks.class_ids[row]) in self._class_ids

    def _step(
        self,
        stay: _Stay,
        distance: float,
        width_px: float,
        stamp: Stamp,
        track: TrackFacts,
        instances: Instances,
    ) -> list[CountEvent]:
        other = distance < -width_px if stay.inside else distance > width_px
        back = distance > 0 if stay.inside else distance < 0
        if back:
            stay.since = None
        elif other and stay.since is None:
            stay.since = stamp
        events: list[CountEvent] = []
        needed_s = self._times.exit_s if stay.inside else self._times.enter_s
        if stay.since is not None and stamp.media_s - stay.since.media_s >= needed_s - 1e-9:
            settled, stay.since = stay.since, None
            if stay.inside:
                events += self._left(stay, settled, stamp, track, instances)
            else:
                stay.inside, stay.entered_s, stay.dwelt = True, settled.media_s, False
                self._add(track.class_id, entered=True)
                events.append(self._event("zone_entered", settled, stamp, track, instances, 0.0))
        stayed_s = stamp.media_s - stay.entered_s
        threshold_s = self._times.dwell_s
        if stay.inside and threshold_s is not None and not stay.dwelt and stayed_s >= threshold_s:
            stay.dwelt = True
            events.append(self._event("zone_dwell", stamp, stamp, track, instances, stayed_s))
        return events

    def _left(
        self, stay: _Stay, when: Stamp, decided: Stamp, track: TrackFacts, instances: Instances
    ) -> list[CountEvent]:
        stay.inside = False
        self._add(track.class_id, entered=False)
        dwell_s = when.media_s - stay.entered_s
        return [self._event("zone_exited", when, decided, track, instances, dwell_s)]

    def _add(self, class_id: int, entered: bool) -> None:
        ins, outs = self._by_class.get(class_id, (0, 0))
        self._by_class[class_id] = (ins + entered, outs + (not entered))

    def _event(
        self,
        kind: EventKind,
        when: Stamp,
        decided: Stamp,
        track: TrackFacts,
        instances: Instances,
        dwell_s: float,
    ) -> CountEvent:
        return CountEvent(
            kind=kind,
            rule_id=self.rule_id,
            media_s=when.media_s,
            frame=when.frame,
            decided=decided,
            direction="in" if kind == "zone_entered" else "out" if kind == "zone_exited" else "",
            delta=0 if kind == "zone_dwell" else 1,
            totals=self.totals,
            track=track,
            dwell_s=dwell_s,
            occupancy=self.occupancy,
            area_fraction=self._area_fraction(instances),
        )

    def _area_fraction(self, instances: Instances) -> float:
        """Share of the zone's pixels under any mask; computed for events only."""
        masks = instances.masks
        zone = polygon_mask(self.polygon, masks.height, masks.width)
        covered = mask_ops.instance_map(masks) > 0
        return float(np.count_nonzero(zone & covered)) / max(1, int(np.count_nonzero(zone)))

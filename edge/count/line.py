"""Counting at a line: who passed it, which way, when.

A passage needs three things: the track was clearly on one side, is now clearly on the other
(beyond a band that grows with its height, so that jitter decides nothing), and its path met the
line between its ends. A band instead of a frame count, so frame rates do not matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from edge import masks as mask_ops
from edge.count.facts import facts
from edge.geometry import crossing, side_distance
from edge.types import F64, CountEvent, Instances, Stamp, Totals, Tracks, TrackState


@dataclass(frozen=True, slots=True)
class Band:
    """How far from the line a side is clear."""

    height_share: float = 0.05
    min_px: float = 3.0

    def width_px(self, height_px: float) -> float:
        """Half width of the band for an object of this height, pixels."""
        return max(self.min_px, self.height_share * height_px)


@dataclass(frozen=True, slots=True)
class _Point:
    stamp: Stamp
    at: F64  # (2,)


@dataclass(slots=True)
class _Passage:
    """Where one track stands with regard to the line."""

    recent: deque[_Point] = field(default_factory=lambda: deque(maxlen=3))
    side: int = 0  # +1 left, -1 right, 0 not yet clear
    here: _Point | None = None  # last point on that side, clear or not
    beyond: _Point | None = None  # first point of an unbroken stay on the other side
    sightings: int = 0  # how often clearly on the other side since


class LineCounter:
    """One line; remembers live tracks only."""

    def __init__(
        self, rule_id: str, line: F64, class_ids: Collection[int] | None, band: Band
    ) -> None:
        """Begin with totals of zero.

        Args:
            rule_id: name of the line.
            line: float64 (K, 2) points in frame pixels.
            class_ids: which classes count; None: all.
            band: how far from the line a side is clear.
        """
        self.rule_id = rule_id
        self.line = line
        self._class_ids = class_ids
        self._band = band
        self._passages: dict[int, _Passage] = {}
        self._tentative: dict[int, list[tuple[Stamp, F64, float]]] = {}
        self._by_class: dict[int, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """Running totals."""
        ins = sum(i for i, _ in self._by_class.values())
        outs = sum(o for _, o in self._by_class.values())
        return Totals(ins, outs, dict(sorted(self._by_class.items())))

    def update(self, stamp: Stamp, tracks: Tracks, instances: Instances) -> list[CountEvent]:
        """Passages that this frame settles, by track id."""
        events = []
        for row in np.flatnonzero(tracks.instance >= 0).tolist():
            track_id = int(tracks.ids[row])
            seen = (stamp, tracks.feet[row].astype(np.float64), float(tracks.heights[row]))
            if tracks.states[row] == TrackState.TENTATIVE:
                self._tentative.setdefault(track_id, []).append(seen)
                continue
            # What a track did before it was confirmed counts now.
            for when, foot, height_px in [*self._tentative.pop(track_id, []), seen]:
                passed = self._step(track_id, when, foot, height_px)
                if passed is not None and self._counts(tracks, row):
                    events.append(self._event(passed, stamp, tracks, row, instances))
        for track_id in tracks.ended.tolist():
            self._passages.pop(track_id, None)
            self._tentative.pop(track_id, None)
        return events

    def _counts(self, tracks: Tracks, row: int) -> bool:
        return self._class_ids is None or int(tracks.class_ids[row]) in self._class_ids

    def _step(
        self, track_id: int, stamp: Stamp, foot: F64, height_px: float
    ) -> tuple[int, float, F64, int] | None:
        """Side reached, time, place and frame of a passage, if this sighting settles one."""
        p = self._passages.setdefault(track_id, _Passage())
        p.recent.append(_Point(stamp, foot))
        # The middle of three sightings: one bad foot moves nothing.
        now = _Point(stamp, np.median([q.at for q in p.recent], axis=0))
        distance = float(side_distance(now.at[None], self.line)[0])
        width_px = self._band.width_px(height_px)
        side = 1 if distance > 0 else -1
        if p.side == 0:
            if abs(distance) > width_px:  # the first clear side counts nothing
                p.side, p.here = side, now
            return None
        if side == p.side:
            p.here, p.beyond, p.sightings = now, None, 0
            return None
        p.beyond = p.beyond or now
        if abs(distance) <= width_px:
            return None
        p.sightings += 1
        if p.sightings < 2 and abs(distance) <= 4 * width_px:
            return None
        passed = self._passage(p.here, p.beyond, side)
        p.side, p.here, p.beyond, p.sightings = side, now, None, 0
        return passed

    def _passage(
        self, here: _Point | None, beyond: _Point, side: int
    ) -> tuple[int, float, F64, int] | None:
        share = None if here is None else crossing(here.at, beyond.at, self.line)
        if here is None or share is None:
            return None  # round the end of the line
        before, after = here.stamp.media_s, beyond.stamp.media_s
        place = here.at + share * (beyond.at - here.at)
        return side, before + share * (after - before), place, beyond.stamp.frame

    def _event(
        self,
        passed: tuple[int, float, F64, int],
        stamp: Stamp,
        tracks: Tracks,
        row: int,
        instances: Instances,
    ) -> CountEvent:
        side, media_s, place, frame = passed
        class_id = int(tracks.class_ids[row])
        ins, outs = self._by_class.get(class_id, (0, 0))
        is_in = side < 0  # from the left-hand side to the right-hand side
        self._by_class[class_id] = (ins + is_in, outs + (not is_in))
        area_px = int(mask_ops.area(instances.masks)[tracks.instance[row]])
        track = facts(tracks, row, area_px)
        return CountEvent(
            kind="line_crossed",
            rule_id=self.rule_id,
            media_s=media_s,
            frame=frame,
            decided=stamp,
            direction="in" if is_in else "out",
            delta=1,
            totals=self.totals,
            track=replace(track, foot=(float(place[0]), float(place[1]))),
        )

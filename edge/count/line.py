"""Counting at a line: who passed it, which way, when.

A passage needs three things: the track was clearly on one side, is now clearly on the other
(beyond a band that grows with its height, so that jitter decides nothing), and its path met the
line between its ends. A band instead of a frame count, so frame rates do not matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from edge.count.facts import facts
from edge.geometry import crossing, side_distance
from edge.types import F64, CountEvent, Instances, Stamp, Totals, Tracks, TrackState


@dataclass(frozen=True, slots=True)
class Band:
    """How far from the line a side is clear."""

    height_share: float = 0.07
    min_px: float = 3.0

    def width_px(self, height_px: float) -> float:
        """Half width of the band for an object of this height, pixels."""
        return max(self.min_px, self.height_share * height_px)


@dataclass(frozen=True, slots=True)
class _Point:
    stamp: Stamp
    x: float
    y: float


@dataclass(slots=True)
class _Passage:
    """Where one track stands with regard to the line."""

    recent: deque[_Point] = field(default_factory=lambda: deque(maxlen=3))
    side: int = 0  # +1 left, -1 right, 0 not yet clear
    here: _Point | None = None  # last point on that side, clear or not
    beyond: _Point | None = None  # first point of an unbroken stay on the other side
    sightings: int = 0  # how often clearly on the other side since

    def smoothed(self, now: _Point) -> _Point:
        """The middle of the last three sightings, so that one bad foot moves nothing."""
        self.recent.append(now)
        # The time is the middle one too: even motion is not delayed by a frame.
        frame = self.recent[len(self.recent) // 2].stamp.frame
        return _Point(
            Stamp(frame, median(p.stamp.media_s for p in self.recent)),
            median(p.x for p in self.recent),
            median(p.y for p in self.recent),
        )


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
        self._tentative: dict[int, list[tuple[int, _Point, float]]] = {}
        self._by_class: dict[int, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """Running totals."""
        ins = sum(i for i, _ in self._by_class.values())
        outs = sum(o for _, o in self._by_class.values())
        return Totals(ins, outs, dict(sorted(self._by_class.items())))

    def update(self, stamp: Stamp, tracks: Tracks, instances: Instances) -> list[CountEvent]:
        """Passages that this frame settles, by track id."""
        sightings: list[tuple[int, _Point, float]] = []  # row, foot, height
        for row in np.flatnonzero(tracks.instance >= 0).tolist():
            track_id = int(tracks.ids[row])
            x, y = tracks.feet[row].tolist()
            seen = (row, _Point(stamp, x, y), float(tracks.heights[row]))
            if tracks.states[row] == TrackState.TENTATIVE:
                self._tentative.setdefault(track_id, []).append(seen)
                continue
            # What a track did before it was confirmed counts now.
            sightings += [(row, p, h) for _, p, h in self._tentative.pop(track_id, [])]
            sightings.append(seen)
        events = self._steps(stamp, sightings, tracks, instances)
        for track_id in tracks.ended.tolist():
            self._passages.pop(track_id, None)
            self._tentative.pop(track_id, None)
        return events

    def _steps(
        self,
        stamp: Stamp,
        sightings: list[tuple[int, _Point, float]],
        tracks: Tracks,
        instances: Instances,
    ) -> list[CountEvent]:
        passages = [
            self._passages.setdefault(int(tracks.ids[row]), _Passage()) for row, _, _ in sightings
        ]
        points = [p.smoothed(at) for p, (_, at, _) in zip(passages, sightings, strict=True)]
        distances = side_distance(
            np.array([(q.x, q.y) for q in points], np.float64).reshape(-1, 2), self.line
        )
        events = []
        for (row, _, height_px), passage, point, distance in zip(
            sightings, passages, points, distances.tolist(), strict=True
        ):
            passed = self._step(passage, point, distance, self._band.width_px(height_px))
            if passed is not None and self._counts(tracks, row):
                events.append(self._event(passed, stamp, tracks, row, instances))
        return events

    def _counts(self, tracks: Tracks, row: int) -> bool:
        return self._class_ids is None or int(tracks.class_ids[row]) in self._class_ids

    def _step(
        self, p: _Passage, now: _Point, distance: float, width_px: float
    ) -> tuple[int, _Point] | None:
        """Side reached and where and when, if this sighting settles a passage."""
        # Exactly on the line is beyond it: a way that starts on the line would not meet it.
        side = 1 if distance > 0 else -1 if distance < 0 else -p.side
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
        met = self._met(p.here, p.beyond)
        p.side, p.here, p.beyond, p.sightings = side, now, None, 0
        return None if met is None else (side, met)

    def _met(self, here: _Point | None, beyond: _Point) -> _Point | None:
        """Where and when the way between two sightings meets the line; None: round its end."""
        if here is None:
            return None
        share = crossing(np.array([here.x, here.y]), np.array([beyond.x, beyond.y]), self.line)
        if share is None:
            return None
        before_s, after_s = here.stamp.media_s, beyond.stamp.media_s
        return _Point(
            Stamp(beyond.stamp.frame, before_s + share * (after_s - before_s)),
            here.x + share * (beyond.x - here.x),
            here.y + share * (beyond.y - here.y),
        )

    def _event(
        self,
        passed: tuple[int, _Point],
        stamp: Stamp,
        tracks: Tracks,
        row: int,
        instances: Instances,
    ) -> CountEvent:
        side, met = passed
        class_id = int(tracks.class_ids[row])
        ins, outs = self._by_class.get(class_id, (0, 0))
        is_in = side < 0  # from the left-hand side to the right-hand side
        self._by_class[class_id] = (ins + is_in, outs + (not is_in))
        area_px = int(np.count_nonzero(instances.masks.crop(int(tracks.instance[row]))))
        return CountEvent(
            kind="line_crossed",
            rule_id=self.rule_id,
            media_s=met.stamp.media_s,
            frame=met.stamp.frame,
            decided=stamp,
            direction="in" if is_in else "out",
            delta=1,
            totals=self.totals,
            track=replace(facts(tracks, row, area_px), foot=(met.x, met.y)),
        )

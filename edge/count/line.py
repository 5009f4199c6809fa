"""Counting at a line: who passed it, which way, when; and which passages were none after all.

A passage needs three things: the track was clearly on one side, is now clearly on the other
(beyond a band that grows with its height, so that jitter decides nothing), and its path met the
line between its ends. A band instead of a frame count, so frame rates do not matter.

All tracks move at once, as arrays: most are clearly where they were, which one comparison tells.
Only the others are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.count.facts import facts
from edge.count.live import LiveRecords
from edge.geometry import crossing, side_distance
from edge.types import (
    F64,
    I64,
    CountEvent,
    Instances,
    Stamp,
    Totals,
    TrackFlag,
    Tracks,
    TrackState,
)


@dataclass(frozen=True, slots=True)
class Band:
    """How far from the line a side is clear."""

    height_share: float = 0.07
    min_px: float = 3.0

    def width_px(self, height_px: F64 | float) -> F64:
        """Half width of the band for objects of this height, pixels."""
        width: F64 = np.maximum(self.min_px, self.height_share * np.asarray(height_px))
        return width


_INFERRED, _TENTATIVE = int(TrackFlag.FOOT_INFERRED), int(TrackState.TENTATIVE)

# Points are (media seconds, frame, x, y).
_RECORD = np.dtype(
    [
        ("recent", np.float64, (3, 4)),  # the last three sightings, in any order
        ("seen", np.int64),  # sightings so far
        ("side", np.int8),  # +1 left, -1 right, 0 not yet clear
        ("here", np.float64, 4),  # last point on that side, clear or not
        ("beyond", np.float64, 4),  # first point of an unbroken stay on the other side
        ("sightings", np.int32),  # how often clearly there since; -1: not there
        ("is_real", np.bool_),  # a foot that is seen, not inferred, was clearly there
        ("class_id", np.int32),  # of the last passage, as counted; -1: there was none
        ("is_open", np.bool_),  # something about its passages is still to be settled
    ]
)


@dataclass(slots=True)
class _Passage:
    """One way across the line, kept while the track may still prove it wrong."""

    side: int  # reached
    met: F64  # where and when the path met the line: a point
    is_proven: bool  # a foot that is seen, not inferred, was clearly beyond
    class_id: int = -1  # the track's when it was told; -1: not yet
    event: CountEvent | None = None  # as told; None: that class does not count


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One track in this frame, for those that need a closer look."""

    track_id: int
    row: int  # in tracks
    at: int  # in the records
    point: F64  # smoothed
    distance: float  # of that point, pixels, positive on the left
    width_px: float  # half width of the band
    real_side: int  # where the foot itself is clearly seen; 0: nowhere


class LineCounter:
    """One line; remembers live tracks only, and the last passage of each."""

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
        blank = np.zeros((), _RECORD)
        blank["sightings"] = blank["class_id"] = -1
        self._live = LiveRecords(blank)
        self._passages: dict[int, list[_Passage]] = {}  # of one track, oldest first
        self._by_class: dict[int, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """Running totals."""
        ins = sum(i for i, _ in self._by_class.values())
        outs = sum(o for _, o in self._by_class.values())
        return Totals(ins, outs, dict(sorted(self._by_class.items())))

    def update(self, stamp: Stamp, tracks: Tracks, instances: Instances) -> list[CountEvent]:
        """Passages that this frame settles or takes back, by track id."""
        rows = np.flatnonzero(tracks.instance >= 0)
        events = self._seen(stamp, tracks, instances, rows) if len(rows) else []
        self._live.forget(tracks.ended)
        if self._passages:
            for track_id in self._passages.keys() & set(tracks.ended.tolist()):
                del self._passages[track_id]
        return events

    def _seen(
        self, stamp: Stamp, tracks: Tracks, instances: Instances, rows: I64
    ) -> list[CountEvent]:
        at = self._live.find(tracks.ids[rows])
        live = self._live.records
        feet = tracks.feet[rows].astype(np.float64)
        points = _smoothed(live, at, stamp, feet)
        distances = side_distance(points[:, 2:], self.line)
        widths_px = self._band.width_px(tracks.heights[rows].astype(np.float64))
        sides = live["side"][at]
        is_calm = sides * distances > 0  # where they were
        if not sides.all():
            # The first clear side counts nothing.
            first = (sides == 0) & (np.abs(distances) > widths_px)
            live["side"][at[first]] = np.sign(distances[first])
            is_calm |= sides == 0
            live["here"][at[first]] = points[first]
        live["here"][at[is_calm]] = points[is_calm]
        live["sightings"][at[is_calm]] = -1
        told = live["class_id"][at]
        changed = (told >= 0) & (told != tracks.class_ids[rows])
        special = np.flatnonzero(~is_calm | live["is_open"][at] | changed)
        if not len(special):
            return []
        foot_distances = side_distance(feet[special], self.line).tolist()
        events: list[CountEvent] = []
        for k, foot_distance in zip(special.tolist(), foot_distances, strict=True):
            row, width_px = int(rows[k]), float(widths_px[k])
            is_real = not tracks.flags[row] & _INFERRED
            is_clear = is_real and abs(foot_distance) > width_px
            sighting = _Sighting(
                track_id=int(tracks.ids[row]),
                row=row,
                at=int(at[k]),
                point=points[k],
                distance=float(distances[k]),
                width_px=width_px,
                real_side=(1 if foot_distance > 0 else -1) if is_clear else 0,
            )
            events += self._looked_at(sighting, stamp, tracks, instances)
        return events

    def _looked_at(
        self, s: _Sighting, stamp: Stamp, tracks: Tracks, instances: Instances
    ) -> list[CountEvent]:
        """Settle what one sighting says of this track's passages, the last and a new one."""
        events: list[CountEvent] = []
        passages = self._passages.get(s.track_id, [])
        if passages and s.real_side == passages[-1].side:
            passages[-1].is_proven = True
        reached = self._step(s)
        if reached is not None:
            is_real, met = reached
            if passages and not passages[-1].is_proven and is_real:
                # Only an inferred foot was ever beyond the line, and seen feet are not.
                events += self._take_back(passages.pop(), stamp)
            elif met is not None:
                passages.append(_Passage(int(self._live.records["side"][s.at]), met, is_real))
        is_confirmed = tracks.states[s.row] != _TENTATIVE
        if is_confirmed:  # what a track did before it was confirmed counts now
            for passage in passages:
                if passage.class_id != tracks.class_ids[s.row]:
                    events += self._take_back(passage, stamp)
                    events += self._tell(passage, stamp, tracks, s.row, instances)
            del passages[:-1]
        self._remember(s, passages, is_confirmed)
        return events

    def _remember(self, s: _Sighting, passages: list[_Passage], is_confirmed: bool) -> None:
        record = self._live.records[s.at]
        if passages:
            self._passages[s.track_id] = passages
            record["class_id"] = passages[-1].class_id
            record["is_open"] = not (is_confirmed and passages[-1].is_proven)
        else:
            self._passages.pop(s.track_id, None)
            record["class_id"], record["is_open"] = -1, False

    def _step(self, s: _Sighting) -> tuple[bool, F64 | None] | None:
        """Whether a seen foot proves it, and where the line was met, if this settles a side."""
        r = self._live.records[s.at]
        # Exactly on the line is beyond it: a way that starts on the line would not meet it.
        if r["side"] == 0 or r["side"] * s.distance > 0:
            return None
        if r["sightings"] < 0:
            r["beyond"], r["sightings"], r["is_real"] = s.point, 0, False
        r["is_real"] |= s.real_side == -r["side"]
        if abs(s.distance) <= s.width_px:
            return None
        r["sightings"] += 1
        if r["sightings"] < 2 and abs(s.distance) <= 4 * s.width_px:
            return None
        met = self._met(r["here"], r["beyond"])
        r["side"], r["here"], r["sightings"] = -r["side"], s.point, -1
        return bool(r["is_real"]), met

    def _met(self, here: F64, beyond: F64) -> F64 | None:
        """Where and when the way between two points meets the line; None: round its end."""
        share = crossing(here[2:], beyond[2:], self.line)
        if share is None:
            return None
        met: F64 = here + share * (beyond - here)
        met[1] = beyond[1]  # the first frame at or after it
        return met

    def _tell(
        self, passage: _Passage, stamp: Stamp, tracks: Tracks, row: int, instances: Instances
    ) -> list[CountEvent]:
        """Count a passage for the class that its track has now, if that class counts."""
        passage.class_id, passage.event = int(tracks.class_ids[row]), None
        if self._class_ids is not None and passage.class_id not in self._class_ids:
            return []
        media_s, frame, x, y = passage.met.tolist()
        area_px = int(np.count_nonzero(instances.masks.crop(int(tracks.instance[row]))))
        is_in = passage.side < 0  # from the left-hand side to the right-hand side
        self._add(passage.class_id, is_in, 1)
        passage.event = CountEvent(
            kind="line_crossed",
            rule_id=self.rule_id,
            media_s=media_s,
            frame=int(frame),
            decided=stamp,
            direction="in" if is_in else "out",
            delta=1,
            totals=self.totals,
            track=replace(facts(tracks, row, area_px), foot=(x, y)),
        )
        return [passage.event]

    def _take_back(self, passage: _Passage, stamp: Stamp) -> list[CountEvent]:
        """Undo what was counted for a passage, if it was."""
        told = passage.event
        if told is None:
            return []
        self._add(passage.class_id, told.direction == "in", -1)
        return [
            replace(
                told, kind="line_crossing_reverted", decided=stamp, delta=-1, totals=self.totals
            )
        ]

    def _add(self, class_id: int, is_in: bool, delta: int) -> None:
        ins, outs = self._by_class.get(class_id, (0, 0))
        self._by_class[class_id] = (ins + delta * is_in, outs + delta * (not is_in))


def _smoothed(live: NDArray[Any], at: I64, stamp: Stamp, feet: F64) -> F64:
    """The middle of each track's last three sightings, so that one bad foot moves nothing.

    The time is the middle one too: even motion is not delayed by a frame. Two sightings have
    their mean, one itself. Returns points, float64 (N, 4).
    """
    points: F64 = np.empty((len(at), 4))
    points[:, 0], points[:, 1], points[:, 2:] = stamp.media_s, stamp.frame, feet
    count = live["seen"][at]
    recent = live["recent"]
    recent[at, count % 3] = points
    if count.min() < 2:
        one, two = count == 0, count == 1
        recent[at[one]] = points[one, None]
        # With the mean as a third, the middle of the three is the mean.
        recent[at[two], 2] = (recent[at[two], 0] + points[two]) / 2
        recent[at[two], 2, 1] = stamp.frame
    live["seen"][at] = count + 1
    last = recent[at]
    a, b, c = last[:, 0], last[:, 1], last[:, 2]
    middle: F64 = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return middle

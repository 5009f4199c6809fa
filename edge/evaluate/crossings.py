"""True line crossings from ground-truth tracks, and events matched with them one to one.

Written apart from `edge.count` on purpose: a judge that shares the counter's code shares its
mistakes. Pure; imports numpy and layers 0-2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.evaluate.trackfiles import BoxRows
from edge.types import F64, I64

Direction = Literal["in", "out"]
DIRECTIONS: tuple[Direction, Direction] = ("in", "out")
BAND = 0.05  # of the object's height: nearer to the line than this is no side


@dataclass(frozen=True, slots=True)
class Line:
    """A counting line from A to B, in pixels of the frame."""

    name: str
    a: tuple[float, float]
    b: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Crossing:
    """One passage over a line, true or reported. `track_id` 0: not known."""

    line: str
    direction: Direction
    time_s: float
    track_id: int


@dataclass(frozen=True, slots=True)
class MatchQuality:
    """How reported crossings agree with true ones on one line, or on all."""

    line: str
    matched: int
    missed: int
    spurious: int
    time_error_s: float  # mean of |reported - true| over matched; NaN if none

    @property
    def precision(self) -> float:
        """Share of the reported crossings that are true; NaN if nothing was reported."""
        return _ratio(self.matched, self.matched + self.spurious)

    @property
    def recall(self) -> float:
        """Share of the true crossings that were reported; NaN if there are none."""
        return _ratio(self.matched, self.matched + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.matched, 2 * self.matched + self.missed + self.spurious)


def true_crossings(
    truth: BoxRows, lines: Sequence[Line], fps: float, frame_wh: tuple[int, int]
) -> list[Crossing]:
    """Every passage of a ground-truth object over a line, ordered by time.

    An object's path runs through its feet (bottom centre of the box, clipped to the frame) and
    straight over gaps. It is on a side of the line once its foot is further from it than BAND
    of its height. A change of sides counts if the path between the last foot on the old side
    and the first on the new one crosses the line between A and B once more in that direction
    than in the other. `in` leads from the left-hand side of someone who stands at A and looks
    towards B to the right-hand side.

    Args:
        truth: MOTChallenge rows; those with flag 0 are left out. Frame 1 is at 0 s.
        lines: in pixels.
        fps: frames a second.
        frame_wh: width and height of the frame, pixels.
    """
    crossings = []
    for track_id in np.unique(truth.ids[truth.considered]).tolist():
        rows = np.flatnonzero((truth.ids == track_id) & truth.considered)
        rows = rows[np.argsort(truth.frames[rows], kind="stable")]
        box = truth.boxes[rows].astype(np.float64)
        feet = np.stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]], 1)
        feet = np.clip(feet, 0, np.array(frame_wh, np.float64))
        times_s = (truth.frames[rows] - 1) / fps
        for line in lines:
            for direction, time_s in passages(feet, box[:, 3] - box[:, 1], times_s, line):
                crossings.append(Crossing(line.name, direction, time_s, track_id))
    return sorted(crossings, key=lambda c: (c.time_s, c.line, c.track_id))


def passages(feet: F64, heights: F64, times_s: F64, line: Line) -> list[tuple[Direction, float]]:
    """Passages of one path over one line: direction and interpolated time, in order.

    Args:
        feet: float64 (N, 2) x, y in pixels, ordered by time.
        heights: float64 (N,) pixels.
        times_s: float64 (N,) seconds.
        line: in pixels.

    >>> path = np.array([[4.0, 5.0], [8.0, 5.0]])
    >>> passages(path, np.ones(2), np.array([0.0, 1.0]), Line("door", (5.0, 0.0), (5.0, 9.0)))
    [('out', 0.25)]
    """
    distance = _right_of(feet, line)
    side = np.where(np.abs(distance) > BAND * heights, np.sign(distance), 0).astype(np.int64)
    known = np.flatnonzero(side)
    found: list[tuple[Direction, float]] = []
    for before, after in zip(known[:-1].tolist(), known[1:].tolist(), strict=True):
        if side[before] == side[after]:
            continue
        piece = slice(before, after + 1)
        signs, at = _segment_crossings(feet[piece], distance[piece], times_s[piece], line)
        if signs.sum() == side[after]:
            # Of several crossings while loitering on the line, the last one settled it.
            time_s = float(at[signs == side[after]][-1])
            found.append(("in" if side[after] > 0 else "out", time_s))
    return found


def match_quality(
    truth: Sequence[Crossing], reported: Sequence[Crossing], tolerance_s: float = 1.0
) -> list[MatchQuality]:
    """Agreement on each line, in order of name, and on all lines together at the end.

    A reported crossing matches a true one of the same line and direction at most `tolerance_s`
    away, one to one, as many as possible; who crossed does not matter.
    """
    names = sorted({c.line for c in truth} | {c.line for c in reported})
    per_line, errors_s = [], []
    for name in names:
        matched_s: list[float] = []
        for direction in DIRECTIONS:
            true_s = _times(truth, name, direction)
            said_s = _times(reported, name, direction)
            matched_s.extend(_time_errors(true_s, said_s, tolerance_s))
        missed = sum(c.line == name for c in truth) - len(matched_s)
        spurious = sum(c.line == name for c in reported) - len(matched_s)
        per_line.append(MatchQuality(name, len(matched_s), missed, spurious, _mean(matched_s)))
        errors_s.extend(matched_s)
    missed, spurious = sum(q.missed for q in per_line), sum(q.spurious for q in per_line)
    return [*per_line, MatchQuality("all", len(errors_s), missed, spurious, _mean(errors_s))]


def _right_of(points: F64, line: Line) -> F64:
    """Signed distance to the endless line, pixels; positive on the right hand of A -> B."""
    (ax, ay), (bx, by) = line.a, line.b
    length = float(np.hypot(bx - ax, by - ay))
    # The picture's y points down: a positive cross product is a turn to the right.
    cross: F64 = (bx - ax) * (points[:, 1] - ay) - (by - ay) * (points[:, 0] - ax)
    return cross / length


def _segment_crossings(feet: F64, distance: F64, times_s: F64, line: Line) -> tuple[I64, F64]:
    """Each crossing of a path with the segment A-B: +1 to the right or -1, and its time."""
    right = distance >= 0
    steps = np.flatnonzero(right[:-1] != right[1:])
    share = distance[steps] / (distance[steps] - distance[steps + 1])
    points = feet[steps] + share[:, None] * (feet[steps + 1] - feet[steps])
    a, along = np.array(line.a), np.array(line.b) - np.array(line.a)
    place = (points - a) @ along / float(along @ along)
    inside = (place >= 0) & (place <= 1)
    signs = np.where(right[steps + 1], 1, -1)
    at: F64 = times_s[steps] + share * (times_s[steps + 1] - times_s[steps])
    return signs[inside].astype(np.int64), at[inside]


def _times(crossings: Iterable[Crossing], line: str, direction: Direction) -> list[float]:
    return sorted(c.time_s for c in crossings if c.line == line and c.direction == direction)


def _time_errors(true_s: list[float], said_s: list[float], tolerance_s: float) -> list[float]:
    """|said - true| of each matched pair; both ordered. Earliest first gives the most pairs."""
    errors_s, i, j = [], 0, 0
    while i < len(true_s) and j < len(said_s):
        gap_s = said_s[j] - true_s[i]
        if abs(gap_s) <= tolerance_s:
            errors_s.append(abs(gap_s))
        i += gap_s >= -tolerance_s
        j += gap_s <= tolerance_s
    return errors_s


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")

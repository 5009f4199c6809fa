"""What really happened at a line or in a zone, from the paths of the actors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.testing.scenes import PERSON, Actor, Point
from edge.types import F64


@dataclass(frozen=True, slots=True)
class Crossing:
    """A true passage over a line: who (from 1), when, where, and which way."""

    true_id: int
    media_s: float
    place: Point
    is_in: bool  # from the left-hand side to the right-hand side


@dataclass(frozen=True, slots=True)
class Visit:
    """A true stay in a zone; who appears inside has entered, who vanishes inside has left."""

    true_id: int
    entered_s: float
    left_s: float


def line_crossings(actors: Sequence[Actor], line: F64) -> list[Crossing]:
    """True passages of feet over a polyline, float64 (K, 2), in the order of time.

    >>> down = np.array([[20.0, 0.0], [20.0, 99.0]])
    >>> line_crossings([Actor(PERSON, 10, 30, ((0.0, 0.0, 50.0), (2.0, 40.0, 50.0)))], down)
    [Crossing(true_id=1, media_s=1.0, place=(20.0, 50.0), is_in=False)]
    """
    found = []
    for true_id, actor in enumerate(actors, 1):
        for (start_s, *p), (end_s, *q) in zip(actor.path[:-1], actor.path[1:], strict=True):
            for a, b in zip(line[:-1].tolist(), line[1:].tolist(), strict=True):
                before, after = _left(p, a, b), _left(q, a, b)
                if (before > 0) != (after > 0) and (_left(a, p, q) > 0) != (_left(b, p, q) > 0):
                    share = before / (before - after)
                    place = p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])
                    media_s = start_s + share * (end_s - start_s)
                    found.append(Crossing(true_id, media_s, place, before > 0))
    return sorted(found, key=lambda c: c.media_s)


def line_counts(actors: Sequence[Actor], line: F64) -> tuple[int, int]:
    """True passages (in, out) of feet over a polyline, float64 (K, 2)."""
    passages = line_crossings(actors, line)
    ins = sum(c.is_in for c in passages)
    return ins, len(passages) - ins


def zone_visits(actors: Sequence[Actor], polygon: F64) -> list[Visit]:
    """True stays of feet in a polygon, float64 (K, 2), by the time of entry.

    >>> square = np.array([[10.0, 0.0], [30.0, 0.0], [30.0, 99.0], [10.0, 99.0]])
    >>> zone_visits([Actor(PERSON, 10, 30, ((0.0, 0.0, 50.0), (2.0, 40.0, 50.0)))], square)
    [Visit(true_id=1, entered_s=0.5, left_s=1.5)]
    """
    outline = np.concatenate([polygon, polygon[:1]])
    visits = []
    for true_id, actor in enumerate(actors, 1):
        first_s, x, y = actor.path[0]
        outside = (first_s - 1.0, float(polygon[:, 0].min()) - 1e4, y + 0.123)
        arriving = Actor(PERSON, 1, 1, (outside, (first_s, x, y)))
        changes = [first_s] * (len(line_crossings([arriving], outline)) % 2)
        changes += [c.media_s for c in line_crossings([actor], outline)]
        changes += [actor.path[-1][0]] * (len(changes) % 2)
        visits += [Visit(true_id, *pair) for pair in zip(changes[::2], changes[1::2], strict=True)]
    return sorted(visits, key=lambda v: v.entered_s)


def zone_counts(actors: Sequence[Actor], polygon: F64) -> int:
    """True entries to a polygon, float64 (K, 2); each is followed by an exit in the end."""
    return len(zone_visits(actors, polygon))


def _left(p: Sequence[float], a: Sequence[float], b: Sequence[float]) -> float:
    """Positive if `p` is on the left of someone who stands at `a` and looks towards `b`."""
    return (p[0] - a[0]) * (b[1] - a[1]) - (p[1] - a[1]) * (b[0] - a[0])

"""Plane geometry on a few points: enough to tell a good line or polygon from a bad one.

Pure Python on purpose: a config has a handful of points and is checked once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

XY = tuple[float, float]


def polygon_area(polygon: Sequence[XY]) -> float:
    """Area inside a closed polygon, in the square of its own unit, never negative.

    >>> polygon_area([(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)])
    0.25
    """
    edges = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)) / 2


def segments_meet(p: XY, q: XY, r: XY, s: XY) -> bool:
    """Whether the segments pq and rs have a point in common; touching counts.

    >>> segments_meet((0, 0), (1, 1), (0, 1), (1, 0)), segments_meet((0, 0), (1, 0), (0, 1), (1, 1))
    (True, False)
    """
    if _side(p, q, r) * _side(p, q, s) < 0 and _side(r, s, p) * _side(r, s, q) < 0:
        return True
    return any(
        _side(a, b, c) == 0 and _within(a, b, c)
        for a, b, c in ((p, q, r), (p, q, s), (r, s, p), (r, s, q))
    )


def paths_cross(one: Sequence[XY], other: Sequence[XY]) -> bool:
    """Whether two open paths meet anywhere."""
    return any(
        segments_meet(*first, *second)
        for first in itertools.pairwise(one)
        for second in itertools.pairwise(other)
    )


def is_simple(polygon: Sequence[XY]) -> bool:
    """Whether the border of a polygon neither crosses, touches nor runs back along itself.

    >>> is_simple([(0, 0), (1, 0), (1, 1), (0, 1)]), is_simple([(0, 0), (1, 1), (1, 0), (0, 1)])
    (True, False)
    """
    n = len(polygon)
    edges = [(polygon[k], polygon[(k + 1) % n]) for k in range(n)]
    for i in range(n):
        (a, b), (_, c) = edges[i], edges[(i + 1) % n]
        if _side(a, b, c) == 0 and (_within(a, b, c) or _within(b, c, a)):
            return False  # the next edge turns back on this one
        far = (j for j in range(i + 2, n) if (j + 1) % n != i)
        if any(segments_meet(*edges[i], *edges[j]) for j in far):
            return False
    return True


def _side(a: XY, b: XY, c: XY) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _within(a: XY, b: XY, c: XY) -> bool:
    """Whether c, already known to be in line with a and b, lies between them."""
    between_x = min(a[0], b[0]) <= c[0] <= max(a[0], b[0])
    return between_x and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])

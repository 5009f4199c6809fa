"""Points against lines and polygons, in pixels, y downwards. Pure functions."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import F32, F64, Bool


def side_distance(points: F64, line: F64) -> F64:
    """Signed distance of points to a polyline: positive on its left-hand side.

    Left is that of someone who stands at the first point and looks towards the second, in the
    picture: walking down the picture, the left hand points to larger x. The sign is that of the
    nearest piece, taken as endless; the size is the distance to that piece's endless line.

    Args:
        points: float64 (N, 2).
        line: float64 (K, 2), K >= 2, no two consecutive points equal.

    Returns:
        float64 (N,) pixels.

    >>> down = np.array([[5.0, 0.0], [5.0, 9.0]])
    >>> side_distance(np.array([[7.0, 3.0], [4.0, 3.0]]), down).tolist()
    [2.0, -1.0]
    """
    starts, steps = line[:-1], line[1:] - line[:-1]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    x, y = _offsets(points, starts)
    signed: F64 = (x * steps[:, 1:] - y * steps[:, :1]) / lengths[:, None]
    if len(steps) == 1:
        first: F64 = signed[0]
        return first
    # At a joint two pieces are equally near: the one the point stands more squarely beside wins.
    gap = np.round(_gaps(x, y, steps), 6)
    tied = gap == gap.min(0)
    piece = np.where(tied, np.abs(signed), -1.0).argmax(0)
    distance: F64 = signed[piece, np.arange(len(piece))]
    return distance


def crossing(p: F64, q: F64, line: F64) -> float | None:
    """Where the way from `p` to `q` first meets the polyline, as a share of the way, or None.

    Touching counts once: a way that ends on the line meets it, one that starts on it does not.

    >>> crossing(np.array([0.0, 0.0]), np.array([4.0, 0.0]), np.array([[1.0, -1.0], [1.0, 1.0]]))
    0.25
    """
    starts, steps = line[:-1], np.diff(line, axis=0)
    way = q - p
    turn = way[0] * steps[:, 1] - way[1] * steps[:, 0]
    offset = starts - p
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (offset[:, 0] * steps[:, 1] - offset[:, 1] * steps[:, 0]) / turn
        along = (offset[:, 0] * way[1] - offset[:, 1] * way[0]) / turn
    met = (turn != 0) & (share > 0) & (share <= 1) & (along >= 0) & (along <= 1)
    return float(share[met].min()) if met.any() else None


def path_distance(points: F64, path: F64) -> F64:
    """Distance of points (N, 2) to the nearest point of an open path (K, 2), float64 (N,).

    >>> path_distance(np.array([[7.0, 3.0], [5.0, 12.0]]), np.array([[5.0, 0.0], [5.0, 9.0]]))
    array([2., 3.])
    """
    starts, steps = path[:-1], path[1:] - path[:-1]
    distance: F64 = _gaps(*_offsets(points, starts), steps).min(0)
    return distance


def polygon_distance(points: F32 | F64, polygon: F64) -> F64:
    """Signed distance of points (N, 2) to a polygon's edge: positive inside, float64 (N,).

    >>> square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    >>> polygon_distance(np.array([[1.0, 2.0], [6.0, 2.0]]), square).tolist()
    [1.0, -2.0]
    """
    steps = np.concatenate([polygon[1:], polygon[:1]]) - polygon
    x, y = _offsets(points, polygon)
    gap = _gaps(x, y, steps).min(0)
    # A ray towards larger x meets the edge an odd number of times from inside.
    is_above = y < 0
    is_level = is_above != np.concatenate([is_above[1:], is_above[:1]])
    dx, dy = steps[:, :1], steps[:, 1:]
    is_met = is_level & ((x * dy < y * dx) == (dy > 0))
    distance: F64 = np.where(np.logical_xor.reduce(is_met, 0), gap, -gap)
    return distance


def _offsets(points: F32 | F64, starts: F64) -> tuple[F64, F64]:
    """Columns x and y of points (N, 2) seen from each start (K, 2): two float64 (K, N)."""
    x: F64 = points[:, 0] - starts[:, :1]
    y: F64 = points[:, 1] - starts[:, 1:]
    return x, y


def _gaps(x: F64, y: F64, steps: F64) -> F64:
    """Distance to each piece (K, N), from the offsets to their starts."""
    dx, dy = steps[:, :1], steps[:, 1:]
    along = np.minimum(np.maximum((x * dx + y * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    gap_x, gap_y = x - along * dx, y - along * dy
    gaps: F64 = np.sqrt(gap_x * gap_x + gap_y * gap_y)
    return gaps


def polygon_mask(polygon: F64, height: int, width: int) -> Bool:
    """Pixels within the polygon or under its edge, bool (height, width)."""
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round((polygon - 0.5) * 16).astype(np.int32)], 1, shift=4)
    inside: Bool = canvas.astype(bool)
    return inside

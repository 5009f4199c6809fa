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
    starts, steps = line[:-1], np.diff(line, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    offset = points[:, None, :] - starts[None]  # (N, K - 1, 2)
    along = (offset * steps).sum(2) / lengths**2
    nearest = offset - np.clip(along, 0, 1)[..., None] * steps
    gap = np.hypot(nearest[..., 0], nearest[..., 1])
    signed = (offset[..., 0] * steps[:, 1] - offset[..., 1] * steps[:, 0]) / lengths
    # At a joint two pieces are equally near: the one the point stands more squarely beside wins.
    gap = np.round(gap, 6)
    tied = gap == gap.min(1, keepdims=True)
    piece = np.where(tied, np.abs(signed), -1.0).argmax(1)
    distance: F64 = np.take_along_axis(signed, piece[:, None], 1)[:, 0]
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


def polygon_distance(points: F32 | F64, polygon: F64) -> F64:
    """Signed distance of points (N, 2) to a polygon's edge: positive inside, float64 (N,).

    >>> square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    >>> polygon_distance(np.array([[1.0, 2.0], [6.0, 2.0]]), square).tolist()
    [1.0, -2.0]
    """
    contour = polygon.astype(np.float32).reshape(-1, 1, 2)
    distance: F64 = np.array(
        [cv2.pointPolygonTest(contour, (float(x), float(y)), True) for x, y in points.tolist()],
        np.float64,
    )
    return distance


def polygon_mask(polygon: F64, height: int, width: int) -> Bool:
    """Pixels within the polygon or under its edge, bool (height, width)."""
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.round((polygon - 0.5) * 16).astype(np.int32)], 1, shift=4)
    inside: Bool = canvas.astype(bool)
    return inside

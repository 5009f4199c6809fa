"""Boxes (x1, y1, x2, y2): areas, overlaps, suppression. Pure functions; imports numpy only."""

from __future__ import annotations

import numpy as np

from edge.types import F32, I32, I64, Bool

_AT_ONCE = 128  # boxes that suppression compares with each other


def area(boxes: F32) -> F32:
    """Area in square pixels, float32 (N,); a box turned inside out has 0.

    >>> area(np.array([[0, 0, 2, 3], [5, 5, 4, 9]], np.float32)).tolist()
    [6.0, 0.0]
    """
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    product: F32 = sides[:, 0] * sides[:, 1]
    return product


def intersection_matrix(a: F32, b: F32) -> F32:
    """Shared area of every box in `a` with every box in `b`, float32 (N, M)."""
    shared: F32 = _shared_sides(a, b, 0)
    shared *= _shared_sides(a, b, 1)
    return shared


def _shared_sides(a: F32, b: F32, axis: int) -> F32:
    """Length of the overlap along one axis; one axis at a time is several times faster."""
    high = np.minimum.outer(a[:, axis + 2], b[:, axis + 2])
    high -= np.maximum.outer(a[:, axis], b[:, axis])
    sides: F32 = np.maximum(high, 0, out=high)
    return sides


def iou_matrix(a: F32, b: F32) -> F32:
    """Intersection over union of every box in `a` with every box in `b`.

    Returns:
        float32 (N, M), each in 0..1; boxes without area have IoU 0, not NaN.

    >>> one = np.array([[0, 0, 2, 2]], np.float32)
    >>> iou_matrix(one, np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 3, 3]], np.float32)).round(3)
    array([[1.   , 0.333, 0.   ]], dtype=float32)
    """
    shared = intersection_matrix(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    iou: F32 = shared / np.maximum(union, np.float32(1e-9))
    return iou


def paired_iou(a: F32, b: F32) -> F32:
    """Intersection over union of each box in `a` with the one in its row of `b`, float32 (N,).

    >>> paired_iou(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 0, 3, 2]], np.float32))
    array([0.33333334], dtype=float32)
    """
    sides = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0)
    shared = sides[:, 0] * sides[:, 1]
    iou: F32 = shared / np.maximum(area(a) + area(b) - shared, np.float32(1e-9))
    return iou


def grown(boxes: F32, share: float) -> F32:
    """Boxes with `share` of their width and height added on each side."""
    pad = (boxes[:, 2:] - boxes[:, :2]) * np.float32(share)
    larger: F32 = np.concatenate([boxes[:, :2] - pad, boxes[:, 2:] + pad], 1)
    return larger


def suppressed(boxes: F32, scores: F32, class_ids: I32, max_iou: float, most: int) -> I64:
    """Greedy non-maximum suppression within each class.

    The best `_AT_ONCE` boxes first: they are compared with each other, the others only with
    those that were kept before them.

    Args:
        boxes: float32 (N, 4).
        scores: float32 (N,).
        class_ids: int32 (N,); boxes of different classes do not suppress each other.
        max_iou: a box goes when its IoU with a kept, better one is larger.
        most: at most so many are kept.

    Returns:
        int64 (K,): indices of the kept boxes, best score first; ties keep their order.
    """
    order: I64 = np.argsort(-scores, kind="stable")
    kept: I64 = order[:0]
    for begin in range(0, len(order), _AT_ONCE):
        part = order[begin : begin + _AT_ONCE]
        alive = ~_rivals(boxes, class_ids, part, kept, max_iou).any(1)
        part = part[alive]
        rivals = _rivals(boxes, class_ids, part, part, max_iou)
        alive = np.ones(len(part), bool)
        # A box without a rival before it is kept; only the others need their turn.
        for k in np.flatnonzero(np.tril(rivals, -1).any(1)).tolist():
            alive[k] = not (rivals[k, :k] & alive[:k]).any()
        kept = np.concatenate([kept, part[alive]])
        if len(kept) >= most:
            break
    return kept[:most]


def _rivals(boxes: F32, class_ids: I32, a: I64, b: I64, max_iou: float) -> Bool:
    """Whether boxes `a` overlap boxes `b` of the same class too much, bool (len(a), len(b))."""
    rivals: Bool = iou_matrix(boxes[a], boxes[b]) > max_iou
    rivals &= class_ids[a][:, None] == class_ids[b]
    return rivals

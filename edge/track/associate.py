"""Which instance continues which track: similarities of candidate pairs, and the assignment.

Boxes say who is near; masks moved by the motion model decide only where boxes leave a choice
(the rule of McByte: Stanczyk et al., 2024, arXiv:2409.14220, with true mask IoU on both sides).
"""

from __future__ import annotations

from dataclasses import dataclass

import lap
import numpy as np

from edge import boxes as box_ops
from edge.types import F32, F64, I64, Bool

RESCUE_SIMILARITY = 0.15
FULL_RATE_S, LOW_RATE_S = 1 / 15, 1 / 3  # frame intervals between which the rescue buffer grows
LARGEST_BUFFER = 0.6  # of the box's size
SAME_HEIGHT = 1.4  # largest ratio of heights after a leap or a gap
SAME_LEVEL = 0.35  # heights: the lower edge moves no further


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and instances that may belong together.

    Attributes:
        rows: int64 (P,) tracks.
        columns: int64 (P,) instances.
        similarity: float64 (P,).
    """

    rows: I64
    columns: I64
    similarity: F64

    def where(self, which: Bool) -> Pairs:
        """Those for which `which` (P,) is True."""
        return Pairs(self.rows[which], self.columns[which], self.similarity[which])


NO_PAIRS = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def overlapping(a: F32, b: F32, at_least: float) -> Pairs:
    """Pairs of boxes (M, 4), (N, 4) with IoU of `at_least`; the IoU is the similarity."""
    shared = box_ops.intersection_matrix(a, b)
    rows, columns = np.nonzero(shared > 0)
    shared = shared[rows, columns]
    union = box_ops.area(a)[rows] + box_ops.area(b)[columns] - shared
    iou = (shared / np.maximum(union, 1e-9)).astype(np.float64)
    return Pairs(rows, columns, iou).where(iou >= at_least)


def height_iou(a: F32, b: F32) -> F64:
    """Overlap of the vertical extents over their union, row by row, float64 (P,).

    Hybrid-SORT's factor (Yang et al., 2023, arXiv:2308.00783): people of different height do
    not take each other's place.
    """
    shared = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    union = np.maximum(a[:, 3], b[:, 3]) - np.minimum(a[:, 1], b[:, 1])
    ratio: F64 = (np.maximum(shared, 0) / np.maximum(union, 1e-9)).astype(np.float64)
    return ratio


def box_similarity(a: F32, b: F32, share: float) -> F64:
    """IoU x height IoU, row by row, of boxes grown by `share` of their size, float64 (P,)."""
    a, b = box_ops.grown(a, share), box_ops.grown(b, share)
    similarity: F64 = box_ops.paired_iou(a, b) * height_iou(a, b)
    return similarity


def within_reach(expected: F64, height_px: F64, reach_px: F64, seen: F32) -> Pairs:
    """Instances near where tracks may have got to, as tall as they are and on their level.

    Args:
        expected: float64 (M, 4) centre x, y, width, height where tracks should be.
        height_px: float64 (M,) usual heights.
        reach_px: float64 (M,) how far off they may be.
        seen: float32 (N, 4) boxes.

    Returns:
        Pairs; the similarity is 1 where expected and falls to 0 at the end of the reach.
    """
    box = seen.astype(np.float64)
    tall = box[:, 3] - box[:, 1]
    way = (box[:, :2] + box[:, 2:])[None] / 2 - expected[:, None, :2]
    far = np.hypot(way[..., 0], way[..., 1]) / np.maximum(reach_px, 1e-9)[:, None]
    ratio = tall[None] / np.maximum(height_px, 1.0)[:, None]
    level = np.abs(box[:, 3][None] - (expected[:, 1] + expected[:, 3] / 2)[:, None])
    fits = (far < 1) & (ratio > 1 / SAME_HEIGHT) & (ratio < SAME_HEIGHT)
    fits &= level < SAME_LEVEL * height_px[:, None]
    rows, columns = np.nonzero(fits)
    return Pairs(rows, columns, 1 - far[rows, columns])


def contested(rows: I64, columns: I64) -> Bool:
    """Pairs whose track or whose instance has another candidate, bool (P,).

    >>> contested(np.array([0, 0, 1]), np.array([0, 1, 2])).tolist()
    [True, True, False]
    """
    if not len(rows):
        return np.zeros(0, bool)
    rivals: Bool = (np.bincount(rows)[rows] > 1) | (np.bincount(columns)[columns] > 1)
    return rivals


def assigned(pairs: Pairs) -> tuple[I64, I64]:
    """Tracks and instances of the assignment with the largest total similarity.

    Every candidate pair is worth at least a little, so that more pairs win over fewer. Pairs
    without rivals are taken as they are; the rest is solved by lap (Jonker & Volgenant, 1987).
    """
    open_ = contested(pairs.rows, pairs.columns)
    if not open_.any():
        return pairs.rows, pairs.columns
    rows, i = np.unique(pairs.rows[open_], return_inverse=True)
    columns, j = np.unique(pairs.columns[open_], return_inverse=True)
    cost = np.zeros((len(rows), len(columns)))
    cost[i, j] = -np.maximum(pairs.similarity[open_], 0) - 1e-3
    _, taken, _ = lap.lapjv(cost, extend_cost=True)
    found = np.flatnonzero(taken >= 0)
    found = found[cost[found, taken[found]] < 0]
    return (
        np.concatenate([pairs.rows[~open_], rows[found]]),
        np.concatenate([pairs.columns[~open_], columns[taken[found]]]),
    )


def rescue_buffer(dt_s: float) -> float:
    """By which share of its size a box grows in the last pass: 0 at 15 fps, more below.

    >>> rescue_buffer(0.04), round(rescue_buffer(0.2), 2), rescue_buffer(1.0)
    (0.0, 0.3, 0.6)
    """
    share = (dt_s - FULL_RATE_S) / (LOW_RATE_S - FULL_RATE_S)
    return float(np.clip(share, 0, 1)) * LARGEST_BUFFER

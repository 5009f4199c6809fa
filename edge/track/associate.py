"""Which instance continues which track: similarity and assignment. Pure functions.

Boxes say who is near; masks moved by the motion model decide only where boxes leave a choice
(the rule of McByte: Stanczyk et al., 2024, arXiv:2409.14220, with true mask IoU on both sides).
"""

from __future__ import annotations

import lap
import numpy as np

from edge import boxes as box_ops
from edge import masks as mask_ops
from edge.types import F32, F64, I64, Bool, Masks

GATE = 13.8  # chi-square, 2 degrees of freedom, 99.9 %
RESCUE_SIMILARITY = 0.15
FULL_RATE_S, LOW_RATE_S = 1 / 15, 1 / 3  # frame intervals between which the rescue buffer grows
LARGEST_BUFFER = 0.6  # of the box's size


def box_similarity(a: F32, b: F32) -> F32:
    """IoU x vertical IoU (Hybrid-SORT, arXiv:2308.00783), float32 (M, N)."""
    similarity: F32 = box_ops.iou_matrix(a, b) * box_ops.height_iou_matrix(a, b)
    return similarity


def ambiguous(eligible: Bool) -> Bool:
    """Pairs whose track or whose instance has another eligible partner, bool (M, N).

    >>> ambiguous(np.array([[True, True], [False, False], [False, True]])).astype(int).tolist()
    [[1, 1], [0, 0], [0, 1]]
    """
    rivals: Bool = (eligible.sum(1) > 1)[:, None] | (eligible.sum(0) > 1)[None, :]
    return eligible & rivals


def moved_mask_iou(a: Masks, shifts: I64, b: Masks, pairs: Bool) -> F32:
    """IoU of mask i of `a`, moved by `shifts[i]` (x, y) pixels, and mask j of `b`.

    Only where `pairs` (M, N) is True; 0 elsewhere. Returns float32 (M, N).
    """
    iou: F32 = np.zeros(pairs.shape, np.float32)
    if not pairs.any():
        return iou
    area_a, area_b = mask_ops.area(a).tolist(), mask_ops.area(b).tolist()
    for i, j in np.argwhere(pairs).tolist():
        shared = mask_ops.intersection(a, i, b, j, (int(shifts[i, 0]), int(shifts[i, 1])))
        iou[i, j] = shared / max(1, area_a[i] + area_b[j] - shared)
    return iou


def assigned(similarity: F32 | F64, eligible: Bool) -> list[tuple[int, int]]:
    """Pairs (row, column) of the assignment with the largest total similarity.

    Only eligible pairs; an eligible pair is worth at least a little, so that more pairs win
    over fewer. Solved by lap (Jonker & Volgenant, 1987).
    """
    if not eligible.any():
        return []
    cost = np.where(eligible, -np.maximum(similarity, 0) - 1e-3, 0.0).astype(np.float64)
    _, columns, _ = lap.lapjv(cost, extend_cost=True)
    return [(i, j) for i, j in enumerate(columns.tolist()) if j >= 0 and eligible[i, j]]


def rescue_buffer(dt_s: float) -> float:
    """By which share of its size a box grows in the last pass: 0 at 15 fps, more below.

    >>> rescue_buffer(0.04), round(rescue_buffer(0.2), 2), rescue_buffer(1.0)
    (0.0, 0.3, 0.6)
    """
    share = (dt_s - FULL_RATE_S) / (LOW_RATE_S - FULL_RATE_S)
    return float(np.clip(share, 0, 1)) * LARGEST_BUFFER

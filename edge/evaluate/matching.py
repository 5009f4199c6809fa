"""Which prediction is which true object in one picture, and how well their masks agree.

Pure functions; imports numpy, opencv and layers 0-2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge import boxes
from edge.evaluate.coco import Labels, Results
from edge.masks import intersection
from edge.types import F32, F64, I64, U8, Masks


@dataclass(frozen=True, slots=True)
class Matches:
    """One picture: who is who. Indices into its labels and results."""

    pairs: I64  # (P, 2) label, result
    box_iou: F64  # (P,) of each pair
    missed: I64  # labels that nothing matches
    spurious: I64  # results that match nothing


@dataclass(frozen=True, slots=True)
class Overlap:
    """How well two masks agree, each 0..1."""

    iou: float
    dice: float
    boundary_iou: float


def matches(truth: Labels, found: Results, min_score: float = 0.3, min_iou: float = 0.5) -> Matches:
    """Pairs of a true and a predicted object, one to one, greedily by falling score.

    A result takes the free label of its class with the largest box IoU, if that is above
    `min_iou`. A result without a label that lies by more than half inside a crowd region of its
    class is neither right nor wrong; crowd regions themselves are never missed.

    Args:
        truth: the labels, crowds included.
        found: the results.
        min_score: results must score more to take part.
        min_iou: boxes must overlap more to match.
    """
    iou = boxes.iou_matrix(truth.boxes, found.boxes).astype(np.float64)
    possible = ~truth.crowd[:, None] & (truth.class_ids[:, None] == found.class_ids[None, :])
    pairs = greedy_pairs(np.where(possible, iou, -1.0), found.scores, min_score, min_iou)
    return _split_up(truth, found, pairs, iou, min_score)


def class_agnostic_matches(
    truth: Labels, found: Results, iou: F64, min_score: float = 0.3, min_iou: float = 0.5
) -> Matches:
    """As `matches`, whatever the classes, by a given overlap: who was taken for what.

    Args:
        truth: the labels, crowds included.
        found: the results.
        iou: float64 (N, M) overlap of each label with each result, of masks or of boxes.
        min_score: results must score more to take part.
        min_iou: the overlap must be larger to match.
    """
    possible = np.broadcast_to(~truth.crowd[:, None], iou.shape)
    pairs = greedy_pairs(np.where(possible, iou, -1.0), found.scores, min_score, min_iou)
    boxes_iou = boxes.iou_matrix(truth.boxes, found.boxes).astype(np.float64)
    return _split_up(truth, found, pairs, boxes_iou, min_score)


def greedy_pairs(overlaps: F64, scores: F64, min_score: float, min_overlap: float) -> I64:
    """Rows and columns that belong together, one to one, int64 (P, 2).

    Columns choose by falling score; each takes the free row that it overlaps most.

    Args:
        overlaps: float64 (N, M); pairs that must not be are negative.
        scores: float64 (M,) of the columns.
        min_score: columns must score more to choose.
        min_overlap: pairs must overlap more.
    """
    free = np.ones(len(overlaps), bool)
    pairs = []
    for k in np.argsort(-scores, kind="stable").tolist():
        if scores[k] <= min_score or not free.any():
            break
        rivals = np.where(free, overlaps[:, k], -1.0)
        best = int(rivals.argmax())
        if rivals[best] > min_overlap:
            free[best] = False
            pairs.append((best, k))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _split_up(truth: Labels, found: Results, pairs: I64, box_iou: F64, min_score: float) -> Matches:
    missed = np.setdiff1d(np.flatnonzero(~truth.crowd), pairs[:, 0])
    ordered = np.argsort(-found.scores, kind="stable")
    paired = set(pairs[:, 1].tolist())
    spurious = [
        k
        for k in ordered.tolist()
        if found.scores[k] > min_score and k not in paired and not _in_crowd(truth, found, k)
    ]
    return Matches(
        pairs,
        box_iou[pairs[:, 0], pairs[:, 1]],
        missed.astype(np.int64),
        np.array(spurious, np.int64),
    )


def _in_crowd(truth: Labels, found: Results, k: int) -> bool:
    crowd = truth.boxes[truth.crowd & (truth.class_ids == found.class_ids[k])]
    box: F32 = found.boxes[k : k + 1]
    inside = boxes.intersection_matrix(crowd, box).max(initial=0.0)
    return bool(inside > 0.5 * boxes.area(box)[0])


def overlap(a: Masks, i: int, b: Masks, j: int) -> Overlap:
    """IoU, Dice and boundary IoU of mask `i` of `a` and mask `j` of `b`, on frames of one size.

    Two empty masks agree in nothing: 0.
    """
    shared = intersection(a, i, b, j)
    total = int(np.count_nonzero(a.crop(i)) + np.count_nonzero(b.crop(j)))
    union = total - shared
    return Overlap(shared / max(union, 1), 2 * shared / max(total, 1), boundary_iou(a, i, b, j))


def boundary_iou(a: Masks, i: int, b: Masks, j: int, dilation: float = 0.02) -> float:
    """IoU of the two masks' inner rims (Cheng et al., 2021, arXiv:2103.16562).

    The rim is what an erosion by `dilation` times the frame's diagonal takes away; beyond the
    frame counts as outside, as in the authors' code. Where objects are thinner than the rim
    this is the plain mask IoU.

    Cost:
        Works on the windows of the two masks only.
    """
    width_px = max(1, round(dilation * float(np.hypot(a.height, a.width))))
    x1, y1, x2, y2 = _joint_window(a, i, b, j)
    rims = []
    for masks, k in ((a, i), (b, j)):
        crop: U8 = np.zeros((y2 - y1, x2 - x1), np.uint8)
        left, top, right, bottom = masks.windows[k].tolist()
        if left < right and top < bottom:
            crop[top - y1 : bottom - y1, left - x1 : right - x1] = masks.crop(k)
        rims.append(rim(crop, width_px))
    shared = int(np.count_nonzero(rims[0] & rims[1]))
    union = int(np.count_nonzero(rims[0] | rims[1]))
    return shared / max(union, 1)


def rim(mask: U8, width_px: int) -> U8:
    """The pixels of a mask that are at most `width_px` (in any direction) from its outside.

    >>> rim(np.ones((3, 3), np.uint8), 1).tolist()
    [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    if mask.size == 0:
        return mask
    kernel = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    core = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    edge: U8 = mask - np.asarray(core, np.uint8)
    return edge


def _joint_window(a: Masks, i: int, b: Masks, j: int) -> tuple[int, int, int, int]:
    windows = np.stack([a.windows[i], b.windows[j]])
    windows = windows[(windows[:, 2:] > windows[:, :2]).all(1)]
    if len(windows) == 0:
        return 0, 0, 0, 0
    (x1, y1), (x2, y2) = windows[:, :2].min(0).tolist(), windows[:, 2:].max(0).tolist()
    return x1, y1, x2, y2

"""Same-class neighbours that a model melts into one instance, or one object that it takes apart.

Pure functions; imports numpy and layers 0-2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge import masks as mask_ops
from edge.masks import intersection_matrix
from edge.types import I64, Bool, Masks


def merges(truth: Masks, found: Masks) -> dict[int, list[int]]:
    """Predictions that cover two or more true objects: index of each -> indices of the objects.

    A prediction covers an object when more than half of the object's own pixels are in it. Own
    pixels are those of no other true object, so that somebody in front of, and annotated within,
    somebody else is no merge. Crowd regions must not be among the objects.

    Args:
        truth: true objects of one class in one picture.
        found: predictions of that class, on the same frame.

    >>> two = mask_ops.packed(np.array([[[1, 1, 0, 0]], [[0, 0, 1, 1]]], bool))
    >>> one = mask_ops.packed(np.array([[[1, 1, 1, 1]]], bool))
    >>> merges(two, one), merges(two, two)
    ({0: [0, 1]}, {})
    """
    own = _own(truth)
    covered: Bool = (
        intersection_matrix(own, found) > 0.5 * np.maximum(mask_ops.area(own), 1)[:, None]
    )
    return {
        j: np.flatnonzero(covered[:, j]).tolist()
        for j in np.flatnonzero(covered.sum(0) > 1).tolist()
    }


def splits(truth: Masks, found: Masks) -> dict[int, list[int]]:
    """True objects that were taken apart: index of each -> indices of its pieces, largest first.

    A piece lies by more than half inside the object, agrees with no other object better, and
    repeats a larger piece by at most half: a second look at the whole object is a duplicate, no
    piece. Two or more pieces that cover more than half of the object together make a split.

    Args:
        truth: true objects of one class in one picture, without crowd regions.
        found: predictions of that class, on the same frame.

    >>> whole = mask_ops.packed(np.array([[[1, 1, 1, 1]]], bool))
    >>> parts = mask_ops.packed(np.array([[[1, 0, 0, 0]], [[0, 1, 1, 1]], [[1, 1, 1, 1]]], bool))
    >>> splits(whole, mask_ops.chosen(parts, [0, 1])), splits(whole, parts)
    ({0: [1, 0]}, {})
    """
    shared = intersection_matrix(truth, found)
    areas, found_areas = mask_ops.area(truth), mask_ops.area(found)
    union = areas[:, None] + found_areas[None, :] - shared
    iou = shared / np.maximum(union, 1)
    twice = intersection_matrix(found, found)
    apart = {}
    for i in range(len(truth)):
        inside = np.flatnonzero(2 * shared[i] > found_areas)
        its_own = [j for j in inside.tolist() if iou[i, j] >= iou[:, j].max()]
        pieces = _without_repeats(sorted(its_own, key=lambda j: -found_areas[j]), twice)
        if len(pieces) > 1 and 2 * _covered_px(truth, i, found, pieces) > areas[i]:
            apart[i] = pieces
    return apart


def _without_repeats(ordered: Sequence[int], twice: I64) -> list[int]:
    kept: list[int] = []
    for j in ordered:
        if all(2 * twice[j, k] <= twice[j, j] for k in kept):
            kept.append(j)
    return kept


def _own(truth: Masks) -> Masks:
    """Each mask without the pixels that another one has too."""
    if not len(truth):
        return truth
    times = np.zeros((truth.height, truth.width), np.int32)
    for k, (x1, y1, x2, y2) in enumerate(truth.windows.tolist()):
        times[y1:y2, x1:x2] += truth.crop(k)
    windows = [(x1, y1, x2, y2) for x1, y1, x2, y2 in truth.windows.tolist()]
    crops = [
        (truth.crop(k) > 0) & (times[y1:y2, x1:x2] == 1)
        for k, (x1, y1, x2, y2) in enumerate(windows)
    ]
    return mask_ops.from_crops(truth.height, truth.width, windows, crops)


def _covered_px(truth: Masks, i: int, found: Masks, pieces: Sequence[int]) -> int:
    x1, y1, x2, y2 = truth.windows[i].tolist()
    canvas = np.zeros((truth.height, truth.width), bool)
    for j in pieces:
        left, top, right, bottom = found.windows[j].tolist()
        canvas[top:bottom, left:right] |= found.crop(j) > 0
    return int(np.count_nonzero(canvas[y1:y2, x1:x2] & (truth.crop(i) > 0)))

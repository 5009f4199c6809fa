"""Who hides whom: coverage between instances, and where a hidden foot must be. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge import boxes as box_ops
from edge import masks as mask_ops
from edge.types import F32, F64, I32, I64, Bool, Instances

SLACK_PX = 5.0  # feet closer than this in depth hide nobody


@dataclass(frozen=True, slots=True)
class Scene:
    """How the instances of one frame lie to each other and to the border.

    Attributes:
        areas: int64 (N,) set pixels.
        extents: int32 (N, 4) tight boxes of the masks.
        feet: float32 (N, 2), as seen.
        front: bool (N, N), [i, j]: j stands in front of i and their boxes touch.
        hidden_foot: bool (N,): something in front, or the border, cuts the mask's lower edge.
        border: bool (N,): the mask touches the border of the frame.
    """

    areas: I64
    extents: I32
    feet: F32
    front: Bool
    hidden_foot: Bool
    border: Bool


def scene(instances: Instances) -> Scene:
    """Look at all instances of a frame at once."""
    masks = instances.masks
    extents = mask_ops.extents(masks)
    feet = mask_ops.feet(masks)
    x1, y1, x2, y2 = extents.T
    border: Bool = np.array(x1 <= 1, np.bool_)
    border |= y1 <= 1
    border |= (x2 >= masks.width - 1) | (y2 >= masks.height - 1)
    touching = _touching(extents)
    front: Bool = touching & (feet[None, :, 1] > feet[:, None, 1] + SLACK_PX)
    hidden: Bool = y2 >= masks.height - 1
    for i, j in np.argwhere(front).tolist():
        hidden[i] |= _cuts_off(instances, i, j, extents)
    return Scene(mask_ops.area(masks), extents, feet, front, hidden, border)


def _touching(extents: I32) -> Bool:
    low = np.maximum(extents[:, None, :2], extents[None, :, :2])
    high = np.minimum(extents[:, None, 2:], extents[None, :, 2:])
    near: Bool = np.asarray((high + 3 > low).all(2)) & ~np.eye(len(extents), dtype=bool)
    return near


def _cuts_off(instances: Instances, i: int, j: int, extents: I32) -> bool:
    """Whether mask j lies right under most of mask i's lower edge."""
    x1, _, x2, y2 = extents[i].tolist()
    jx1, jy1, jx2, jy2 = instances.masks.windows[j].tolist()
    left, right, top, bottom = max(x1, jx1), min(x2, jx2), max(y2, jy1), min(y2 + 3, jy2)
    if left >= right or top >= bottom:
        return False
    below = instances.masks.crop(j)[top - jy1 : bottom - jy1, left - jx1 : right - jx1].any(0)
    return bool(np.count_nonzero(below) > 0.5 * (x2 - x1))


def cut_short(predicted: F32, seen: F32, usual_px: F64, lifted: float = 0.15) -> Bool:
    """Where something unknown (a counter, a sign) hides the lower part: bool (N,).

    The lower edge has jumped up by more than `lifted` of the usual height while the upper one
    is where it was expected; somebody who crouches lowers the upper edge instead.

    Args:
        predicted: float32 (N, 4) expected boxes.
        seen: float32 (N, 4) boxes seen.
        usual_px: float64 (N,) usual heights.
        lifted: share of the usual height.
    """
    up = predicted[:, 3] - seen[:, 3] > lifted * usual_px
    short = seen[:, 3] - seen[:, 1] < (1 - lifted) * usual_px
    stays: Bool = np.abs(seen[:, 1] - predicted[:, 1]) < lifted * usual_px
    return up & short & stays


def duplicates(
    instances: Instances, groups: I32, max_iou: float = 0.6, max_inside: float = 0.85
) -> Bool:
    """Instances that show an object again which a better one shows already, bool (N,).

    Two of the same group are one object when their masks' IoU exceeds `max_iou`, or when one
    lies inside the other by `max_inside` and is more than half as large: a child in front of
    an adult is smaller than that.
    """
    n = len(instances)
    doubled: Bool = np.zeros(n, bool)
    if n < 2:
        return doubled
    areas = mask_ops.area(instances.masks).astype(np.float64)
    smaller = np.maximum(np.minimum(areas[:, None], areas[None, :]), 1)
    larger = np.maximum(np.maximum(areas[:, None], areas[None, :]), 1)
    near_size = smaller / larger > 0.5

    def alike(shared: F64) -> Bool:
        iou = shared / np.maximum(areas[:, None] + areas[None, :] - shared, 1)
        return (iou > max_iou) | ((shared / smaller > max_inside) & near_size)

    # Masks share no more than their windows do: few pairs need to be looked at.
    windows = instances.masks.windows.astype(np.float32)
    most = np.minimum(box_ops.intersection_matrix(windows, windows), smaller)
    possible = np.triu(alike(most) & (groups[:, None] == groups[None, :]), 1)
    if not possible.any():
        return doubled
    shared: F64 = np.zeros((n, n))
    for i, j in np.argwhere(possible).tolist():
        overlap = mask_ops.intersection(instances.masks, i, instances.masks, j)
        shared[i, j] = shared[j, i] = overlap
    same = alike(shared) & (possible | possible.T)
    for k in range(1, n):  # best score first: each is judged by the better ones that stay
        doubled[k] = bool((same[k, :k] & ~doubled[:k]).any())
    return doubled

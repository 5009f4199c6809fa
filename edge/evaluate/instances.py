"""Facts about each instance of one picture: place, shape, neighbours, what hides it. Pure.

Imports numpy and layers 0-2 besides its own folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge import masks as mask_ops
from edge.evaluate.shapes import THIN_PX, convex, lobes, solidity, thin_share
from edge.types import F32, I32, I64, U8, Bool, Instances, Masks

NEAR_PX = 5  # an instance this close to the border of the frame may be cut off by it
DEPTH_PX = 5.0  # feet closer than this in height tell nothing about who is in front


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another instance that shares pixels with this one, or touches it."""

    id: int
    shared_px: int  # pixels in both masks
    contact_px: int  # pixel sides between the two in the instance map
    is_in_front: bool  # the other one stands nearer to the camera


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """One instance. `id` is its value in the instance map, 1 for the best score.

    `visible` is the mask's area over itself plus what neighbours in front cover of its convex
    hull: an estimate from above, as what is hidden at an end of an object leaves no trace.
    """

    id: int
    class_name: str
    score: float
    box: tuple[float, float, float, float]  # x1, y1, x2, y2, frame pixels
    area_px: int
    foot: tuple[float, float] | None  # x, y where it stands; None for an empty mask
    touches_border: bool
    near_border: bool  # within NEAR_PX of the border of the frame, or touching it
    neighbours: tuple[Neighbour, ...]
    visible: float  # 0..1
    solidity: float  # 0..1, area over that of the convex hull
    thin_share: float  # 0..1, share of the mask in parts narrower than THIN_PX
    lobes: int


def instance_facts(instances: Instances, class_names: Sequence[str]) -> list[InstanceFacts]:
    """Facts about every instance of one picture, in order: ids 1, 2, 3...

    Args:
        instances: of one picture, best score first.
        class_names: name of each class id.

    Cost:
        Masks are looked at inside their windows; one int32 picture of the frame's size is made.
    """
    masks = instances.masks
    extents, areas, feet = mask_ops.extents(masks), mask_ops.area(masks), mask_ops.feet(masks)
    shared = mask_ops.intersection_matrix(masks, masks)
    contact = contact_matrix(mask_ops.instance_map(masks), len(masks))
    front = in_front(feet)
    facts = []
    for k in range(len(instances)):
        crop = masks.crop(k)
        touching = _border_distance(extents[k], masks.height, masks.width)
        near = np.flatnonzero((shared[k] > 0) | (contact[k] > 0))
        x1, y1, x2, y2 = (round(v, 2) for v in instances.boxes[k].tolist())
        facts.append(
            InstanceFacts(
                id=k + 1,
                class_name=class_names[int(instances.class_ids[k])],
                score=round(float(instances.scores[k]), 4),
                box=(x1, y1, x2, y2),
                area_px=int(areas[k]),
                foot=None if np.isnan(feet[k, 0]) else (float(feet[k, 0]), float(feet[k, 1])),
                touches_border=bool(areas[k]) and touching <= 0,
                near_border=bool(areas[k]) and touching <= NEAR_PX,
                neighbours=tuple(
                    Neighbour(j + 1, int(shared[k, j]), int(contact[k, j]), bool(front[k, j]))
                    for j in near.tolist()
                    if j != k
                ),
                visible=round(_visible(masks, k, np.flatnonzero(front[k])), 4),
                solidity=round(solidity(crop), 4),
                thin_share=round(thin_share(crop, THIN_PX), 4),
                lobes=lobes(crop),
            )
        )
    return facts


def contact_matrix(instance_map: I32, count: int) -> I64:
    """Length of the common border of every two instances, in pixel sides, int64 (N, N).

    Two pixels of different instances that lie side by side, or one above the other, touch along
    one side. Counted in the instance map, where overlaps belong to the better score.

    >>> contact_matrix(np.array([[1, 1, 0], [2, 2, 3]], np.int32), 3).tolist()
    [[0, 2, 0], [2, 0, 1], [0, 1, 0]]
    """
    sides: I64 = np.zeros((count + 1, count + 1), np.int64)
    for a, b in (
        (instance_map[:, :-1], instance_map[:, 1:]),
        (instance_map[:-1], instance_map[1:]),
    ):
        differ = (a != b) & (a > 0) & (b > 0)
        np.add.at(sides, (a[differ], b[differ]), 1)
    both: I64 = (sides + sides.T)[1:, 1:]
    return both


def in_front(feet: F32) -> Bool:
    """Who stands nearer to the camera, bool (N, N): [i, j] says j is in front of i.

    On level ground, seen from above eye height, what is nearer stands lower in the picture.
    """
    lower: Bool = feet[None, :, 1] > feet[:, None, 1] + DEPTH_PX
    return lower


def _border_distance(extent: I32, height: int, width: int) -> int:
    x1, y1, x2, y2 = extent.tolist()
    return int(min(x1, y1, width - x2, height - y2))


def _visible(masks: Masks, k: int, front: I64) -> float:
    x1, y1, x2, y2 = masks.windows[k].tolist()
    crop = masks.crop(k)
    area = int(np.count_nonzero(crop))
    if not area:
        return 0.0
    covering: U8 = np.zeros_like(crop)
    for j in front.tolist():
        jx1, jy1, jx2, jy2 = masks.windows[j].tolist()
        left, top, right, bottom = max(x1, jx1), max(y1, jy1), min(x2, jx2), min(y2, jy2)
        if left < right and top < bottom:
            covering[top - y1 : bottom - y1, left - x1 : right - x1] |= masks.crop(j)[
                top - jy1 : bottom - jy1, left - jx1 : right - jx1
            ]
    if not covering.any():
        return 1.0
    hidden = np.count_nonzero(covering & convex(crop) & (1 - crop))
    return area / (area + int(hidden))

"""Who hides whom: how the instances of one frame lie to each other and to the border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge import boxes as box_ops
from edge import masks as mask_ops
from edge.track import grid as grids
from edge.track.grid import Grid
from edge.types import F32, F64, I32, I64, Bool, Instances, Masks

MAX_IOU = 0.6  # of two masks that show two objects
MAX_INSIDE = 0.85
SLACK_PX = 5.0  # feet closer than this in depth hide nobody
FOOT_SHARE = 1 / 3  # of the height: the lower part whose middle is the foot's x


@dataclass(frozen=True, slots=True)
class Scene:
    """The instances of one frame that may be tracked, best score first.

    Attributes:
        now_s: media time.
        size_hw: of the frame, pixels.
        boxes: float32 (N, 4).
        scores: float32 (N,).
        class_ids: int32 (N,).
        groups: int32 (N,) of the classes.
        origin: int64 (N,) index of each in the frame's instances.
        tops: float64 (N,) upper edge of the mask.
        feet: float64 (N, 2), as seen.
        grid: the masks.
        front: int64 (N,) the instance that stands in front of it and touches it most, or -1.
        hidden_foot: bool (N,) something in front, or the border, cuts the mask's lower edge.
        border: bool (N,) the mask touches the border of the frame.
        doubled: bool (N,) a better instance shows the same object.
    """

    now_s: float
    size_hw: tuple[int, int]
    boxes: F32
    scores: F32
    class_ids: I32
    groups: I32
    origin: I64
    tops: F64
    feet: F64
    grid: Grid
    front: I64
    hidden_foot: Bool
    border: Bool
    doubled: Bool

    def __len__(self) -> int:
        return len(self.origin)


def scene(instances: Instances, origin: I64, groups: I32, rows: I64, now_s: float) -> Scene:
    """Look at all instances of a frame at once.

    Args:
        instances: of the frame.
        origin: int64 (N,) those that may be tracked, best score first.
        groups: int32 (N,) of their classes.
        rows: int64 (N, 2) first row of each mask and one past its last.
        now_s: media time.
    """
    masks, boxes = instances.masks, instances.boxes[origin]
    grid = grids.painted(masks, origin)
    feet = _feet(grid, boxes, rows)
    left, right = np.clip(boxes[:, [0, 2]], 0, masks.width).astype(np.int64).T
    other, edge = grids.below(grid, rows[:, 1], left, right)
    ahead = (np.append(feet[:, 1], -np.inf)[other] > feet[edge, 1] + SLACK_PX).any(0)
    covered = np.bincount(edge[ahead], minlength=len(boxes)) * grid.step_px
    hidden: Bool = (covered > 0.5 * (right - left)) | (rows[:, 1] >= masks.height - 1)
    touch = grids.contacts(grid) * (feet[None, :, 1] > feet[:, None, 1] + SLACK_PX)
    front: I64 = np.where(touch.any(1), touch.argmax(1), -1) if len(boxes) else origin
    return Scene(
        now_s,
        (masks.height, masks.width),
        boxes,
        instances.scores[origin],
        instances.class_ids[origin],
        groups,
        origin,
        rows[:, 0].astype(np.float64),
        feet,
        grid,
        front,
        hidden,
        _border(masks, origin, rows),
        duplicates(masks, origin, groups, grid),
    )


def _feet(grid: Grid, boxes: F32, rows: I64) -> F64:
    """Middle of the lower part, so that both legs of a walker weigh in; and the lower edge."""
    n = len(boxes)
    cells, owners = grid.shapes.cells, grid.shapes.owners
    lowest = rows[:, 1] - (rows[:, 1] - rows[:, 0]) * FOOT_SHARE
    low = (cells // grid.columns + 0.5) * grid.step_px >= lowest[owners]
    x = grid.shapes.xs[low] * grid.step_px + 0.5
    count = np.bincount(owners[low], minlength=n)
    total = np.bincount(owners[low], weights=x, minlength=n)
    centre = (boxes[:, 0] + boxes[:, 2]).astype(np.float64) / 2
    middle = np.where(count > 0, total / np.maximum(count, 1), centre)
    feet: F64 = np.stack([middle, rows[:, 1].astype(np.float64)], 1)
    return feet


def _border(masks: Masks, origin: I64, rows: I64) -> Bool:
    """Whether a mask, not only its window, touches the border."""
    border: Bool = (rows[:, 0] <= 1) | (rows[:, 1] >= masks.height - 1)
    windows = masks.windows[origin]
    for k in np.flatnonzero(~border & (windows[:, 0] <= 1)).tolist():
        border[k] = masks.crop(int(origin[k]))[:, : 2 - int(windows[k, 0])].any()
    for k in np.flatnonzero(~border & (windows[:, 2] >= masks.width - 1)).tolist():
        reach = masks.width - 1 - int(windows[k, 0])
        border[k] = masks.crop(int(origin[k]))[:, max(0, reach - 1) :].any()
    return border


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


def duplicates(masks: Masks, index: I64, groups: I32, grid: Grid) -> Bool:
    """Instances that show an object again which a better one shows already, bool (N,).

    Two of the same group are one object when their masks' IoU exceeds MAX_IOU, or when one lies
    inside the other by MAX_INSIDE and is more than half as large: a child in front of
    an adult is smaller than that.

    Args:
        masks: of the frame.
        index: int64 (N,) into `masks`, best score first.
        groups: int32 (N,).
        grid: of the same masks.
    """
    n = len(index)
    doubled: Bool = np.zeros(n, bool)
    if n < 2:
        return doubled
    areas_px, step_px = grid.areas * grid.step_px**2, grid.step_px
    # Masks share no more than their windows do: few pairs need to be looked at. But what they
    # share is counted on every so manyth row and column: along an axis on which the windows
    # share w pixels at most (w - 1) // step + 1 of those, which stand for less than w + step.
    # Windows grown by a step on each side share w + 2 steps and never leave out a pair, so how
    # tight they are, which differs between a run and its replay, decides nothing.
    windows = masks.windows[index] + np.array([-1, -1, 1, 1], np.float32) * step_px
    windows = windows.astype(np.float32)
    overlap = box_ops.intersection_matrix(windows, windows)
    i, j = np.nonzero(np.triu((overlap > 0) & (groups[:, None] == groups[None, :]), 1))
    small, large = np.minimum(areas_px[i], areas_px[j]), np.maximum(areas_px[i], areas_px[j])

    def alike(shared: I64 | F32, i: I64, j: I64, small: I64, large: I64) -> Bool:
        same: Bool = shared > MAX_IOU * (areas_px[i] + areas_px[j] - shared)
        return same | ((shared > MAX_INSIDE * small) & (small > 0.5 * large))

    possible = alike(np.minimum(overlap[i, j], small), i, j, small, large)
    i, j, small, large = i[possible], j[possible], small[possible], large[possible]
    pairs = zip(index[i].tolist(), index[j].tolist(), strict=True)
    shared = np.array(
        [mask_ops.intersection(masks, a, masks, b, step_px=step_px) for a, b in pairs]
    )
    same = alike(shared.astype(np.int64), i, j, small, large)
    for better, worse in zip(i[same].tolist(), j[same].tolist(), strict=True):
        doubled[worse] |= not doubled[better]  # pairs come best first
    return doubled

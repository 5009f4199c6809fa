"""Masks from planes that cover the whole input, one an instance, of any resolution.

A plane is read as bilinear interpolation between the centres of its cells (align_corners False),
as the models' own packages do; but only where it may exceed its threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.masks import from_crops
from edge.segment.letterbox import Letterbox, inner
from edge.types import F32, F64, I32, I64, U8, Masks

Window = tuple[int, int, int, int]  # x1, y1, x2, y2 in frame pixels
NOTHING: tuple[Window, U8] = ((0, 0, 0, 0), np.zeros((0, 0), np.uint8))


@dataclass(frozen=True, slots=True)
class Level:
    """What the values of a plane are, and above which of them a mask is set."""

    threshold: float
    lowest: float
    highest: float

    def holds(self, cells: F32) -> bool:
        """Whether all values are numbers that can be."""
        return bool(cv2.checkRange(cells, True, self.lowest, self.highest)[0])


LOGITS = Level(0.0, -1e6, 1e6)
PROBABILITIES = Level(0.5, -0.01, 1.01)  # with the rounding of float16


def level_of(plane: NDArray[Any]) -> Level:
    """What the values of a plane (h, w) are: logits if some cannot be probabilities.

    >>> level_of(np.array([[0.1, 1.0005]])) == PROBABILITIES
    True
    """
    beyond = plane.min() < PROBABILITIES.lowest or plane.max() > PROBABILITIES.highest
    return LOGITS if beyond else PROBABILITIES


def level_told(planes: NDArray[Any]) -> Level | None:
    """What the values of planes (K, h, w) of one model are; None: there are none but zeros."""
    levels = {level_of(plane) for plane in planes if plane.any() and np.isfinite(plane).all()}
    return max(levels, key=lambda level: level.highest, default=None)


@dataclass(frozen=True, slots=True)
class Axis:
    """How pixels along one side of the frame are made of cells: of two neighbours each."""

    first: I64  # (n,) a cell
    second: I64  # (n,) the next one, or the same
    share: F32  # (n,) of the second
    begins: list[int]  # (cells,) the first pixel that a cell has a share in
    ends: list[int]  # (cells,) one past the last
    is_plain: bool  # each pixel is one cell


def axis(places: F64, cells: int, low: int, high: int) -> Axis:
    """How pixels are made of the cells low..high; beyond them the outermost cell's value holds.

    Args:
        places: float64 (n,), ascending: pixel centres, where cell k has its centre at k + .5.
        cells: how many there are.
        low: first cell that counts.
        high: one past the last cell that counts.

    >>> along = axis(np.array([0.25, 0.75, 1.25, 1.75]), 2, 0, 2)
    >>> along.first.tolist(), along.second.tolist(), along.share.tolist()
    ([0, 0, 0, 1], [1, 1, 1, 1], [0.0, 0.25, 0.75, 0.0])
    >>> along.begins, along.ends
    ([0, 1], [3, 4])
    """
    at = np.clip(places - 0.5, low, high - 1)
    first: I64 = np.floor(at).astype(np.int64)
    share: F32 = (at - first).astype(np.float32)
    second: I64 = np.minimum(first + 1, high - 1)
    beside = np.where(share > 0, second, first)
    each = np.arange(cells)
    begins, ends = np.searchsorted(beside, each), np.searchsorted(first, each, "right")
    is_plain = not share.any() and bool((np.diff(first) == 1).all())
    return Axis(first, second, share, begins.tolist(), ends.tolist(), is_plain)


@lru_cache(maxsize=8)
def axes(cells_hw: tuple[int, int], box: Letterbox) -> tuple[Axis, Axis]:
    """Rows and columns of the frame, made of cells that cover the input; never of padding."""
    sides = []
    for k, scale, start in ((0, box.scale_y, box.top), (1, box.scale_x, box.left)):
        share = cells_hw[k] / box.input_hw[k]  # cells an input pixel
        low = int(start * share)
        high = min(cells_hw[k], max(low + 1, math.ceil((start + inner(box)[k]) * share)))
        places: F64 = np.arange(0.5, box.frame_hw[k], dtype=np.float64)
        sides.append(axis((places * scale + start) * share, cells_hw[k], low, high))
    return sides[0], sides[1]


def masks_of(
    planes: NDArray[Any],
    index: Sequence[int] | I64,
    level: Level | Sequence[Level],
    box: Letterbox,
    crops: I32 | None = None,
) -> tuple[Masks, list[int], int]:
    """Masks at frame resolution, each in as tight a window as it has.

    Args:
        planes: float (K, h, w); each covers the whole input.
        index: (N,) the planes that are wanted.
        level: what their values are, or those of each.
        box: how the frame lies in the input.
        crops: int32 (N, 4) frame pixels outside which a mask is not set; None: the whole frame.

    Returns:
        The masks that are not empty, their positions in `index`, and how many planes were dropped
        for values that are no numbers or cannot be.

    Cost:
        A look at the cells under each crop, and some passes over the pixels of each mask's window.
    """
    height, width = box.frame_hw
    rows, columns = axes((planes.shape[1], planes.shape[2]), box)
    whole = [[0, 0, width, height]] * len(index)
    levels = [level] * len(index) if isinstance(level, Level) else level
    windows, masks, filled, broken = [], [], [], 0
    for n, (x1, y1, x2, y2) in enumerate(whole if crops is None else crops.tolist()):
        level = levels[n]
        if x2 <= x1 or y2 <= y1:
            continue
        left, right = int(columns.first[x1]), int(columns.second[x2 - 1]) + 1
        top, bottom = int(rows.first[y1]), int(rows.second[y2 - 1]) + 1
        cells = planes[index[n], top:bottom, left:right].astype(np.float32, copy=False)
        above = (cells > level.threshold).view(np.uint8)
        x, y, w, h = cv2.boundingRect(above)
        beside = cells[max(0, y - 1) : y + h + 1, max(0, x - 1) : x + w + 1]
        if not level.holds(beside if w else cells):
            broken += 1
            continue
        if not w:
            continue
        # Only pixels with a share of such cells can be above the threshold too.
        x1, x2 = max(x1, columns.begins[left + x]), min(x2, columns.ends[left + x + w - 1])
        y1, y2 = max(y1, rows.begins[top + y]), min(y2, rows.ends[top + y + h - 1])
        window, mask = _cut(planes[index[n]], level, (x1, y1, x2, y2), rows, columns)
        if len(mask):
            windows.append(window)
            masks.append(mask)
            filled.append(n)
    return from_crops(height, width, windows, masks), filled, broken


def _cut(
    plane: NDArray[Any], level: Level, window: Window, rows: Axis, columns: Axis
) -> tuple[Window, U8]:
    """What is above the threshold within a window of the frame, and its tight window."""
    x1, y1, x2, y2 = window
    if x2 <= x1 or y2 <= y1:
        return NOTHING
    across, down = columns.first[x1:x2], rows.first[y1:y2]
    left, top = int(across[0]), int(down[0])
    right, bottom = int(columns.second[x2 - 1]) + 1, int(rows.second[y2 - 1]) + 1
    if rows.is_plain and columns.is_plain:
        cells = plane[top : top + y2 - y1, left : left + x2 - x1]
        mask: U8 = (cells > level.threshold).view(np.uint8)
    else:
        cells = plane[top:bottom, left:right].astype(np.float32, copy=False)
        wide = mixed(cells.T, across - left, columns.second[x1:x2] - left, columns.share[x1:x2])
        fine = mixed(wide.T, down - top, rows.second[y1:y2] - top, rows.share[y1:y2])
        mask = (fine > level.threshold).view(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    if not w:
        return NOTHING
    return (x1 + x, y1 + y, x1 + x + w, y1 + y + h), mask[y : y + h, x : x + w]


def mixed(lines: F32, first: I64, second: I64, share: F32) -> F32:
    """Lines float32 (n, m) between the first and the second, each with its share of the second."""
    lines = np.ascontiguousarray(lines)
    low: F32 = lines.take(first, axis=0, mode="clip")
    high: F32 = lines.take(second, axis=0, mode="clip")
    high -= low
    high *= share[:, None]
    high += low
    return high

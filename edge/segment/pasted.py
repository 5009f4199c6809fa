"""Masks from small squares, each stretched over its instance's box.

Mask R-CNN: He et al., 2017, arXiv:1703.06870.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.masks import from_crops
from edge.segment.letterbox import Letterbox
from edge.segment.planes import PROBABILITIES, Level, axis, mixed
from edge.types import F32, U8, Masks

MOST_FRAMES = 3  # a box that many times as wide or high as the frame cannot be


def masks_of(
    squares: NDArray[Any],
    boxes: F32,
    box: Letterbox,
    level: Level | Sequence[Level] = PROBABILITIES,
) -> tuple[Masks, list[int], int]:
    """Masks at frame resolution inside their boxes, in windows as tight as they have.

    As the ONNX zoo's Mask R-CNN has it, a square covers all pixels from the one in which its box
    begins to the one in which it ends.

    Args:
        squares: float (N, h, w).
        boxes: float32 (N, 4) pixels of the input.
        box: how the frame lies in the input.
        level: what the values of the squares are, or those of each.

    Returns:
        The masks that are not empty, whose squares they are, and how many were dropped for values
        that are no numbers or cannot be.
    """
    height, width = box.frame_hw
    levels = [level] * len(squares) if isinstance(level, Level) else level
    windows, masks, filled, broken = [], [], [], 0
    corners = np.trunc(box.unclipped(boxes)).astype(int).tolist()
    for n, (x1, y1, x2, y2) in enumerate(corners):
        level = levels[n]
        cells: F32 = np.ascontiguousarray(squares[n], np.float32)
        size = x2 + 1 - x1, y2 + 1 - y1
        is_huge = size[0] > MOST_FRAMES * width or size[1] > MOST_FRAMES * height
        if is_huge or not level.holds(cells):
            broken += 1
            continue
        left, top = max(x1, 0), max(y1, 0)
        fine = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
        fine = fine[top - y1 : max(0, height - y1), left - x1 : max(0, width - x1)]
        mask: U8 = (fine > level.threshold).view(np.uint8)
        x, y, w, h = cv2.boundingRect(mask) if mask.size else (0, 0, 0, 0)
        if w:
            windows.append((left + x, top + y, left + x + w, top + y + h))
            masks.append(mask[y : y + h, x : x + w])
            filled.append(n)
    return from_crops(height, width, windows, masks), filled, broken


def masks_at(squares: NDArray[Any], boxes: F32, box: Letterbox) -> tuple[Masks, list[int], int]:
    """Masks at frame resolution inside their boxes, whose sides may lie within pixels.

    As MMDetection and Detectron2 have it: a square covers its box, pixels are read at their
    centres, between those of its cells, and beyond the outermost of these it fades to 0.

    Args:
        squares: float (N, h, w), probabilities.
        boxes: float32 (N, 4) pixels of the input.
        box: how the frame lies in the input.

    Returns:
        As `masks_of`.
    """
    height, width = box.frame_hw
    windows, masks, filled, broken = [], [], [], 0
    for n, (x1, y1, x2, y2) in enumerate(box.unclipped(boxes).astype(float).tolist()):
        cells: F32 = np.pad(np.asarray(squares[n], np.float32), 1)
        if not PROBABILITIES.holds(cells):
            broken += 1
            continue
        # Beyond the box a square fades below its threshold.
        left, right = max(0, math.ceil(x1 - 0.5)), min(width, math.ceil(x2 - 0.5))
        top, bottom = max(0, math.ceil(y1 - 0.5)), min(height, math.ceil(y2 - 0.5))
        if right <= left or bottom <= top:
            continue
        h, w = cells.shape
        across = (np.arange(left, right) + 0.5 - x1) / (x2 - x1) * (w - 2) + 1
        down = (np.arange(top, bottom) + 0.5 - y1) / (y2 - y1) * (h - 2) + 1
        columns, rows = axis(across, w, 0, w), axis(down, h, 0, h)
        wide = mixed(cells.T, columns.first, columns.second, columns.share)
        fine = mixed(wide.T, rows.first, rows.second, rows.share)
        mask: U8 = (fine > PROBABILITIES.threshold).view(np.uint8)
        x, y, wide_px, high_px = cv2.boundingRect(mask)
        if wide_px:
            windows.append((left + x, top + y, left + x + wide_px, top + y + high_px))
            masks.append(mask[y : y + high_px, x : x + wide_px])
            filled.append(n)
    return from_crops(height, width, windows, masks), filled, broken

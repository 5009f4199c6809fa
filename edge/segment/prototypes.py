"""Masks as sums of coefficient x prototype, above 0, inside their boxes.

YOLACT: Bolya et al., 2019, arXiv:1904.02689.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.masks import from_crops
from edge.segment.letterbox import Letterbox
from edge.types import F32, U8, Masks

MARGIN = 2  # prototype cells kept round a box, so that interpolation has neighbours


def masks_of(
    coefficients: F32, prototypes: F32, frame_boxes: F32, box: Letterbox
) -> tuple[Masks, list[int]]:
    """Masks at frame resolution inside their boxes, and the indices of those not empty.

    Args:
        coefficients: float32 (N, k).
        prototypes: float32 (k, h, w); cover the whole input.
        frame_boxes: float32 (N, 4) frame pixels.
        box: how the frame lies in the input.
    """
    k, h, w = prototypes.shape
    height, width = box.frame_hw
    step_x, step_y = box.input_hw[1] / w, box.input_hw[0] / h
    windows, crops, filled = [], [], []
    for n, (x1, y1, x2, y2) in enumerate(np.rint(frame_boxes).astype(int).tolist()):
        if x2 <= x1 or y2 <= y1:
            continue
        # Prototype cells under the window; a cell (i, j) has its centre at (i + .5, j + .5).
        scale_x, scale_y = box.scale_x / step_x, box.scale_y / step_y
        left, top = box.left / step_x, box.top / step_y
        px1 = max(0, int(x1 * scale_x + left) - MARGIN)
        py1 = max(0, int(y1 * scale_y + top) - MARGIN)
        px2 = min(w, int(x2 * scale_x + left) + 1 + MARGIN)
        py2 = min(h, int(y2 * scale_y + top) + 1 + MARGIN)
        logits = (coefficients[n] @ prototypes[:, py1:py2, px1:px2].reshape(k, -1)).reshape(
            py2 - py1, px2 - px1
        )
        to_cells = np.array(
            [
                [scale_x, 0, (x1 + 0.5) * scale_x + left - 0.5 - px1],
                [0, scale_y, (y1 + 0.5) * scale_y + top - 0.5 - py1],
            ]
        )
        fine = cv2.warpAffine(
            logits,
            to_cells,
            (x2 - x1, y2 - y1),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask: U8 = (fine > 0).view(np.uint8)
        if mask.any():
            windows.append((x1, y1, x2, y2))
            crops.append(mask)
            filled.append(n)
    return from_crops(height, width, windows, crops), filled

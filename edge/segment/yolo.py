"""Reading the two tensors of the YOLO-seg raw convention.

`output0` (1, 4 + classes + k, A): per cell the box's centre and size in input pixels, class
probabilities, and k coefficients. `output1` (1, k, h, w): prototypes. A mask is the sum of
coefficient x prototype, above 0, inside its box (YOLACT: Bolya et al., 2019, arXiv:1904.02689).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge import boxes as box_ops
from edge.errors import ModelError
from edge.masks import from_crops
from edge.segment.letterbox import Letterbox
from edge.segment.session import ModelFile
from edge.types import F32, I32, U8, Bool, Instances, Masks

MOST_CANDIDATES = 1000  # cells that enter suppression
LARGEST_VALUE = 1e9  # boxes are pixels, coefficients reach some thousands
MARGIN = 2  # prototype cells kept round a box, so that interpolation has neighbours


@dataclass(frozen=True, slots=True)
class YoloLayout:
    """Which output is which, and how many classes there are."""

    cells: int  # index of output0
    prototypes: int  # index of output1
    class_names: tuple[str, ...]


def layout(model: ModelFile, outputs: list[F32]) -> YoloLayout:
    """Recognise the convention from real outputs and the metadata.

    Raises:
        ModelError: the outputs do not fit; says what was found.
    """
    found = ", ".join(
        f"{name} {o.shape}" for (name, _), o in zip(model.outputs, outputs, strict=True)
    )
    flat = [i for i, o in enumerate(outputs) if o.ndim == 3]
    planes = [i for i, o in enumerate(outputs) if o.ndim == 4]
    wanted = "cells (1, 4 + classes + k, A) and prototypes (1, k, h, w), as YOLO-seg exports have"
    if len(flat) != 1 or len(planes) != 1:
        raise ModelError(f"{model.path}: expected outputs {wanted}, got {found}")
    rows, k = outputs[flat[0]].shape[1], outputs[planes[0]].shape[1]
    classes = rows - 4 - k
    if classes < 1 or rows > outputs[flat[0]].shape[2]:
        raise ModelError(f"{model.path}: expected outputs {wanted}, got {found}")
    names = model.names()
    if names and len(names) != classes:
        raise ModelError(
            f"{model.path}: expected {classes} class names in the metadata, got {len(names)}"
        )
    return YoloLayout(flat[0], planes[0], names or tuple(f"class{i}" for i in range(classes)))


def decoded(
    cells: F32, prototypes: F32, box: Letterbox, classes: int, limits: Limits
) -> tuple[Instances, int]:
    """Instances of one frame, and how many cells were dropped for values that are no numbers.

    Args:
        cells: float32 (4 + classes + k, A).
        prototypes: float32 (k, h, w).
        box: how the frame lies in the input.
        classes: number of class rows.
        limits: thresholds.
    """
    scores = cells[4 : 4 + classes]
    best: F32 = scores.max(0)
    candidates = np.flatnonzero(best >= limits.min_score)
    if len(candidates) > MOST_CANDIDATES:
        candidates = candidates[np.argsort(-best[candidates], kind="stable")[:MOST_CANDIDATES]]
    picked: F32 = cells[:, candidates].T
    # Below the limit also means: neither NaN nor infinite.
    sound: Bool = np.asarray((np.abs(picked) < LARGEST_VALUE).all(1))
    sound &= (picked[:, 2:4] > 0).all(1)
    sound &= picked[:, 4 : 4 + classes].max(1, initial=0) <= 1
    broken = int(np.count_nonzero(~sound)) + int(np.count_nonzero(np.isnan(best)))
    picked = picked[sound]
    probability = picked[:, 4 : 4 + classes]
    if limits.every_class:
        row, column = np.nonzero(probability >= limits.min_score)
    else:
        row, column = np.arange(len(picked)), probability.argmax(1)
    score: F32 = probability[row, column]
    class_ids: I32 = column.astype(np.int32)
    picked = picked[row]
    half = picked[:, 2:4] / 2
    corners: F32 = np.concatenate([picked[:, :2] - half, picked[:, :2] + half], 1)
    keep = box_ops.suppressed(corners, score, class_ids, limits.nms_iou, limits.most)
    frame_boxes = box.to_frame(corners[keep])
    masks, filled = _masks(picked[keep, 4 + classes :], prototypes, frame_boxes, box)
    keep, frame_boxes = keep[filled], frame_boxes[filled]
    return Instances(frame_boxes, score[keep], class_ids[keep], masks), broken


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of a model's output."""

    min_score: float = 0.2
    nms_iou: float = 0.65
    most: int = 300
    every_class: bool = False  # a cell may give an instance of each class, as AP is measured


def _masks(
    coefficients: F32, prototypes: F32, frame_boxes: F32, box: Letterbox
) -> tuple[Masks, list[int]]:
    """Masks at frame resolution, and the indices of those with anything in them."""
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

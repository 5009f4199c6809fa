"""Reading the two tensors of the YOLO-seg raw convention.

`output0` (1, 4 + classes + k, A): per cell the box's centre and size in input pixels, class
probabilities, and k coefficients. `output1` (1, k, h, w): prototypes. A mask is the sum of
coefficient x prototype, above 0, inside its box (YOLACT: Bolya et al., 2019, arXiv:1904.02689).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge import boxes as box_ops
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.preparation import Preparation
from edge.segment.prototypes import masks_of
from edge.segment.reading import Reading, named
from edge.segment.session import ModelFile, Outputs
from edge.types import F32, I32, Bool, Instances

MOST_CANDIDATES = 1000  # cells that enter suppression
LARGEST_VALUE = 1e9  # boxes are pixels, coefficients reach some thousands


CONVENTION = "cells (1, 4 + classes + k, A) and prototypes (1, k, h, w), as YOLO-seg exports have"


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another.

    Raises:
        ModelError: a wrong number of class names.
    """
    flat = [i for i, o in enumerate(outputs) if o.ndim == 3]
    planes = [i for i, o in enumerate(outputs) if o.ndim == 4]
    if len(flat) != 1 or len(planes) != 1 or len(outputs) != 2:
        return None
    cells, prototypes = flat[0], planes[0]
    rows, k = outputs[cells].shape[1], outputs[prototypes].shape[1]
    classes = rows - 4 - k
    if classes < 1 or rows > outputs[cells].shape[2]:
        return None

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        return decoded(its[cells][0], its[prototypes][0], box, classes, limits)

    return Reading("yolo", CONVENTION, named(model, names, classes), Preparation(), decode)


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
    masks, filled = masks_of(picked[keep, 4 + classes :], prototypes, frame_boxes, box)
    keep, frame_boxes = keep[filled], frame_boxes[filled]
    return Instances(frame_boxes, score[keep], class_ids[keep], masks), broken

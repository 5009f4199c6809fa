"""From candidates with coefficients to instances: what the YOLO families have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge import boxes as box_ops
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import Outputs
from edge.segment.prototypes import masks_of
from edge.types import F32, I32, I64, Bool, Instances

MOST_CANDIDATES = 3000  # that enter suppression: 300 instances of ten
LARGEST_VALUE = 1e9  # boxes are pixels, coefficients reach some thousands
# Prototypes have a stride of 4 pixels. Strides of cells: 8, 16, 32, and 64 in models named P6.
CELLS_A_PROTOTYPE = (21 / 64, 85 / 256)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes in pixels of the input, of which the frame may keep some."""

    boxes: F32  # (N, 4)
    scores: F32  # (N,)
    class_ids: I32  # (N,)
    coefficients: F32  # (N, k)

    def __getitem__(self, which: Any) -> Candidates:
        return Candidates(
            self.boxes[which],
            self.scores[which],
            self.class_ids[which],
            self.coefficients[which],
        )

    def suppressed(self, limits: Limits) -> Candidates:
        """Those that no better one of their class overlaps, best score first."""
        return self[
            box_ops.suppressed(self.boxes, self.scores, self.class_ids, limits.nms_iou, limits.most)
        ]

    def instances(
        self, prototypes: NDArray[Any], box: Letterbox, bounds: np.ufunc = np.ceil
    ) -> tuple[Instances, int]:
        """Those with a mask on the frame; and how many had one that is no number.

        Args:
            prototypes: float32 or float16 (k, h, w).
            box: how the frame lies in the input.
            bounds: see `masks_of`.
        """
        boxes = box.to_frame(self.boxes)
        masks, index, broken = masks_of(self.coefficients, prototypes, boxes, box, bounds)
        return (
            Instances(boxes[index], self.scores[index], self.class_ids[index], masks),
            broken,
        )


def of_cells(rows: F32, classes: int, limits: Limits) -> tuple[Candidates, int]:
    """Candidates of cells, and how many cells were dropped for values that cannot be.

    Args:
        rows: float32 (N, 4 + classes + k): centre and size, a probability a class, coefficients.
        classes: number of classes.
        limits: thresholds.
    """
    # Below the largest value also means: neither NaN nor infinite.
    sound: Bool = np.asarray((np.abs(rows) < LARGEST_VALUE).all(1))
    sound &= (rows[:, 2:4] > 0).all(1)
    sound &= rows[:, 4 : 4 + classes].max(1, initial=0) <= 1
    broken = len(rows) - int(np.count_nonzero(sound))
    rows = rows[sound] if broken else rows
    probability = rows[:, 4 : 4 + classes]
    if limits.every_class:
        row, column = np.nonzero(probability >= limits.min_score)
    else:
        row, column = np.arange(len(rows)), probability.argmax(1)
    score: F32 = probability[row, column]
    half = rows[row, 2:4] / 2
    corners: F32 = np.concatenate([rows[row, :2] - half, rows[row, :2] + half], 1)
    coefficients: F32 = rows[row, 4 + classes :]
    return Candidates(corners, score, column.astype(np.int32), coefficients), broken


def strongest(scores: F32, min_score: float) -> tuple[I64, int]:
    """Indices of the scores (N,) that may count, and how many scores are no numbers.

    >>> strongest(np.array([0.1, 0.5, np.nan, 0.9], np.float32), 0.2)
    (array([1, 3]), 1)
    """
    index: I64 = np.flatnonzero(scores >= min_score)
    if len(index) > MOST_CANDIDATES:
        index = index[np.argsort(-scores[index], kind="stable")[:MOST_CANDIDATES]]
    return index, int(np.count_nonzero(np.isnan(scores)))


def layout(outputs: Outputs) -> tuple[int, int] | None:
    """Which output holds boxes (1, m, n) and which prototypes (1, k, h, w); None: not told.

    Some exports give the maps before decoding, too: (1, 3, h, w, n), or coarser (1, c, h, w).
    """
    flat = [i for i, o in enumerate(outputs) if o.ndim == 3]
    planes = [i for i, o in enumerate(outputs) if o.ndim == 4]
    if len(flat) != 1 or not planes:
        return None
    return flat[0], max(planes, key=lambda i: outputs[i].shape[2] * outputs[i].shape[3])


def cells_of(planes_hw: Sequence[int]) -> set[int]:
    """How many cells there are where prototypes have this size, one a place.

    >>> 8400 in cells_of((160, 160))
    True
    """
    h, w = planes_hw
    return {round(h * w * share) for share in CELLS_A_PROTOTYPE}

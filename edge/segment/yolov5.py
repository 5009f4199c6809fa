"""Reading YOLOv5-seg and YOLOv7-seg: cells one after the other, with an objectness.

Boxes (1, A, 5 + classes + k): the centre and size in input pixels, objectness, class
probabilities, and k coefficients; a score is objectness x probability. Prototypes (1, k, h, w).
Exports of YOLOv7 give further maps, which are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.segment.candidates import cells_of, layout, of_cells, strongest
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.preparation import Preparation
from edge.segment.reading import Reading, named
from edge.types import F32, Instances

CONVENTION = "cells (1, A, 5 + classes + k) and prototypes (1, k, h, w), as YOLOv5-seg exports have"
ANCHORS = 3  # cells a place


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another.

    Raises:
        ModelError: a wrong number of class names.
    """
    found = layout(outputs)
    if found is None:
        return None
    at, planes = found
    k, *planes_hw = outputs[planes].shape[1:]
    count, width = outputs[at].shape[1:]
    classes = width - 5 - k
    counts = {ANCHORS * n for n in cells_of(planes_hw)}
    if classes < 1 or (count <= width and count not in counts):
        return None
    # Cells of other YOLOs have no objectness, and are one a place; some exports turn them.
    known = len(names or model.names())
    is_other = not {count, width}.isdisjoint(cells_of(planes_hw))
    if known == classes + 1 or (known != classes and is_other):
        return None

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        return decoded(its[at][0], its[planes][0], box, classes, limits)

    return Reading("yolov5", CONVENTION, named(model, names, classes), Preparation(), decode)


def decoded(
    cells: NDArray[Any], prototypes: NDArray[Any], box: Letterbox, classes: int, limits: Limits
) -> tuple[Instances, int]:
    """Instances of one frame, and how many cells were dropped for values that are no numbers.

    Args:
        cells: float32 or float16 (A, 5 + classes + k).
        prototypes: float32 or float16 (k, h, w).
        box: how the frame lies in the input.
        classes: number of classes.
        limits: thresholds.
    """
    objectness: F32 = cells[:, 4].astype(np.float32)
    index = np.flatnonzero(~(objectness < limits.min_score))  # NaN is looked at
    rows: F32 = cells[index].astype(np.float32, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):  # of values that are no numbers
        rows[:, 5 : 5 + classes] *= rows[:, 4:5]
    best: F32 = rows[:, 5 : 5 + classes].max(1)
    strong, without = strongest(best, limits.min_score)
    found, broken = of_cells(np.delete(rows[strong], 4, axis=1), classes, limits)
    instances, empty = found.suppressed(limits).instances(prototypes, box)
    return instances, without + broken + empty

"""Reading the two tensors of the YOLO-seg raw convention (Ultralytics YOLOv8, 11, 12, 26).

`output0` (1, 4 + classes + k, A): per cell the box's centre and size in input pixels, class
probabilities, and k coefficients; some exports have it turned, (1, A, 4 + classes + k).
`output1` (1, k, h, w): prototypes. A mask is the sum of coefficient x prototype, above 0, inside
its box (YOLACT: Bolya et al., 2019, arXiv:1904.02689).
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

CONVENTION = "cells (1, 4 + classes + k, A) and prototypes (1, k, h, w), as YOLO-seg exports have"
MINUS_INFINITY = 0xFC00  # the bits of a float16


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another.

    Raises:
        ModelError: a wrong number of class names.
    """
    found = layout(outputs)
    if found is None or len(outputs) != 2:
        return None
    at, planes = found
    k, *planes_hw = outputs[planes].shape[1:]
    high, wide = outputs[at].shape[1:]
    counts = cells_of(planes_hw)
    # Which side counts the cells: the one with a number that fits, else the longer one.
    is_turned = high in counts or (wide not in counts and high > wide)
    classes = (wide if is_turned else high) - 4 - k
    if classes < 1:
        return None

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        cells = its[at][0].T if is_turned else its[at][0]
        return decoded(cells, its[planes][0], box, classes, limits, bounds)

    bounds = _bounds_of(model)
    return Reading("yolo", CONVENTION, named(model, names, classes), Preparation(), decode)


def _bounds_of(model: ModelFile) -> np.ufunc:
    """How the sides of a box become whole pixels.

    Ultralytics' own post-processing takes a pixel if its upper left corner is in the box, so masks
    begin and end half a pixel late. Another's model is better read by the pixels' centres: mask AP
    of the default model's small instances is .213 so, and .193 the other way.
    """
    return np.ceil if model.metadata.get("author", "Ultralytics") == "Ultralytics" else np.rint


def decoded(
    cells: NDArray[Any],
    prototypes: NDArray[Any],
    box: Letterbox,
    classes: int,
    limits: Limits,
    bounds: np.ufunc = np.ceil,
) -> tuple[Instances, int]:
    """Instances of one frame, and how many cells were dropped for values that are no numbers.

    Args:
        cells: float32 or float16 (4 + classes + k, A).
        prototypes: float32 or float16 (k, h, w).
        box: how the frame lies in the input.
        classes: number of class rows.
        limits: thresholds.
        bounds: see `edge.segment.prototypes.masks_of`.
    """
    index, without = strongest(_best(cells[4 : 4 + classes]), limits.min_score)
    picked: F32 = cells[:, index].T.astype(np.float32, copy=False)
    found, broken = of_cells(picked, classes, limits)
    instances, empty = found.suppressed(limits).instances(prototypes, box, bounds)
    return instances, without + broken + empty


def _best(scores: NDArray[Any]) -> F32:
    """The best score of each cell, of (classes, A)."""
    if scores.dtype != np.float16:
        best: F32 = scores.max(0)
        return best
    # Numbers of 16 bits are compared much faster as whole numbers, whose order is the same where
    # they are not negative; NaN is the largest then, as it shall be.
    halves: F32 = scores.view(np.int16).max(0).view(np.float16).astype(np.float32)
    # NaN may have a sign as well. Without one in their bits, only such are above -infinity.
    bits = scores.view(np.uint16)
    if bits.max(initial=0) > MINUS_INFINITY:
        halves[bits.max(0) > MINUS_INFINITY] = np.nan
    return halves

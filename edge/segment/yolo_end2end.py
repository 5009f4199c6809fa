"""Reading YOLO-seg exports whose rows are ready: end-to-end heads, and `nms=True`.

Rows (1, M, 6 + k): x1, y1, x2, y2 in input pixels, score, class, and k coefficients, best first,
filled up with zeros. Prototypes (1, k, h, w).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.segment.candidates import LARGEST_VALUE, Candidates, cells_of, layout
from edge.segment.coco import COCO_80
from edge.segment.letterbox import Letterbox
from edge.segment.limits import Limits
from edge.segment.model_file import ModelFile, Outputs
from edge.segment.preparation import Preparation
from edge.segment.reading import Reading, named_or
from edge.segment.rows import sound_rows
from edge.segment.yolov5 import ANCHORS
from edge.types import F32, Bool, Instances

CONVENTION = (
    "rows (1, M, 6 + k) and prototypes (1, k, h, w), as YOLO-seg exports with nms=True have"
)


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another."""
    found = layout(outputs)
    if found is None or len(outputs) != 2:
        return None
    at, planes = found
    k, *planes_hw = outputs[planes].shape[1:]
    count, width = outputs[at].shape[1:]
    # YOLOv5 with one class has rows of this width, too, but as many as it has cells.
    is_cells = count in {ANCHORS * n for n in cells_of(planes_hw)}
    if width != 6 + k or (is_cells and model.metadata.get("end2end") != "True"):
        return None
    class_names = named_or(model, names, COCO_80)

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        return decoded(its[at][0], its[planes][0], box, len(class_names), limits)

    return Reading("yolo-end2end", CONVENTION, class_names, Preparation(), decode)


def decoded(
    rows: NDArray[Any], prototypes: NDArray[Any], box: Letterbox, classes: int, limits: Limits
) -> tuple[Instances, int]:
    """Instances of one frame, and how many rows were dropped for values that cannot be.

    Args:
        rows: float32 or float16 (M, 6 + k).
        prototypes: float32 or float16 (k, h, w).
        box: how the frame lies in the input.
        classes: number of classes.
        limits: thresholds.
    """
    its, dropped = sound_rows(rows[:, :4], rows[:, 4], rows[:, 5], classes, limits.min_score)
    its = its[: limits.most]
    coefficients: F32 = rows[its.index, 6:].astype(np.float32, copy=False)
    sound: Bool = np.asarray((np.abs(coefficients) < LARGEST_VALUE).all(1))
    found = Candidates(its.boxes, its.scores, its.class_ids, coefficients)[sound]
    instances, empty = found.instances(prototypes, box)
    return instances, dropped + int(np.count_nonzero(~sound)) + empty

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
MOST_ROWS = 1000  # exports keep 300 unless told


def read(model: ModelFile, outputs: Outputs, names: Sequence[str] | None) -> Reading | None:
    """How to read a model of this convention; None: it is of another."""
    found = layout(outputs)
    if found is None or len(outputs) != 2:
        return None
    at, planes = found
    k, *planes_hw = outputs[planes].shape[1:]
    count, width = outputs[at].shape[1:]
    if width != 6 + k:
        return None
    # YOLOv5's cells of one class have this width, too, and turned cells of two; but they are as
    # many as the input has, or more than anybody keeps.
    per_place = cells_of(planes_hw)
    are_cells = count in per_place | {ANCHORS * n for n in per_place}
    may_be_cells = are_cells or (count > MOST_ROWS and len(names or model.names()) <= 2)
    if may_be_cells and not _is_said(model):
        return None
    class_names = named_or(model, names, COCO_80)

    def decode(its: Outputs, box: Letterbox, limits: Limits) -> tuple[Instances, int]:
        return decoded(its[at][0], its[planes][0], box, len(class_names), limits)

    return Reading("yolo-end2end", CONVENTION, class_names, Preparation(), decode)


def _is_said(model: ModelFile) -> bool:
    """Whether the file says that suppression is in it: Ultralytics' exports do."""
    says = model.metadata
    return says.get("end2end") == "True" or "'nms': True" in says.get("args", "")


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
